import { err, fromBase64, ok, type Result, toBase64 } from "../text/index.ts";
import type { MediaDescription } from "./description.ts";
import { attributes } from "./read.ts";

/** The crypto suites whose key parameters we can read (RFC 4568 §6.2, RFC 6188 §6, RFC 7714 §14.1). */
export type CryptoSuite =
  | "AES_CM_128_HMAC_SHA1_80"
  | "AES_CM_128_HMAC_SHA1_32"
  | "AES_256_CM_HMAC_SHA1_80"
  | "AES_256_CM_HMAC_SHA1_32"
  | "AEAD_AES_128_GCM"
  | "AEAD_AES_256_GCM";

/** Octets of master key and master salt. */
export const CRYPTO_SUITES = {
  AES_CM_128_HMAC_SHA1_80: { keyLength: 16, saltLength: 14 },
  AES_CM_128_HMAC_SHA1_32: { keyLength: 16, saltLength: 14 },
  AES_256_CM_HMAC_SHA1_80: { keyLength: 32, saltLength: 14 },
  AES_256_CM_HMAC_SHA1_32: { keyLength: 32, saltLength: 14 },
  AEAD_AES_128_GCM: { keyLength: 16, saltLength: 12 },
  AEAD_AES_256_GCM: { keyLength: 32, saltLength: 12 },
} as const satisfies Record<CryptoSuite, { readonly keyLength: number; readonly saltLength: number }>;

/** One `inline` key parameter (RFC 4568 §6.1). Never log it. */
export interface CryptoKey {
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
  /** Packets it may protect: 1 to 2^48. */
  readonly lifetimePackets?: number;
  /** Master key identifier as the packets carry it: 1–128 octets. */
  readonly mki?: Uint8Array;
}

/** One `a=crypto` line (RFC 4568 §4.1). It holds keys: never log it. */
export interface CryptoAttribute {
  /** 0–999,999,999, unique among the lines of its m-line. */
  readonly tag: number;
  readonly suite: CryptoSuite;
  /** At least one; with several, each has an MKI of the same length. */
  readonly keys: readonly CryptoKey[];
  /** As written, without optional ones that are unknown: `UNENCRYPTED_SRTCP`, `WSH=64` … */
  readonly sessionParameters: readonly string[];
}

/** What is wrong with a line. Messages tell no keys. */
export interface CryptoError {
  readonly code:
    | "SDES_BAD_SYNTAX"
    | "SDES_UNKNOWN_SUITE"
    | "SDES_BAD_KEY"
    | "SDES_BAD_PARAMETER"
    | "SDES_TOO_LONG";
  readonly message: string;
}

const MAX_LINE_CHARACTERS = 2048;
const MAX_KEYS = 8;
const MAX_PARAMETERS = 16;
/** Lines of one m-line that are looked at. */
const MAX_LINES = 32;
const MAX_LIFETIME = 2 ** 48;
const MAX_MKI_LENGTH = 128;

export function isCryptoSuite(name: string): name is CryptoSuite {
  return Object.hasOwn(CRYPTO_SUITES, name);
}

/**
 * The valid `a=crypto` lines in order of preference. Invalid ones are as if they were not there (RFC 4568 §6.1), and
 * so are all that share a tag: an answer could not tell which it means.
 */
export function cryptoOf(media: MediaDescription): readonly CryptoAttribute[] {
  const parsed = attributes(media, "crypto").slice(0, MAX_LINES).map(parseCrypto);
  const lines = parsed.flatMap((one) => (one.ok ? [one.value] : []));
  return lines.filter(({ tag }) => lines.filter((other) => other.tag === tag).length === 1);
}

/**
 * The value of an `a=crypto` attribute: `<tag> <suite> inline:<key‖salt>[|lifetime][|MKI:length][;inline:…] [params]`.
 *
 * @see RFC 4568 §9.1, §9.2
 */
