import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { decodePcma, decodePcmu, encodePcmu } from "@callfork/protocol/audio";
import { addToSequence, addToTimestamp } from "@callfork/protocol/rtp";
import { type SeenRtp, startPlane, TestParty } from "./testing/party.ts";
import { ToneMixer } from "./tone-mixer.ts";
import type { LegConnection, MediaTone } from "./types.ts";

const FIRST_PORT = 42_600;
const TONE: MediaTone = { frequencyHz: 1400, levelDbm0: -15, durationMs: 200, intervalMs: 1000 };
const PCMU = { name: "PCMU", clockRateHz: 8000, payloadType: 0 };

/** How much of a frequency is in the samples: the amplitude of its sine. */
function amplitude(samples: Int16Array, frequencyHz: number): number {
  let [re, im] = [0, 0];
  for (const [i, sample] of samples.entries()) {
    re += sample * Math.cos((2 * Math.PI * frequencyHz * i) / 8000);
    im += sample * Math.sin((2 * Math.PI * frequencyHz * i) / 8000);
  }
  return (2 * Math.hypot(re, im)) / samples.length;
}

const samplesOf = (packets: readonly SeenRtp[]): Int16Array => {
  const all = new Int16Array(packets.length * 160);
  for (const [i, { payload }] of packets.entries()) {
    const out = new Int16Array(160);
    decodePcmu(payload, out);
    all.set(out, i * 160);
  }
  return all;
};

/** A quiet 440 Hz: what the other party says meanwhile. */
const speech = (i: number): Uint8Array => {
  const samples = Int16Array.from(
    { length: 160 },
    (_, k) => 2000 * Math.sin((2 * Math.PI * 440 * (i * 160 + k)) / 8000),
  );
  const out = new Uint8Array(160);
  encodePcmu(samples, out);
  return out;
};

async function toned(t: TestContext, connection: Partial<LegConnection> = { tone: TONE }) {
  const plane = await startPlane(t, FIRST_PORT);
  const [alice, bob] = [await TestParty.open(t), await TestParty.open(t)];
  const [a, b] = [await plane.openLeg({ group: "CA1" }), await plane.openLeg({ group: "CA1" })];
  const common = { direction: "sendrecv", codecs: [PCMU] } as const;
  plane.connectLeg(a.id, { ...common, remote: alice.target });
  plane.connectLeg(b.id, { ...common, remote: bob.target, ...connection });
  plane.bridge(a.id, b.id);
  await plane.stats(a.id);
  return { plane, a, b, alice, bob };
}

const packet = (i: number) => ({
  sequence: addToSequence(65_500, i),
  timestamp: addToTimestamp(4_294_960_000, i * 160),
  payload: speech(i),
});

test("the tone is heard every interval on top of speech; sequence, timestamps and what lies between are untouched", async (t) => {
  const { plane, a, b, alice, bob } = await toned(t);
  const [inbound, outbound] = [await TestParty.open(t), await TestParty.open(t)];
  for (const [leg, track, recorder] of [
    [a, "inbound", inbound],
    [b, "outbound", outbound],
  ] as const) {
    const fork = await plane.openFork({ leg: leg.id, track });
    plane.startFork(fork.id, {
      remote: recorder.target,
      payloadTypes: new Map([[0, 0]]),
      clockRateHz: 8000,
      cname: "x",
    });
    await plane.stats(fork.id);
  }
  for (let i = 0; i < 120; i++) await alice.send(a, packet(i));
  const heard = await bob.take(t, 120);
  for (const [i, one] of heard.entries()) {
    assert.equal(one.sequence, addToSequence(heard[0]!.sequence, i));
    assert.equal(one.timestamp, addToTimestamp(heard[0]!.timestamp, i * 160));
    const isTone = i % 50 < 10;
    assert.equal(Buffer.from(one.payload).equals(Buffer.from(speech(i))), !isTone, `packet ${i}`);
  }
  // -15 dBm0 is 18.14 dB below a sine of full scale; the speech goes on beneath it.
  const burst = samplesOf(heard.slice(50, 60));
  assert.ok(Math.abs(20 * Math.log10(amplitude(burst, 1400) / 32_767) + 18.14) < 1);
  assert.ok(Math.abs(amplitude(burst, 440) - 2000) < 200);
  assert.ok(amplitude(samplesOf(heard.slice(60, 100)), 1400) < 50);
  const copied = await outbound.take(t, 120);
  assert.deepEqual(
    copied.map(({ payload }) => Buffer.from(payload)),
    heard.map(({ payload }) => Buffer.from(payload)),
  );
  const said = await inbound.take(t, 120);
  assert.deepEqual(
    said.map(({ payload }) => Buffer.from(payload)),
    said.map((_, i) => Buffer.from(speech(i))),
    "what was said is recorded as it was said",
  );
});

