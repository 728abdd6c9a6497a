import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { encodePcma, PCMA_SILENCE, PCMU_SILENCE, PCMU_TO_LINEAR, parseWav } from "@callfork/protocol/audio";
import { repairTrackFile, TrackFile } from "./track-file.ts";

const folder = mkdtempSync(join(tmpdir(), "callfork-track-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const freshPath = (): string => join(folder, `${++files}.wav`);

const octets = (length: number, seed = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 13 + seed) & 0xff);

function read(path: string): {
  readonly data: Uint8Array;
  readonly truncated: boolean;
  readonly format: string;
} {
  const bytes = readFileSync(path);
  const info = parseWav(bytes);
  assert.ok(info.ok, "a WAV file");
  const { dataOffset, dataBytes, truncated, format } = info.value;
  return { data: Uint8Array.from(bytes.subarray(dataOffset, dataOffset + dataBytes)), truncated, format };
}

test("what is appended stands in the file, in order, silence included", () => {
  for (const [format, quiet] of [
    ["mulaw", PCMU_SILENCE],
    ["alaw", PCMA_SILENCE],
  ] as const) {
    const path = freshPath();
    const file = new TrackFile({ path }, format, 8_000);
    file.append(octets(160), format);
    file.silence(20_001);
    file.append(octets(9_000, 5), format);
    assert.equal(file.dataBytes, 29_161);
    file.close();
    const { data, truncated } = read(path);
    assert.equal(truncated, false);
    assert.deepEqual(data.subarray(0, 160), octets(160));
    assert.ok(data.subarray(160, 20_161).every((octet) => octet === quiet));
    assert.deepEqual(data.subarray(20_161), octets(9_000, 5));
    assert.equal(readFileSync(path).length % 2, 0, "chunks have even length");
  }
});

test("audio of the other law is converted, so that the file has one format", () => {
  const path = freshPath();
  const file = new TrackFile({ path }, "alaw", 8_000);
  const heard = octets(256);
  file.append(heard, "mulaw");
  file.close();
  const expected = new Uint8Array(256);
  encodePcma(
    Int16Array.from(heard, (code) => PCMU_TO_LINEAR[code]!),
    expected,
  );
  assert.deepEqual(read(path).data, expected);
});

test("a file that is being written reads as far as it was flushed", () => {
  const path = freshPath();
  const file = new TrackFile({ path }, "mulaw", 8_000);
  assert.deepEqual(read(path).data.length, 0);
  file.append(octets(500), "mulaw");
  file.flush();
  const { data, truncated } = read(path);
  assert.deepEqual(data, octets(500));
  assert.equal(truncated, true);
  file.close();
});

test("a file that was never closed is repaired by its length", () => {
  for (const length of [0, 1, 160, 8_191]) {
    const path = freshPath();
    const file = new TrackFile({ path }, "mulaw", 8_000);
    file.append(octets(length), "mulaw");
    file.flush(); // and then the process is killed
    assert.equal(repairTrackFile({ path }), length);
    assert.deepEqual(read(path), { data: octets(length), truncated: false, format: "mulaw" });
    assert.equal(repairTrackFile({ path }), length, "twice is as once");
    file.close();
  }
});

test("a file that was closed stays as it is, its pad octet is no audio", () => {
  const path = freshPath();
  const file = new TrackFile({ path }, "alaw", 8_000);
  file.append(octets(161), "alaw");
  file.close();
  const before = readFileSync(path);
  assert.equal(repairTrackFile({ path }), 161);
  assert.deepEqual(readFileSync(path), before);
});

test("a file without a whole header has nothing to repair", () => {
  for (const content of [
    "",
    "RIFF",
    "no WAV at all, but quite long enough to hold the header of a WAV file",
  ]) {
    const path = freshPath();
    writeFileSync(path, content);
    assert.equal(repairTrackFile({ path }), undefined);
    assert.equal(readFileSync(path, "utf8"), content);
  }
});

test("a file cut in its middle keeps what is left", () => {
  const path = freshPath();
  const file = new TrackFile({ path }, "mulaw", 8_000);
  file.append(octets(1_000), "mulaw");
  file.close();
  truncateSync(path, 58 + 300);
  assert.equal(repairTrackFile({ path }), 300);
  assert.deepEqual(read(path).data, octets(300));
  appendFileSync(path, octets(4));
  assert.equal(repairTrackFile({ path }), 300, "what stands behind the audio is not audio");
});

test("a file that is there already is not overwritten", () => {
  const path = freshPath();
  new TrackFile({ path }, "mulaw", 8_000).close();
  assert.throws(() => new TrackFile({ path }, "mulaw", 8_000), { code: "EEXIST" });
});
