import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { encodePcma, encodePcmu, PCMU_SILENCE } from "@callfork/protocol/audio";
import { addToSequence, addToTimestamp } from "@callfork/protocol/rtp";
import { LOCALHOST, startPlane, TestParty, until, voice } from "./testing/party.ts";
import type { LegCodec, MediaPlane, MediaPort } from "./types.ts";

const FIRST_PORT = 41_600;
const PCMU: LegCodec = { name: "PCMU", clockRateHz: 8000, payloadType: 0 };
const PCMA: LegCodec = { name: "PCMA", clockRateHz: 8000, payloadType: 8 };
const OPUS: LegCodec = { name: "opus", clockRateHz: 48_000, payloadType: 111 };

async function listening(
  t: TestContext,
  codecs: readonly LegCodec[] = [PCMU],
): Promise<{ plane: MediaPlane; leg: MediaPort; alice: TestParty }> {
  const plane = await startPlane(t, FIRST_PORT);
  const alice = await TestParty.open(t);
  const leg = await plane.openLeg({ group: "CA1" });
  plane.connectLeg(leg.id, { remote: alice.target, direction: "sendrecv", codecs });
  return { plane, leg, alice };
}

/** A tone that no two frames share. */
const tone = (samples: number): Int16Array =>
  Int16Array.from({ length: samples }, (_, i) => Math.round(12_000 * Math.sin(i / 7 + (i * i) / 90_000)));

function ulaw(samples: Int16Array): Buffer {
  const out = new Uint8Array(samples.length);
  encodePcmu(samples, out);
  return Buffer.from(out);
}

const joined = (packets: readonly { readonly payload: Uint8Array }[]): Buffer =>
  Buffer.concat(packets.map((one) => one.payload));

test("what is played arrives sample for sample, in frames of 20 ms, filled up with silence at the end", async (t) => {
  const { plane, leg, alice } = await listening(t);
  const samples = tone(160 * 9 + 100);
  assert.equal(await plane.play(leg.id, { samples, loop: 1 }), true);
  const heard = await alice.take(t, 10);
  assert.equal(heard.length, 10);
  assert.deepEqual(joined(heard), Buffer.concat([ulaw(samples), Buffer.alloc(60, PCMU_SILENCE)]));
  heard.forEach((one, i) => {
    assert.equal(one.sequence, addToSequence(heard[0]!.sequence, i));
    assert.equal(one.timestamp, addToTimestamp(heard[0]!.timestamp, 160 * i));
    assert.equal(one.ssrc, heard[0]!.ssrc);
    assert.equal(one.payloadType, 0);
    assert.equal(one.from.port, leg.rtpPort);
  });
});

test("[R3551-4.1-2] the marker stands on the first packet of what is played, and only there", async (t) => {
  const { plane, leg, alice } = await listening(t);
  await plane.play(leg.id, { samples: tone(480), loop: 1 });
  const heard = await alice.take(t, 3);
  assert.deepEqual(
    heard.map((one) => one.marker),
    [true, false, false],
  );
});

test("A-law, 30 ms and the first G.711 of several codecs are spoken as negotiated", async (t) => {
  const { plane, leg, alice } = await listening(t, [OPUS, PCMA, PCMU]);
  plane.connectLeg(leg.id, {
    remote: alice.target,
    direction: "sendrecv",
    codecs: [OPUS, PCMA, PCMU],
    packetTimeMs: 30,
  });
  const samples = tone(720);
  await plane.play(leg.id, { samples, loop: 1 });
  const heard = await alice.take(t, 3);
  const expected = new Uint8Array(720);
  encodePcma(samples, expected);
  assert.deepEqual(joined(heard), Buffer.from(expected));
  assert.deepEqual(
    heard.map((one) => one.payloadType),
    [8, 8, 8],
  );
});

test("a loop repeats without a break; 0 goes on until it is stopped", async (t) => {
  const { plane, leg, alice } = await listening(t);
  const samples = tone(320);
  assert.equal(await plane.play(leg.id, { samples, loop: 3 }), true);
  assert.deepEqual(
    joined(await alice.take(t, 6)),
    Buffer.concat([ulaw(samples), ulaw(samples), ulaw(samples)]),
  );
  const endless = plane.play(leg.id, { samples, loop: 0 });
  await alice.take(t, 5);
  plane.stopPlay(leg.id);
  assert.equal(await endless, false);
});

test("another play takes over at once, and closing the leg ends it", async (t) => {
  const { plane, leg, alice } = await listening(t);
  const first = plane.play(leg.id, { samples: tone(80_000), loop: 1 });
  await alice.take(t, 1);
  const second = plane.play(leg.id, { samples: tone(80_000), loop: 1 });
  assert.equal(await first, false);
  await plane.close(leg.id);
  assert.equal(await second, false);
  assert.equal(await plane.play(leg.id, { samples: tone(160), loop: 1 }), false);
});

