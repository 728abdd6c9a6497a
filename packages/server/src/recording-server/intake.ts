import { parseSessionDescription, type SessionDescription } from "@callfork/protocol/sdp";
import {
  flattenBody,
  isHandlingRequired,
  mediaTypeName,
  partDisposition,
  partMediaType,
  type SipRequest,
} from "@callfork/protocol/sip";
import {
  ACCEPTED_METADATA_MEDIA_TYPES,
  isMetadataMediaType,
  type MetadataDocument,
  metadataCharset,
  RECORDING_SESSION_DISPOSITION,
  readSnapshotOrMetadata,
} from "@callfork/protocol/siprec";
import type { ReceivedPart } from "../signalling/index.ts";
import type { Refusal } from "./errors.ts";
import { keepDocument } from "./kept-document.ts";
import type { WarningCode } from "./warnings.ts";

/** A metadata part: as it came, and what it was understood as. */
export interface ReceivedMetadata {
  /** To be kept: see `MetadataVersion.document`. */
  readonly kept: string;
  /** Undefined: it did not read, `problem` says why. */
  readonly document: MetadataDocument | undefined;
  readonly problem: string | undefined;
  /** Larger than what is kept. */
  readonly oversized: boolean;
}

/** The body of a request, sorted. */
export interface Intake {
  readonly description: SessionDescription | undefined;
  readonly metadata: ReceivedMetadata | undefined;
  readonly warnings: readonly (readonly [WarningCode, string])[];
}

export interface IntakeOptions {
  readonly strict: boolean;
  readonly metadataBytes: number;
}

/**
 * Finds session description and metadata in a body: in any order, alone or in a multipart, under the media type of
 * RFC 9806 or of RFC 7866, beside parts of other kinds.
 *
 * Metadata that does not read is no reason to refuse: a recorder must not lose media because of it.
 */
export function readIntake(
  request: SipRequest,
  parts: readonly ReceivedPart[],
  options: IntakeOptions,
): { readonly intake: Intake } | { readonly refusal: Refusal } {
  const warnings: [WarningCode, string][] = [];
  const sdp = parts.find(({ mediaType }) => mediaType === "application/sdp");
  const metadata = parts.find(isMetadata);
  const others = parts.filter((part) => part !== sdp && part !== metadata);
  if (others.length > 0) {
    const required = requiredTypes(request).filter((type) => others.some((part) => part.mediaType === type));
    if (options.strict && required.length > 0) return { refusal: unsupportedMediaType(required) };
    for (const { mediaType } of others) {
      warnings.push(["BODY_PART_IGNORED", `a body part of type ${mediaType} was not looked at`]);
    }
  }
  let description: SessionDescription | undefined;
  if (sdp !== undefined) {
    const parsed = parseSessionDescription(sdp.bytes);
    if (!parsed.ok) {
      const { line, message } = parsed.error;
      return { refusal: badDescription(`the session description cannot be read (line ${line}: ${message})`) };
    }
    description = parsed.value;
  }
  const read = metadata === undefined ? undefined : readMetadata(metadata, options.metadataBytes);
  if (read === "snapshotRequest") {
    // RFC 7866 §9.2: it is the recording server that asks for snapshots.
    const message = "a snapshot request is for a recording client";
    return { refusal: { status: 488, message, reason: "snapshot-request" } };
  }
  return { intake: { description, metadata: read, warnings } };
}

/** RFC 3261 §21.4.26: 488 with a Warning that says what was wrong. */
export function badDescription(message: string): Refusal {
  return { status: 488, message, reason: "description" };
}

/** The disposition alone names metadata too, unless the type is one we know to be something else. */
function isMetadata({ contentType, mediaType, disposition }: ReceivedPart): boolean {
  if (isMetadataMediaType(contentType)) return true;
  return (
    disposition === RECORDING_SESSION_DISPOSITION && /^(?:application|text)\/(?:.+\+)?xml$/.test(mediaType)
  );
}

function readMetadata(part: ReceivedPart, maxBytes: number): ReceivedMetadata | "snapshotRequest" {
  const oversized = part.bytes.length > maxBytes;
  const charset = metadataCharset(part.contentType);
  const kept = keepDocument(oversized ? part.bytes.subarray(0, maxBytes) : part.bytes, charset);
  const read = readSnapshotOrMetadata(part.bytes, { charset, limits: { maxBytes } });
  if (!read.ok) {
    const { line, column, message } = read.error;
    return { kept, oversized, document: undefined, problem: `line ${line}, column ${column}: ${message}` };
  }
  if (read.value.kind === "snapshotRequest") return "snapshotRequest";
  const { kind: _, ...document } = read.value;
  return { kept, oversized, document, problem: undefined };
}

/** Types of the parts that must be understood: RFC 3204 §4.2, a missing `handling` means required. */
function requiredTypes(request: SipRequest): readonly string[] {
  const flat = flattenBody(request);
  if (!flat.ok) return [];
  return flat.value.parts.flatMap((part) => {
    const mediaType = partMediaType(part);
    if (mediaType === undefined || !isHandlingRequired(partDisposition(part))) return [];
    return [mediaTypeName(mediaType)];
  });
}

/** RFC 3261 §8.2.3: 415, "the response MUST contain an Accept header field". */
function unsupportedMediaType(types: readonly string[]): Refusal {
  const accept = ["application/sdp", "multipart/mixed", ...ACCEPTED_METADATA_MEDIA_TYPES].join(", ");
  return {
    status: 415,
    message: `a required body part is not understood: ${types.join(", ")}`,
    reason: "media-type",
    headers: [["Accept", accept]],
  };
}
