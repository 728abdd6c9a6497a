import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { G722_DELAY_SAMPLES, G722_SAMPLE_RATE_HZ, G722Decoder, G722Encoder } from "./index.ts";

const SECONDS = 2;
const LENGTH = G722_SAMPLE_RATE_HZ * SECONDS;

/** The same numbers on every machine. */
function noise(length: number, seed: number): Float64Array {
  let state = seed;
  return Float64Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x4000_0000 - 1;
  });
}

const SIGNALS: Readonly<Record<string, Int16Array>> = {
  "a sweep over the whole band": signal((n) => 12_000 * Math.sin((Math.PI * 7000 * n * n) / 16_000 / LENGTH)),
  "noise that overloads now and then": fromNoise(1, (x, n) => x * 32_767 * (n % 1600 < 800 ? 1 : 0.01)),
  "a square wave at full scale": signal((n) => (n % 73 < 36 ? 32_767 : -32_768)),
  "silence, a click, silence": signal((n) => (n === 5000 ? 30_000 : 0)),
};

function signal(at: (n: number) => number): Int16Array {
  return Int16Array.from({ length: LENGTH }, (_, n) => Math.round(at(n)));
}

function fromNoise(seed: number, at: (x: number, n: number) => number): Int16Array {
  const source = noise(LENGTH, seed);
  return signal((n) => at(source[n]!, n));
}

function encode(samples: Int16Array, packet = 320): Uint8Array {
  const encoder = new G722Encoder();
  const out = new Uint8Array(samples.length / 2);
  for (let at = 0; at < samples.length; at += packet) {
    encoder.encode(samples.subarray(at, at + packet), out, at / 2);
  }
  return out;
}

function decode(octets: Uint8Array, mode: 1 | 2 | 3 = 1, packet = 160): Int16Array {
  const decoder = new G722Decoder(mode);
  const out = new Int16Array(2 * octets.length);
  for (let at = 0; at < octets.length; at += packet) {
    decoder.decode(octets.subarray(at, at + packet), out, 2 * at);
  }
  return out;
}

/** Signal to noise in dB, the filters' delay taken out. */
function snrDb(original: Int16Array, decoded: Int16Array): number {
  let power = 0;
  let error = 0;
  for (let n = 1000; n + G722_DELAY_SAMPLES < decoded.length; n++) {
    power += original[n]! ** 2;
    error += (decoded[n + G722_DELAY_SAMPLES]! - original[n]!) ** 2;
  }
  return 10 * Math.log10(power / error);
}

/** Amplitude of one frequency. */
function toneLevel(samples: Int16Array, frequencyHz: number): number {
  let [re, im] = [0, 0];
  samples.forEach((sample, n) => {
    re += sample * Math.cos((2 * Math.PI * frequencyHz * n) / 16_000);
    im += sample * Math.sin((2 * Math.PI * frequencyHz * n) / 16_000);
  });
  return (2 * Math.hypot(re, im)) / samples.length;
}

const sha256 = (bytes: NodeJS.ArrayBufferView): string => createHash("sha256").update(bytes).digest("hex");

test("[R3551-4.5.2-1] an octet stands for two samples at 16 kHz: 160 octets are 20 ms, as 160 units of an 8 kHz clock are", () => {
  const encoder = new G722Encoder();
  const payload = new Uint8Array(160);
  assert.equal(encoder.encode(new Int16Array(320), payload), 160);
  const audio = new Int16Array(320);
  assert.equal(new G722Decoder().decode(payload, audio), 320);
});

test("[R3551-4.5.2-2] the upper band's code is in the two most significant bits, the lower band's in the others", () => {
  const octets = encode(signal((n) => 8000 * Math.sin((2 * Math.PI * 400 * n) / 16_000)));
  const random = Uint8Array.from(noise(octets.length, 3), (x) => Math.floor((x + 1) * 128));
  const exact = toneLevel(decode(octets), 400);
  const upperGone = toneLevel(decode(octets.map((octet, n) => (random[n]! & 0xc0) | (octet & 0x3f))), 400);
  const lowerGone = toneLevel(decode(octets.map((octet, n) => (octet & 0xc0) | (random[n]! & 0x3f))), 400);
  assert.ok(Math.abs(upperGone - exact) < 0.02 * exact, `${exact}, ${upperGone}`);
  assert.ok(lowerGone < 0.2 * exact, `${exact}, ${lowerGone}`);
});

test("speech bands come back with the quality the codec is known for", () => {
  for (const frequencyHz of [300, 800, 1500, 2500, 3300]) {
    const tone = signal((n) => 10_000 * Math.sin((2 * Math.PI * frequencyHz * n) / 16_000));
    const snr = snrDb(tone, decode(encode(tone)));
    assert.ok(snr > 28, `${frequencyHz} Hz: ${snr}`);
  }
  for (const frequencyHz of [4700, 5500, 6500]) {
    const tone = signal((n) => 3000 * Math.sin((2 * Math.PI * frequencyHz * n) / 16_000));
    const snr = snrDb(tone, decode(encode(tone)));
    assert.ok(snr > 8, `${frequencyHz} Hz: ${snr}`);
  }
});

