import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { addToSequence, addToTimestamp } from "@callfork/protocol/rtp";
import { type SrtpKeying, SrtpReceiver } from "@callfork/protocol/srtp";
import { createSrtpCiphers } from "../net/index.ts";
import { type AudioFormat, createAudioDecoder, createAudioEncoder } from "./codec/index.ts";
import { babble, loudnessCorrelation } from "./codec/testing/audio.ts";
import { type SeenRtp, startPlane, TestParty, until, untilStats } from "./testing/party.ts";
import type { ForkCodec, ForkConnection, MediaPlane, MediaPort } from "./types.ts";

const FIRST_PORT = 45_200;
const PCMU: ForkCodec = { name: "PCMU", clockRateHz: 8000, channels: 1, payloadType: 0 };
const PCMA: ForkCodec = { name: "PCMA", clockRateHz: 8000, channels: 1, payloadType: 8 };
const G722: ForkCodec = { name: "G722", clockRateHz: 8000, channels: 1, payloadType: 9 };
const OPUS: ForkCodec = { name: "opus", clockRateHz: 48_000, channels: 2, payloadType: 107 };
const EVENT = 101;

interface Forked {
  readonly plane: MediaPlane;
  readonly a: MediaPort;
  readonly alice: TestParty;
  readonly fork: MediaPort;
  readonly recorder: TestParty;
  readonly connection: ForkConnection;
}

/** A leg that speaks `codecs`, forked to a recorder. */
async function forked(
  t: TestContext,
  codecs: readonly ForkCodec[],
  way: Pick<ForkConnection, "payloadTypes" | "transcodings" | "clockRateHz" | "clockRatesHz">,
): Promise<Forked> {
  const plane = await startPlane(t, FIRST_PORT);
  const [alice, recorder] = [await TestParty.open(t), await TestParty.open(t)];
  const a = await plane.openLeg({ group: "CA1" });
  plane.connectLeg(a.id, {
    remote: alice.target,
    direction: "sendrecv",
    codecs,
    telephoneEventPayloadType: EVENT,
  });
  const fork = await plane.openFork({ leg: a.id, track: "inbound" });
  const connection = { remote: recorder.target, cname: "c", ...way };
  plane.startFork(fork.id, connection);
  await plane.stats(fork.id);
  return { plane, a, alice, fork, recorder, connection };
}

const transcoding = (from: ForkCodec, to: ForkCodec) => ({
  payloadTypes: new Map<number, number>(),
  clockRateHz: to.clockRateHz,
  transcodings: [{ from, to }],
});

/** Speech as the packets of a codec, 20 ms each. */
function packetsOf(codec: AudioFormat, samples: Int16Array, rateHz: number): Uint8Array[] {
  const encoder = createAudioEncoder(codec, { sampleRateHz: rateHz });
  assert.ok(encoder.ok);
  const { packetFrames, maximumPayload } = encoder.value;
  const out = new Uint8Array(maximumPayload);
  const packets: Uint8Array[] = [];
  for (let at = 0; at + packetFrames <= samples.length; at += packetFrames) {
    packets.push(out.slice(0, encoder.value.encode(samples.subarray(at, at + packetFrames), out, 0)));
  }
  encoder.value.close();
  return packets;
}

/** What a recorder hears, laid out by timestamps from the first packet on. */
function heardAs(codec: AudioFormat, packets: readonly SeenRtp[], rateHz: number): Int16Array {
  const decoder = createAudioDecoder(codec, { channels: 1, sampleRateHz: rateHz });
  assert.ok(decoder.ok);
  const { unitsPerFrame } = decoder.value;
  const first = packets[0]!.timestamp;
  const span = (packets.at(-1)!.timestamp - first) >>> 0;
  const audio = new Int16Array(span / unitsPerFrame + 5760);
  for (const packet of packets) {
    const at = ((packet.timestamp - first) >>> 0) / unitsPerFrame;
    assert.ok(decoder.value.decode(packet.payload, audio.subarray(at)) > 0);
  }
  decoder.value.close();
  return audio.subarray(0, span / unitsPerFrame + rateHz / 50);
}

/** Amplitude of one frequency. */
function toneLevel(samples: Int16Array, frequencyHz: number, rateHz: number): number {
  let [re, im] = [0, 0];
  samples.forEach((sample, n) => {
    re += sample * Math.cos((2 * Math.PI * frequencyHz * n) / rateHz);
    im += sample * Math.sin((2 * Math.PI * frequencyHz * n) / rateHz);
  });
  return (2 * Math.hypot(re, im)) / samples.length;
}

