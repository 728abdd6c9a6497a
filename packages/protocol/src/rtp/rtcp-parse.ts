import { readUint16, readUint32 } from "./packet.ts";
import {
  type Goodbye,
  type ReportBlock,
  RTCP_BYE,
  RTCP_RR,
  RTCP_SDES,
  RTCP_SR,
  type RtcpPacket,
  type SdesChunk,
  type SenderReport,
  type SourceDescription,
} from "./rtcp.ts";

// Every JavaScript runtime has it; `lib` without "dom" leaves it out.
declare const TextDecoder: new (label: string) => { decode(bytes: Uint8Array): string };
const utf8 = new TextDecoder("utf-8");

export type RtcpFault =
  | "too-short"
  | "bad-version"
  /** The compound does not begin with SR or RR, or its first packet is padded. */
  | "bad-first-packet"
  /** Lengths of the packets do not add up to that of the datagram. */
  | "bad-length"
  /** Padding elsewhere than in the last packet, or more of it than there is packet. */
  | "bad-padding"
  | "bad-report"
  | "bad-sdes"
  | "bad-bye";

export interface RtcpError {
  readonly code: RtcpFault;
  /** Where the offending packet starts, from the start of the datagram. */
  readonly offset: number;
}

export type RtcpResult =
  | { readonly ok: true; readonly value: readonly RtcpPacket[] }
  | { readonly ok: false; readonly error: RtcpError };

/**
 * Does the region look like a compound RTCP packet? The checks of RFC 3550 appendix A.2: version 2 throughout, first
 * packet SR or RR without padding, lengths that add up. Allocates nothing.
 */
export function checkRtcp(bytes: Uint8Array, at: number, length: number): RtcpError | undefined {
  if (length < 8) return { code: "too-short", offset: 0 };
  let offset = 0;
  while (offset < length) {
    if (offset + 4 > length) return { code: "bad-length", offset };
    const first = bytes[at + offset]!;
    if (first >> 6 !== 2) return { code: "bad-version", offset };
    const type = bytes[at + offset + 1]!;
    const padded = (first & 0x20) !== 0;
    if (offset === 0 && (padded || (type !== RTCP_SR && type !== RTCP_RR))) {
      return { code: "bad-first-packet", offset };
    }
    const size = rtcpPacketLength(bytes, at + offset);
    if (offset + size > length) return { code: "bad-length", offset };
    if (padded && (offset + size !== length || !isPaddingValid(bytes, at + offset, size))) {
      return { code: "bad-padding", offset };
    }
    offset += size;
  }
  return undefined;
}

/** Length in octets of the RTCP packet that starts at `at`, its header included. */
export function rtcpPacketLength(bytes: Uint8Array, at: number): number {
  return 4 * (readUint16(bytes, at + 2) + 1);
}

/**
 * Reads a compound RTCP packet.
 *
 * Texts that are not UTF-8 are repaired with U+FFFD. Work is bounded by the length of the datagram.
 *
 * @returns packets in order; `body` of an unknown one is a view into `bytes`
 */
export function parseRtcp(bytes: Uint8Array, at = 0, length = bytes.length - at): RtcpResult {
  const fault = checkRtcp(bytes, at, length);
  if (fault !== undefined) return { ok: false, error: fault };
  const packets: RtcpPacket[] = [];
  let offset = 0;
  while (offset < length) {
    const size = rtcpPacketLength(bytes, at + offset);
    const packet = parseOne(bytes, at + offset, at + offset + contentLength(bytes, at + offset, size));
    if (typeof packet === "string") return { ok: false, error: { code: packet, offset } };
    packets.push(packet);
    offset += size;
  }
  return { ok: true, value: packets };
}

