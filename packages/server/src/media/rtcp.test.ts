import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  addToSequence,
  addToTimestamp,
  compactNtp,
  ntpFromEpochMs,
  type ReceiverReport,
  type RtcpPacket,
  type SenderReport,
} from "@callfork/protocol/rtp";
import { type SeenRtp, startPlane, TestParty, until } from "./testing/party.ts";
import type { MediaPlane, MediaPort } from "./types.ts";

const FIRST_PORT = 41_800;
const ALICE = 0x0a11ce;
const BOB = 0x000b0b;
const NTP = ntpFromEpochMs(1_790_000_000_000);

interface Talking {
  readonly plane: MediaPlane;
  readonly a: MediaPort;
  readonly b: MediaPort;
  readonly alice: TestParty;
  readonly bob: TestParty;
  /** What Bob hears of Alice, and she of him. */
  readonly atBob: SeenRtp;
  readonly atAlice: SeenRtp;
}

/** Both parties have sent one packet: sequence 100, timestamp 1000. */
async function talking(t: TestContext): Promise<Talking> {
  const plane = await startPlane(t, FIRST_PORT);
  const [alice, bob] = [await TestParty.open(t), await TestParty.open(t)];
  const [a, b] = [await plane.openLeg({ group: "CA1" }), await plane.openLeg({ group: "CA1" })];
  const codecs = [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }];
  plane.connectLeg(a.id, { remote: alice.target, direction: "sendrecv", codecs });
  plane.connectLeg(b.id, { remote: bob.target, direction: "sendrecv", codecs });
  plane.bridge(a.id, b.id);
  await plane.stats(a.id);
  await alice.send(a, { sequence: 100, timestamp: 1000, ssrc: ALICE });
  await bob.send(b, { sequence: 100, timestamp: 1000, ssrc: BOB });
  const [atBob] = await bob.take(t, 1);
  const [atAlice] = await alice.take(t, 1);
  return { plane, a, b, alice, bob, atBob: atBob!, atAlice: atAlice! };
}

const relayed = (party: TestParty): readonly RtcpPacket[] | undefined =>
  party.reports.find(({ packets }) => packets.some((one) => one.kind === "sdes" && hasCname(one)))?.packets;
const hasCname = (packet: RtcpPacket & { kind: "sdes" }): boolean =>
  packet.chunks[0]?.items[0]?.value === "alice@example.com";
const sdes = (source: number): RtcpPacket => ({
  kind: "sdes",
  chunks: [{ source, items: [{ type: 1, value: "alice@example.com" }] }],
});

test("[R7866-8.1.1-1] [R3550-7.2-1] reports reach the other party in the terms of the stream that it hears", async (t) => {
  const { a, b, alice, bob, atBob, atAlice } = await talking(t);
  await alice.sendReports(a, [
    {
      kind: "sr",
      ssrc: ALICE,
      ntp: NTP,
      rtpTimestamp: 1160,
      packets: 500,
      octets: 80_000,
      reports: [
        {
          ssrc: atAlice.ssrc,
          fractionLost: 12,
          cumulativeLost: 3,
          extendedHighestSequence: atAlice.sequence,
          jitter: 44,
          lastSenderReport: compactNtp(NTP),
          delaySinceLastSenderReport: 65_536,
        },
        {
          ssrc: 0xdead,
          fractionLost: 0,
          cumulativeLost: 0,
          extendedHighestSequence: 0,
          jitter: 0,
          lastSenderReport: 0,
          delaySinceLastSenderReport: 0,
        },
      ],
    },
    sdes(ALICE),
  ]);
  await until(t, () => relayed(bob) !== undefined);
  const [report, description] = relayed(bob)!;
  assert.deepEqual(report, {
    kind: "sr",
    ssrc: atBob.ssrc,
    ntp: NTP,
    rtpTimestamp: addToTimestamp(atBob.timestamp, 160),
    packets: 1,
    octets: 160,
    reports: [
      {
        ssrc: BOB,
        fractionLost: 12,
        cumulativeLost: 3,
        extendedHighestSequence: 100,
        jitter: 44,
        lastSenderReport: compactNtp(NTP),
        delaySinceLastSenderReport: 65_536,
      },
    ],
  } satisfies SenderReport);
  assert.deepEqual(description, sdes(atBob.ssrc));
  assert.equal(bob.reports[0]!.from.port, b.rtcpPort);
});

