import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import {
  decodePcma,
  decodePcmu,
  encodePcma,
  encodePcmu,
  PCMA_SILENCE,
  PCMA_TO_LINEAR,
  PCMU_SILENCE,
  PCMU_TO_LINEAR,
} from "./index.ts";

const ALL_CODES = Uint8Array.from({ length: 256 }, (_, code) => code);
const ALL_SAMPLES = Int16Array.from({ length: 65_536 }, (_, index) => index - 32_768);

test("known values of G.711 tables 1 and 2", () => {
  const mulaw: [number, number][] = [
    [0xff, 0],
    [0x7f, 0],
    [0xfe, 8],
    [0x7e, -8],
    [0x80, 32124],
    [0x00, -32124],
    [0xf0, 120],
    [0xef, 132],
  ];
  for (const [code, linear] of mulaw) assert.equal(PCMU_TO_LINEAR[code], linear, `mu-law ${code}`);
  const alaw: [number, number][] = [
    [0xd5, 8],
    [0x55, -8],
    [0xaa, 32256],
    [0x2a, -32256],
    [0xd4, 24],
    [0xc5, 264],
    [0xda, 248],
  ];
  for (const [code, linear] of alaw) assert.equal(PCMA_TO_LINEAR[code], linear, `A-law ${code}`);
  assert.equal(PCMU_TO_LINEAR[PCMU_SILENCE], 0);
  assert.equal(PCMA_TO_LINEAR[PCMA_SILENCE], 8);
});

test("every code survives decoding and encoding; negative zero of mu-law becomes zero", () => {
  const linear = new Int16Array(256);
  const codes = new Uint8Array(256);
  assert.equal(decodePcmu(ALL_CODES, linear), 256);
  assert.equal(encodePcmu(linear, codes), 256);
  assert.deepEqual(
    codes,
    ALL_CODES.map((code) => (code === 0x7f ? 0xff : code)),
  );
  decodePcma(ALL_CODES, linear);
  encodePcma(linear, codes);
  assert.deepEqual(codes, ALL_CODES);
});

for (const [name, table, encode, halfStep] of [
  ["mu-law", PCMU_TO_LINEAR, encodePcmu, (code: number) => 4 << ((~code >> 4) & 7)],
  ["A-law", PCMA_TO_LINEAR, encodePcma, (code: number) => 8 << Math.max((((code ^ 0x55) >> 4) & 7) - 1, 0)],
] as const) {
  test(`${name}: codes rise with the samples and lie within half a step of them`, () => {
    const codes = new Uint8Array(65_536);
    encode(ALL_SAMPLES, codes);
    const loudest = Math.max(...table);
    let last = -Infinity;
    for (const [index, sample] of ALL_SAMPLES.entries()) {
      const value = table[codes[index]!]!;
      assert.ok(value >= last, `${sample}`);
      last = value;
      if (Math.abs(sample) > loudest) assert.equal(Math.abs(value), loudest);
      else assert.ok(Math.abs(value - sample) <= halfStep(codes[index]!), `${sample} became ${value}`);
    }
  });
}

test("writes at the offset, and refuses an output that is too small", () => {
  const out = new Int16Array(4);
  assert.equal(decodePcmu(Uint8Array.of(0x80, 0x00), out, 1), 2);
  assert.deepEqual([...out], [0, 32124, -32124, 0]);
  assert.throws(() => decodePcma(Uint8Array.of(1, 2), out, 3), RangeError);
  assert.throws(() => encodePcmu(out, new Uint8Array(3)), RangeError);
  assert.throws(() => encodePcma(out, new Uint8Array(9), -1), RangeError);
});

const ffmpeg = spawnSync("ffmpeg", ["-version"]).status === 0;

test("ffmpeg decodes all codes to the same samples", {
  skip: ffmpeg ? false : "ffmpeg is not installed",
}, () => {
  for (const [format, table] of [
    ["mulaw", PCMU_TO_LINEAR],
    ["alaw", PCMA_TO_LINEAR],
  ] as const) {
    const args = ["-v", "error", "-f", format, "-ar", "8000", "-i", "pipe:0", "-f", "s16le", "pipe:1"];
    const { stdout, status } = spawnSync("ffmpeg", args, { input: ALL_CODES });
    assert.equal(status, 0);
    const samples = Array.from({ length: 256 }, (_, i) => stdout.readInt16LE(2 * i));
    assert.deepEqual(samples, [...table], format);
  }
});
