import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { addToSequence, addToTimestamp, type RtcpPacket, type SenderReport } from "@callfork/protocol/rtp";
import { eventsOf, type SeenRtp, startPlane, TestParty, until, untilStats, voice } from "./testing/party.ts";
import type { MediaPlane, MediaPort } from "./types.ts";

const FIRST_PORT = 41_200;
const PCMU = { name: "PCMU", clockRateHz: 8000, payloadType: 0 };
const EVENT = 101;

interface Forked {
  readonly plane: MediaPlane;
  readonly a: MediaPort;
  readonly b: MediaPort;
  readonly alice: TestParty;
  readonly bob: TestParty;
  readonly inbound: MediaPort;
  readonly outbound: MediaPort;
  /** What the recorder gets of either track. */
  readonly heard: TestParty;
  readonly said: TestParty;
}

/** A bridged call whose leg A is forked: inbound to `heard`, outbound to `said`. */
async function forked(t: TestContext): Promise<Forked> {
  const plane = await startPlane(t, FIRST_PORT);
  const [alice, bob] = [await TestParty.open(t), await TestParty.open(t)];
  const [heard, said] = [await TestParty.open(t), await TestParty.open(t)];
  const [a, b] = [await plane.openLeg({ group: "CA1" }), await plane.openLeg({ group: "CA1" })];
  const common = { direction: "sendrecv", codecs: [PCMU], telephoneEventPayloadType: EVENT } as const;
  plane.connectLeg(a.id, { ...common, remote: alice.target });
  plane.connectLeg(b.id, { ...common, remote: bob.target });
  plane.bridge(a.id, b.id);
  const inbound = await plane.openFork({ leg: a.id, track: "inbound" });
  const outbound = await plane.openFork({ leg: a.id, track: "outbound" });
  const recorder = { payloadTypes: new Map([[0, 96]]), clockRateHz: 8000, cname: "cname-of-the-fork" };
  plane.startFork(inbound.id, { ...recorder, remote: heard.target });
  plane.startFork(outbound.id, { ...recorder, remote: said.target });
  await plane.stats(inbound.id);
  return { plane, a, b, alice, bob, inbound, outbound, heard, said };
}

const packet = (i: number, more: object = {}) => ({
  sequence: addToSequence(65_500, i),
  timestamp: addToTimestamp(4_294_960_000, i * 160),
  ...more,
});
const event = (i: number, timestamp: number, end = false) => ({
  sequence: addToSequence(65_500, i),
  timestamp: addToTimestamp(4_294_960_000, timestamp * 160),
  payloadType: EVENT,
  payload: Uint8Array.of(5, end ? 0x8a : 10, 0x03, 0x20),
});

/** No packet is missing, doubled or out of place. */
function assertGapless(packets: readonly SeenRtp[]): void {
  packets.forEach((one, i) => {
    assert.equal(one.sequence, addToSequence(packets[0]!.sequence, i));
    assert.equal(one.ssrc, packets[0]!.ssrc);
  });
}

test("while it withholds, not one packet leaves, by content; then the stream goes on, its timeline with it", async (t) => {
  const { plane, a, alice, inbound, heard } = await forked(t);
  const connection = {
    remote: heard.target,
    payloadTypes: new Map([[0, 96]]),
    clockRateHz: 8000,
    cname: "cname-of-the-fork",
  };
  const say = async (from: number, to: number) => {
    for (let i = from; i < to; i++) await alice.send(a, packet(i, { payload: voice(i) }));
    await plane.stats(inbound.id); // all of them have been dealt with
  };
  await say(0, 20);
  await until(t, () => heard.packets.length === 20);
  plane.startFork(inbound.id, { ...connection, withhold: true });
  const before = await plane.stats(inbound.id);
  await say(20, 45);
  const during = await untilStats(t, plane, inbound.id, ({ withheld }) => withheld === 25);
  assert.deepEqual([before!.sent.packets, during.sent.packets], [20, 20]);
  plane.startFork(inbound.id, connection);
  await plane.stats(inbound.id);
  await say(45, 60);
  const copies = await heard.take(t, 35);
  assertGapless(copies);
  const said = [...Array(20).keys(), ...Array.from({ length: 15 }, (_, i) => 45 + i)];
  copies.forEach((one, n) => {
    assert.deepEqual(one.payload, Buffer.from(voice(said[n]!)));
    assert.equal(one.timestamp, addToTimestamp(copies[0]!.timestamp, said[n]! * 160));
  });
});

