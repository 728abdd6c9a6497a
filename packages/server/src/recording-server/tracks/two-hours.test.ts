import assert from "node:assert/strict";
import { test } from "node:test";
import { formatRtcp, ntpFromEpochMs, SDES_CNAME, writeRtpHeader } from "@callfork/protocol/rtp";
import { SeededRandom } from "@callfork/testkit";
import { align } from "../alignment.ts";
import { trackClocks } from "../reading/track-clock.ts";
import { narrowbandFormat } from "./payload-format.ts";
import { SenderClock } from "./sender-clock.ts";
import { TrackAssembler, type TrackCounters } from "./track-assembler.ts";

const TWO_HOURS_MS = 7_200_000;
const PACKET_MS = 20;

interface Scene {
  /** The sender's clock gains so much on ours. */
  readonly skewPpm: number;
  readonly jitterMs: number;
  readonly reports: boolean;
  /** When the track sends, in the sender's milliseconds; another SSRC and other timestamps in each part. */
  readonly parts: readonly {
    readonly from: number;
    readonly to: number;
    readonly ssrc: number;
    /** The line was inactive before. */
    readonly resumed?: boolean;
  }[];
}

const EPOCH = 1_700_000_000_000;

/** Sends one track for two hours; every sample is the time at which it was taken. */
function play(scene: Scene, seed: number): TrackCounters {
  const random = new SeededRandom(seed);
  const dice = (): number => new DataView(random.bytes(4).buffer).getUint32(0) / 2 ** 32;
  /** The sender's time as ours, and the way through the network: 5 ms and what the queues add. */
  const arrivalOf = (senderMs: number): number =>
    EPOCH + senderMs / (1 + scene.skewPpm / 1e6) + 5 + scene.jitterMs * dice();
  const senderClock = new SenderClock(8_000);
  const assembler = new TrackAssembler({
    sink: { audio: () => {}, silence: () => {} },
    clockRateHz: 8_000,
    formats: new Map([[0, narrowbandFormat(0, "PCMU")]]),
    senderClock,
  });
  const packet = new Uint8Array(172);
  for (const { from, to, ssrc, resumed = false } of scene.parts) {
    if (resumed) assembler.resumed();
    const timestampAt = (ms: number): number => (ssrc * 7_919 + Math.round(ms * 8)) >>> 0;
    let nextReport = from;
    let last = 0;
    for (let ms = from; ms < to; ms += PACKET_MS) {
      const sequence = (ms / PACKET_MS) & 0xffff;
      writeRtpHeader(packet, 0, false, 0, sequence, timestampAt(ms), ssrc);
      // One path keeps the order, as a queue does.
      last = Math.max(last, arrivalOf(ms + PACKET_MS));
      assembler.push(packet.slice(), last);
      if (!scene.reports || ms < nextReport) continue;
      nextReport = ms + 5_000;
      const ntp = ntpFromEpochMs(EPOCH + ms);
      const report = {
        kind: "sr",
        ssrc,
        ntp,
        rtpTimestamp: timestampAt(ms),
        packets: 1,
        octets: 160,
        reports: [],
      };
      const chunks = [{ source: ssrc, items: [{ type: SDES_CNAME, value: "sbc" }] }];
      senderClock.take(formatRtcp([report as never, { kind: "sdes", chunks }]), arrivalOf(ms));
    }
  }
  assembler.finish();
  return assembler.counters;
}

/** How far apart the last samples of tracks are that ended at one instant. */
function apartAtEnd(tracks: readonly TrackCounters[]): number {
  const { offsets } = align(
    tracks.map(({ firstPacketTime, senderStart }) => ({ firstPacketTime, senderStart, mediaHost: null })),
  );
  const ends = tracks.map(({ samples }, at) => Math.round(offsets[at]!) + samples / 8);
  return Math.max(...ends) - Math.min(...ends);
}

const whole = [{ from: 0, to: TWO_HOURS_MS, ssrc: 1 }];
const paused = [
  { from: 480, to: 900_000, ssrc: 2 },
  { from: 1_000_000, to: 3_000_000, ssrc: 2, resumed: true },
  { from: 3_000_000, to: 5_000_000, ssrc: 3 },
  { from: 5_100_000, to: 6_900_000, ssrc: 2, resumed: true },
  { from: 6_950_000, to: TWO_HOURS_MS, ssrc: 5, resumed: true },
];

for (const skewPpm of [80, -80]) {
  test(`[R6341-023] two hours of jitter, pauses and other SSRCs, with a clock off by ${skewPpm} ppm: tracks end less than 20 ms apart`, () => {
    const scene = { skewPpm, jitterMs: 60, reports: true };
    const tracks = [play({ ...scene, parts: whole }, 1), play({ ...scene, parts: paused }, 2)];
    assert.deepEqual(
      tracks.map(({ lost, duplicates }) => [lost, duplicates]),
      [
        [0, 0],
        [0, 0],
      ],
    );
    const apart = apartAtEnd(tracks);
    assert.ok(apart < 20, `${apart} ms`);
    // And at the beginning: the second track began 480 ms later by the clock that both were taken with.
    const [first, second] = tracks.map(({ senderStart }) => senderStart!.time);
    assert.ok(Math.abs(second! - first! - 480) < 1, `${second! - first!} ms`);
  });
}

