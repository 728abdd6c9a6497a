import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { maxWavDataBytes, parseWav, pcmOf, type WavInfo, wavHeaderBytes, writeWavHeader } from "./index.ts";

function infoOf(bytes: Uint8Array, fileBytes?: number): WavInfo {
  const result = parseWav(bytes, fileBytes);
  assert.ok(result.ok, result.ok ? "" : result.error.message);
  return result.value;
}

function errorOf(bytes: Uint8Array): string {
  const result = parseWav(bytes);
  return result.ok ? "accepted" : result.error.code;
}

const PCM = { channels: 1, sampleRateHz: 8000, bitsPerSample: 16, format: "pcm" } as const;
const MULAW = { channels: 2, sampleRateHz: 8000, bitsPerSample: 8, format: "mulaw" } as const;

function file(options: typeof PCM | typeof MULAW, data: Uint8Array, announced = data.length): Uint8Array {
  const header = writeWavHeader({ ...options, dataBytes: data.length });
  new DataView(header.buffer).setUint32(header.length - 4, announced, true);
  return Uint8Array.of(...header, ...data);
}

/** The same file with a chunk of odd size, and its padding, before the format. */
function withExtraChunk(bytes: Uint8Array): Uint8Array {
  const extra = [...new TextEncoder().encode("LIST"), 3, 0, 0, 0, 1, 2, 3, 0];
  return Uint8Array.of(...bytes.subarray(0, 12), ...extra, ...bytes.subarray(12));
}

test("header octets: 44 for pcm", () => {
  const hex = Array.from(writeWavHeader({ ...PCM, dataBytes: 320 }), (octet) =>
    octet.toString(16).padStart(2, "0"),
  );
  assert.equal(
    hex.join(""),
    "52494646640100005741564566" + "6d74201000000001000100401f0000803e0000020010006461746140010000",
  );
});

test("header: 58 for mu-law and A-law, with fact in samples, and padding counted in the RIFF size", () => {
  const header = writeWavHeader({ ...MULAW, channels: 1, dataBytes: 161 });
  const view = new DataView(header.buffer);
  assert.equal(header.length, 58);
  assert.equal(wavHeaderBytes("alaw"), 58);
  assert.equal(view.getUint32(4, true), 58 - 8 + 162);
  assert.equal(view.getUint16(20, true), 7);
  assert.equal(view.getUint32(46, true), 161);
  assert.equal(view.getUint32(54, true), 161);
  assert.equal(
    new DataView(writeWavHeader({ ...MULAW, format: "alaw", dataBytes: 4 }).buffer).getUint16(20, true),
    6,
  );
});

test("what does not fit into 32 bits, or into a WAV at all, is refused", () => {
  for (const format of ["pcm", "mulaw"] as const) {
    const bitsPerSample = format === "pcm" ? 16 : 8;
    const most = maxWavDataBytes(format);
    writeWavHeader({ ...PCM, format, bitsPerSample, dataBytes: most });
    assert.throws(
      () => writeWavHeader({ ...PCM, format, bitsPerSample, dataBytes: most + 1 }),
      /at most 42949/,
    );
  }
  for (const wrong of [
    { dataBytes: -1 },
    { dataBytes: 1.5 },
    { channels: 0 },
    { sampleRateHz: 0 },
    { bitsPerSample: 12 },
  ]) {
    assert.throws(() => writeWavHeader({ ...PCM, dataBytes: 0, ...wrong }), RangeError);
  }
});

test("reads what it writes", () => {
  const arb = fc.record({
    channels: fc.integer({ min: 1, max: 8 }),
    sampleRateHz: fc.constantFrom(8000, 16000, 48000),
    format: fc.constantFrom("pcm", "mulaw", "alaw"),
    blocks: fc.nat(50),
    extra: fc.boolean(),
  });
  fc.assert(
    fc.property(arb, ({ channels, sampleRateHz, format, blocks, extra }) => {
      const bitsPerSample = format === "pcm" ? 16 : 8;
      const dataBytes = (blocks * channels * bitsPerSample) / 8;
      const options = { channels, sampleRateHz, format, bitsPerSample, dataBytes };
      const plain = Uint8Array.of(...writeWavHeader(options), ...new Uint8Array(dataBytes));
      const bytes = extra ? withExtraChunk(plain) : plain;
      const dataOffset = wavHeaderBytes(format) + (extra ? 12 : 0);
      assert.deepEqual(infoOf(bytes), { ...options, dataOffset, truncated: false });
    }),
  );
});