test("[R7866-8.2.3-1] [R7866-8.1.8-1] each fork is a stream of its own, from the port that was signalled: payload bit for bit, own SSRC, sequence and timestamps", async (t) => {
  const { a, b, alice, bob, inbound, outbound, heard, said } = await forked(t);
  for (let i = 0; i < 60; i++) {
    await alice.send(a, packet(i, { marker: i % 7 === 0, payload: voice(i) }));
    await bob.send(b, packet(i, { ssrc: 5, payload: voice(i + 500) }));
  }
  const copies = await heard.take(t, 60);
  const others = await said.take(t, 60);
  assertGapless(copies);
  assertGapless(others);
  copies.forEach((one, i) => {
    assert.deepEqual(one.payload, Buffer.from(voice(i)));
    assert.equal(one.marker, i % 7 === 0);
    assert.equal(one.payloadType, 96);
    assert.equal(one.timestamp, addToTimestamp(copies[0]!.timestamp, i * 160));
    assert.equal(one.from.port, inbound.rtpPort);
  });
  others.forEach((one, i) => {
    assert.deepEqual(one.payload, Buffer.from(voice(i + 500)));
    assert.equal(one.from.port, outbound.rtpPort);
  });
  const ssrcs = [copies[0]!.ssrc, others[0]!.ssrc, 0x11223344, 5, (await bob.take(t, 1))[0]!.ssrc];
  assert.equal(new Set(ssrcs).size, 5);
});

test("[R3550-5.1-2] first sequence number and timestamp of a fork are not the source's", async (t) => {
  const { a, alice, heard } = await forked(t);
  await alice.send(a, { sequence: 0, timestamp: 0 });
  const [first] = await heard.take(t, 1);
  // One chance in 2^48 to fail for no reason.
  assert.ok(first!.sequence !== 0 || first!.timestamp !== 0);
});

test("telephone events stay out of a fork, which shows no gap and keeps true time", async (t) => {
  const { plane, a, alice, bob, heard } = await forked(t);
  const events = eventsOf(plane, a.id);
  await alice.send(a, packet(0));
  for (const [i, end] of [
    [1, false],
    [2, false],
    [3, true],
    [4, true],
    [5, true],
  ] as const) {
    await alice.send(a, event(i, 1, end));
  }
  await alice.send(a, packet(6));
  await alice.send(a, packet(7));
  const copies = await heard.take(t, 3);
  assertGapless(copies);
  assert.deepEqual(
    copies.map((one) => (one.timestamp - copies[0]!.timestamp) >>> 0),
    [0, 960, 1120],
  );
  assert.equal((await bob.take(t, 8)).length, 8);
  await until(t, () => events.length === 2);
  assert.deepEqual(events, [
    { kind: "rtp-started", id: a.id },
    { kind: "telephone-event", id: a.id, digit: "5", durationMs: 100 },
  ]);
});

test("loss and disorder of the source show in the fork as they are", async (t) => {
  const { a, alice, heard } = await forked(t);
  for (const i of [0, 1, 4, 3, 5]) await alice.send(a, packet(i, { payload: voice(i) }));
  const copies = await heard.take(t, 5);
  assert.deepEqual(
    copies.map((one) => (one.sequence - copies[0]!.sequence) & 0xffff),
    [0, 1, 4, 3, 5],
  );
  assert.deepEqual(
    copies.map((one) => ((one.timestamp - copies[0]!.timestamp) >>> 0) / 160),
    [0, 1, 4, 3, 5],
  );
});

test("[R7866-8.1.3-1] another SSRC, a jump of the sequence or of the timestamp leaves the fork continuous", async (t) => {
  const { a, alice, heard } = await forked(t);
  for (let i = 0; i < 5; i++) await alice.send(a, packet(i));
  for (let i = 0; i < 5; i++) await alice.send(a, { sequence: 9 + i, timestamp: 99 + 160 * i, ssrc: 77 });
  // A new sequence: one packet to become credible (RFC 3550 appendix A.1), then it is followed.
  for (let i = 0; i < 5; i++) {
    await alice.send(a, { sequence: 30_000 + i, timestamp: 900 + 160 * i, ssrc: 77 });
  }
  // Timestamps that run away under a steady sequence.
  for (let i = 5; i < 10; i++) {
    await alice.send(a, { sequence: 30_000 + i, timestamp: 2_000_000_000 + 160 * i, ssrc: 77 });
  }
  const copies = await heard.take(t, 19);
  assertGapless(copies);
  for (let i = 1; i < copies.length; i++) {
    const step = (copies[i]!.timestamp - copies[i - 1]!.timestamp) | 0;
    assert.ok(step >= 160 && step < 8000, `step ${i}: ${step}`);
  }
});

