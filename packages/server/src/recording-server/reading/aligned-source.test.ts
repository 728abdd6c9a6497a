import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { alignedSource } from "./aligned-source.ts";
import type { PcmSource } from "./pcm-source.ts";
import { TRUE_CLOCK, trackClocks } from "./track-clock.ts";

function sourceOf(samples: Int16Array, sampleRateHz: number): PcmSource {
  return {
    sampleRateHz,
    samples: samples.length,
    open: async () => ({
      read: async (first, out) => {
        for (let at = 0; at < out.length; at++) out[at] = samples[first + at] ?? 0;
      },
      close: async () => {},
    }),
  };
}

async function all(source: PcmSource, chunk = 1_000): Promise<Int16Array> {
  const reader = await source.open();
  const whole = new Int16Array(source.samples);
  for (let at = 0; at < whole.length; at += chunk)
    await reader.read(at, whole.subarray(at, Math.min(at + chunk, whole.length)));
  await reader.close();
  return whole;
}

const tone = (length: number, rateHz: number, hz: number): Int16Array =>
  Int16Array.from({ length }, (_, at) => Math.round(10_000 * Math.sin((2 * Math.PI * hz * at) / rateHz)));

/** Power of the difference as part of the power, in dB. */
function errorDb(heard: Int16Array, meant: (at: number) => number, from: number, to: number): number {
  let [error, power] = [0, 0];
  for (let at = from; at < to; at++) {
    error += (heard[at]! - meant(at)) ** 2;
    power += meant(at) ** 2;
  }
  return 10 * Math.log10(error / power);
}

test("without another rate or clock audio comes out sample for sample, only later", async () => {
  const samples = tone(5_000, 8_000, 440);
  const aligned = alignedSource(sourceOf(samples, 8_000), {
    sampleRateHz: 8_000,
    startSeconds: 0.125,
    clock: TRUE_CLOCK,
  });
  assert.equal(aligned.samples, 6_000);
  const heard = await all(aligned);
  assert.deepEqual(heard.subarray(1_000), samples);
  assert.ok(heard.subarray(0, 1_000).every((sample) => sample === 0));
});

test("a tone at another rate is the same tone, 60 dB clean, whatever the pieces that it is read in", async () => {
  for (const [rateHz, hz] of [
    [16_000, 1_000],
    [48_000, 3_000],
    [44_100, 440],
  ] as const) {
    const source = sourceOf(tone(8_000, 8_000, hz), 8_000);
    const aligned = alignedSource(source, { sampleRateHz: rateHz, startSeconds: 0, clock: TRUE_CLOCK });
    assert.equal(aligned.samples, rateHz);
    const heard = await all(aligned);
    const meant = (at: number): number => 10_000 * Math.sin((2 * Math.PI * hz * at) / rateHz);
    const error = errorDb(heard, meant, rateHz * 0.1, rateHz * 0.9);
    assert.ok(error < -55, `${error.toFixed(1)} dB at ${rateHz} Hz`);
    assert.deepEqual(await all(aligned, 331), heard);
  }
});

test("a clock that is fast by 200 ppm is put right: what was said at one instant is heard at one instant", async () => {
  const seconds = 600;
  const skew = 200e-6;
  const samples = new Int16Array(Math.round(8_000 * seconds * (1 + skew)));
  // A click every ten seconds of true time.
  const clicks = Array.from({ length: 59 }, (_, at) => 10 * (at + 1));
  for (const click of clicks) samples[Math.round(click * 8_000 * (1 + skew))] = 30_000;
  const points = Array.from({ length: 60 }, (_, at) => ({
    position: Math.round(at * 80_000 * (1 + skew)),
    leadMs: at * 10_000 * skew,
  }));
  const detail = {
    kind: "audio" as const,
    codecs: [],
    files: [],
    firstPacketTime: null,
    lastPacketTime: null,
  };
  const rest = { silenceShare: 0, sourceChanges: 0 };
  const [clock] = trackClocks([
    { clockRateHz: 8_000, startOffsetMs: 0, detail: { ...detail, ...rest, clockPoints: points } },
    { clockRateHz: 8_000, startOffsetMs: 0, detail: { ...detail, ...rest, clockPoints: [] } },
  ]);
  assert.equal(clock!.isTrue, false);
  const place = { sampleRateHz: 8_000, startSeconds: 0, clock: clock! };
  const heard = await all(alignedSource(sourceOf(samples, 8_000), place));
  assert.ok(Math.abs(heard.length - 8_000 * seconds) <= 2);
  for (const click of clicks) {
    const around = heard.subarray(click * 8_000 - 20, click * 8_000 + 20);
    const loudest = around.indexOf(Math.max(...around)) - 20;
    assert.ok(Math.abs(loudest) <= 1, `the click of second ${click} is ${loudest} samples off`);
  }
});

test("clocks that stayed together are left alone, and time never runs backwards whatever was noted", () => {
  const detail = {
    kind: "audio" as const,
    codecs: [],
    files: [],
    firstPacketTime: null,
    lastPacketTime: null,
  };
  const arbPoint = fc.record({
    position: fc.integer({ min: 0, max: 100_000_000 }),
    leadMs: fc.double({ min: -5_000, max: 5_000, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(arbPoint, { maxLength: 20 }), (points) => {
      const clockPoints = points.toSorted((a, b) => a.position - b.position);
      const track = {
        clockRateHz: 8_000,
        startOffsetMs: 0,
        detail: { ...detail, silenceShare: 0, sourceChanges: 0, clockPoints },
      };
      const [alone] = trackClocks([track]);
      assert.equal(alone!.isTrue, true);
      const [both] = trackClocks([track, track]);
      assert.equal(both!.isTrue, true, "they drifted alike");
      const [one] = trackClocks([track, { ...track, detail: { ...track.detail, clockPoints: [] } }]);
      let before = Number.NEGATIVE_INFINITY;
      for (let second = 0; second < 200; second += 7) {
        const own = one!.ownSeconds(second);
        assert.ok(own >= before);
        before = own;
      }
    }),
  );
});
