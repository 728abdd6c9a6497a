import type { CodecCapability } from "@callfork/protocol/offer-answer";
import {
  type Codec,
  formatSessionDescription,
  parseSessionDescription,
  type SessionDescription,
} from "@callfork/protocol/sdp";
import { err, ok, type Result, utf8Encode } from "@callfork/protocol/text";
import type { ReceivedPart, SipBody } from "../signalling/index.ts";
import { BadDescriptionError } from "./errors.ts";

/** What we can speak ourselves: play to, and answer without a second leg. */
export const OWN_CAPABILITIES: readonly CodecCapability[] = [
  { name: "PCMU", clockRateHz: 8000 },
  { name: "PCMA", clockRateHz: 8000 },
  { name: "telephone-event", clockRateHz: 8000 },
];

/** The same as an offer of our own, with the numbers most peers use. */
export const OWN_CODECS: readonly Codec[] = [
  { payloadType: 0, name: "PCMU", clockRateHz: 8000, channels: 1 },
  { payloadType: 8, name: "PCMA", clockRateHz: 8000, channels: 1 },
  { payloadType: 101, name: "telephone-event", clockRateHz: 8000, channels: 1, fmtp: "0-15" },
];

/** The first session description of a body; `undefined` when it holds none. */
export function descriptionIn(
  body: readonly ReceivedPart[],
): Result<SessionDescription | undefined, BadDescriptionError> {
  // RFC 3261 §20.11: a part with another disposition than "session" is not the description of this dialog.
  const part = body.find(
    ({ mediaType, disposition }) =>
      mediaType === "application/sdp" && /^(session)?$/i.test(disposition?.split(";")[0]?.trim() ?? ""),
  );
  if (!part) return ok(undefined);
  const parsed = parseSessionDescription(part.bytes);
  return parsed.ok
    ? parsed
    : err(new BadDescriptionError(`bad session description: ${parsed.error.message}`));
}

export function bodyOf(description: SessionDescription): SipBody {
  return { contentType: "application/sdp", bytes: utf8Encode(formatSessionDescription(description)) };
}