const tone = (frequencyHz: number, rateHz: number, seconds: number) =>
  Int16Array.from({ length: rateHz * seconds }, (_, n) =>
    Math.round(8000 * Math.sin((2 * Math.PI * frequencyHz * n) / rateHz)),
  );

const FIRST = { sequence: 65_520, timestamp: 4_294_900_000 };
const numbers = (codec: ForkCodec, i: number) => ({
  payloadType: codec.payloadType,
  sequence: addToSequence(FIRST.sequence, i),
  timestamp: addToTimestamp(FIRST.timestamp, (i * codec.clockRateHz) / 50),
});

function assertContinuous(packets: readonly SeenRtp[], to: ForkCodec): void {
  packets.forEach((packet, i) => {
    assert.equal(packet.payloadType, to.payloadType);
    assert.equal(packet.sequence, addToSequence(packets[0]!.sequence, i));
    assert.equal(packet.timestamp, addToTimestamp(packets[0]!.timestamp, (i * to.clockRateHz) / 50));
    assert.equal(packet.ssrc, packets[0]!.ssrc);
    assert.equal(packet.marker, i === 0);
  });
}

for (const [from, to, rateHz] of [
  [PCMU, PCMA, 8000],
  [PCMU, G722, 16_000],
  [PCMU, OPUS, 8000],
  [OPUS, PCMA, 8000],
  [G722, OPUS, 16_000],
] as const) {
  test(`${from.name} to ${to.name}: the fork's numbers are its own, in the clock of its codec, and its audio is the call's`, async (t) => {
    const { plane, a, alice, fork, recorder } = await forked(t, [from], transcoding(from, to));
    const sent = packetsOf(from, babble(from === PCMU ? 8000 : rateHz, 2), rateHz);
    for (const [i, payload] of sent.entries()) await alice.send(a, { ...numbers(from, i), payload });
    const packets = await recorder.take(t, sent.length);
    assert.equal(packets.length, sent.length);
    assertContinuous(packets, to);
    const heard = heardAs(to, packets, rateHz);
    assert.ok(loudnessCorrelation(babble(rateHz, 2), heard, rateHz / 50) > 0.95);
    const stats = await plane.stats(fork.id);
    assert.deepEqual(stats?.transcoding, {
      from: from.name,
      to: to.name,
      isActive: true,
      packets: sent.length,
      undecodable: 0,
      late: 0,
      lost: 0,
      concealedMs: 0,
    });
  });
}

test("what is lost and reordered on the way is in its place, and counted", async (t) => {
  const { plane, a, alice, fork, recorder } = await forked(t, [PCMU], transcoding(PCMU, PCMA));
  const sent = packetsOf(PCMU, tone(500, 8000, 1), 8000);
  const order = sent.map((_, i) => i).filter((i) => i !== 20);
  [order[5], order[6]] = [order[6]!, order[5]!];
  for (const i of order) await alice.send(a, { ...numbers(PCMU, i), payload: sent[i]! });
  const packets = await recorder.take(t, 50);
  assertContinuous(packets, PCMA);
  const heard = heardAs(PCMA, packets, 8000);
  assert.ok(heard.subarray(20 * 160, 21 * 160).every((sample) => Math.abs(sample) <= 8));
  const expected = tone(500, 8000, 1);
  heard.forEach((sample, n) => {
    if (Math.floor(n / 160) !== 20) assert.ok(Math.abs(sample - expected[n]!) < 600, `${n}`);
  });
  const { transcoding: counts } = (await plane.stats(fork.id))!;
  assert.deepEqual([counts!.lost, counts!.late, counts!.concealedMs], [1, 0, 20]);
});

