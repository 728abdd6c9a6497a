import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { classifyMediaPacket, isRtcp } from "./demux.ts";
import {
  rewriteRtpHeader,
  rtpCsrc,
  rtpCsrcCount,
  rtpMarker,
  rtpPayloadEnd,
  rtpPayloadStart,
  rtpPayloadType,
  rtpSequenceNumber,
  rtpSsrc,
  rtpTimestamp,
  setRtpMarker,
  setRtpPayloadType,
  writeRtpHeader,
} from "./packet.ts";

const HEADER = [0x80, 0x80 | 96, 0x12, 0x34, 0xfe, 0xdc, 0xba, 0x98, 0x89, 0xab, 0xcd, 0xef];

const packet = (first: number, ...rest: number[]): Uint8Array =>
  Uint8Array.from([first, ...HEADER.slice(1), ...rest]);
const startOf = (bytes: Uint8Array): number => rtpPayloadStart(bytes, 0, bytes.length);

test("[R3550-5.1-1] the fields of the fixed header are read where they lie in a slab", () => {
  const slab = new Uint8Array(64);
  slab.set(HEADER, 20);
  assert.equal(rtpPayloadStart(slab, 20, 40), 12);
  assert.equal(rtpMarker(slab, 20), true);
  assert.equal(rtpPayloadType(slab, 20), 96);
  assert.equal(rtpSequenceNumber(slab, 20), 0x1234);
  assert.equal(rtpTimestamp(slab, 20), 0xfedcba98);
  assert.equal(rtpSsrc(slab, 20), 0x89abcdef);
});

test("[R3550-5.1-1] CSRC list, extension and padding are found, and refused where they do not fit", () => {
  const csrc = packet(0x82, 0, 0, 0, 1, 0, 0, 0, 2, 0xaa);
  assert.equal(startOf(csrc), 20);
  assert.equal(rtpCsrcCount(csrc, 0), 2);
  assert.equal(rtpCsrc(csrc, 0, 1), 2);
  assert.equal(startOf(packet(0x82, 0, 0, 0, 1, 0, 0, 0)), -1);
  assert.equal(startOf(packet(0x90, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 0xaa)), 20);
  assert.equal(startOf(packet(0x90, 0xbe, 0xde, 0, 2, 1, 2, 3, 4)), -1);
  assert.equal(startOf(packet(0x90, 0xbe, 0xde)), -1);
  const padded = packet(0xa0, 1, 2, 3, 0, 0, 3);
  assert.equal(startOf(padded), 12);
  assert.equal(rtpPayloadEnd(padded, 0, padded.length), 15);
  assert.equal(startOf(packet(0xa0, 1, 2, 0)), -1, "a count of zero");
  assert.equal(startOf(packet(0xa0, 1, 2, 4)), -1, "more padding than packet");
  assert.equal(startOf(packet(0xa0)), -1, "no room for the count");
  assert.equal(rtpPayloadEnd(packet(0xa0, 2, 2), 0, 14), 12, "nothing but padding");
});

test("[R3550-A.1-2] versions other than 2 and packets shorter than 12 octets are refused", () => {
  for (const version of [0, 1, 3]) assert.equal(startOf(packet(version << 6, 1)), -1);
  for (let length = 0; length < 12; length++) {
    assert.equal(rtpPayloadStart(Uint8Array.from(HEADER), 0, length), -1);
  }
  assert.equal(startOf(Uint8Array.from(HEADER)), 12);
});

test("any octets: the payload lies within the packet or the packet is refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const start = startOf(bytes);
      if (start < 0) return;
      const end = rtpPayloadEnd(bytes, 0, bytes.length);
      assert.ok(start >= 12 && start <= end && end <= bytes.length);
    }),
  );
});

test("what is written reads back, and rewriting touches nothing but three fields", () => {
  const arbitrary = fc.record({
    marker: fc.boolean(),
    type: fc.nat(127),
    sequence: fc.nat(0xffff),
    timestamp: fc.nat(0xffffffff),
    ssrc: fc.nat(0xffffffff),
  });
  fc.assert(
    fc.property(arbitrary, arbitrary, (one, other) => {
      const slab = new Uint8Array(20);
      writeRtpHeader(slab, 4, one.marker, one.type, one.sequence, one.timestamp, one.ssrc);
      assert.equal(rtpPayloadStart(slab, 4, 12), 12);
      rewriteRtpHeader(slab, 4, other.sequence, other.timestamp, other.ssrc);
      setRtpPayloadType(slab, 4, other.type);
      assert.equal(rtpMarker(slab, 4), one.marker);
      setRtpMarker(slab, 4, other.marker);
      assert.equal(rtpMarker(slab, 4), other.marker);
      assert.equal(rtpPayloadType(slab, 4), other.type);
      assert.equal(rtpSequenceNumber(slab, 4), other.sequence);
      assert.equal(rtpTimestamp(slab, 4), other.timestamp);
      assert.equal(rtpSsrc(slab, 4), other.ssrc);
      assert.deepEqual([...slab.subarray(0, 4), ...slab.subarray(16)], new Array(8).fill(0));
    }),
  );
});

test("[R7983-7-1] the first octet tells what a datagram is, for all of its 256 values", () => {
  for (let first = 0; first < 256; first++) {
    const expected =
      first <= 3
        ? "stun"
        : first >= 16 && first <= 19
          ? "zrtp"
          : first >= 20 && first <= 63
            ? "dtls"
            : first >= 64 && first <= 79
              ? "turn-channel"
              : first >= 128 && first <= 191
                ? "rtp"
                : "unknown";
    assert.equal(classifyMediaPacket(Uint8Array.of(first, 0, 0, 0), 0, 4), expected);
  }
  assert.equal(classifyMediaPacket(Uint8Array.of(0x80), 0, 1), "unknown");
});

test("[R5761-4-2] RTCP is told from RTP by the packet types 192 to 223", () => {
  for (let second = 0; second < 256; second++) {
    const bytes = Uint8Array.of(0x80, second, 0, 0);
    assert.equal(isRtcp(bytes, 0, 4), second >= 192 && second <= 223);
    assert.equal(classifyMediaPacket(bytes, 0, 4), second >= 192 && second <= 223 ? "rtcp" : "rtp");
  }
  assert.equal(isRtcp(Uint8Array.of(0x80, 200), 0, 2), false);
});
