import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import type { MessagePort } from "node:worker_threads";
import { parseWav } from "@callfork/protocol/audio";
import { writeRtpHeader } from "@callfork/protocol/rtp";
import { END_OF_BATCH, RECORD_HEAD_BYTES, recordLength } from "../../media/received-batch.ts";
import type { Log } from "../../observe/index.ts";
import { narrowbandFormat } from "./payload-format.ts";
import { repairTrackFile } from "./track-file.ts";
import { type OpenTrack, TrackWriter, type WrittenTrack } from "./writer.ts";
import type { Heard } from "./writer-messages.ts";

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

function freshFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "callfork-writer-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const voice = (index: number): Uint8Array =>
  Uint8Array.from({ length: 160 }, (_, at) => (index * 11 + at) & 0xff);

let receivers = 0;

/** A track with a receiver of its own; G.711 unless told otherwise. */
function opened(
  writer: TrackWriter,
  base: string,
  options: Partial<OpenTrack> = {},
): WrittenTrack & { readonly receiver: number } {
  const formats = [narrowbandFormat(0, "PCMU")];
  const track = writer.open({ media: "audio", base, clockRateHz: 8_000, formats, ...options });
  const receiver = ++receivers;
  track.bind(receiver, 20_000);
  return { ...track, receiver };
}

/** Posts packets as the media plane does: several in one transferred buffer. */
function post(
  { sink, receiver }: { readonly sink: MessagePort; readonly receiver: number },
  indices: readonly number[],
  payloadType = 0,
): void {
  const packetBytes = 172;
  const record = recordLength(packetBytes);
  const buffer = new ArrayBuffer(indices.length * record + RECORD_HEAD_BYTES);
  const view = new DataView(buffer);
  for (const [position, index] of indices.entries()) {
    const at = position * record;
    view.setUint32(at, receiver, true);
    view.setUint16(at + 4, packetBytes, true);
    view.setFloat64(at + 8, 1_000_000 + 20 * index, true);
    const bytes = new Uint8Array(buffer, at + RECORD_HEAD_BYTES, packetBytes);
    writeRtpHeader(bytes, 0, false, payloadType, index & 0xffff, index * 160, 1);
    bytes.set(voice(index), 12);
  }
  view.setUint16(indices.length * record + 4, END_OF_BATCH, true);
  sink.postMessage(buffer, [buffer]);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);

function audioIn(path: string): Uint8Array {
  const bytes = readFileSync(path);
  const info = parseWav(bytes);
  assert.ok(info.ok);
  return Uint8Array.from(bytes.subarray(info.value.dataOffset, info.value.dataOffset + info.value.dataBytes));
}

const expected = (count: number): Uint8Array =>
  Uint8Array.from(range(0, count).flatMap((at) => [...voice(at)]));

test("several tracks are written at once, each to its file, everything that was posted before close", async (t) => {
  const folder = freshFolder(t);
  const writer = new TrackWriter(quiet, () => assert.fail("the writer died"));
  t.after(() => writer.stop());
  const started: number[] = [];
  const tracks = [0, 8].map((payloadType) => {
    const path = join(folder, `${payloadType}.wav`);
    const formats = [narrowbandFormat(payloadType, payloadType === 0 ? "PCMU" : "PCMA")];
    const onStarted = (time: number) => void started.push(time);
    const track = opened(writer, join(folder, String(payloadType)), { formats, onStarted });
    return { payloadType, path, track };
  });
  for (const { track, payloadType } of tracks) {
    for (let at = 0; at < 500; at += 5) post(track, range(at, at + 5), payloadType);
  }
  for (const { track, path, payloadType } of tracks) {
    const summary = await track.close();
    assert.equal(summary?.packets, 500);
    assert.deepEqual(summary.codecs, [payloadType === 0 ? "PCMU" : "PCMA"]);
    assert.deepEqual([summary.lost, summary.unwritten, summary.samples], [0, 0, 80_000]);
    assert.deepEqual(audioIn(path), expected(500));
  }
  assert.deepEqual(started, [1_000_000, 1_000_000]);
});

test("every batch is acknowledged, so that the media plane knows how far the writer is", async (t) => {
  const writer = new TrackWriter(quiet, () => assert.fail("the writer died"));
  t.after(() => writer.stop());
  const track = opened(writer, join(freshFolder(t), "a"));
  let acknowledged = 0;
  track.sink.on("message", () => acknowledged++);
  for (let at = 0; at < 20; at++) post(track, [at]);
  while (acknowledged < 20) await once(track.sink, "message");
  await track.close();
});

test("a track without packets leaves no file", async (t) => {
  const folder = freshFolder(t);
  const writer = new TrackWriter(quiet, () => assert.fail("the writer died"));
  t.after(() => writer.stop());
  const path = join(folder, "none.wav");
  const summary = await opened(writer, join(folder, "none")).close();
  assert.deepEqual([summary?.packets, summary?.files, summary?.firstPacketTime], [0, [], null]);
  assert.equal(existsSync(path), false);
});

test("payload types of a later answer are written too", async (t) => {
  const folder = freshFolder(t);
  const path = join(folder, "a.wav");
  const writer = new TrackWriter(quiet, () => assert.fail("the writer died"));
  t.after(() => writer.stop());
  const track = opened(writer, join(folder, "a"));
  post(track, range(0, 20));
  track.addFormats([narrowbandFormat(97, "PCMU")]);
  await track.summary();
  post(track, range(20, 40), 97);
  assert.equal((await track.close())?.packets, 40);
  assert.deepEqual(audioIn(path), expected(40));
});

