import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { Resampler } from "./index.ts";

const PAIRS = [
  [8000, 16_000],
  [16_000, 8000],
  [8000, 48_000],
  [48_000, 8000],
  [16_000, 48_000],
  [48_000, 16_000],
  [44_100, 48_000],
  [44_100, 8000],
] as const;

/** Three tones of the lower rate's pass band, at an instant. */
const speechBand =
  (rateHz: number) =>
  (seconds: number): number =>
    [300, 1000, 0.41 * rateHz].reduce(
      (sum, frequencyHz, i) => sum + 3000 * Math.sin(2 * Math.PI * frequencyHz * seconds + i),
      0,
    );

function sampled(at: (seconds: number) => number, rateHz: number, length: number): Int16Array {
  return Int16Array.from({ length }, (_, n) => Math.round(at(n / rateHz)));
}

/** 20 ms at a time, as packets come. */
function convert(resampler: Resampler, samples: Int16Array, step: number): Int16Array {
  const out = new Int16Array(
    resampler.maximumOutput(samples.length) +
      Math.ceil(samples.length / step) +
      resampler.maximumOutput(step),
  );
  let written = 0;
  for (let at = 0; at < samples.length; at += step) {
    written += resampler.process(samples.subarray(at, at + step), out, written);
  }
  return out.slice(0, written);
}

function snrDb(expected: (n: number) => number, actual: Int16Array, margin: number): number {
  let power = 0;
  let error = 0;
  for (let n = margin; n < actual.length - margin; n++) {
    power += expected(n) ** 2;
    error += (actual[n]! - expected(n)) ** 2;
  }
  return 10 * Math.log10(power / (error + 1e-9));
}

test("speech comes out as if it had been sampled at the other rate, late by what the delay says", () => {
  for (const [inputRateHz, outputRateHz] of PAIRS) {
    const at = speechBand(Math.min(inputRateHz, outputRateHz));
    const resampler = new Resampler(inputRateHz, outputRateHz);
    const out = convert(resampler, sampled(at, inputRateHz, inputRateHz), inputRateHz / 50);
    assert.equal(out.length, outputRateHz);
    const delay = resampler.delaySamples / inputRateHz;
    const snr = snrDb((n) => at(n / outputRateHz - delay), out, 3000);
    assert.ok(snr > 75, `${inputRateHz} to ${outputRateHz}: ${snr}`);
  }
});

test("what would fold back, or be mirrored, is 75 dB down", () => {
  const level = (samples: Int16Array) =>
    20 * Math.log10(Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length) / 20_000 + 1e-9);
  for (const [inputRateHz, frequencyHz] of [
    [16_000, 4400],
    [16_000, 7000],
    [48_000, 4400],
    [48_000, 20_000],
  ] as const) {
    const tone = sampled((t) => 28_000 * Math.sin(2 * Math.PI * frequencyHz * t), inputRateHz, inputRateHz);
    const out = convert(new Resampler(inputRateHz, 8000), tone, inputRateHz / 50);
    assert.ok(level(out.subarray(1000)) < -75, `${frequencyHz} Hz at ${inputRateHz}: ${level(out)}`);
  }
});

test("each 20 ms come out as 20 ms, whatever the pair", () => {
  for (const [inputRateHz, outputRateHz] of PAIRS) {
    const resampler = new Resampler(inputRateHz, outputRateHz);
    const out = new Int16Array(resampler.maximumOutput(inputRateHz / 50));
    for (let i = 0; i < 500; i++) {
      assert.equal(resampler.process(new Int16Array(inputRateHz / 50), out), outputRateHz / 50);
    }
  }
});

test("how the stream is cut into calls changes nothing", () => {
  const at = speechBand(8000);
  const samples = sampled(at, 8000, 4000);
  const whole = convert(new Resampler(8000, 48_000), samples, 4000);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 12 }), (cuts) => {
      const resampler = new Resampler(8000, 48_000);
      const out = new Int16Array(26_000);
      let [from, written] = [0, 0];
      for (const cut of [...cuts, 4000]) {
        written += resampler.process(samples.subarray(from, from + cut), out, written);
        from = Math.min(4000, from + cut);
      }
      assert.deepEqual(out.subarray(0, written), whole.subarray(0, written));
      assert.equal(written, 24_000);
    }),
    { numRuns: 30 },
  );
});

