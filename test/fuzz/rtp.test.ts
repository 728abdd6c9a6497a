import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkRtcp,
  classifyMediaPacket,
  formatRtcp,
  isRtcp,
  parseRtcp,
  parseTelephoneEvent,
  Reception,
  RTP_FIXED_HEADER_LENGTH,
  rtpPayloadEnd,
  rtpPayloadStart,
  rtpPayloadType,
  rtpSequenceNumber,
  rtpTimestamp,
  TelephoneEventReceiver,
  writeRtpHeader,
} from "@callfork/protocol/rtp";
import { SrtpReceiver, SrtpSender, type SrtpSuite } from "@callfork/protocol/srtp";
import { createSrtpCiphers } from "@callfork/server/net";
import { type Below, corpusOf, fuzz, join, mutate, octetsOf, rounds } from "./fuzzer.ts";

const SPICE = [
  "\x00",
  "\xff",
  "\x80\x00",
  "\xff\xff\xff\xff",
  "\x80\xc8",
  "\x81\xc9\x00\x07",
  "\x80\xcb\x00\x00",
]
  .concat(["\xbe\xde\x00\x01", "\x00\x00\x00\x00", "\x90", "\xa0", "\x8f", "\x01\x04name", "\x7f".repeat(40)])
  .map(octetsOf);

function rtp(change: (packet: Uint8Array) => void = () => {}): Uint8Array {
  const packet = new Uint8Array(RTP_FIXED_HEADER_LENGTH + 160).fill(0xd5);
  writeRtpHeader(packet, 0, false, 8, 1_000, 160_000, 0xdecade);
  change(packet);
  return packet;
}

const PACKETS = [
  rtp(),
  rtp((packet) => packet.set([0x9f], 0)), // an extension and fifteen contributing sources
  rtp((packet) => packet.set([0xa0], 0)), // padding
  rtp((packet) => packet.set([0x80, 0xe5], 0)).subarray(0, 16), // a telephone-event
];

const REPORTS = [
  formatRtcp([
    {
      kind: "sr",
      ssrc: 1,
      ntp: { seconds: 3_900_000_000, fraction: 7 },
      rtpTimestamp: 160,
      packets: 5,
      octets: 800,
      reports: [
        {
          ssrc: 2,
          fractionLost: 3,
          cumulativeLost: -4,
          extendedHighestSequence: 70_000,
          jitter: 9,
          lastSenderReport: 10,
          delaySinceLastSenderReport: 11,
        },
      ],
    },
    { kind: "sdes", chunks: [{ source: 1, items: [{ type: 1, value: "name@host" }] }] },
  ]),
  formatRtcp([
    { kind: "rr", ssrc: 1, reports: [] },
    { kind: "sdes", chunks: [{ source: 1, items: [{ type: 1, value: "c" }] }] },
    { kind: "bye", sources: [1, 2], reason: "over" },
  ]),
];

test("no mutation of an RTP packet makes its readers throw, read beyond it, or take long", () => {
  const corpus = [...PACKETS, ...corpusOf("rtp")];
  const mutation = (random: Below): Uint8Array => mutate(corpus, SPICE, random);
  const reception = new Reception(0xdecade, 8_000);
  const events = new TelephoneEventReceiver();
  let read = 0;
  let at = 0;
  fuzz("rtp", mutation, (bytes) => {
    // As it lies in a slab: what is behind it is somebody else's.
    const slab = join(new Uint8Array(64).fill(0xee), bytes, new Uint8Array(64).fill(0xee));
    const { length } = bytes;
    classifyMediaPacket(slab, 64, length);
    isRtcp(slab, 64, length);
    const start = rtpPayloadStart(slab, 64, length);
    if (start < 0) return;
    const end = rtpPayloadEnd(slab, 64, length);
    assert.ok(start <= length && end <= length, `${start} to ${end} of ${length}`);
    read += 1;
    at += 20;
    rtpPayloadType(slab, 64);
    reception.receive(rtpSequenceNumber(slab, 64), rtpTimestamp(slab, 64), at, Math.max(0, end - start));
    const event = parseTelephoneEvent(slab, 64 + start, Math.max(0, end - start));
    if (event !== undefined) events.receive(rtpTimestamp(slab, 64), event);
  });
  assert.ok(read > rounds / 4, `${read} were RTP`);
});

test("no mutation of an RTCP packet makes its readers throw, read beyond it, or take long; what is read can be written", () => {
  const corpus = [...REPORTS, ...REPORTS, ...REPORTS, ...REPORTS, ...corpusOf("rtcp")];
  const mutation = (random: Below): Uint8Array => mutate(corpus, SPICE, random);
  let read = 0;
  fuzz("rtcp", mutation, (bytes) => {
    const slab = join(new Uint8Array(64).fill(0x80), bytes, new Uint8Array(64).fill(0x80));
    const checked = checkRtcp(slab, 64, bytes.length);
    const parsed = parseRtcp(slab, 64, bytes.length);
    if (!parsed.ok) {
      assert.ok(parsed.error.offset <= bytes.length);
      return;
    }
    read += 1;
    assert.equal(checked, undefined, "what is read had passed the quick check");
    const written = formatRtcp(parsed.value);
    const again = parseRtcp(written, 0, written.length);
    assert.ok(again.ok, `${JSON.stringify(parsed.value)}: ${again.ok ? "" : again.error.code}`);
  });
  assert.ok(read > rounds / 20, `${read} were RTCP`);
});

test("no mutation of a protected packet is taken for authentic, changes a packet, or makes a source", () => {
  const ciphers = createSrtpCiphers();
  for (const suite of ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"] satisfies SrtpSuite[]) {
    const salt = new Uint8Array(suite.startsWith("AEAD") ? 12 : 14).fill(9);
    const keying = { suite, keys: [{ key: new Uint8Array(16).fill(5), salt }] };
    const sender = new SrtpSender(ciphers, keying);
    const seal = (packet: Uint8Array, isRtcp: boolean): Uint8Array => {
      const room = join(packet, new Uint8Array(64));
      const sealed = isRtcp
        ? sender.protectRtcp(room, 0, packet.length)
        : sender.protectRtp(room, 0, packet.length);
      assert.ok(sealed > 0);
      return room.subarray(0, sealed);
    };
    const corpus = [seal(rtp(), false), ...REPORTS.map((report) => seal(report, true))];
    const receiver = new SrtpReceiver(ciphers, keying);
    fuzz(
      `srtp-${suite}`,
      (random) => mutate(corpus, SPICE, random),
      (bytes) => {
        const isGenuine = corpus.some((one) => Buffer.compare(one, bytes) === 0);
        if (isGenuine) return;
        const before = bytes.slice();
        const kept = bytes.slice();
        assert.ok(receiver.unprotectRtp(kept, 0, kept.length) < 0);
        assert.ok(receiver.unprotectRtcp(kept, 0, kept.length) < 0);
        assert.deepEqual(Buffer.from(kept), Buffer.from(before));
      },
    );
    assert.equal(receiver.sources, 0);
  }
});