export function parseCrypto(value: string): Result<CryptoAttribute, CryptoError> {
  if (value.length > MAX_LINE_CHARACTERS) return fail("SDES_TOO_LONG", "the line is too long");
  const [tag, suite, keyParameters, ...parameters] = value.split(/[ \t]+/).filter(Boolean);
  // "The tag MUST NOT have leading zeros."
  if (!tag || !/^(0|[1-9]\d{0,8})$/.test(tag)) return fail("SDES_BAD_SYNTAX", "the tag is no number");
  if (!suite || !keyParameters) return fail("SDES_BAD_SYNTAX", "suite or key parameters are missing");
  if (!isCryptoSuite(suite)) return fail("SDES_UNKNOWN_SUITE", "the crypto suite is unknown");
  const keys: CryptoKey[] = [];
  for (const text of keyParameters.split(";", MAX_KEYS + 1)) {
    const key = parseKey(text, suite);
    if (!key) return fail("SDES_BAD_KEY", `a key parameter does not fit ${suite}`);
    keys.push(key);
  }
  if (keys.length > MAX_KEYS) return fail("SDES_BAD_KEY", `more than ${MAX_KEYS} keys`);
  const mkiLength = keys[0]!.mki?.length ?? 0;
  // "Multiple keys … MUST have an MKI of the same length": else packets could not say which they mean.
  if (keys.some(({ mki }) => (mki?.length ?? 0) !== mkiLength) || (keys.length > 1 && mkiLength === 0)) {
    return fail("SDES_BAD_KEY", "several keys need identifiers of one length");
  }
  if (parameters.length > MAX_PARAMETERS) return fail("SDES_BAD_PARAMETER", "too many session parameters");
  const known = parameters.filter((text) => !text.startsWith("-"));
  const names = known.map((text) => text.split("=", 1)[0]!);
  if (!known.every(isSessionParameter) || new Set(names).size !== names.length) {
    return fail("SDES_BAD_PARAMETER", "a mandatory session parameter is unknown, malformed or repeated");
  }
  return ok({ tag: Number(tag), suite, keys, sessionParameters: known });
}

/** The value of an `a=crypto` attribute; the inverse of `parseCrypto`. */
export function formatCrypto({ tag, suite, keys, sessionParameters }: CryptoAttribute): string {
  const keyParameters = keys.map(({ key, salt, lifetimePackets, mki }) => {
    const material = new Uint8Array(key.length + salt.length);
    material.set(key);
    material.set(salt, key.length);
    const lifetime = lifetimePackets === undefined ? "" : `|${formatLifetime(lifetimePackets)}`;
    return `inline:${toBase64(material)}${lifetime}${mki === undefined ? "" : `|${formatMki(mki)}`}`;
  });
  return [tag, suite, keyParameters.join(";"), ...sessionParameters].join(" ");
}

function parseKey(text: string, suite: CryptoSuite): CryptoKey | undefined {
  const [, material, ...rest] = /^inline:([A-Za-z0-9+/]+={0,2})((?:\|[^|]+){0,2})$/i.exec(text) ?? [];
  if (material === undefined) return undefined;
  const octets = fromBase64(material);
  const { keyLength, saltLength } = CRYPTO_SUITES[suite];
  if (octets?.length !== keyLength + saltLength) return undefined;
  const options = rest.join("").split("|").filter(Boolean);
  const lifetime = options[0]?.includes(":") ? undefined : options.shift();
  const mki = options.shift();
  if (options.length > 0) return undefined;
  const lifetimePackets = lifetime === undefined ? undefined : parseLifetime(lifetime);
  const identifier = mki === undefined ? undefined : parseMki(mki);
  if (lifetime !== undefined && lifetimePackets === undefined) return undefined;
  if (mki !== undefined && identifier === undefined) return undefined;
  return {
    key: octets.slice(0, keyLength),
    salt: octets.slice(keyLength),
    ...(lifetimePackets !== undefined && { lifetimePackets }),
    ...(identifier !== undefined && { mki: identifier }),
  };
}

function parseLifetime(text: string): number | undefined {
  const [, exponent, decimal] = /^(?:2\^(\d{1,2})|([1-9]\d{0,15}))$/.exec(text) ?? [];
  const lifetime = exponent !== undefined ? 2 ** Number(exponent) : Number(decimal ?? 0);
  return lifetime >= 1 && lifetime <= MAX_LIFETIME ? lifetime : undefined;
}

function formatLifetime(lifetime: number): string {
  const exponent = Math.log2(lifetime);
  return Number.isInteger(exponent) && exponent > 0 ? `2^${exponent}` : String(lifetime);
}

/** `value:length`: the decimal value in so many octets, most significant first. */
function parseMki(text: string): Uint8Array | undefined {
  const [, value, length] = /^(\d{1,39}):([1-9]\d{0,2})$/.exec(text) ?? [];
  if (value === undefined || Number(length) > MAX_MKI_LENGTH) return undefined;
  const mki = new Uint8Array(Number(length));
  let left = BigInt(value);
  for (let i = mki.length - 1; i >= 0; i--, left >>= 8n) mki[i] = Number(left & 0xffn);
  return left === 0n ? mki : undefined;
}

function formatMki(mki: Uint8Array): string {
  return `${mki.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n)}:${mki.length}`;
}

/** RFC 4568 §6.3, §9.2. */
function isSessionParameter(text: string): boolean {
  return (
    /^(KDR=\d{1,2}|UNENCRYPTED_SRTCP|UNENCRYPTED_SRTP|UNAUTHENTICATED_SRTP|WSH=\d{1,5})$/.test(text) ||
    /^(FEC_ORDER=(FEC_SRTP|SRTP_FEC)|FEC_KEY=inline:\S+)$/.test(text)
  );
}

function fail(
  code: CryptoError["code"],
  message: string,
): { readonly ok: false; readonly error: CryptoError } {
  return err({ code, message });
}