test("header extensions, CSRC list and padding stay behind: the recorder agreed to none of them", async (t) => {
  const { a, alice, heard } = await forked(t);
  const head = [0xb1, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4, 0, 0, 0, 9, 0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0];
  await alice.sendRaw(a.rtpPort, Uint8Array.from([...head, ...voice(1, 20), 0, 0, 0, 4]));
  const [copy] = await heard.take(t, 1);
  assert.deepEqual(copy!.payload, Buffer.from(voice(1, 20)));
  assert.equal(copy!.bytes.length, 32);
});

test("[R3550-6.1-1] a fork's first report comes with its first packets: SR, then SDES with its CNAME", async (t) => {
  const { a, alice, heard, inbound } = await forked(t);
  for (let i = 0; i < 3; i++) await alice.send(a, packet(i));
  const copies = await heard.take(t, 3);
  await until(t, () => heard.reports.length > 0);
  const [{ packets, from }] = [heard.reports[0]!];
  assert.equal(from.port, inbound.rtcpPort);
  assert.deepEqual(
    packets.map((one) => one.kind),
    ["sr", "sdes"],
  );
  const report = packets[0] as SenderReport;
  assert.equal(report.ssrc, copies[0]!.ssrc);
  assert.equal(report.packets, 3);
  assert.equal(report.octets, 480);
  assert.deepEqual(cnames(packets), ["cname-of-the-fork"]);
  const ahead = (report.rtpTimestamp - copies[2]!.timestamp) | 0;
  assert.ok(ahead > -8000 && ahead < 80_000, `${ahead}`);
});

test("[R3550-6.3.7-1] closing a fork says BYE in a compound packet, unless nothing was sent", async (t) => {
  const { plane, a, alice, inbound, outbound, heard, said } = await forked(t);
  await alice.send(a, packet(0));
  const [copy] = await heard.take(t, 1);
  const stats = await plane.close(inbound.id);
  assert.equal(stats!.sent.packets, 1);
  assert.equal(stats!.sent.ssrc, copy!.ssrc);
  const bye = (): (typeof heard.reports)[number] | undefined =>
    heard.reports.find(({ packets }) => packets.some((one) => one.kind === "bye"));
  await until(t, () => bye() !== undefined);
  const { packets } = bye()!;
  assert.ok(packets[0]!.kind === "sr" || packets[0]!.kind === "rr");
  assert.deepEqual(packets.at(-1), { kind: "bye", sources: [copy!.ssrc] });
  await plane.close(outbound.id);
  await plane.stats(a.id);
  assert.equal(said.reports.length, 0);
  await alice.send(a, packet(1));
  await until(t, () => true);
  assert.equal(await plane.stats(inbound.id), undefined);
});

test("[R7866-8.1.3-2] [R3550-8.2-1] a recorder that uses the fork's SSRC makes it take another, with a BYE for the old one", async (t) => {
  const { a, alice, heard, inbound } = await forked(t);
  await alice.send(a, packet(0));
  const [first] = await heard.take(t, 1);
  await heard.sendReports(inbound, [{ kind: "rr", ssrc: first!.ssrc, reports: [] }]);
  await until(t, () => heard.reports.some(({ packets }) => packets.some((one) => one.kind === "bye")));
  await alice.send(a, packet(1));
  const [second] = await heard.take(t, 1);
  assert.notEqual(second!.ssrc, first!.ssrc);
  assert.equal(second!.sequence, addToSequence(first!.sequence, 1));
});

test("[R3550-8.2-3] RTP with the fork's SSRC is a collision too; a recorder that sends everything back is a loop, and changes the SSRC once", async (t) => {
  const { plane, a, alice, heard, said, inbound } = await forked(t);
  const byes = () => heard.reports.flatMap(({ packets }) => packets.filter(({ kind }) => kind === "bye"));
  const seen = new Set<number>();
  for (let i = 0; i < 20; i++) {
    await alice.send(a, packet(i));
    const [copy] = await heard.take(t, 1);
    seen.add(copy!.ssrc);
    await heard.sendRaw(inbound.rtpPort, copy!.bytes);
    for (const { packets } of heard.reports.splice(0)) {
      if (packets.some(({ kind }) => kind === "bye")) seen.add(-1);
      await heard.sendReports(inbound, packets);
    }
    await plane.stats(inbound.id);
  }
  await untilStats(t, plane, inbound.id, ({ dropped }) => dropped >= 20);
  await until(t, () => seen.has(-1) || byes().length > 0);
  seen.delete(-1);
  assert.equal(seen.size, 2);
  assert.equal(said.packets.length, 0);
});

