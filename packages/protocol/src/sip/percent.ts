import { hexDigit, utf8DecodeStrict, utf8Encode } from "../text/index.ts";

/**
 * Takes the `%HH` escapes off a part of a URI. Octets that are no UTF-8 become lone surrogates U+DC80–U+DCFF, one an
 * octet, so that two texts that differ stay different and `percentEncode` restores them.
 *
 * @returns `undefined` where `%` is not followed by two hexadecimal digits
 */
export function percentDecode(text: string): string | undefined {
  if (!text.includes("%")) return text;
  // Escapes are ASCII, so they can be undone in the UTF-8 of the text.
  const bytes = utf8Encode(text);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    let octet = bytes[i]!;
    if (octet === 0x25) {
      const high = hexDigit(bytes[i + 1] ?? 0);
      const low = hexDigit(bytes[i + 2] ?? 0);
      if (high < 0 || low < 0) return undefined;
      octet = high * 16 + low;
      i += 2;
    }
    bytes[length++] = octet;
  }
  const decoded = bytes.subarray(0, length);
  return utf8DecodeStrict(decoded) ?? decodeWithSurrogates(decoded);
}

/** Escapes every character that `allowed` does not hold, as UTF-8. */
export function percentEncode(text: string, allowed: CharSet): string {
  let out = "";
  let plain = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i)!;
    if (code < 128 && allowed[code] === 1) continue;
    out += text.slice(plain, i);
    if (code >= 0xdc80 && code <= 0xdcff) out += escapeOctet(code - 0xdc00);
    else for (const octet of utf8Encode(String.fromCodePoint(code))) out += escapeOctet(octet);
    if (code > 0xffff) i++;
    plain = i + 1;
  }
  return plain === 0 ? text : out + text.slice(plain);
}

/** One flag for each ASCII character. */
export type CharSet = Uint8Array;

/** Letters, digits, `mark` of RFC 3261 §25.1, and `extra`. */
export function unreservedAnd(extra: string): CharSet {
  const set = new Uint8Array(128);
  for (const c of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()")
    set[c.charCodeAt(0)] = 1;
  for (const c of extra) set[c.charCodeAt(0)] = 1;
  return set;
}

const escapeOctet = (octet: number): string => `%${octet.toString(16).toUpperCase().padStart(2, "0")}`;

/** UTF-8 where it is, surrogates where it is not: the longest good run first, then one bad octet at a time. */
function decodeWithSurrogates(bytes: Uint8Array): string {
  let text = "";
  let i = 0;
  while (i < bytes.length) {
    const length = sequenceLength(bytes[i]!);
    const decoded = length > 0 ? utf8DecodeStrict(bytes.subarray(i, i + length)) : undefined;
    if (decoded !== undefined && i + length <= bytes.length) {
      text += decoded;
      i += length;
    } else {
      text += String.fromCharCode(0xdc00 + bytes[i]!);
      i++;
    }
  }
  return text;
}

function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}
