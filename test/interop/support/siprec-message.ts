import { findParts, flattenBody, type SipMessage } from "@callfork/protocol/sip";
import {
  isMetadataMediaType,
  type RecordingMetadata,
  readRecordingMetadata,
} from "@callfork/protocol/siprec";

/** What a message of a recording session says. */
export interface SiprecBody {
  readonly sdp: string | undefined;
  /** The document as it is on the wire, and read. */
  readonly xml: Uint8Array | undefined;
  readonly metadata: RecordingMetadata | undefined;
}

/** @throws when the body does not read */
export function siprecBody(message: SipMessage): SiprecBody {
  const flat = flattenBody(message);
  if (!flat.ok) throw new Error(flat.error.message);
  const { parts } = flat.value;
  const sdp = findParts(parts, "application/sdp")[0]?.body;
  const xml = parts.find((part) => isMetadataMediaType(part.headers.get("Content-Type") ?? ""))?.body;
  const read = xml && readRecordingMetadata(xml, {});
  if (read !== undefined && !read.ok) throw new Error(read.error.message);
  return { sdp: sdp && Buffer.from(sdp).toString("utf8"), xml, metadata: read?.value.metadata };
}

/** The labels of the lines of a session description, in order. */
export function labelsOf(sdp: string): string[] {
  return [...sdp.matchAll(/^a=label:(\S+)\r?$/gm)].map(([, label = ""]) => label);
}
