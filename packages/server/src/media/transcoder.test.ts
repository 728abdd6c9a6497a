import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AudioFormat, createAudioDecoder, createAudioEncoder } from "./codec/index.ts";
import { babble, loudnessCorrelation } from "./codec/testing/audio.ts";
import { Transcoder } from "./transcoder.ts";

const L16: AudioFormat = { name: "L16", clockRateHz: 8000 };
const PCMU: AudioFormat = { name: "PCMU", clockRateHz: 8000 };
const PCMA: AudioFormat = { name: "PCMA", clockRateHz: 8000 };
const G722: AudioFormat = { name: "G722", clockRateHz: 8000 };
const OPUS: AudioFormat = { name: "opus", clockRateHz: 48_000, channels: 2 };

interface Made {
  readonly payload: Uint8Array;
  readonly units: number;
  readonly skippedUnits: number;
}

function transcoder(from: AudioFormat, to: AudioFormat, rateHz = 8000) {
  const decoder = createAudioDecoder(from, { channels: 1, sampleRateHz: rateHz });
  const encoder = createAudioEncoder(to, { sampleRateHz: rateHz });
  assert.ok(decoder.ok && encoder.ok);
  const made: Made[] = [];
  const one = new Transcoder(decoder.value, encoder.value, {
    onTranscoded: (payload, units, skippedUnits) =>
      made.push({ payload: payload.slice(), units, skippedUnits }),
  });
  return { one, made };
}

/** What a sample at a position is: never silence. */
const mark = (position: number): number => (position % 32_000) + 1;

/** 16-bit samples that tell their position. */
function numbered(from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(2 * length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < length; i++) view.setInt16(2 * i, mark(from + i));
  return bytes;
}

/** What a recorder would lay out on its timeline, by position in samples of L16/8000 since the first packet. */
function timeline(made: readonly Made[]): Map<number, number> {
  const samples = new Map<number, number>();
  let at = 0;
  made.forEach(({ payload, units, skippedUnits }, i) => {
    if (i > 0) at += skippedUnits;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    for (let n = 0; n < units; n++) samples.set(at + n, view.getInt16(2 * n));
    at += units;
  });
  return samples;
}

const PACKET = 160;
const SSRC = 7;

test("packets of another length come out as packets of 20 ms, sample after sample", () => {
  for (const length of [40, 80, 240, 320, 480]) {
    const { one, made } = transcoder(L16, L16);
    for (let i = 0; i < 20; i++) {
      one.push(SSRC, i, (99 + i * length) >>> 0, numbered(i * length, length), i);
    }
    assert.equal(made.length, Math.floor((20 * length) / PACKET));
    assert.ok(made.every(({ units }) => units === PACKET));
    for (const [at, sample] of timeline(made)) assert.equal(sample, mark(at));
  }
});

test("a lost packet becomes 20 ms of silence in its place; a pause of the source stays a hole in the timestamps", () => {
  const { one, made } = transcoder(L16, L16);
  const say = (i: number, sequence = i) =>
    one.push(SSRC, sequence, i * PACKET, numbered(i * PACKET, PACKET), 20 * i);
  for (const i of [0, 1, 3, 4, 5, 6]) say(i);
  // Silence from 7 to 49, no packet lost.
  for (const i of [50, 51]) say(i, i - 43);
  assert.deepEqual(
    made.map(({ skippedUnits }) => skippedUnits),
    [-1, 0, 0, 0, 0, 0, 0, 43 * PACKET, 0],
  );
  for (const [at, sample] of timeline(made)) {
    assert.equal(sample, Math.floor(at / PACKET) === 2 ? 0 : mark(at));
  }
  assert.deepEqual(one.counts, { packets: 8, undecodable: 0, late: 0, lost: 1, concealedMs: 20 });
});

