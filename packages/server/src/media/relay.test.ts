import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { addToSequence, addToTimestamp } from "@callfork/protocol/rtp";
import { buildRtp, eventsOf, startPlane, TestParty, until, untilStats, voice } from "./testing/party.ts";
import type { LegConnection, MediaPlane, MediaPort } from "./types.ts";

const FIRST_PORT = 41_000;

/** Two parties, two legs, bridged: what nearly every test here begins with. */
async function bridged(
  t: TestContext,
  connection: Partial<LegConnection> = {},
): Promise<{ plane: MediaPlane; a: MediaPort; b: MediaPort; alice: TestParty; bob: TestParty }> {
  const plane = await startPlane(t, FIRST_PORT);
  const [alice, bob] = [await TestParty.open(t), await TestParty.open(t)];
  const [a, b] = [await plane.openLeg({ group: "CA1" }), await plane.openLeg({ group: "CA1" })];
  const common = {
    direction: "sendrecv",
    codecs: [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }],
    telephoneEventPayloadType: 101,
    ...connection,
  } as const;
  plane.connectLeg(a.id, { ...common, remote: alice.target });
  plane.connectLeg(b.id, { ...common, remote: bob.target });
  plane.bridge(a.id, b.id);
  await plane.stats(a.id);
  return { plane, a, b, alice, bob };
}

const packet = (i: number, more: object = {}) => ({
  sequence: addToSequence(65_530, i),
  timestamp: addToTimestamp(4_294_967_000, i * 160),
  ...more,
});

test("a relay passes payload, marker and order on bit for bit, both ways at once and across the wrap", async (t) => {
  const { a, b, alice, bob } = await bridged(t);
  for (let i = 0; i < 100; i++) {
    await alice.send(a, packet(i, { marker: i % 10 === 0, payload: voice(i) }));
    await bob.send(b, packet(i, { ssrc: 7, payload: voice(i + 1000) }));
  }
  const heard = await bob.take(t, 100);
  assert.deepEqual(
    heard.map((one) => Buffer.from(one.payload)),
    Array.from({ length: 100 }, (_, i) => Buffer.from(voice(i))),
  );
  assert.deepEqual(
    heard.map((one) => one.marker),
    Array.from({ length: 100 }, (_, i) => i % 10 === 0),
  );
  for (let i = 1; i < heard.length; i++) {
    assert.equal(heard[i]!.sequence, addToSequence(heard[0]!.sequence, i));
    assert.equal(heard[i]!.timestamp, addToTimestamp(heard[0]!.timestamp, i * 160));
    assert.equal(heard[i]!.ssrc, heard[0]!.ssrc);
  }
  assert.equal(heard[0]!.from.port, b.rtpPort);
  const back = await alice.take(t, 100);
  assert.deepEqual(Buffer.from(back[99]!.payload), Buffer.from(voice(1099)));
  assert.notEqual(back[0]!.ssrc, heard[0]!.ssrc);
});

test("extension, CSRC list and padding are relayed as they came", async (t) => {
  const { a, alice, bob } = await bridged(t);
  const csrc = [0, 0, 0, 9];
  const extension = [0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0];
  const payloadAndPadding = [...voice(1, 20), 0, 0, 0, 4];
  const bytes = Uint8Array.from([
    ...[0xb1, 0x80, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4],
    ...csrc,
    ...extension,
    ...payloadAndPadding,
  ]);
  await alice.sendRaw(a.rtpPort, bytes);
  const [seen] = await bob.take(t, 1);
  assert.deepEqual(seen!.bytes.subarray(12), Buffer.from(bytes.subarray(12)));
  assert.deepEqual([...seen!.bytes.subarray(0, 2)], [0xb1, 0x80]);
});

test("payload types are mapped, telephone-event too; types nobody agreed on are dropped and counted", async (t) => {
  const { plane, a, b, alice, bob } = await bridged(t);
  plane.bridge(a.id, b.id, { aToB: new Map([[101, 96]]), bToA: new Map([[96, 101]]) });
  await plane.stats(a.id);
  await alice.send(a, packet(0));
  await alice.send(a, packet(1, { payloadType: 77 }));
  await alice.send(a, packet(2, { payloadType: 101, payload: Uint8Array.of(5, 10, 0, 160) }));
  const heard = await bob.take(t, 2);
  assert.deepEqual(
    heard.map((one) => one.payloadType),
    [0, 96],
  );
  assert.equal((await plane.stats(a.id))!.dropped, 1);
});

test("[R3550-A.1-1] strangers of 0, 11, 12, 1500 and 65,507 octets, of the wrong version or cut short do no harm", async (t) => {
  const { plane, a, alice, bob } = await bridged(t);
  const stranger = await TestParty.open(t);
  const valid = buildRtp(packet(0));
  for (const length of [0, 11, 12, 1500, 65_507]) {
    await stranger.sendRaw(a.rtpPort, new Uint8Array(length).fill(0xff));
    await alice.sendRaw(a.rtpPort, new Uint8Array(length));
  }
  await alice.sendRaw(
    a.rtpPort,
    Uint8Array.from(valid, (octet, i) => (i === 0 ? 0x40 : octet)),
  );
  await alice.sendRaw(
    a.rtpPort,
    Uint8Array.from(valid.subarray(0, 14), (octet, i) => (i === 0 ? 0x8f : octet)),
  );
  await alice.send(a, packet(1));
  const [heard] = await bob.take(t, 1);
  assert.deepEqual(heard!.payload, Buffer.from(voice(packet(1).sequence)));
  assert.equal((await plane.stats(a.id))!.dropped, 10);
});

