import { MAX_PAYLOAD } from "./reorder-buffer.ts";
import type { Transcoder, TranscoderCounts } from "./transcoder.ts";

/** 200 tracks for a tenth of a second. What comes when it is full is lost to the recorder, and to nobody else. */
const CAPACITY = 1024;
/** Calls wait for it no longer than this at a time. */
const MAX_RUN_MS = 2;
/** So long the packets of calls have the thread for themselves. */
const REST_MS = 1;

/** Stands for a payload that is too long to be any codec's: the transcoder counts it. */
const OVERSIZED = new Uint8Array(MAX_PAYLOAD + 1);

interface Entry {
  target: QueuedTranscoder | undefined;
  generation: number;
  ssrc: number;
  sequence: number;
  timestamp: number;
  receivedAt: number;
  /** Of the payload; −1: nothing that is to be heard. */
  length: number;
  bytes: Uint8Array;
}

/**
 * Packets of a worker that wait to be transcoded. A codec takes a tenth of a millisecond and more for a packet, and the
 * thread carries calls: it is done in small pieces between their packets, and not at all when there is too much of it.
 * A recorder that does not take a call's codec costs the call nothing but that.
 */
export class TranscodeQueue {
  /** Monotonic milliseconds when `run` has something to do. */
  dueAt = Number.POSITIVE_INFINITY;
  readonly #entries: Entry[] = [];
  #first = 0;
  #count = 0;

  /** Nothing happens when it is full: the transcoder misses a sequence number, and deals with that. */
  push(
    target: QueuedTranscoder,
    ssrc: number,
    sequence: number,
    timestamp: number,
    payload: Uint8Array | undefined,
    now: number,
  ): void {
    if (this.#count === CAPACITY) return;
    const entry = this.#entryAt((this.#first + this.#count) % CAPACITY);
    const fits = payload === undefined || payload.length <= MAX_PAYLOAD;
    entry.target = target;
    entry.generation = target.generation;
    entry.ssrc = ssrc;
    entry.sequence = sequence;
    entry.timestamp = timestamp;
    entry.receivedAt = now;
    entry.length = payload === undefined ? -1 : payload.length;
    if (payload !== undefined && fits) entry.bytes.set(payload);
    this.#count++;
    if (this.dueAt === Number.POSITIVE_INFINITY) this.dueAt = now + REST_MS;
  }

  /** Works for a while. */
  run(now: number): void {
    if (now < this.dueAt) return;
    do this.#take();
    while (this.#count > 0 && performance.now() - now < MAX_RUN_MS);
    this.dueAt = this.#count === 0 ? Number.POSITIVE_INFINITY : performance.now() + REST_MS;
  }

  /** Works until nothing waits: somebody has to know how it ends. */
  drain(): void {
    while (this.#count > 0) this.#take();
    this.dueAt = Number.POSITIVE_INFINITY;
  }

  #take(): void {
    if (this.#count === 0) return;
    const entry = this.#entryAt(this.#first);
    this.#first = (this.#first + 1) % CAPACITY;
    this.#count--;
    const { target, length } = entry;
    entry.target = undefined;
    if (target === undefined || entry.generation !== target.generation) return;
    if (length < 0) target.transcoder.skip(entry.ssrc, entry.sequence);
    else {
      const payload = length > MAX_PAYLOAD ? OVERSIZED : entry.bytes.subarray(0, length);
      target.transcoder.push(entry.ssrc, entry.sequence, entry.timestamp, payload, entry.receivedAt);
    }
  }

  #entryAt(index: number): Entry {
    let entry = this.#entries[index];
    if (entry === undefined) {
      entry = {
        target: undefined,
        generation: 0,
        ssrc: 0,
        sequence: 0,
        timestamp: 0,
        receivedAt: 0,
        length: 0,
        bytes: new Uint8Array(MAX_PAYLOAD),
      };
      this.#entries[index] = entry;
    }
    return entry;
  }
}

/** A transcoder whose packets wait in a queue; as that, else. */
export class QueuedTranscoder {
  readonly transcoder: Transcoder;
  /** Entries of an older one are void. */
  generation = 0;
  readonly #queue: TranscodeQueue;

  constructor(transcoder: Transcoder, queue: TranscodeQueue) {
    this.transcoder = transcoder;
    this.#queue = queue;
  }

  /** Packets that found the queue full are among those lost. */
  get counts(): TranscoderCounts {
    return this.transcoder.counts;
  }

  push(ssrc: number, sequence: number, timestamp: number, payload: Uint8Array, now: number): void {
    this.#queue.push(this, ssrc, sequence, timestamp, payload, now);
  }

  skip(ssrc: number, sequence: number, now: number): void {
    this.#queue.push(this, ssrc, sequence, 0, undefined, now);
  }

  flush(): void {
    this.#queue.drain();
    this.transcoder.flush();
  }

  reset(): void {
    this.generation++;
    this.transcoder.reset();
  }

  close(): void {
    this.generation++;
    this.transcoder.close();
  }
}