test("while it is fenced not one sample goes in, and after it not one of before comes out: by content, for every codec", async (t) => {
  for (const [from, to, rateHz] of [
    [PCMU, OPUS, 8000],
    [OPUS, G722, 16_000],
    [G722, PCMA, 8000],
  ] as const) {
    const { plane, a, alice, fork, recorder, connection } = await forked(t, [from], transcoding(from, to));
    const sourceRate = from === PCMU ? 8000 : 16_000;
    // 30 packets of 440 Hz, 40 of 1700 Hz that nobody may hear, 30 of 900 Hz.
    const parts = [
      packetsOf(from, tone(440, sourceRate, 0.6), sourceRate),
      packetsOf(from, tone(1700, sourceRate, 0.8), sourceRate),
      packetsOf(from, tone(900, sourceRate, 0.6), sourceRate),
    ] as const;
    let i = 0;
    const say = async (payloads: readonly Uint8Array[]) => {
      for (const payload of payloads) await alice.send(a, { ...numbers(from, i++), payload });
    };
    await say(parts[0]);
    // One is missing, so that two wait to be put in order when the fence comes down.
    i++;
    await say(parts[0].slice(-2));
    await until(t, () => recorder.packets.length === 30);
    await untilStats(t, plane, a.id, ({ received }) => received.packets === 32);
    plane.startFork(fork.id, { ...connection, withhold: true });
    await plane.stats(fork.id);
    await say(parts[1]);
    await untilStats(t, plane, fork.id, ({ withheld }) => withheld === 40);
    assert.equal(recorder.packets.length, 30);
    plane.startFork(fork.id, connection);
    await plane.stats(fork.id);
    await say(parts[2]);
    const packets = await recorder.take(t, 60);
    assert.equal(packets.length, 60);
    assert.equal(packets[30]!.sequence, addToSequence(packets[29]!.sequence, 1));
    // 29 → 30: one packet, the missing one, two that waited, forty that were fenced.
    const step = (packets[30]!.timestamp - packets[29]!.timestamp) >>> 0;
    assert.equal(step, (44 * to.clockRateHz) / 50, `${from.name} to ${to.name}`);
    assert.equal(packets[30]!.marker, true);
    const after = heardAs(to, packets.slice(30), rateHz);
    const level = toneLevel(after.subarray(rateHz / 10), 900, rateHz);
    assert.ok(level > 4000, `${from.name} to ${to.name}: ${level}`);
    for (const frequencyHz of [440, 1700]) {
      assert.ok(toneLevel(after, frequencyHz, rateHz) < 250, `${from.name} to ${to.name}: ${frequencyHz} Hz`);
    }
    // The first packet after the fence, decoded alone, begins with the new tone or with nothing.
    const start = heardAs(to, packets.slice(30, 31), rateHz);
    for (const frequencyHz of [440, 1700]) {
      const [old, own] = [frequencyHz, 900].map((hz) => toneLevel(start, hz, rateHz));
      assert.ok(old! <= own! + 100, `${from.name} to ${to.name}: ${old} of ${frequencyHz} Hz, ${own} of 900`);
    }
  }
});

test("[R3551-4.1-3] events of the call are left out, their time is kept, and speech after them begins with the marker", async (t) => {
  const { plane, a, alice, fork, recorder } = await forked(t, [PCMU], transcoding(PCMU, OPUS));
  const sent = packetsOf(PCMU, tone(500, 8000, 1), 8000);
  for (const i of [0, 1, 2]) await alice.send(a, { ...numbers(PCMU, i), payload: sent[i]! });
  for (let i = 3; i < 15; i++) {
    const payload = Uint8Array.of(5, i > 12 ? 0x8a : 10, 0, 160);
    const { sequence, timestamp } = { ...numbers(PCMU, i), timestamp: numbers(PCMU, 3).timestamp };
    await alice.send(a, { sequence, timestamp, payloadType: EVENT, payload });
  }
  for (const i of [15, 16]) await alice.send(a, { ...numbers(PCMU, i), payload: sent[i]! });
  const packets = await recorder.take(t, 5);
  assert.deepEqual(
    packets.map(({ timestamp }) => ((timestamp - packets[0]!.timestamp) >>> 0) / 960),
    [0, 1, 2, 15, 16],
  );
  assert.deepEqual(
    packets.map(({ marker }) => marker),
    [true, false, false, true, false],
  );
  assert.ok(packets.every(({ payloadType }) => payloadType === OPUS.payloadType));
  assert.equal((await plane.stats(fork.id))!.unforwarded, 12);
});

