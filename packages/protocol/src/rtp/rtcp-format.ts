import { writeUint16, writeUint32 } from "./packet.ts";
import {
  type Goodbye,
  type ReportBlock,
  RTCP_BYE,
  RTCP_RR,
  RTCP_SDES,
  RTCP_SR,
  type RtcpPacket,
  type SourceDescription,
} from "./rtcp.ts";

// Every JavaScript runtime has it; `lib` without "dom" leaves it out.
declare const TextEncoder: new () => { encode(text: string): Uint8Array };
const utf8 = new TextEncoder();

/** Five bits count report blocks, chunks and sources. */
const MAX_COUNT = 31;

/**
 * Writes a compound RTCP packet. The caller sees to it that SR or RR comes first and SDES with CNAME follows (RFC 3550
 * §6.1). More than 31 reports, chunks or sources of one packet are cut off, texts at 255 octets.
 *
 * @returns fresh octets that the caller owns
 */
export function formatRtcp(packets: readonly RtcpPacket[]): Uint8Array {
  const parts = packets.map(formatOne);
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function formatOne(packet: RtcpPacket): Uint8Array {
  switch (packet.kind) {
    case "sr": {
      const reports = packet.reports.slice(0, MAX_COUNT);
      const bytes = startPacket(28 + 24 * reports.length, RTCP_SR, reports.length);
      writeUint32(bytes, 4, packet.ssrc);
      writeUint32(bytes, 8, packet.ntp.seconds);
      writeUint32(bytes, 12, packet.ntp.fraction);
      writeUint32(bytes, 16, packet.rtpTimestamp);
      writeUint32(bytes, 20, packet.packets);
      writeUint32(bytes, 24, packet.octets);
      writeReports(bytes, 28, reports);
      return bytes;
    }
    case "rr": {
      const reports = packet.reports.slice(0, MAX_COUNT);
      const bytes = startPacket(8 + 24 * reports.length, RTCP_RR, reports.length);
      writeUint32(bytes, 4, packet.ssrc);
      writeReports(bytes, 8, reports);
      return bytes;
    }
    case "sdes":
      return formatSdes(packet);
    case "bye":
      return formatBye(packet);
    case "other": {
      const bytes = startPacket(4 + padded(packet.body.length), packet.packetType, packet.count);
      bytes.set(packet.body, 4);
      return bytes;
    }
  }
}

function writeReports(bytes: Uint8Array, at: number, reports: readonly ReportBlock[]): void {
  let block = at;
  for (const report of reports) {
    writeUint32(bytes, block, report.ssrc);
    writeUint32(bytes, block + 4, report.cumulativeLost & 0xffffff);
    bytes[block + 4] = report.fractionLost;
    writeUint32(bytes, block + 8, report.extendedHighestSequence);
    writeUint32(bytes, block + 12, report.jitter);
    writeUint32(bytes, block + 16, report.lastSenderReport);
    writeUint32(bytes, block + 20, report.delaySinceLastSenderReport);
    block += 24;
  }
}

function formatSdes(packet: SourceDescription): Uint8Array {
  const chunks = packet.chunks.slice(0, MAX_COUNT).map((chunk) => ({
    source: chunk.source,
    items: chunk.items.map((item) => ({ type: item.type, text: shortText(item.value) })),
  }));
  let length = 4;
  for (const chunk of chunks) {
    const items = chunk.items.reduce((sum, item) => sum + 2 + item.text.length, 0);
    length += 4 + padded(items + 1);
  }
  const bytes = startPacket(length, RTCP_SDES, chunks.length);
  let at = 4;
  for (const chunk of chunks) {
    writeUint32(bytes, at, chunk.source);
    let item = at + 4;
    for (const { type, text } of chunk.items) {
      bytes[item] = type;
      bytes[item + 1] = text.length;
      bytes.set(text, item + 2);
      item += 2 + text.length;
    }
    at += 4 + padded(item - at - 4 + 1);
  }
  return bytes;
}

function formatBye(packet: Goodbye): Uint8Array {
  const sources = packet.sources.slice(0, MAX_COUNT);
  const reason = packet.reason === undefined ? undefined : shortText(packet.reason);
  const reasonAt = 4 + 4 * sources.length;
  const length = reasonAt + (reason === undefined ? 0 : padded(1 + reason.length));
  const bytes = startPacket(length, RTCP_BYE, sources.length);
  sources.forEach((source, i) => {
    writeUint32(bytes, 4 + 4 * i, source);
  });
  if (reason !== undefined) {
    bytes[reasonAt] = reason.length;
    bytes.set(reason, reasonAt + 1);
  }
  return bytes;
}

function startPacket(length: number, packetType: number, count: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes[0] = 0x80 | count;
  bytes[1] = packetType;
  writeUint16(bytes, 2, length / 4 - 1);
  return bytes;
}

/** Up to 255 octets of UTF-8; a character that does not fit goes whole. */
function shortText(text: string): Uint8Array {
  const octets = utf8.encode(text);
  if (octets.length <= 255) return octets;
  let end = 255;
  while (end > 0 && (octets[end]! & 0xc0) === 0x80) end--;
  return octets.subarray(0, end);
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
