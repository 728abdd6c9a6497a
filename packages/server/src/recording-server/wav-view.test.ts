import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { PCMA_TO_LINEAR, PCMU_TO_LINEAR, parseWav, pcmOf, writeWavHeader } from "@callfork/protocol/audio";
import fc from "fast-check";
import { openFile } from "./files/file-reader.ts";
import type { MediaFile } from "./ports.ts";
import { alignedSource } from "./reading/aligned-source.ts";
import { g711Source } from "./reading/g711-source.ts";
import { mixedSource } from "./reading/mixed-source.ts";
import type { PcmSource } from "./reading/pcm-source.ts";
import { TRUE_CLOCK } from "./reading/track-clock.ts";
import { wavView } from "./wav-view.ts";

const folder = mkdtempSync(join(tmpdir(), "callfork-view-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function trackFile(format: "mulaw" | "alaw", codes: Uint8Array, closed = true): string {
  const path = join(folder, `${++files}.wav`);
  const dataBytes = closed ? codes.length : 0;
  const header = writeWavHeader({ channels: 1, sampleRateHz: 8_000, bitsPerSample: 8, format, dataBytes });
  writeFileSync(path, Buffer.concat([header, codes, new Uint8Array(closed ? codes.length % 2 : 0)]));
  return path;
}

async function channelOf(path: string, offset: number): Promise<PcmSource> {
  const source = await g711Source(() => openFile({ path }));
  const place = { sampleRateHz: 8_000, startSeconds: offset / 8_000, clock: TRUE_CLOCK };
  return mixedSource(source === undefined ? [] : [alignedSource(source, place)], 8_000);
}

async function read(file: MediaFile, start = 0, end = file.length - 1): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.open(start, end)) chunks.push(chunk);
  return Uint8Array.from(Buffer.concat(chunks));
}

const arbTrack = fc.record({
  format: fc.constantFrom("mulaw" as const, "alaw" as const),
  codes: fc.uint8Array({ maxLength: 400 }),
  offset: fc.integer({ min: 0, max: 300 }),
});

test("every channel has its samples at its place, and any range is that part of the whole", async () => {
  const property = fc.asyncProperty(
    fc.array(arbTrack, { minLength: 1, maxLength: 4 }),
    fc.integer({ min: 0, max: 3_000 }),
    fc.integer({ min: 0, max: 3_000 }),
    async (tracks, a, b) => {
      const channels = await Promise.all(
        tracks.map(({ format, codes, offset }) => channelOf(trackFile(format, codes), offset)),
      );
      const file = wavView(channels, 8_000);
      const whole = await read(file);
      assert.equal(whole.length, file.length);
      const pcm = pcmOf(whole);
      assert.ok(pcm.ok);
      const frames = Math.max(...tracks.map(({ offset, codes }) => offset + codes.length));
      assert.equal(pcm.value.length, frames * tracks.length);
      for (const [channel, { format, codes, offset }] of tracks.entries()) {
        const table = format === "mulaw" ? PCMU_TO_LINEAR : PCMA_TO_LINEAR;
        for (let frame = 0; frame < frames; frame++) {
          const code = codes[frame - offset];
          const expected = code === undefined ? 0 : table[code];
          assert.equal(pcm.value[frame * tracks.length + channel], expected);
        }
      }
      const [start, end] = [a % file.length, b % file.length].sort((x, y) => x - y) as [number, number];
      assert.deepEqual(await read(file, start, end), whole.subarray(start, end + 1));
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

test("long files are read in pieces that fit together", async () => {
  const codes = Uint8Array.from({ length: 50_001 }, (_, at) => (at * 7) & 0xff);
  const file = wavView(
    [await channelOf(trackFile("mulaw", codes), 5), await channelOf(trackFile("alaw", codes), 0)],
    8_000,
  );
  const whole = await read(file);
  assert.equal(whole.length, 44 + 4 * 50_006);
  for (const start of [0, 43, 44, 45, 44 + 4 * 8_192 - 1, 44 + 4 * 8_192, whole.length - 1]) {
    const end = Math.min(start + 40_000, whole.length - 1);
    assert.deepEqual(await read(file, start, end), whole.subarray(start, end + 1), `from ${start}`);
  }
});

test("a file that is still being written has the samples that were there when it was opened", async () => {
  const path = trackFile("mulaw", Uint8Array.of(1, 2, 3), false);
  const file = wavView([await channelOf(path, 0)], 8_000);
  const descriptor = openSync(path, "a");
  writeSync(descriptor, Uint8Array.of(4, 5));
  closeSync(descriptor);
  const info = parseWav(await read(file));
  assert.ok(info.ok);
  assert.deepEqual([info.value.dataBytes, info.value.truncated, info.value.channels], [6, false, 1]);
});

test("a track that never had a file is silent, alone it is empty", async () => {
  const missing = await channelOf(join(folder, "none.wav"), 100);
  assert.equal(wavView([missing], 8_000).length, 44);
  const there = await channelOf(trackFile("alaw", Uint8Array.of(0xd5, 0)), 0);
  const pcm = pcmOf(await read(wavView([missing, there], 8_000)));
  assert.ok(pcm.ok);
  assert.deepEqual([...pcm.value], [0, PCMA_TO_LINEAR[0xd5], 0, PCMA_TO_LINEAR[0]]);
});

test("a reader who leaves early leaves no file open", async () => {
  const file = wavView([await channelOf(trackFile("mulaw", new Uint8Array(100_000)), 0)], 8_000);
  const stream = file.open(0, file.length - 1);
  await new Promise((resolve) => stream.once("data", resolve));
  stream.destroy();
  await new Promise((resolve) => stream.once("close", resolve));
});
