import {
  flattenBody,
  mediaTypeName,
  NO_BODY,
  partDisposition,
  partMediaType,
  SipHeaders,
  type SipMessage,
} from "@callfork/protocol/sip";
import { utf8Decode } from "@callfork/protocol/text";
import type { HeaderLine, ReceivedPart, SipBody } from "./types.ts";

export interface ReceivedBody {
  readonly parts: readonly ReceivedPart[];
  readonly warnings: readonly string[];
}

const EMPTY: ReceivedBody = { parts: [], warnings: [] };

/** The leaves of a message's body, or what keeps it from being read. */
export function receivedBody(message: SipMessage): ReceivedBody | { readonly problem: string } {
  if (message.body.length === 0) return EMPTY;
  const strict = flattenBody(message);
  // A closing delimiter that is missing, bare LF: said in `warnings`, for whoever wants to be strict about it.
  const flat = strict.ok ? strict : flattenBody(message, { lenient: true });
  if (!flat.ok) return { problem: flat.error.message };
  return {
    warnings: flat.value.warnings,
    parts: flat.value.parts.map((part) => {
      const mediaType = partMediaType(part);
      return {
        mediaType: mediaType === undefined ? "application/octet-stream" : mediaTypeName(mediaType),
        contentType: part.headers.get("Content-Type") ?? "text/plain",
        disposition: part.headers.has("Content-Disposition") ? partDisposition(part).type : undefined,
        bytes: part.body,
      };
    }),
  };
}

/** The parts alone; none when the body does not read, which is how a bad response body is met. */
export function receivedParts(message: SipMessage): readonly ReceivedPart[] {
  const body = receivedBody(message);
  return "problem" in body ? [] : body.parts;
}

/** Sets the header fields that speak of a body and returns its octets. */
export function putBody(headers: SipHeaders, body: SipBody | undefined): Uint8Array {
  if (body === undefined) return NO_BODY;
  headers.set("Content-Type", body.contentType);
  if (body.disposition !== undefined) headers.set("Content-Disposition", body.disposition);
  return body.bytes;
}

/** Adds `lines`; those that the user agent would write itself replace ours. */
export function putHeaders(headers: SipHeaders, lines: readonly HeaderLine[] = []): void {
  const replaced = new Set<string>();
  for (const [name, value] of lines) {
    const key = name.toLowerCase();
    if (OURS.has(key) && !replaced.has(key)) {
      headers.delete(name);
      replaced.add(key);
    }
    headers.append(name, value);
  }
}

const OURS: ReadonlySet<string> = new Set([
  "max-forwards",
  "allow",
  "accept",
  "supported",
  "user-agent",
  "server",
  "contact",
]);

/** Does the body hold a session description, and so an offer or answer? */
export function hasSessionDescription(parts: readonly ReceivedPart[]): boolean {
  return parts.some((part) => part.mediaType === "application/sdp");
}

/** Do session descriptions among the parts hold SRTP keys (RFC 4568)? */
export function holdsKeys(parts: readonly ReceivedPart[]): boolean {
  return parts.some(
    ({ mediaType, bytes }) => mediaType === "application/sdp" && /^a=crypto:/m.test(utf8Decode(bytes)),
  );
}

/** The session description in a body of ours, alone or as a part. */
export function sessionDescriptionIn(body: SipBody | undefined): Uint8Array | undefined {
  if (body === undefined) return undefined;
  const headers = new SipHeaders([["Content-Type", body.contentType]]);
  const message = { kind: "response", status: 200, reason: "", headers, body: body.bytes } as const;
  return receivedParts(message).find((part) => part.mediaType === "application/sdp")?.bytes;
}