test("trimmed by a source's drift, it follows: the count to a sample in a minute, the audio without a click", () => {
  for (const ppm of [-200, -37, 120, 200]) {
    const resampler = new Resampler(8000, 8000);
    resampler.trim(ppm);
    const fast = 8000 * (1 + ppm / 1e6);
    const at = speechBand(8000);
    const out = convert(resampler, sampled(at, fast, 8000 * 60), 160);
    assert.ok(Math.abs(out.length - (8000 * 60) / (1 + ppm / 1e6)) <= 1, `${ppm}: ${out.length}`);
    const delay = resampler.delaySamples / fast;
    const snr = snrDb((n) => at(n / 8000 - delay), out, 3000);
    assert.ok(snr > 70, `${ppm}: ${snr}`);
  }
});

test("a trim that changes every packet bends the pitch, and breaks nothing", () => {
  const resampler = new Resampler(16_000, 8000);
  const tone = sampled((t) => 10_000 * Math.sin(2 * Math.PI * 440 * t), 16_000, 16_000);
  const out = new Int16Array(9000);
  let written = 0;
  for (let at = 0; at < tone.length; at += 320) {
    resampler.trim(at % 640 === 0 ? 200 : -200);
    written += resampler.process(tone.subarray(at, at + 320), out, written);
  }
  // The steepest step of such a tone is 2π · 440 / 8000 of its amplitude.
  for (let n = 200; n < written; n++) assert.ok(Math.abs(out[n]! - out[n - 1]!) < 3500, `${n}`);
  assert.ok(Math.abs(written - 8000) <= 2);
});

test("a reset leaves nothing of what went before", () => {
  const resampler = new Resampler(8000, 16_000);
  const out = new Int16Array(400);
  resampler.process(new Int16Array(160).fill(20_000), out);
  resampler.reset();
  assert.equal(resampler.process(new Int16Array(160), out), 320);
  assert.ok(out.every((sample) => sample === 0));
});

test("loud edges are clipped, not wrapped; no room and odd rates are the caller's mistake", () => {
  const resampler = new Resampler(8000, 16_000);
  const out = new Int16Array(1700);
  const square = Int16Array.from({ length: 800 }, (_, n) => (n % 80 < 40 ? 32_767 : -32_768));
  resampler.process(square, out);
  for (let n = 100; n < 1500; n++) {
    const source = square[Math.floor((n - 64) / 2)]!;
    assert.ok(Math.sign(out[n]!) === Math.sign(source) || Math.abs(out[n]!) < 30_000, `${n}: ${out[n]}`);
  }
  assert.throws(() => resampler.process(new Int16Array(160), new Int16Array(200)), RangeError);
  assert.throws(() => new Resampler(8000, 0), RangeError);
  assert.throws(() => new Resampler(192_000, 4000), RangeError);
});

const sox = spawnSync("sox", ["--version"]).status === 0;

test("sox, at its best quality, comes to the same", { skip: sox ? false : "sox is not installed" }, () => {
  for (const [inputRateHz, outputRateHz] of PAIRS.slice(0, 6)) {
    const samples = sampled(speechBand(Math.min(inputRateHz, outputRateHz)), inputRateHz, inputRateHz);
    const raw = (rateHz: number) => ["-t", "s16", "-r", String(rateHz), "-c", "1"];
    const args = ["-D", ...raw(inputRateHz), "-", ...raw(outputRateHz), "-", "rate", "-v"];
    const { stdout, stderr, status } = spawnSync("sox", args, { input: samples, maxBuffer: 1 << 24 });
    assert.equal(status, 0, stderr.toString());
    const theirs = new Int16Array(stdout.buffer, stdout.byteOffset, stdout.length / 2);
    const resampler = new Resampler(inputRateHz, outputRateHz);
    const ours = convert(resampler, samples, inputRateHz / 50);
    const delay = (resampler.delaySamples * outputRateHz) / inputRateHz;
    const snr = snrDb((n) => theirs[n - delay]!, ours, 3000);
    assert.ok(snr > 75, `${inputRateHz} to ${outputRateHz}: ${snr}`);
  }
});
