import { formatSessionDescription, type SessionDescription } from "@callfork/protocol/sdp";
import {
  type BodyPart,
  chooseBoundary,
  formatMediaType,
  formatMultipart,
  SipHeaders,
} from "@callfork/protocol/sip";
import {
  LEGACY_METADATA_MEDIA_TYPE,
  METADATA_MEDIA_TYPE,
  RECORDING_SESSION_DISPOSITION,
} from "@callfork/protocol/siprec";
import { type Random, toHex, utf8Encode } from "@callfork/protocol/text";
import type { SipBody } from "../signalling/index.ts";

/** How metadata is labelled: as RFC 9806 has it, or as RFC 7866 had it for peers that know nothing newer. */
export type MetadataLabel = typeof METADATA_MEDIA_TYPE | typeof LEGACY_METADATA_MEDIA_TYPE;

/**
 * An offer and the metadata that names its labels, in one `multipart/mixed` (RFC 7866 §9.1): "If the SRC includes both
 * an SDP offer and recording metadata, the message body is multipart." The description comes first: readers that know
 * only the first part find it.
 */
export function recordingBody(
  offer: SessionDescription,
  metadata: string,
  label: MetadataLabel,
  random: Random,
): SipBody {
  const parts: BodyPart[] = [
    {
      headers: new SipHeaders([["Content-Type", "application/sdp"]]),
      body: utf8Encode(formatSessionDescription(offer)),
    },
    {
      headers: new SipHeaders([
        ["Content-Type", label],
        ["Content-Disposition", RECORDING_SESSION_DISPOSITION],
      ]),
      body: utf8Encode(metadata),
    },
  ];
  const boundary = chooseBoundary(parts, `callfork-${toHex(random.bytes(12))}`);
  const contentType = formatMediaType({
    type: "multipart",
    subtype: "mixed",
    params: new Map([["boundary", boundary]]),
  });
  return { contentType, bytes: formatMultipart(parts, boundary) };
}

/** Metadata alone: no wrapper is needed (RFC 7866 §9.1). Without labels in it, no description need come along. */
export const metadataBody = (metadata: string, label: MetadataLabel): SipBody => ({
  contentType: label,
  bytes: utf8Encode(metadata),
  disposition: RECORDING_SESSION_DISPOSITION,
});

export const descriptionBody = (description: SessionDescription): SipBody => ({
  contentType: "application/sdp",
  bytes: utf8Encode(formatSessionDescription(description)),
});

/** A 415 asks for the old label when its Accept names that and not the new one (RFC 9806 §2). */
export function wantsOldLabel(status: number, accept: readonly string[]): boolean {
  const types = accept.map((value) => value.split(";", 1)[0]!.trim().toLowerCase());
  return status === 415 && types.includes(LEGACY_METADATA_MEDIA_TYPE) && !types.includes(METADATA_MEDIA_TYPE);
}
