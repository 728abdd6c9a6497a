import type { ReportBlock } from "@callfork/protocol/rtp";
import type { OutgoingStream } from "./outgoing-stream.ts";
import type { ReceivedStream } from "./received-stream.ts";
import type { StreamStats } from "./types.ts";

type WallAt = (monotonic: number) => number;

export const NO_PACKETS: StreamStats = {
  ssrc: null,
  packets: 0,
  octets: 0,
  expected: 0,
  lost: 0,
  duplicates: 0,
  late: 0,
  jitterMs: 0,
  firstPacketTime: null,
  lastPacketTime: null,
};

export function receivedStats(stream: ReceivedStream | undefined, wallAt: WallAt): StreamStats {
  if (stream?.current === undefined) return NO_PACKETS;
  return {
    ssrc: stream.current.ssrc,
    packets: stream.packets,
    octets: stream.octets,
    expected: stream.expected,
    lost: stream.lost,
    duplicates: stream.duplicates,
    late: stream.late,
    jitterMs: stream.current.jitterMs,
    firstPacketTime: timeOf(stream.firstPacketAt, wallAt),
    lastPacketTime: timeOf(stream.lastPacketAt, wallAt),
  };
}

/** @param report - what the peer says of our stream; loss and jitter of what we sent are its to know */
export function sentStats(
  stream: OutgoingStream | undefined,
  report: ReportBlock | undefined,
  wallAt: WallAt,
): StreamStats {
  if (stream === undefined) return NO_PACKETS;
  return {
    ...NO_PACKETS,
    ssrc: stream.ssrc,
    packets: stream.packets,
    octets: stream.octets,
    expected: stream.packets,
    lost: Math.max(0, report?.cumulativeLost ?? 0),
    jitterMs: ((report?.jitter ?? 0) * 1000) / stream.clockRateHz,
    firstPacketTime: timeOf(stream.firstSentAt, wallAt),
    lastPacketTime: timeOf(stream.lastSentAt, wallAt),
  };
}

const timeOf = (at: number, wallAt: WallAt): number | null => (at < 0 ? null : wallAt(at));