test("a disk that refuses is told once, and what it refused is counted", async (t) => {
  const folder = freshFolder(t);
  const writer = new TrackWriter(quiet, () => assert.fail("the writer died"));
  t.after(() => writer.stop());
  const failures: string[] = [];
  const onFailed = (message: string) => void failures.push(message);
  const track = opened(writer, join(folder, "missing", "a"), { onFailed });
  const other = opened(writer, join(folder, "b"));
  for (const each of [track, other]) post(each, range(0, 50));
  const summary = await track.close();
  assert.equal(failures.length, 1);
  assert.match(failures[0]!, /ENOENT/);
  assert.deepEqual([summary?.packets, summary?.unwritten], [50, 8_000]);
  assert.equal((await other.close())?.unwritten, 0, "one track's trouble is not another's");
});

test("when the thread dies, it is told once, questions are answered and a new writer can go on", async (t) => {
  const folder = freshFolder(t);
  const lost: Error[] = [];
  const writer = new TrackWriter(quiet, (error) => lost.push(error));
  const track = opened(writer, join(folder, "a"));
  post(track, range(0, 50));
  await track.summary();
  const asked = track.summary();
  await writer.kill();
  assert.equal(await asked, undefined);
  assert.equal(await track.close(), undefined);
  assert.equal(lost.length, 1);
  await writer.stop();
  const next = new TrackWriter(quiet, () => assert.fail("the writer died"));
  const again = opened(next, join(folder, "b"));
  post(again, range(0, 50));
  await next.stop();
  assert.deepEqual(audioIn(join(folder, "b.wav")), expected(50), "stop closes what is open");
});

test("who listens hears every payload in order, with its place and what is missing; before and after nothing is told", async (t) => {
  const writer = new TrackWriter(quiet, () => assert.fail("the writer died"));
  t.after(() => writer.stop());
  const track = opened(writer, join(freshFolder(t), "a"));
  post(track, range(0, 30));
  while ((await track.summary())!.packets < 30);
  const heard: Heard[] = [];
  const stop = track.listen((some) => void heard.push(...some));
  // The last ones come when a gap has been given up: ten packets that wait, for 200 ms.
  post(track, [...range(30, 40), ...range(45, 60)]);
  while (heard.length < 26) await track.summary();
  stop();
  post(track, range(60, 80));
  const summary = await track.close();
  assert.equal(summary?.packets, 75);
  assert.deepEqual(
    heard.map((one) => ("silenceMs" in one ? `${one.silenceMs} ms` : one.timestamp / 160)),
    [...range(30, 40), "100 ms", ...range(45, 60)],
  );
  for (const one of heard) {
    if ("silenceMs" in one) continue;
    const index = one.timestamp / 160;
    assert.deepEqual(Uint8Array.from(one.payload), voice(index));
    assert.deepEqual(
      [one.format.codec, one.offsetMs, one.arrivalTime],
      ["PCMU", 20 * index, 1_000_000 + 20 * index],
    );
  }
});

/** Writes packets in real time until it is killed, and says how many it has posted. */
const VICTIM = `
  import { TrackWriter } from ${JSON.stringify(new URL("./writer.ts", import.meta.url).href)};
  import { writeRtpHeader } from ${JSON.stringify(import.meta.resolve("@callfork/protocol/rtp"))};
  const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  const writer = new TrackWriter(log, () => process.exit(1));
  const formats = [{ payloadType: 0, kind: "audio", codec: "PCMU", clockRateHz: 8000, channels: 1 }];
  const { sink, bind } = writer.open({ media: "audio", base: process.argv[2], clockRateHz: 8000, formats });
  bind(7, 20000);
  const start = Date.now();
  let index = 0;
  setInterval(() => {
    for (; index * 20 < Date.now() - start; index++) {
      const buffer = new ArrayBuffer(208);
      const view = new DataView(buffer);
      view.setUint32(0, 7, true);
      view.setUint16(4, 172, true);
      view.setFloat64(8, start + 20 * index, true);
      const packet = new Uint8Array(buffer, 16, 172);
      writeRtpHeader(packet, 0, false, 0, index & 0xffff, index * 160, 1);
      for (let at = 0; at < 160; at++) packet[12 + at] = (index * 11 + at) & 0xff;
      view.setUint16(192 + 4, 0xffff, true);
      sink.postMessage(buffer, [buffer]);
    }
    console.log(index);
  }, 10);
`;

test("after kill -9 everything but the last second is in the file", async (t) => {
  const folder = freshFolder(t);
  const path = join(folder, "a.wav");
  const script = join(folder, "victim.mjs");
  writeFileSync(script, VICTIM);
  const child = spawn(process.execPath, [script, join(folder, "a")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  let posted = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    posted = Number(line);
    if (posted >= 125) child.kill("SIGKILL"); // 2.5 s
  }
  assert.deepEqual(await exited, [null, "SIGKILL"]);
  const samples = repairTrackFile({ path });
  assert.ok(samples !== undefined && samples >= (posted - 50) * 160, `${samples} of ${posted * 160} samples`);
  assert.deepEqual(audioIn(path), expected(posted).subarray(0, samples));
});