test("the party told of the same tone again hears it go on; without it nothing is mixed any more", async (t) => {
  const { plane, a, b, alice, bob } = await toned(t);
  const connection = { direction: "sendrecv", codecs: [PCMU], remote: bob.target } as const;
  for (let i = 0; i < 20; i++) await alice.send(a, packet(i));
  plane.connectLeg(b.id, { ...connection, tone: { ...TONE } });
  await plane.stats(b.id);
  for (let i = 20; i < 55; i++) await alice.send(a, packet(i));
  const heard = await bob.take(t, 55);
  const differs = heard.map((one, i) => !Buffer.from(one.payload).equals(Buffer.from(speech(i))));
  assert.deepEqual(
    differs,
    Array.from({ length: 55 }, (_, i) => i % 50 < 10),
  );
  plane.connectLeg(b.id, connection);
  await plane.stats(b.id);
  for (let i = 55; i < 60; i++) await alice.send(a, packet(i));
  const last = await bob.take(t, 5);
  assert.deepEqual(
    last.map(({ payload }) => Buffer.from(payload)),
    last.map((_, i) => Buffer.from(speech(55 + i))),
  );
});

test("what is no G.711 passes as it is, and what we play carries the tone too", async (t) => {
  const { a, b, alice, bob, plane } = await toned(t, {
    tone: TONE,
    codecs: [PCMU, { name: "G722", clockRateHz: 8000, payloadType: 9 }],
  });
  plane.connectLeg(a.id, {
    remote: alice.target,
    direction: "sendrecv",
    codecs: [{ name: "G722", clockRateHz: 8000, payloadType: 9 }],
  });
  await plane.stats(a.id);
  for (let i = 0; i < 10; i++) await alice.send(a, { ...packet(i), payloadType: 9 });
  const passed = await bob.take(t, 10);
  assert.deepEqual(
    passed.map(({ payload }) => Buffer.from(payload)),
    passed.map((_, i) => Buffer.from(speech(i))),
  );
  assert.equal(await plane.play(b.id, { samples: new Int16Array(8000), loop: 1 }), true);
  const played = await bob.take(t, 50);
  assert.ok(amplitude(samplesOf(played), 1400) > 500);
});

test("A-law, a payload that is cut off in the burst, and one from before the first", () => {
  const mixer = new ToneMixer({ ...TONE, durationMs: 10 });
  const bytes = new Uint8Array(200).fill(0xd5);
  mixer.mix(bytes, 20, 180, "pcma", 1000);
  const out = new Int16Array(160);
  decodePcma(bytes.subarray(20, 180), out);
  assert.ok(amplitude(out.subarray(0, 80), 1400) > 1500);
  assert.ok(bytes.subarray(100, 180).every((octet) => octet === 0xd5));
  assert.ok(bytes.subarray(0, 20).every((octet) => octet === 0xd5));
  const before = new Uint8Array(160).fill(0xd5);
  mixer.mix(before, 0, 160, "pcma", 840);
  assert.ok(before.every((octet) => octet === 0xd5));
  const loud = new Uint8Array(160).fill(0x80); // µ-law, nearly full scale: it is limited, not wrapped round
  const limited = new ToneMixer({ ...TONE, levelDbm0: 0 });
  limited.mix(loud, 0, 160, "pcmu", 0);
  decodePcmu(loud, out);
  assert.ok(Math.max(...out) > 32_000 && out.every((sample) => sample > 0));
});