function parseOne(bytes: Uint8Array, at: number, end: number): RtcpPacket | RtcpFault {
  const count = bytes[at]! & 0x1f;
  const packetType = bytes[at + 1]!;
  switch (packetType) {
    case RTCP_SR:
      return parseSenderReport(bytes, at, end, count);
    case RTCP_RR: {
      if (at + 8 + 24 * count > end) return "bad-report";
      return { kind: "rr", ssrc: readUint32(bytes, at + 4), reports: parseReports(bytes, at + 8, count) };
    }
    case RTCP_SDES:
      return parseSdes(bytes, at + 4, end, count);
    case RTCP_BYE:
      return parseBye(bytes, at + 4, end, count);
    default:
      return { kind: "other", packetType, count, body: bytes.subarray(at + 4, end) };
  }
}

function parseSenderReport(
  bytes: Uint8Array,
  at: number,
  end: number,
  count: number,
): SenderReport | RtcpFault {
  if (at + 28 + 24 * count > end) return "bad-report";
  return {
    kind: "sr",
    ssrc: readUint32(bytes, at + 4),
    ntp: { seconds: readUint32(bytes, at + 8), fraction: readUint32(bytes, at + 12) },
    rtpTimestamp: readUint32(bytes, at + 16),
    packets: readUint32(bytes, at + 20),
    octets: readUint32(bytes, at + 24),
    reports: parseReports(bytes, at + 28, count),
  };
}

function parseReports(bytes: Uint8Array, at: number, count: number): readonly ReportBlock[] {
  const reports: ReportBlock[] = [];
  for (let i = 0; i < count; i++) {
    const block = at + 24 * i;
    reports.push({
      ssrc: readUint32(bytes, block),
      fractionLost: bytes[block + 4]!,
      cumulativeLost: (readUint32(bytes, block + 4) << 8) >> 8,
      extendedHighestSequence: readUint32(bytes, block + 8),
      jitter: readUint32(bytes, block + 12),
      lastSenderReport: readUint32(bytes, block + 16),
      delaySinceLastSenderReport: readUint32(bytes, block + 20),
    });
  }
  return reports;
}

function parseSdes(bytes: Uint8Array, at: number, end: number, count: number): SourceDescription | RtcpFault {
  const chunks: SdesChunk[] = [];
  let offset = at;
  for (let i = 0; i < count; i++) {
    if (offset + 4 > end) return "bad-sdes";
    const source = readUint32(bytes, offset);
    const items: { type: number; value: string }[] = [];
    offset += 4;
    for (;;) {
      if (offset >= end) return "bad-sdes";
      const type = bytes[offset]!;
      if (type === 0) break;
      const size = offset + 1 < end ? bytes[offset + 1]! : 0;
      if (offset + 2 + size > end) return "bad-sdes";
      items.push({ type, value: utf8.decode(bytes.subarray(offset + 2, offset + 2 + size)) });
      offset += 2 + size;
    }
    // The list ends with one null octet or more, up to the next 32-bit boundary.
    offset = at + ((offset - at + 4) & ~3);
    chunks.push({ source, items });
  }
  return { kind: "sdes", chunks };
}

function parseBye(bytes: Uint8Array, at: number, end: number, count: number): Goodbye | RtcpFault {
  const reasonAt = at + 4 * count;
  if (reasonAt > end) return "bad-bye";
  const sources: number[] = [];
  for (let i = 0; i < count; i++) sources.push(readUint32(bytes, at + 4 * i));
  if (reasonAt === end) return { kind: "bye", sources };
  const size = bytes[reasonAt]!;
  if (reasonAt + 1 + size > end) return "bad-bye";
  return { kind: "bye", sources, reason: utf8.decode(bytes.subarray(reasonAt + 1, reasonAt + 1 + size)) };
}

/** The packet without its padding; only the last one of a checked compound may have some. */
function contentLength(bytes: Uint8Array, at: number, size: number): number {
  return (bytes[at]! & 0x20) === 0 ? size : size - bytes[at + size - 1]!;
}

function isPaddingValid(bytes: Uint8Array, at: number, size: number): boolean {
  const padding = bytes[at + size - 1]!;
  return padding !== 0 && padding % 4 === 0 && padding <= size - 4;
}