test("a receiver report is passed on, a BYE and unknown packets are not", async (t) => {
  const { a, alice, bob, atBob, atAlice } = await talking(t);
  const block = {
    ssrc: atAlice.ssrc,
    fractionLost: 0,
    cumulativeLost: 0,
    extendedHighestSequence: addToSequence(atAlice.sequence, 0),
    jitter: 1,
    lastSenderReport: 0,
    delaySinceLastSenderReport: 0,
  };
  await alice.sendReports(a, [
    { kind: "rr", ssrc: ALICE, reports: [block] },
    sdes(ALICE),
    { kind: "other", packetType: 204, count: 0, body: new Uint8Array(8) },
    { kind: "bye", sources: [ALICE] },
  ]);
  await until(t, () => relayed(bob) !== undefined);
  const packets = relayed(bob)!;
  assert.deepEqual(
    packets.map((one) => one.kind),
    ["rr", "sdes"],
  );
  const report = packets[0] as ReceiverReport;
  assert.equal(report.ssrc, atBob.ssrc);
  assert.equal(report.reports[0]!.ssrc, BOB);
});

test("feedback is passed on with both identifiers translated", async (t) => {
  const { a, alice, bob, atBob, atAlice } = await talking(t);
  const body = new Uint8Array(8);
  new DataView(body.buffer).setUint32(0, ALICE);
  new DataView(body.buffer).setUint32(4, atAlice.ssrc);
  await alice.sendReports(a, [
    { kind: "rr", ssrc: ALICE, reports: [] },
    sdes(ALICE),
    { kind: "other", packetType: 206, count: 1, body },
  ]);
  await until(t, () => relayed(bob) !== undefined);
  const feedback = relayed(bob)?.[2];
  assert.ok(feedback?.kind === "other" && feedback.packetType === 206 && feedback.count === 1);
  const view = new DataView(feedback.body.buffer, feedback.body.byteOffset);
  assert.deepEqual([view.getUint32(0), view.getUint32(4)], [atBob.ssrc, BOB]);
});

test("reports of strangers and malformed ones are dropped and counted", async (t) => {
  const { plane, a, alice, bob } = await talking(t);
  for (const bytes of [
    Uint8Array.of(0x80, 201, 0, 1),
    Uint8Array.of(0x80, 203, 0, 1, 0, 0, 0, 1),
    new Uint8Array(9),
  ]) {
    await new Promise<void>((resolve) => {
      alice.rtcp.send(bytes, a.rtcpPort, "127.0.0.1", () => resolve());
    });
  }
  await alice.sendReports(a, [{ kind: "rr", ssrc: ALICE, reports: [] }, sdes(ALICE)]);
  await until(t, () => relayed(bob) !== undefined);
  assert.equal((await plane.stats(a.id))!.dropped, 3);
});

test("[R4961-4-2] RTCP multiplexed on the RTP port is understood as RTCP", async (t) => {
  const { a, alice, bob } = await talking(t);
  const bytes = Uint8Array.from([0x80, 201, 0, 1, 0, 0x0a, 0x11, 0xce, 0x81, 202, 0, 6, 0, 0x0a, 0x11, 0xce]);
  const item = [1, 17, ...Buffer.from("alice@example.com"), 0];
  await alice.sendRaw(a.rtpPort, Uint8Array.from([...bytes, ...item]));
  await until(t, () => relayed(bob) !== undefined);
  assert.equal(bob.packets.length, 0);
});

test("a party whose other side reports nothing hears our own reports about it", async (t) => {
  const { a, alice, atAlice } = await talking(t);
  await until(t, () => alice.reports.length > 0);
  const [{ packets, from }] = [alice.reports[0]!];
  assert.equal(from.port, a.rtcpPort);
  const report = packets[0]!;
  assert.ok(report.kind === "sr");
  assert.equal(report.ssrc, atAlice.ssrc);
  assert.equal(report.reports[0]!.ssrc, ALICE);
  assert.equal(report.reports[0]!.extendedHighestSequence, 100);
});

test("closing a leg says BYE for the stream that we sent", async (t) => {
  const { plane, a, alice, atAlice } = await talking(t);
  await plane.close(a.id);
  const bye = (): RtcpPacket | undefined =>
    alice.reports.flatMap(({ packets }) => packets).find((one) => one.kind === "bye");
  await until(t, () => bye() !== undefined);
  assert.deepEqual(bye(), { kind: "bye", sources: [atAlice.ssrc] });
});