test("[R4961-4-1] packets leave from the port that they are expected at, RTP and RTCP", async (t) => {
  const { a, b, alice, bob } = await bridged(t);
  await alice.send(a, packet(0));
  assert.equal((await bob.take(t, 1))[0]!.from.port, b.rtpPort);
  await alice.sendReports(a, [{ kind: "rr", ssrc: 0x11223344, reports: [] }]);
  await until(t, () => bob.reports.length > 0);
  assert.equal(bob.reports[0]!.from.port, b.rtcpPort);
});

test("a party behind a NAT is found by its second packet in sequence, and then heard alone", async (t) => {
  const { plane, a, b, alice, bob } = await bridged(t);
  const nat = await TestParty.open(t);
  await nat.send(a, packet(5));
  await nat.send(a, packet(9));
  await nat.send(a, packet(10));
  const heard = await bob.take(t, 1);
  assert.deepEqual(
    heard.map((one) => one.payload),
    [Buffer.from(voice(packet(10).sequence))],
  );
  assert.equal((await plane.stats(a.id))!.dropped, 2);
  await alice.send(a, packet(11));
  await alice.send(a, packet(12));
  await bob.send(b, packet(0));
  assert.equal((await nat.take(t, 1)).length, 1);
  await nat.send(a, packet(13));
  assert.deepEqual((await bob.take(t, 1))[0]!.payload, Buffer.from(voice(packet(13).sequence)));
  assert.equal(alice.packets.length, 0);
});

test("[R3550-11-1] packets of a stranger do not move a latched port; another signalled address does", async (t) => {
  const { plane, a, b, alice, bob } = await bridged(t);
  await alice.send(a, packet(0));
  await bob.take(t, 1);
  const stranger = await TestParty.open(t);
  for (let i = 1; i < 10; i++) await stranger.send(a, packet(i, { ssrc: 99 }));
  await bob.send(b, packet(0));
  assert.equal((await alice.take(t, 1)).length, 1);
  assert.equal(stranger.packets.length, 0);
  assert.equal(bob.packets.length, 0);
  plane.connectLeg(a.id, {
    remote: stranger.target,
    direction: "sendrecv",
    codecs: [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }],
  });
  await plane.stats(a.id);
  await bob.send(b, packet(1));
  assert.equal((await stranger.take(t, 1)).length, 1);
  await stranger.send(a, packet(20, { ssrc: 99 }));
  assert.equal((await bob.take(t, 1)).length, 1);
});

test("a silent peer may be replaced by whoever sends two packets in sequence", async (t) => {
  const { a, b, alice, bob } = await bridged(t);
  await alice.send(a, packet(0));
  await bob.take(t, 1);
  const moved = await TestParty.open(t);
  for (let i = 1; bob.packets.length === 0; i++) {
    t.signal.throwIfAborted();
    await moved.send(a, packet(i));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await bob.send(b, packet(0));
  assert.equal((await moved.take(t, 1)).length, 1);
  assert.equal(alice.packets.length, 0);
});

test("[R7866-8.1.3-1] a source that changes its SSRC goes on as one stream without a gap and without loss", async (t) => {
  const { plane, a, alice, bob } = await bridged(t);
  for (let i = 0; i < 10; i++) await alice.send(a, packet(i));
  const before = await bob.take(t, 10);
  for (let i = 0; i < 10; i++) {
    await alice.send(a, { sequence: 100 + i, timestamp: 5000 + 160 * i, ssrc: 0xabcdef });
  }
  const after = await bob.take(t, 10);
  const all = [...before, ...after];
  all.forEach((one, i) => {
    assert.equal(one.ssrc, all[0]!.ssrc);
    assert.equal(one.sequence, addToSequence(all[0]!.sequence, i));
  });
  assert.ok(((after[0]!.timestamp - before[9]!.timestamp) | 0) >= 160);
  assert.deepEqual(after[0]!.payload, Buffer.from(voice(100)));
  const stats = await plane.stats(a.id);
  assert.equal(stats!.received.packets, 20);
  assert.equal(stats!.received.lost, 0);
  assert.equal(stats!.received.ssrc, 0xabcdef);
});

test("directions: on hold nothing is relayed, nothing that comes is passed on, and it resumes", async (t) => {
  const { plane, a, b, alice, bob } = await bridged(t);
  const codecs = [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }];
  plane.connectLeg(a.id, { remote: alice.target, direction: "inactive", codecs });
  await plane.stats(a.id);
  await alice.send(a, packet(0));
  await bob.send(b, packet(0));
  await untilStats(t, plane, a.id, (stats) => stats.dropped === 1);
  await untilStats(t, plane, b.id, (stats) => stats.received.packets === 1);
  plane.connectLeg(a.id, { remote: alice.target, direction: "sendrecv", codecs });
  await plane.stats(a.id);
  await alice.send(a, packet(1));
  await bob.send(b, packet(1));
  assert.deepEqual((await bob.take(t, 1))[0]!.payload, Buffer.from(voice(packet(1).sequence)));
  assert.deepEqual((await alice.take(t, 1))[0]!.payload, Buffer.from(voice(packet(1).sequence)));
});

test("statistics tell loss, reordering and duplicates; rtp-started is told once", async (t) => {
  const { plane, a, alice, bob } = await bridged(t);
  const events = eventsOf(plane, a.id);
  for (const i of [0, 1, 3, 2, 3, 7]) await alice.send(a, packet(i));
  await bob.take(t, 5);
  const { received, dropped } = (await plane.stats(a.id))!;
  assert.equal(received.packets, 6);
  assert.equal(received.expected, 8);
  assert.equal(received.lost, 3);
  assert.equal(received.late, 1);
  assert.equal(received.duplicates, 1);
  assert.equal(dropped, 0);
  assert.ok(Math.abs(received.firstPacketTime! - Date.now()) < 60_000);
  assert.deepEqual(events, [{ kind: "rtp-started", id: a.id }]);
});