test("a recording that was cut off: size 0, 0xFFFFFFFF or too large; only whole blocks count", () => {
  const data = new Uint8Array(321);
  for (const announced of [0, 0xffff_ffff, 1_000_000]) {
    const info = infoOf(file(PCM, data, announced));
    assert.deepEqual([info.dataBytes, info.truncated], [320, true]);
  }
  assert.deepEqual(infoOf(file(PCM, new Uint8Array(0))).truncated, false);
  assert.equal(infoOf(file(PCM, data, 100)).dataBytes, 100);
});

test("the start of a file is enough when its length is given", () => {
  const start = writeWavHeader({ ...PCM, dataBytes: 16_000 });
  assert.equal(infoOf(start, 16_044).dataBytes, 16_000);
  assert.equal(infoOf(start, 8_044).dataBytes, 8_000);
});

test("samples: 16 bit, 8 bit, mu-law, A-law, from a view at an odd offset", () => {
  const inOddView = (bytes: Uint8Array) => Uint8Array.of(0, ...bytes).subarray(1);
  const samplesOf = (bytes: Uint8Array) => {
    const result = pcmOf(inOddView(bytes));
    assert.ok(result.ok);
    return [...result.value];
  };
  assert.deepEqual(samplesOf(file(PCM, Uint8Array.of(1, 0, 0xff, 0xff, 0, 0x80))), [1, -1, -32768]);
  assert.deepEqual(samplesOf(file(MULAW, Uint8Array.of(0x80, 0xff))), [32124, 0]);
  const eight = Uint8Array.of(...writeWavHeader({ ...PCM, bitsPerSample: 8, dataBytes: 3 }), 0, 128, 255);
  assert.deepEqual(samplesOf(eight), [-32768, 0, 32512]);
  const alaw = Uint8Array.of(...writeWavHeader({ ...MULAW, format: "alaw", dataBytes: 2 }), 0xd5, 0x55);
  assert.deepEqual(samplesOf(alaw), [8, -8]);
});

test("WAVE_FORMAT_EXTENSIBLE is read by its sub-format", () => {
  const plain = file(PCM, new Uint8Array(4));
  const fmt = new Uint8Array(48);
  fmt.set(plain.subarray(12, 36));
  const view = new DataView(fmt.buffer);
  view.setUint32(4, 40, true);
  view.setUint16(8, 0xfffe, true);
  view.setUint16(32, 1, true);
  const info = infoOf(Uint8Array.of(...plain.subarray(0, 12), ...fmt, ...plain.subarray(36)));
  assert.deepEqual([info.format, info.dataOffset, info.dataBytes], ["pcm", 68, 4]);
});

test("what is no WAV, or one we cannot play, is refused by name", () => {
  const good = file(PCM, new Uint8Array(4));
  assert.equal(errorOf(new Uint8Array(0)), "WAV_NOT_RIFF");
  assert.equal(errorOf(new TextEncoder().encode("<html>not found</html>")), "WAV_NOT_RIFF");
  assert.equal(errorOf(good.subarray(0, 30)), "WAV_BAD_CHUNK");
  assert.equal(errorOf(good.subarray(0, 36)), "WAV_NO_DATA");
  assert.equal(errorOf(Uint8Array.of(...good.subarray(0, 12), ...good.subarray(36))), "WAV_NO_FORMAT");
  const mp3 = good.slice();
  mp3[20] = 0x55;
  assert.equal(errorOf(mp3), "WAV_UNSUPPORTED");
});

test("no input throws", () => {
  const good = file(MULAW, new Uint8Array(20));
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, octet, length) => {
      const bytes = good.slice(0, length);
      if (at < length) bytes[at] = octet;
      const result = pcmOf(bytes);
      if (result.ok) assert.ok(result.value.length <= bytes.length);
    }),
  );
});

const sox = spawnSync("sox", ["--version"]).status === 0;

test("sox reads our header", { skip: sox ? false : "sox is not installed" }, () => {
  for (const options of [PCM, MULAW]) {
    const bytes = file(options, new Uint8Array(1600));
    const { stdout, stderr } = spawnSync("sox", ["-t", "wav", "-", "-n", "stat"], {
      input: bytes,
      encoding: "utf8",
    });
    assert.match(stdout + stderr, /Length \(seconds\):\s+0\.100000/);
    assert.doesNotMatch(stderr, /WARN|FAIL/);
  }
});