test("[R8866-6.7-1] [R7866-8.1.6-1] [R6263-7-1] reports go on while nothing is sent: no RTP, the CNAME all the same", async (t) => {
  const { plane, a, alice, heard, inbound } = await forked(t);
  await alice.send(a, packet(0));
  await heard.take(t, 1);
  await until(t, () => heard.reports.length > 0);
  plane.startFork(inbound.id, {
    remote: heard.target,
    payloadTypes: new Map([[0, 96]]),
    clockRateHz: 8000,
    cname: "cname-of-the-fork",
    withhold: true,
  });
  await plane.stats(inbound.id);
  const before = heard.reports.length;
  for (let i = 1; i < 10; i++) await alice.send(a, packet(i));
  await until(t, () => heard.reports.length > before);
  const [report, sdes] = heard.reports[before]!.packets;
  assert.ok(report!.kind === "rr" || report!.kind === "sr");
  assert.equal(sdes!.kind, "sdes");
  assert.equal(heard.packets.length, 0);
});

test("what the recorder reports of loss and jitter shows in the fork's counters", async (t) => {
  const { plane, a, alice, heard, inbound } = await forked(t);
  await alice.send(a, packet(0));
  const [copy] = await heard.take(t, 1);
  const block = {
    ssrc: copy!.ssrc,
    fractionLost: 25,
    cumulativeLost: 3,
    extendedHighestSequence: copy!.sequence,
    jitter: 80,
    lastSenderReport: 0,
    delaySinceLastSenderReport: 0,
  };
  await heard.sendReports(inbound, [{ kind: "rr", ssrc: 1, reports: [block] }]);
  let stats = await plane.stats(inbound.id);
  while (stats!.sent.lost === 0) stats = await plane.stats(inbound.id);
  assert.equal(stats!.sent.lost, 3);
  assert.equal(stats!.sent.jitterMs, 10);
});

test("a recorder that vanishes is told about, now and then, and the call does not notice", async (t) => {
  const { plane, a, alice, bob, heard, inbound } = await forked(t);
  const events = eventsOf(plane, inbound.id);
  heard.close();
  for (let i = 0; i < 40; i++) {
    await alice.send(a, packet(i, { payload: voice(i) }));
    await bob.take(t, 1);
  }
  await until(t, () => events.length > 0);
  const [first] = events;
  assert.ok(first?.kind === "unreachable" && first.id === inbound.id);
  // Of 40 packets, sent one after the other: none was taken, and ICMP is quick here.
  assert.ok((first.delivered ?? 40) <= 1, `${first.delivered}`);
  assert.ok(events.length < 5);
});

test("a recorder that moves its port gets the same stream there", async (t) => {
  const { plane, a, alice, heard, inbound } = await forked(t);
  await alice.send(a, packet(0));
  const [first] = await heard.take(t, 1);
  const moved = await TestParty.open(t);
  plane.startFork(inbound.id, {
    remote: moved.target,
    payloadTypes: new Map([[0, 0]]),
    clockRateHz: 8000,
    cname: "cname-of-the-fork",
  });
  await plane.stats(inbound.id);
  await alice.send(a, packet(1));
  const [second] = await moved.take(t, 1);
  assert.equal(second!.ssrc, first!.ssrc);
  assert.equal(second!.sequence, addToSequence(first!.sequence, 1));
  assert.equal(second!.payloadType, 0);
});

test("a fork on a leg that is gone is refused", async (t) => {
  const { plane, a } = await forked(t);
  await plane.close(a.id);
  await assert.rejects(plane.openFork({ leg: a.id, track: "inbound" }), { code: "MEDIA_UNKNOWN_LEG" });
});

function cnames(packets: readonly RtcpPacket[]): string[] {
  return packets.flatMap((one) =>
    one.kind === "sdes" ? one.chunks.flatMap((chunk) => chunk.items.map((item) => item.value)) : [],
  );
}
