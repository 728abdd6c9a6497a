import {
  addToSequence,
  addToTimestamp,
  type OtherRtcp,
  type ReportBlock,
  type RtcpPacket,
  readUint32,
  writeUint32,
} from "@callfork/protocol/rtp";
import type { OutgoingStream } from "./outgoing-stream.ts";

/** Transport and payload-specific feedback (RFC 4585 §6.1): SSRC of its sender, then of the media it is about. */
const RTCP_RTPFB = 205;
const RTCP_PSFB = 206;

/**
 * Turns a compound packet that party A sent us into what party B should get. Each party knows the other by the SSRC of
 * the stream that we send it, so identifiers, timestamps and sequence numbers are translated as RFC 3550 §7.2 asks of
 * a translator that changes them; reception reports go to the party whose stream they are about, nobody else.
 *
 * @param fromA - the stream we send to A: what A's report blocks are about
 * @param toB - the stream we send to B: as whose source A appears there
 * @returns nothing when no report is left. BYE is not passed on: our stream to B may have another source tomorrow.
 *   APP and extended reports carry identifiers that we do not know how to translate.
 */
export function translateRtcp(
  packets: readonly RtcpPacket[],
  fromA: OutgoingStream,
  toB: OutgoingStream,
): RtcpPacket[] {
  const out: RtcpPacket[] = [];
  for (const packet of packets) {
    switch (packet.kind) {
      case "sr":
        // While something else feeds the stream to B, A's clock says nothing about it.
        if (packet.ssrc === toB.sourceSsrc) {
          out.push({
            kind: "sr",
            ssrc: toB.ssrc,
            ntp: packet.ntp,
            rtpTimestamp: addToTimestamp(packet.rtpTimestamp, toB.timestampOffset),
            packets: toB.packetsOfSsrc >>> 0,
            octets: toB.octetsOfSsrc >>> 0,
            reports: translateReports(packet.reports, fromA),
          });
          break;
        }
        out.push({ kind: "rr", ssrc: toB.ssrc, reports: translateReports(packet.reports, fromA) });
        break;
      case "rr":
        out.push({ kind: "rr", ssrc: toB.ssrc, reports: translateReports(packet.reports, fromA) });
        break;
      case "sdes":
        if (packet.chunks.length > 0) {
          // One party, one chunk: CSRCs of a mixer keep their names.
          const [own, ...contributors] = packet.chunks;
          out.push({ kind: "sdes", chunks: [{ ...own!, source: toB.ssrc }, ...contributors] });
        }
        break;
      case "bye":
        break;
      case "other": {
        const feedback = translateFeedback(packet, fromA, toB);
        if (feedback !== undefined) out.push(feedback);
        break;
      }
    }
  }
  const first = out[0]?.kind;
  return first === "sr" || first === "rr" ? out : [];
}

/** Blocks about the stream we send to A become blocks about B's own; others are about nothing that B knows. */
function translateReports(reports: readonly ReportBlock[], fromA: OutgoingStream): readonly ReportBlock[] {
  const source = fromA.sourceSsrc;
  if (source === undefined) return [];
  return reports
    .filter((report) => report.ssrc === fromA.ssrc)
    .map((report) => {
      const sequence = addToSequence(report.extendedHighestSequence & 0xffff, -fromA.sequenceOffset);
      // The cycles that A counted are those of our stream: B takes them for its own within one cycle.
      const extended = ((report.extendedHighestSequence & 0xffff0000) | sequence) >>> 0;
      return { ...report, ssrc: source, extendedHighestSequence: extended };
    });
}

function translateFeedback(
  packet: OtherRtcp,
  fromA: OutgoingStream,
  toB: OutgoingStream,
): OtherRtcp | undefined {
  if (packet.packetType !== RTCP_RTPFB && packet.packetType !== RTCP_PSFB) return undefined;
  if (packet.body.length < 8 || fromA.sourceSsrc === undefined) return undefined;
  const media = readUint32(packet.body, 4);
  if (media !== fromA.ssrc && media !== 0) return undefined;
  const body = packet.body.slice();
  writeUint32(body, 0, toB.ssrc);
  if (media !== 0) writeUint32(body, 4, fromA.sourceSsrc);
  return { ...packet, body };
}
