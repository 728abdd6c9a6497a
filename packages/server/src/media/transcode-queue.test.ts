import assert from "node:assert/strict";
import { test } from "node:test";
import { createAudioDecoder, createAudioEncoder } from "./codec/index.ts";
import { QueuedTranscoder, TranscodeQueue } from "./transcode-queue.ts";
import { Transcoder } from "./transcoder.ts";

const PCMU = { name: "PCMU", clockRateHz: 8000 };
const PCMA = { name: "PCMA", clockRateHz: 8000 };

/** A transcoder in a queue, and how many packets it has made. */
function queued(queue: TranscodeQueue) {
  const [decoder, encoder] = [createAudioDecoder(PCMU), createAudioEncoder(PCMA)];
  assert.ok(decoder.ok && encoder.ok);
  const made: number[] = [];
  const sink = { onTranscoded: (payload: Uint8Array) => void made.push(payload[0]!) };
  const one = new QueuedTranscoder(new Transcoder(decoder.value, encoder.value, sink), queue);
  const say = (i: number, now = i * 20) => one.push(7, i & 0xffff, i * 160, new Uint8Array(160).fill(i), now);
  return { one, made, say };
}

test("packets wait for their turn, in order, and what they carried is theirs", () => {
  const queue = new TranscodeQueue();
  const { made, say } = queued(queue);
  const payload = new Uint8Array(160);
  assert.equal(queue.dueAt, Number.POSITIVE_INFINITY);
  for (let i = 0; i < 5; i++) say(i, 100);
  payload.fill(99);
  assert.deepEqual([made.length, queue.dueAt], [0, 101]);
  queue.run(100.5);
  assert.equal(made.length, 0, "not yet");
  for (let now = 101; queue.dueAt < Number.POSITIVE_INFINITY; now = Math.max(now + 1, queue.dueAt)) {
    queue.run(now);
  }
  assert.equal(made.length, 5);
  assert.equal(new Set(made).size, 5);
});

test("what waits when a transcoder is reset or closed is not transcoded; that of others is", () => {
  const queue = new TranscodeQueue();
  const [a, b] = [queued(queue), queued(queue)];
  for (let i = 0; i < 3; i++) {
    a.say(i);
    b.say(i);
  }
  a.one.reset();
  a.say(3);
  queue.drain();
  assert.deepEqual([a.made.length, b.made.length], [1, 3]);
  b.say(3);
  b.one.close();
  queue.drain();
  assert.equal(b.made.length, 3);
});

test("a full queue drops what comes, which counts as lost and is concealed like any other hole", () => {
  const queue = new TranscodeQueue();
  const { one, made, say } = queued(queue);
  for (let i = 0; i < 1030; i++) say(i, 0);
  queue.drain();
  for (let i = 1030; i < 1040; i++) say(i);
  queue.drain();
  assert.equal(one.counts.lost, 6);
  assert.ok(made.length > 250);
});

test("payloads that are too long are counted, not copied", () => {
  const queue = new TranscodeQueue();
  const { one, made } = queued(queue);
  one.push(7, 0, 0, new Uint8Array(60_000), 0);
  one.skip(7, 1, 0);
  queue.drain();
  assert.deepEqual([made.length, one.counts.undecodable], [0, 1]);
});