test("the size of packets changes nothing; a reset starts from nothing", () => {
  const samples = SIGNALS["noise that overloads now and then"]!;
  const whole = encode(samples, LENGTH);
  assert.deepEqual(encode(samples, 80), whole);
  assert.deepEqual(decode(whole, 1, 33), decode(whole, 1, LENGTH));
  const encoder = new G722Encoder();
  const decoder = new G722Decoder();
  const octets = new Uint8Array(160);
  const audio = new Int16Array(320);
  encoder.encode(samples.subarray(800, 1120), octets);
  decoder.decode(octets, audio);
  encoder.reset();
  decoder.reset();
  encoder.encode(samples.subarray(0, 320), octets);
  decoder.decode(octets, audio);
  assert.deepEqual(octets, whole.subarray(0, 160));
  assert.deepEqual(audio, decode(whole.subarray(0, 160)));
});

test("modes 2 and 3 leave the lowest bits to somebody else, and sound a little worse", () => {
  const tone = signal((n) => 10_000 * Math.sin((2 * Math.PI * 700 * n) / 16_000));
  const octets = encode(tone);
  const other = octets.map((octet, n) => (octet & 0xfc) | (n & 3));
  const quality = ([1, 2, 3] as const).map((mode) => snrDb(tone, decode(octets, mode)));
  assert.ok(quality[0]! > quality[1]! && quality[1]! > quality[2]! && quality[2]! > 15, quality.join(" "));
  assert.deepEqual(decode(other, 3), decode(octets, 3));
});

test("whatever comes decodes to as many samples, within bounds", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.constantFrom(1, 2, 3), (octets, mode) => {
      const out = new Int16Array(2 * octets.length + 2).fill(7);
      assert.equal(new G722Decoder(mode as 1 | 2 | 3).decode(octets, out, 1), 2 * octets.length);
      assert.deepEqual([out[0], out.at(-1)], [7, 7]);
    }),
  );
});

test("no room, or half an octet, is the caller's mistake", () => {
  assert.throws(() => new G722Encoder().encode(new Int16Array(3), new Uint8Array(9)), RangeError);
  assert.throws(() => new G722Encoder().encode(new Int16Array(4), new Uint8Array(2), 1), RangeError);
  assert.throws(() => new G722Decoder().decode(new Uint8Array(2), new Int16Array(3)), RangeError);
});

test("octets and samples are those that ffmpeg 5.1 makes, by their hash", () => {
  const hashes = Object.values(SIGNALS).map((samples) => {
    const octets = encode(samples);
    return [sha256(octets), sha256(decode(octets))].map((hash) => hash.slice(0, 16)).join(" ");
  });
  assert.deepEqual(hashes, [
    "86b502a53dd2fc90 3b0b29e4f0394791",
    "8187155b9458a82e a75b86c3b86ef13a",
    "d0ad2a6e06e3400c 2f0515f6938dbb46",
    "c36c05a588585646 c0c31980d701fe2d",
  ]);
});

const ffmpeg = spawnSync("ffmpeg", ["-version"]).status === 0;

/** ffmpeg as a filter. */
function run(args: readonly string[], input: NodeJS.ArrayBufferView): Buffer {
  const { stdout, stderr, status } = spawnSync("ffmpeg", ["-v", "error", ...args], {
    input,
    maxBuffer: 1 << 26,
  });
  assert.equal(status, 0, stderr.toString());
  return stdout;
}

const RAW = ["-f", "s16le", "-ar", "16000", "-ac", "1"];

test("ffmpeg and we encode to the same octets and decode to the same samples", {
  skip: ffmpeg ? false : "ffmpeg is not installed",
}, () => {
  for (const [name, samples] of Object.entries(SIGNALS)) {
    const theirs = run([...RAW, "-i", "-", "-c:a", "g722", "-trellis", "0", "-f", "g722", "-"], samples);
    assert.ok(theirs.equals(encode(samples)), name);
    const audio = run(["-f", "g722", "-i", "-", ...RAW, "-"], theirs);
    const ours = decode(theirs);
    assert.ok(audio.equals(new Uint8Array(ours.buffer)), name);
  }
  const octets = Uint8Array.from(noise(40_000, 9), (x) => Math.floor((x + 1) * 128));
  const audio = run(["-f", "g722", "-i", "-", ...RAW, "-"], octets);
  assert.ok(audio.equals(new Uint8Array(decode(octets).buffer)), "octets that no encoder sends");
});

test("ffmpeg decodes our 56 and 48 kbit/s as we do", {
  skip: ffmpeg ? false : "ffmpeg is not installed",
}, () => {
  const octets = encode(SIGNALS["noise that overloads now and then"]!);
  for (const [mode, bits] of [
    [2, "7"],
    [3, "6"],
  ] as const) {
    const audio = run(["-f", "g722", "-bits_per_codeword", bits, "-i", "-", ...RAW, "-"], octets);
    assert.ok(audio.equals(new Uint8Array(decode(octets, mode).buffer)), `mode ${mode}`);
  }
});