test("without sender reports drift is followed by the arrivals: tracks end no farther apart than the network's jitter", () => {
  const scene = { skewPpm: 80, jitterMs: 60, reports: false };
  const tracks = [play({ ...scene, parts: whole }, 1), play({ ...scene, parts: paused }, 2)];
  const apart = apartAtEnd(tracks);
  assert.ok(apart < 60, `${apart} ms, of 576 that the clocks came apart`);
});

/** As they are put onto one timeline: where the samples of one instant are said to lie, in milliseconds. */
function apartWhenRead(tracks: readonly TrackCounters[], skewsPpm: readonly number[], atMs: number): number {
  const starts = tracks.map(({ firstPacketTime, senderStart }) => ({
    firstPacketTime,
    senderStart,
    mediaHost: null,
  }));
  const { offsets, isBySender } = align(starts);
  const read = tracks.map(({ clockPoints }, at) => ({
    clockRateHz: 8_000,
    startOffsetMs: Math.round(offsets[at]!),
    detail: {
      kind: "audio" as const,
      codecs: [],
      files: [],
      firstPacketTime: null,
      lastPacketTime: null,
      silenceShare: 0,
      sourceChanges: 0,
      clockPoints: clockPoints.map(({ position, leadMs, senderLeadMs }) => ({
        position,
        leadMs: isBySender ? senderLeadMs! : leadMs,
      })),
    },
  }));
  const places = trackClocks(read).map((clock, at) => {
    // What the sender's sampling clock had counted at that instant.
    const own = (atMs * (1 + skewsPpm[at]! / 1e6)) / 1_000;
    return clock.trueSeconds(own) * 1_000 + read[at]!.startOffsetMs;
  });
  return Math.max(...places) - Math.min(...places);
}

/** One sender whose sampling clock is off, while its time of day is ours: so telephones are behind one SBC. */
function sample(skewPpm: number, reports: boolean, jitterMs: number, seed: number): TrackCounters {
  const random = new SeededRandom(seed);
  const dice = (): number => new DataView(random.bytes(4).buffer).getUint32(0) / 2 ** 32;
  const senderClock = new SenderClock(8_000);
  const assembler = new TrackAssembler({
    sink: { audio: () => {}, silence: () => {} },
    clockRateHz: 8_000,
    formats: new Map([[0, narrowbandFormat(0, "PCMU")]]),
    senderClock,
  });
  const packet = new Uint8Array(172);
  const packetMs = PACKET_MS / (1 + skewPpm / 1e6);
  let last = 0;
  for (let index = 0; index * packetMs < TWO_HOURS_MS; index++) {
    const takenMs = index * packetMs;
    writeRtpHeader(packet, 0, false, 0, index & 0xffff, (index * 160) >>> 0, seed);
    last = Math.max(last, EPOCH + takenMs + 25 + jitterMs * dice());
    assembler.push(packet.slice(), last);
    if (!reports || index % 250 !== 0) continue;
    const ntp = ntpFromEpochMs(EPOCH + takenMs);
    const report = {
      kind: "sr",
      ssrc: seed,
      ntp,
      rtpTimestamp: (index * 160) >>> 0,
      packets: 1,
      octets: 160,
      reports: [],
    };
    const chunks = [{ source: seed, items: [{ type: SDES_CNAME, value: "sbc" }] }];
    senderClock.take(formatRtcp([report as never, { kind: "sdes", chunks }]), last);
  }
  assembler.finish();
  return assembler.counters;
}

for (const [skews, reports, jitterMs] of [
  [[200, -200], true, 60],
  [[200, -200], false, 60],
  [[50, 0], true, 60],
  [[-120, 80], false, 20],
] as const) {
  const by = reports ? "with sender reports" : "by the arrivals alone";
  test(`two hours of two clocks, off by ${skews.join(" and ")} ppm, ${jitterMs} ms of jitter, ${by}: read together, tracks are within 20 ms throughout`, () => {
    const tracks = skews.map((skew, at) => sample(skew, reports, jitterMs, at + 3));
    for (const { lost, silentSamples, clockPoints } of tracks) {
      assert.deepEqual([lost, silentSamples], [0, 0], "nothing is stretched on the disk");
      assert.ok(clockPoints.length <= 64, `${clockPoints.length} points`);
    }
    for (let atMs = 60_000; atMs <= TWO_HOURS_MS; atMs += 60_000) {
      const apart = apartWhenRead(tracks, skews, atMs);
      assert.ok(apart < 20, `${apart.toFixed(1)} ms apart after ${atMs / 60_000} minutes`);
    }
  });
}