test("time passes for a party that cannot hear: no peer, on hold, or no codec that can be spoken", async (t) => {
  const plane = await startPlane(t, FIRST_PORT);
  const leg = await plane.openLeg({ group: "CA1" });
  const samples = tone(320);
  assert.equal(await plane.play(leg.id, { samples, loop: 1 }), true);
  const remote = { address: LOCALHOST, rtpPort: 9, rtcpPort: 10 };
  plane.connectLeg(leg.id, { remote, direction: "inactive", codecs: [PCMU] });
  assert.equal(await plane.play(leg.id, { samples, loop: 1 }), true);
  plane.connectLeg(leg.id, { remote, direction: "sendrecv", codecs: [OPUS] });
  assert.equal(await plane.play(leg.id, { samples, loop: 1 }), true);
  assert.equal((await plane.stats(leg.id))!.sent.packets, 0);
});

test("relay, player, relay: one stream to the party and to the fork, and the player has the floor", async (t) => {
  const { plane, leg, alice } = await listening(t);
  const [bob, recorder] = [await TestParty.open(t), await TestParty.open(t)];
  const b = await plane.openLeg({ group: "CA1" });
  plane.connectLeg(b.id, { remote: bob.target, direction: "sendrecv", codecs: [PCMU] });
  plane.bridge(leg.id, b.id);
  const fork = await plane.openFork({ leg: leg.id, track: "outbound" });
  plane.startFork(fork.id, {
    remote: recorder.target,
    payloadTypes: new Map([[0, 0]]),
    clockRateHz: 8000,
    cname: "c",
  });
  await plane.stats(fork.id);
  for (let i = 0; i < 3; i++) await bob.send(b, { sequence: i, timestamp: 160 * i, payload: voice(i) });
  await until(t, () => alice.packets.length === 3);
  const samples = tone(160 * 5);
  const playing = plane.play(leg.id, { samples, loop: 1 });
  await until(t, () => alice.packets.length === 4);
  await bob.send(b, { sequence: 3, timestamp: 480, payload: voice(3) });
  await playing;
  for (let i = 4; i < 7; i++) await bob.send(b, { sequence: i, timestamp: 160 * i, payload: voice(i) });
  const heard = await alice.take(t, 11);
  const recorded = await recorder.take(t, 11);
  const said = [voice(0), voice(1), voice(2), ulaw(samples), voice(4), voice(5), voice(6)];
  for (const packets of [heard, recorded]) {
    assert.deepEqual(joined(packets), Buffer.concat(said));
    packets.forEach((one, i) => {
      assert.equal(one.ssrc, packets[0]!.ssrc);
      assert.equal(one.sequence, addToSequence(packets[0]!.sequence, i));
      if (i > 0) assert.ok(((one.timestamp - packets[i - 1]!.timestamp) | 0) >= 160);
    });
  }
  assert.notEqual(heard[0]!.ssrc, recorded[0]!.ssrc);
});

test("an announcement interrupts what is played, which goes on afterwards where it was; stopping ends only that", async (t) => {
  const { plane, leg, alice } = await listening(t);
  const [music, notice] = [tone(160 * 20), tone(160 * 5).map((sample) => -sample)];
  const played = plane.play(leg.id, { samples: music, loop: 1 });
  await until(t, () => alice.packets.length >= 4);
  assert.equal(await plane.play(leg.id, { samples: notice, loop: 1, isAnnouncement: true }), true);
  assert.equal(await played, true);
  const heard = await alice.take(t, 25);
  const frames = (samples: Int16Array) =>
    Array.from({ length: samples.length / 160 }, (_, i) => ulaw(samples.subarray(i * 160, (i + 1) * 160)));
  const at = heard.findIndex(({ payload }) => Buffer.from(payload).equals(frames(notice)[0]!));
  assert.ok(at >= 4, `${at}`);
  const expected = [...frames(music).slice(0, at), ...frames(notice), ...frames(music).slice(at)];
  assert.deepEqual(
    heard.map(({ payload }) => Buffer.from(payload)),
    expected,
  );
  for (const [i, one] of heard.entries()) assert.equal(one.sequence, addToSequence(heard[0]!.sequence, i));
  const endless = plane.play(leg.id, { samples: music, loop: 0 });
  const announced = plane.play(leg.id, { samples: notice, loop: 1, isAnnouncement: true });
  plane.stopPlay(leg.id);
  assert.equal(await endless, false);
  assert.equal(await announced, true);
  assert.equal((await alice.take(t, 5)).length, 5);
});
