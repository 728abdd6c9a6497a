import { asciiEncodeInto, isToken, utf8Encode } from "../text/index.ts";
import { isUsualName } from "./header-names.ts";
import { linesOf } from "./headers.ts";
import type { SipMessage } from "./message.ts";
import { percentEncode, unreservedAnd } from "./percent.ts";

/** A message that cannot be written: a method or header name that is no token, a status outside 100 to 699. Our bug. */
export class SipFormatError extends Error {
  override readonly name = "SipFormatError";
  readonly code = "SIP_FORMAT";
}

// Everything visible but quotes and angle brackets; the URI was escaped before, so "%" stands.
const URI_CHARACTERS = unreservedAnd("%&=+$,;:?/@[]#^`{|}\\");

/** The same characters at a glance. */
const PLAIN_URI = /^[!#-;=?-~]*$/;

/**
 * Writes a message as octets that the caller owns (a view: small messages share a buffer, each octet is used once). Content-Length is set from the body, whatever the headers say,
 * and put last.
 *
 * No value can start a line of its own: a line end, and a NUL that no backslash quotes, becomes one blank in a header
 * value or reason phrase, and is escaped in the Request-URI. Values may come from a peer's escapes or a user's
 * parameters, so this is cleaning, not an error; names never do, so a bad one throws.
 *
 * @throws SipFormatError for a method or header name that is no token, or a status that is no status
 */
export function formatSipMessage(message: SipMessage): Uint8Array {
  let head: string;
  if (message.kind === "request") {
    if (!isToken(message.method)) throw new SipFormatError("the method is no token");
    head = `${message.method} ${PLAIN_URI.test(message.uri) ? message.uri : percentEncode(message.uri, URI_CHARACTERS)} SIP/2.0\r\n`;
  } else {
    const { status } = message;
    if (!Number.isInteger(status) || status < 100 || status > 699)
      throw new SipFormatError("not a status code");
    head = `SIP/2.0 ${status} ${cleanValue(message.reason)}\r\n`;
  }
  for (const { key, name, value, wasRead } of linesOf(message.headers)) {
    if (key === "content-length") continue;
    if (wasRead) {
      head += `${name}: ${value}\r\n`;
      continue;
    }
    if (!isUsualName(name) && !isToken(name)) throw new SipFormatError("a header name is no token");
    head += `${name}: ${cleanValue(value)}\r\n`;
  }
  head += `Content-Length: ${message.body.length}\r\n\r\n`;
  return octetsOf(head, message.body);
}

/**
 * Messages are short, and a buffer of their own costs more than all of their writing: small ones share one, in which
 * no octet is ever used twice.
 */
const SHARED_BYTES = 16_384;
const LARGEST_SHARED = SHARED_BYTES / 4;
let shared = new Uint8Array(SHARED_BYTES);
let used = 0;

function octetsOf(head: string, body: Uint8Array): Uint8Array {
  const length = head.length + body.length;
  const bytes = room(length);
  if (!asciiEncodeInto(head, bytes)) return wideOctetsOf(head, body);
  if (body.length > 0) bytes.set(body, head.length);
  return bytes;
}

function room(length: number): Uint8Array {
  if (length > LARGEST_SHARED) return new Uint8Array(length);
  if (used + length > SHARED_BYTES) {
    shared = new Uint8Array(SHARED_BYTES);
    used = 0;
  }
  used += length;
  return shared.subarray(used - length, used);
}

function wideOctetsOf(head: string, body: Uint8Array): Uint8Array {
  const headBytes = utf8Encode(head);
  const bytes = new Uint8Array(headBytes.length + body.length);
  bytes.set(headBytes);
  bytes.set(body, headBytes.length);
  return bytes;
}

/** The value with nothing in it that could end a line; the same string when there is nothing to clean. */
export function cleanValue(value: string): string {
  return /[\r\n\0]/.test(value) ? value.replace(/[\r\n]+|(?<!\\)\0/g, " ") : value;
}
