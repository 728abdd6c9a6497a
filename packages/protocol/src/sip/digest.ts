import { type Hash, toHex, utf8Encode } from "../text/index.ts";

/** Hash functions of digest authentication, given by the driver. */
export interface DigestHashes {
  readonly md5: Hash;
  readonly sha256: Hash;
}

/** RFC 7616 §3.3 without SHA-512-256, which no SIP peer is known to speak. */
export type DigestAlgorithm = "MD5" | "MD5-sess" | "SHA-256" | "SHA-256-sess";

const ALGORITHMS: readonly DigestAlgorithm[] = ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"];

/** Reads an `algorithm` parameter, which compares without case; absent means MD5. */
export function parseDigestAlgorithm(text: string | undefined): DigestAlgorithm | undefined {
  if (text === undefined) return "MD5";
  return ALGORITHMS.find((name) => name.toLowerCase() === text.toLowerCase());
}

export interface DigestInput {
  readonly algorithm: DigestAlgorithm;
  readonly username: string;
  readonly realm: string;
  readonly password: string;
  readonly nonce: string;
  readonly method: string;
  /** The digest-uri, as it stands in the `uri` parameter. */
  readonly uri: string;
  /** Absent for peers of RFC 2069, which know no quality of protection. */
  readonly protection?: { readonly qop: "auth"; readonly cnonce: string; readonly nc: string } | undefined;
}

/** The `response` of RFC 7616 §3.4.1, lower-case hexadecimal. */
export function digestResponse(input: DigestInput, hashes: DigestHashes): string {
  const hash = input.algorithm.startsWith("MD5") ? hashes.md5 : hashes.sha256;
  const H = (text: string): string => toHex(hash(utf8Encode(text)));
  let ha1 = H(`${input.username}:${input.realm}:${input.password}`);
  if (input.algorithm.endsWith("-sess")) ha1 = H(`${ha1}:${input.nonce}:${input.protection?.cnonce ?? ""}`);
  const ha2 = H(`${input.method}:${input.uri}`);
  if (input.protection === undefined) return H(`${ha1}:${input.nonce}:${ha2}`);
  const { qop, cnonce, nc } = input.protection;
  return H(`${ha1}:${input.nonce}:${nc}:${cnonce}:${qop}:${ha2}`);
}

/** Compares two texts in a time that depends on the length of `expected` alone. */
export function equalsInConstantTime(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let i = 0; i < expected.length; i++) difference |= (given.charCodeAt(i) || 0) ^ expected.charCodeAt(i);
  return difference === 0;
}