test("[R3550-5.2-1] a call that changes between codecs of different clocks: another SSRC for each clock, none for the same", async (t) => {
  const { plane, a, alice, fork, recorder } = await forked(t, [PCMU, PCMA, OPUS], {
    payloadTypes: new Map([
      [0, 0],
      [107, 100],
    ]),
    clockRateHz: 8000,
    clockRatesHz: new Map([[107, 48_000]]),
    transcodings: [{ from: PCMA, to: PCMU }],
  });
  const [mulaw, alaw, opus] = [PCMU, PCMA, OPUS].map((codec) => packetsOf(codec, tone(500, 8000, 1), 8000));
  let i = 0;
  const say = async (codec: ForkCodec, payloads: readonly Uint8Array[]) => {
    for (const payload of payloads.slice(0, 5)) await alice.send(a, { ...numbers(codec, i++), payload });
  };
  await say(PCMU, mulaw!);
  await say(PCMA, alaw!);
  await say(OPUS, opus!);
  await say(PCMU, mulaw!);
  const packets = await recorder.take(t, 20);
  const [first, second, third, fourth] = [0, 5, 10, 15].map((from) => packets.slice(from, from + 5));
  assert.equal(new Set([...first!, ...second!].map(({ ssrc }) => ssrc)).size, 1);
  assert.equal(new Set(packets.map(({ ssrc }) => ssrc)).size, 3);
  for (const [part, payloadType, units] of [
    [first!, 0, 160],
    [second!, 0, 160],
    [third!, 100, 960],
    [fourth!, 0, 160],
  ] as const) {
    part.forEach((packet, n) => {
      assert.equal(packet.payloadType, payloadType);
      assert.equal(packet.timestamp, addToTimestamp(part[0]!.timestamp, n * units));
      assert.equal(packet.ssrc, part[0]!.ssrc);
    });
  }
  packets.forEach((packet, n) => {
    assert.equal(packet.sequence, addToSequence(packets[0]!.sequence, n), "no hole");
  });
  assert.deepEqual(third![0]!.payload, Buffer.from(opus![0]!), "untouched");
  assert.deepEqual(second![0]!.payload.length, 160);
  const { transcoding: counts } = (await plane.stats(fork.id))!;
  assert.deepEqual([counts!.from, counts!.to, counts!.isActive, counts!.packets], ["PCMA", "PCMU", false, 5]);
});

test("a fork that is closed sends what was still held back; one that is fenced does not", async (t) => {
  for (const withhold of [false, true]) {
    const { plane, a, alice, fork, recorder, connection } = await forked(t, [PCMU], transcoding(PCMU, PCMA));
    const payload = new Uint8Array(80).fill(0x10);
    await alice.send(a, { ...numbers(PCMU, 0), payload });
    await untilStats(t, plane, a.id, ({ received }) => received.packets === 1);
    if (withhold) plane.startFork(fork.id, { ...connection, withhold });
    const stats = await plane.close(fork.id);
    assert.equal(stats!.sent.packets, withhold ? 0 : 1);
    if (!withhold) assert.equal((await recorder.take(t, 1))[0]!.payload.length, 160);
  }
});

test("to a recorder that wants SRTP a transcoded packet is protected, with the same numbers", async (t) => {
  const { plane, a, alice, fork, recorder, connection } = await forked(t, [PCMU], transcoding(PCMU, OPUS));
  const keying = (fill: number): SrtpKeying => ({
    suite: "AES_CM_128_HMAC_SHA1_80",
    keys: [{ key: new Uint8Array(16).fill(fill), salt: new Uint8Array(14).fill(fill + 1) }],
  });
  const srtp = { send: keying(1), receive: keying(3) };
  recorder.rtcp.removeAllListeners("message");
  plane.startFork(fork.id, { ...connection, srtp });
  await plane.stats(fork.id);
  const sent = packetsOf(PCMU, tone(500, 8000, 1), 8000);
  for (const [i, payload] of sent.entries()) await alice.send(a, { ...numbers(PCMU, i), payload });
  const secured = await recorder.take(t, 50);
  const receiver = new SrtpReceiver(createSrtpCiphers(), srtp.send);
  const packets = secured.map((packet) => {
    const length = receiver.unprotectRtp(packet.bytes, 0, packet.bytes.length);
    assert.ok(length > 12, `${length}`);
    return { ...packet, payload: packet.bytes.subarray(12, length) };
  });
  assertContinuous(packets, OPUS);
  assert.ok(toneLevel(heardAs(OPUS, packets, 8000).subarray(800), 500, 8000) > 6000);
});

test("payloads that no decoder takes harm nothing and are counted", async (t) => {
  const { plane, a, alice, fork, recorder } = await forked(t, [OPUS], transcoding(OPUS, PCMU));
  const good = packetsOf(OPUS, tone(500, 8000, 1), 8000);
  for (let i = 0; i < 30; i++) {
    const bad = Uint8Array.from({ length: 1 + ((i * 37) % 900) }, (_, n) => 0xff - ((i + n) % 7));
    await alice.send(a, { ...numbers(OPUS, i), payload: i % 3 === 2 ? bad : good[i]! });
  }
  await untilStats(t, plane, fork.id, ({ sent }) => sent.packets >= 29);
  const packets = recorder.packets;
  const { transcoding: counts } = (await plane.stats(fork.id))!;
  assert.equal(counts!.packets + counts!.undecodable, 30);
  assert.ok(packets.every(({ payload }) => payload.length === 160));
});
