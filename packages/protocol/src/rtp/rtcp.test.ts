import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ReportBlock, RTCP_APP, type RtcpPacket } from "./rtcp.ts";
import { formatRtcp } from "./rtcp-format.ts";
import { averageRtcpSize, deterministicRtcpIntervalMs, rtcpIntervalMs } from "./rtcp-interval.ts";
import { checkRtcp, parseRtcp } from "./rtcp-parse.ts";

const uint32 = fc.nat(0xffffffff);
const block: fc.Arbitrary<ReportBlock> = fc.record({
  ssrc: uint32,
  fractionLost: fc.nat(255),
  cumulativeLost: fc.integer({ min: -0x800000, max: 0x7fffff }),
  extendedHighestSequence: uint32,
  jitter: uint32,
  lastSenderReport: uint32,
  delaySinceLastSenderReport: uint32,
});
const blocks = fc.array(block, { maxLength: 31 });
const text = fc
  .string({ unit: "grapheme", maxLength: 40 })
  .filter((value) => Buffer.byteLength(value) <= 255);
const rr: fc.Arbitrary<RtcpPacket> = fc.record({
  kind: fc.constant("rr" as const),
  ssrc: uint32,
  reports: blocks,
});
const sr: fc.Arbitrary<RtcpPacket> = fc.record({
  kind: fc.constant("sr" as const),
  ssrc: uint32,
  ntp: fc.record({ seconds: uint32, fraction: uint32 }),
  rtpTimestamp: uint32,
  packets: uint32,
  octets: uint32,
  reports: blocks,
});
const sdes: fc.Arbitrary<RtcpPacket> = fc.record({
  kind: fc.constant("sdes" as const),
  chunks: fc.array(
    fc.record({
      source: uint32,
      items: fc.array(fc.record({ type: fc.integer({ min: 1, max: 8 }), value: text }), { maxLength: 4 }),
    }),
    { maxLength: 5 },
  ),
});
const bye: fc.Arbitrary<RtcpPacket> = fc
  .record({ sources: fc.array(uint32, { maxLength: 31 }), reason: fc.option(text, { nil: undefined }) })
  .map(({ sources, reason }) =>
    reason === undefined ? { kind: "bye", sources } : { kind: "bye", sources, reason },
  );
const other: fc.Arbitrary<RtcpPacket> = fc.record({
  kind: fc.constant("other" as const),
  packetType: fc.constantFrom(RTCP_APP, 205, 206, 207),
  count: fc.nat(31),
  body: fc
    .array(fc.nat(255), { maxLength: 10 })
    .map((quarter) => Uint8Array.from(quarter.flatMap((o) => [o, o, 0, 1]))),
});
const compound = fc
  .tuple(fc.oneof(sr, rr), fc.array(fc.oneof(sr, rr, sdes, bye, other), { maxLength: 5 }))
  .map(([first, rest]) => [first, ...rest]);

const codeOf = (bytes: Uint8Array): string | undefined => {
  const parsed = parseRtcp(bytes);
  return parsed.ok ? undefined : parsed.error.code;
};
const EMPTY_RR = [0x80, 201, 0, 1, 0, 0, 0, 7];

test("every compound packet that can be built reads back the same", () => {
  fc.assert(
    fc.property(compound, (packets) => {
      const bytes = formatRtcp(packets);
      assert.equal(bytes.length % 4, 0);
      const parsed = parseRtcp(bytes);
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.value, structuredClone(packets));
    }),
    { numRuns: 200 },
  );
});

test("a compound packet as another implementation writes it", () => {
  const bytes = Buffer.from(
    "81c8000c" + // SR, one report block, 13 words
      "00001234e8c0a54080000000000fa000000000640000 3e80".replaceAll(" ", "") +
      "0000567819fffffd0001000a00000012a540800000008000" +
      "81ca0003" + // SDES: CNAME "ab"
      "00001234010261620000 0000".replaceAll(" ", "") +
      "81cb0002" + // BYE with the reason "bye"
      "0000123403627965",
    "hex",
  );
  const parsed = parseRtcp(bytes);
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value, [
    {
      kind: "sr",
      ssrc: 0x1234,
      ntp: { seconds: 0xe8c0a540, fraction: 0x80000000 },
      rtpTimestamp: 1_024_000,
      packets: 100,
      octets: 16_000,
      reports: [
        {
          ssrc: 0x5678,
          fractionLost: 0x19,
          cumulativeLost: -3,
          extendedHighestSequence: 0x1000a,
          jitter: 18,
          lastSenderReport: 0xa5408000,
          delaySinceLastSenderReport: 0x8000,
        },
      ],
    },
    { kind: "sdes", chunks: [{ source: 0x1234, items: [{ type: 1, value: "ab" }] }] },
    { kind: "bye", sources: [0x1234], reason: "bye" },
  ]);
});

test("[R3550-A.2-1] a compound packet begins with SR or RR, is of version 2 throughout and its lengths add up", () => {
  assert.equal(codeOf(Uint8Array.from(EMPTY_RR)), undefined);
  assert.equal(codeOf(Uint8Array.from(EMPTY_RR.slice(0, 7))), "too-short");
  assert.equal(codeOf(Uint8Array.from([0x81, 203, 0, 1, 0, 0, 0, 7])), "bad-first-packet");
  assert.equal(codeOf(Uint8Array.from([0xa0, ...EMPTY_RR.slice(1)])), "bad-first-packet");
  assert.equal(codeOf(Uint8Array.from([0x40, ...EMPTY_RR.slice(1)])), "bad-version");
  assert.equal(codeOf(Uint8Array.from([...EMPTY_RR, 0x40, 203, 0, 0])), "bad-version");
  assert.equal(codeOf(Uint8Array.from([...EMPTY_RR, 0x80, 203])), "bad-length");
  assert.equal(codeOf(Uint8Array.from([...EMPTY_RR, 0x80, 203, 0, 1])), "bad-length");
  assert.deepEqual(checkRtcp(Uint8Array.from([...EMPTY_RR, 0x80, 203, 0, 9]), 0, 12), {
    code: "bad-length",
    offset: 8,
  });
});