test("every sample of the source stands in its place, whatever is lost, late, paused and cut", () => {
  const step = fc.record({
    length: fc.constantFrom(80, 160, 160, 160, 240),
    fate: fc.constantFrom(
      "comes",
      "comes",
      "comes",
      "comes",
      "is lost",
      "comes one later",
      "follows a pause",
    ),
    pauseMs: fc.nat(3000),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), (steps) => {
      const { one, made } = transcoder(L16, L16);
      let [position, at] = [0, 0];
      const sent = new Set<number>();
      const packets = steps.map(({ length, fate, pauseMs }, i) => {
        const isPause = fate === "follows a pause" && i > 0;
        if (isPause) position += 8 * pauseMs;
        at += (isPause ? pauseMs : 0) + length / 8;
        const packet = { sequence: i, position, length, at, order: i, isLost: fate === "is lost" && i > 0 };
        if (fate === "comes one later" && i > 0) packet.order = i + 1.5;
        position += length;
        return packet;
      });
      packets.sort((a, b) => a.order - b.order);
      let now = 0;
      for (const { sequence, position, length, at, isLost } of packets) {
        if (isLost) continue;
        now = Math.max(now, at);
        one.push(SSRC, sequence, (position + 4_294_960_000) >>> 0, numbered(position, length), now);
        for (let n = 0; n < length; n++) sent.add(position + n);
      }
      one.flush();
      const heard = timeline(made);
      for (const [place, sample] of heard) {
        if (sample === 0) assert.ok(!sent.has(place), `${place} was sent, and is silent`);
        else assert.equal(sample, mark(place));
      }
      const { late, lost } = one.counts;
      const audible = [...heard.values()].filter((sample) => sample !== 0).length;
      assert.ok(late > 0 || audible === sent.size, `${audible} of ${sent.size}, ${lost} lost`);
    }),
    { numRuns: 300 },
  );
});

test("after a reset nothing comes out that went in before, and time goes on as the source's does", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.nat(200), fc.boolean(), (length, missed, leavesHole) => {
      const { one, made } = transcoder(L16, L16);
      for (let i = 0; i < 4; i++) one.push(SSRC, i, i * length, numbered(i * length, length), 20 * i);
      if (leavesHole) one.push(SSRC, 5, 5 * length, numbered(5 * length, length), 100);
      const before = made.length;
      one.reset();
      const from = 6 * length + missed * PACKET;
      for (let i = 0; i < 4; i++) {
        one.push(SSRC, 300 + i, from + i * PACKET, numbered(from + i * PACKET, PACKET), 5000 + 20 * i);
      }
      assert.equal(made.length, before + 4);
      for (const [at, sample] of timeline(made)) {
        const place = (before === 0 ? from : 0) + at;
        assert.equal(sample, mark(place));
        assert.ok(place < before * PACKET || place >= from, `${place}`);
      }
    }),
  );
});

test("another source, or one that starts over, follows at a distance that only the clock can tell", () => {
  const { one, made } = transcoder(L16, L16);
  one.push(1, 10, 1000, numbered(0, 100), 0);
  one.push(2, 999, 77, numbered(500, PACKET), 20);
  one.push(2, 1000, 4_000_000_000, numbered(700, PACKET), 40);
  one.push(2, 1001, 4_000_000_000 - PACKET, numbered(900, PACKET), 60);
  assert.deepEqual(
    made.map(({ skippedUnits }) => skippedUnits),
    [-1, -1, -1, -1],
  );
  assert.deepEqual([...made[0]!.payload.subarray(200)], Array(120).fill(0), "what the first one had begun");
});

test("packets that are none of the codec leave a hole and a count", () => {
  const { one, made } = transcoder(OPUS, PCMU);
  const source = createAudioEncoder(OPUS, { sampleRateHz: 8000 });
  assert.ok(source.ok);
  const payload = new Uint8Array(1275);
  for (let i = 0; i < 10; i++) {
    const length = source.value.encode(babble(8000, 1).subarray(i * 160, i * 160 + 160), payload, 0);
    const bad = i === 4 ? Uint8Array.of(0xff) : i === 6 ? new Uint8Array(5000) : payload.subarray(0, length);
    one.push(SSRC, i, 960 * i, bad, 20 * i);
  }
  assert.equal(made.length, 10);
  assert.equal(one.counts.undecodable, 2);
  assert.equal(one.counts.concealedMs, 40);
});

test("a source that sends more than anybody can say gets no more out than that", () => {
  const { one, made } = transcoder(OPUS, PCMU);
  // Six frames of 20 ms in seven octets, a thousand packets a second.
  const dense = Uint8Array.of(0x0b, 0x06, 1, 2, 3, 4, 5);
  for (let i = 0; i < 20_000; i++) one.push(SSRC, i & 0xffff, i * 48, dense, i);
  assert.ok(made.length <= (20_000 + 5000) / 20 + 7, `${made.length} packets in 20 s`);
  assert.ok(one.counts.undecodable > 10_000);
});

