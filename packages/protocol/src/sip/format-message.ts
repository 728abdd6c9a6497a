import { isToken, utf8Encode } from "../text/index.ts";
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

/**
 * Writes a message as fresh octets that the caller owns. Content-Length is set from the body, whatever the headers say,
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
    head = `${message.method} ${percentEncode(message.uri, URI_CHARACTERS)} SIP/2.0\r\n`;
  } else {
    const { status } = message;
    if (!Number.isInteger(status) || status < 100 || status > 699)
      throw new SipFormatError("not a status code");
    head = `SIP/2.0 ${status} ${cleanValue(message.reason)}\r\n`;
  }
  for (const { key, name, value } of linesOf(message.headers)) {
    if (key === "content-length") continue;
    if (!isToken(name)) throw new SipFormatError("a header name is no token");
    head += `${name}: ${cleanValue(value)}\r\n`;
  }
  head += `Content-Length: ${message.body.length}\r\n\r\n`;
  const headBytes = utf8Encode(head);
  if (message.body.length === 0) return headBytes;
  const bytes = new Uint8Array(headBytes.length + message.body.length);
  bytes.set(headBytes);
  bytes.set(message.body, headBytes.length);
  return bytes;
}

/** The value with nothing in it that could end a line; the same string when there is nothing to clean. */
export function cleanValue(value: string): string {
  return /[\r\n\0]/.test(value) ? value.replace(/[\r\n]+|(?<!\\)\0/g, " ") : value;
}
