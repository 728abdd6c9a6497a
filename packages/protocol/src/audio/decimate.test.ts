import assert from "node:assert/strict";
import { test } from "node:test";
import { decimateByTwo, mixDown } from "./index.ts";

function sine(frequencyHz: number, length = 3200): Int16Array {
  return Int16Array.from({ length }, (_, n) =>
    Math.round(10_000 * Math.sin((2 * Math.PI * frequencyHz * n) / 16_000)),
  );
}

/** Loudness of the middle part in dB, relative to a sine of 10,000. */
function levelDb(samples: Int16Array): number {
  const middle = samples.subarray(200, -200);
  const power = middle.reduce((sum, sample) => sum + sample * sample, 0) / middle.length;
  return 10 * Math.log10(power / (10_000 ** 2 / 2) + 1e-12);
}

test("decimation keeps speech and removes what would fold back", () => {
  for (const frequencyHz of [100, 440, 1000, 2000, 3000]) {
    assert.ok(Math.abs(levelDb(decimateByTwo(sine(frequencyHz)))) < 0.2, `${frequencyHz} Hz`);
  }
  for (const frequencyHz of [4200, 5000, 6000, 7500]) {
    assert.ok(levelDb(decimateByTwo(sine(frequencyHz))) < -48, `${frequencyHz} Hz`);
  }
});

test("decimation adds no delay, halves the length and does not overflow", () => {
  const out = decimateByTwo(sine(500));
  for (const n of [400, 500, 801]) {
    assert.ok(Math.abs(out[n]! - 10_000 * Math.sin((2 * Math.PI * 500 * n) / 8000)) < 40, `${n}`);
  }
  assert.equal(decimateByTwo(new Int16Array(5)).length, 3);
  assert.equal(decimateByTwo(new Int16Array(0)).length, 0);
  const square = Int16Array.from({ length: 400 }, (_, n) => (n % 80 < 40 ? 32_767 : -32_768));
  const loud = decimateByTwo(square);
  assert.ok(
    loud.every((sample, n) => Math.sign(sample) === Math.sign(square[2 * n]!) || Math.abs(sample) < 30_000),
  );
});

test("mixing down takes the mean of each block", () => {
  assert.deepEqual([...mixDown(Int16Array.of(10, 20, -32768, -32768, 5), 2)], [15, -32768]);
  const mono = Int16Array.of(1, 2);
  assert.notEqual(mixDown(mono, 1), mono);
  assert.deepEqual(mixDown(mono, 1), mono);
});