test("whatever a source does, nothing throws, and no packet makes more than a handful", () => {
  const anything = fc.record({
    ssrc: fc.nat(1),
    step: fc.oneof(fc.integer({ min: -5, max: 5 }), fc.nat(0xffff)),
    timestamp: fc.oneof(fc.nat(5000), fc.nat(0xffff_ffff)),
    payload: fc.uint8Array({ maxLength: 400 }),
    ms: fc.nat(500),
    event: fc.constantFrom("packet", "packet", "packet", "packet", "skip", "reset", "flush"),
  });
  fc.assert(
    fc.property(
      fc.constantFrom([OPUS, PCMU, 8000], [OPUS, G722, 16_000], [G722, OPUS, 16_000], [PCMA, G722, 8000]),
      fc.array(anything, { maxLength: 60 }),
      ([from, to, rateHz], events) => {
        const { one, made } = transcoder(from as AudioFormat, to as AudioFormat, rateHz as number);
        let [sequence, now] = [0, 0];
        for (const { ssrc, step, timestamp, payload, ms, event } of events) {
          sequence = (sequence + step) & 0xffff;
          now += ms;
          const before = made.length;
          if (event === "packet") one.push(ssrc, sequence, timestamp, payload, now);
          else if (event === "skip") one.skip(ssrc, sequence);
          else one[event as "reset" | "flush"]();
          assert.ok(made.length - before <= 64, `${made.length - before} packets at once`);
        }
        assert.ok(made.every(({ units, skippedUnits }) => units > 0 && Number.isInteger(skippedUnits)));
        one.close();
      },
    ),
    { numRuns: 200 },
  );
});

test("events of the source are no loss, and their time is kept", () => {
  const { one, made } = transcoder(L16, L16);
  one.push(SSRC, 0, 0, numbered(0, PACKET), 0);
  for (let i = 1; i < 10; i++) one.skip(SSRC, i);
  one.skip(1234, 99);
  one.push(SSRC, 10, 10 * PACKET, numbered(10 * PACKET, PACKET), 200);
  assert.equal(one.counts.lost, 0);
  assert.deepEqual(
    made.map(({ skippedUnits }) => skippedUnits),
    [-1, 9 * PACKET],
  );
});

for (const [from, to, rateHz] of [
  [PCMU, PCMA, 8000],
  [PCMA, PCMU, 8000],
  [PCMU, G722, 16_000],
  [G722, PCMA, 16_000],
  [PCMU, OPUS, 8000],
  [OPUS, PCMU, 8000],
  [G722, OPUS, 16_000],
  [OPUS, G722, 16_000],
] as const) {
  test(`${from.name} to ${to.name}: speech stays speech, and a minute stays a minute of the other clock`, () => {
    const source = createAudioEncoder(from, { sampleRateHz: rateHz });
    const { one, made } = transcoder(from, to, rateHz);
    const check = createAudioDecoder(to, { channels: 1, sampleRateHz: rateHz });
    assert.ok(source.ok && check.ok);
    const { packetFrames, unitsPerFrame, sampleRateHz } = source.value;
    const speech = babble(sampleRateHz, 4);
    const payload = new Uint8Array(source.value.maximumPayload);
    for (let i = 0; (i + 1) * packetFrames <= speech.length; i++) {
      const samples = speech.subarray(i * packetFrames, (i + 1) * packetFrames);
      const length = source.value.encode(samples, payload, 0);
      one.push(SSRC, i, i * packetFrames * unitsPerFrame, payload.subarray(0, length), 20 * i);
    }
    assert.equal(made.length, 200);
    const units = made.reduce((sum, each) => sum + each.units, 0);
    assert.equal(units, 4 * to.clockRateHz);
    const out = new Int16Array(5760);
    const heard = made.flatMap((each) => [...out.subarray(0, check.value.decode(each.payload, out))]);
    const original = babble(check.value.sampleRateHz, 4);
    const likeness = loudnessCorrelation(original, Int16Array.from(heard), check.value.sampleRateHz / 50);
    assert.ok(likeness > 0.95, `${likeness}`);
  });
}
