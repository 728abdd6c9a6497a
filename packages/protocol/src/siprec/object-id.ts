import { fromBase64, type Random, toBase64, toHex } from "../text/index.ts";

/** A fresh object id: base64 of the 16 octets of a version 4 UUID (RFC 7865 §6.10), 24 characters. */
export function newObjectId(random: Random): string {
  const octets = random.bytes(16);
  octets[6] = (octets[6]! & 0x0f) | 0x40;
  octets[8] = (octets[8]! & 0x3f) | 0x80;
  return toBase64(octets);
}

/**
 * What two ids are compared by: the 16 octets when the id is the base64 of such (in hexadecimal), else its text
 * without surrounding white space. Ids that are no UUIDs are opaque and equal only to themselves.
 */
export function objectIdKey(text: string): string {
  const octets = uuidOctets(text);
  return octets === undefined ? `text:${text.trim()}` : `uuid:${toHex(octets)}`;
}

/** True when the id is what RFC 7865 §6.10 asks for: base64 of 16 octets. */
export const isUuidObjectId = (text: string): boolean => uuidOctets(text) !== undefined;

/** Exactly 22 characters of the standard alphabet and `==`: base64url or missing padding make an opaque id. */
function uuidOctets(text: string): Uint8Array | undefined {
  const id = text.trim();
  return /^[A-Za-z0-9+/]{21}[AQgw]==$/.test(id) ? fromBase64(id) : undefined;
}