test("[R3550-6.4.1-4] padding is taken off the last packet, and is refused elsewhere", () => {
  const padded = [0xa1, 203, 0, 2, 0, 0, 0, 7, 0, 0, 0, 4];
  const parsed = parseRtcp(Uint8Array.from([...EMPTY_RR, ...padded]));
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value[1], { kind: "bye", sources: [7] });
  assert.equal(codeOf(Uint8Array.from([...EMPTY_RR, ...padded, ...EMPTY_RR])), "bad-padding");
  for (const count of [0, 3, 16]) {
    assert.equal(codeOf(Uint8Array.from([...EMPTY_RR, ...padded.slice(0, -1), count])), "bad-padding");
  }
});

test("report blocks, chunks, items, sources and reasons that reach beyond their packet are refused", () => {
  assert.equal(codeOf(Uint8Array.from([0x81, ...EMPTY_RR.slice(1)])), "bad-report");
  assert.equal(codeOf(Uint8Array.from([0x80, 200, 0, 1, 0, 0, 0, 7])), "bad-report");
  const after = (...bytes: number[]): string | undefined => codeOf(Uint8Array.from([...EMPTY_RR, ...bytes]));
  assert.equal(after(0x81, 202, 0, 0), "bad-sdes");
  assert.equal(after(0x81, 202, 0, 1, 0, 0, 0, 1), "bad-sdes");
  assert.equal(after(0x81, 202, 0, 2, 0, 0, 0, 1, 1, 9, 65, 65), "bad-sdes");
  assert.equal(after(0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, 65, 65), "bad-sdes", "no null at the end");
  assert.equal(after(0x82, 203, 0, 1, 0, 0, 0, 1), "bad-bye");
  assert.equal(after(0x81, 203, 0, 2, 0, 0, 0, 1, 4, 65, 65, 65), "bad-bye");
});

test("any octets, and any octets put into a good packet, are read or refused, never thrown at", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      parseRtcp(bytes);
    }),
  );
  fc.assert(
    fc.property(compound, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), (packets, changes) => {
      const bytes = formatRtcp(packets);
      for (const [at, octet] of changes) bytes[at % bytes.length] = octet;
      const parsed = parseRtcp(bytes);
      assert.equal(parsed.ok || parsed.error.offset < bytes.length, true);
    }),
  );
});

test("more than fits is cut off: 31 blocks, 255 octets of text, whole characters", () => {
  const block = { ssrc: 1, fractionLost: 0, cumulativeLost: 0, extendedHighestSequence: 0, jitter: 0 };
  const reports = new Array(40).fill({ ...block, lastSenderReport: 0, delaySinceLastSenderReport: 0 });
  const chunks = [{ source: 1, items: [{ type: 1, value: "ä".repeat(200) }] }];
  const parsed = parseRtcp(
    formatRtcp([
      { kind: "rr", ssrc: 1, reports },
      { kind: "sdes", chunks },
    ]),
  );
  assert.ok(parsed.ok);
  const [report, description] = parsed.value;
  assert.ok(report?.kind === "rr" && description?.kind === "sdes");
  assert.equal(report.reports.length, 31);
  assert.equal(description.chunks[0]?.items[0]?.value, "ä".repeat(127));
});

const SMALL = {
  members: 2,
  senders: 1,
  rtcpOctetsPerSecond: 500,
  averageSizeOctets: 100,
  initial: false,
} as const;

test("[R3550-6.2-1] the interval is at least 5 s (half at first), times 0.5 to 1.5, divided by e − 3/2", () => {
  assert.equal(deterministicRtcpIntervalMs({ ...SMALL, weSent: true }), 5000);
  assert.equal(deterministicRtcpIntervalMs({ ...SMALL, weSent: true, initial: true }), 2500);
  for (const random of [0, 0.25, 0.5, 0.999]) {
    const interval = rtcpIntervalMs({ ...SMALL, weSent: false, random });
    assert.ok(Math.abs(interval - (5000 * (0.5 + random)) / (Math.E - 1.5)) < 1e-9);
  }
});

test("[R3550-6.2-1] senders share a quarter of the bandwidth, receivers the rest, while senders are few", () => {
  const crowd = { ...SMALL, members: 1000, senders: 10 };
  assert.equal(deterministicRtcpIntervalMs({ ...crowd, weSent: true }), (1000 * 10 * 100) / 125);
  assert.equal(deterministicRtcpIntervalMs({ ...crowd, weSent: false }), (1000 * 990 * 100) / 375);
  assert.equal(
    deterministicRtcpIntervalMs({ ...crowd, senders: 500, weSent: true }),
    (1000 * 1000 * 100) / 500,
  );
  assert.equal(deterministicRtcpIntervalMs({ ...crowd, rtcpOctetsPerSecond: 0, weSent: true }), 5000);
  assert.equal(averageRtcpSize(100, 260), 110);
});
