import type { MessagePort } from "node:worker_threads";
import type { PacketBatch } from "../net/index.ts";
import type { MediaContext } from "./media-context.ts";
import { END_OF_BATCH, KIND_RTCP, KIND_RTP, RECORD_HEAD_BYTES, recordLength } from "./received-batch.ts";
import type { MediaId } from "./types.ts";

const MAX_BATCH_BYTES = 64 * 1024;
const FIRST_BATCH_BYTES = 4096;
/** Octets on their way to a consumer that has not acknowledged them: seven seconds of a thousand streams. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/**
 * Collects received packets for one sink port and posts them as transferred buffers, when told to flush or full. When
 * the consumer falls too far behind, packets are dropped and counted instead of filling the memory.
 */
export class PacketSink {
  /** Packets that the consumer was too slow for. */
  overflow = 0;
  readonly #port: MessagePort;
  readonly #onDirty: (sink: PacketSink) => void;
  readonly #wallAt: (now: number) => number;
  #buffer: ArrayBuffer | undefined;
  #bytes = new Uint8Array(0);
  #view = new DataView(new ArrayBuffer(0));
  #used = 0;
  /** How large the next buffer is: batches of one sink resemble each other. */
  #nextBytes = FIRST_BATCH_BYTES;
  /** Of the batches that are not acknowledged, in order. */
  readonly #unread: number[] = [];
  #unreadBytes = 0;
  #gone = false;

  /**
   * @param onDirty - called when a packet is put into an empty batch: `flush` is wanted soon
   */
  constructor(context: MediaContext, port: MessagePort, onDirty: (sink: PacketSink) => void) {
    this.#port = port;
    this.#wallAt = context.wallAt;
    this.#onDirty = onDirty;
    context.io.listen(port, () => {
      this.#unreadBytes -= this.#unread.shift() ?? 0;
    });
    port.on("close", () => {
      this.#gone = true;
    });
  }

  write(batch: PacketBatch, index: number, receiver: MediaId, kind: "rtp" | "rtcp"): void {
    const length = batch.length[index]!;
    const record = recordLength(length);
    if (this.#used + record > this.#bytes.length) {
      this.flush();
      if (this.#gone || this.#unreadBytes >= MAX_UNREAD_BYTES) {
        this.overflow++;
        return;
      }
      this.#startBatch(record);
    }
    const at = this.#used;
    const view = this.#view;
    view.setUint32(at, receiver, true);
    view.setUint16(at + 4, length, true);
    view.setUint8(at + 6, kind === "rtcp" ? KIND_RTCP : KIND_RTP);
    view.setFloat64(at + 8, this.#wallAt(batch.receivedAt), true);
    const from = batch.offset[index]!;
    const to = at + RECORD_HEAD_BYTES;
    if (length > 0) this.#bytes.set(batch.bytes.subarray(from, from + length), to);
    this.#used = at + record;
  }

  flush(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    if (this.#used + RECORD_HEAD_BYTES <= buffer.byteLength)
      this.#view.setUint16(this.#used + 4, END_OF_BATCH, true);
    this.#nextBytes = Math.min(MAX_BATCH_BYTES, Math.max(FIRST_BATCH_BYTES, 2 * this.#used));
    this.#buffer = undefined;
    this.#used = 0;
    this.#bytes = EMPTY;
    this.#unread.push(buffer.byteLength);
    this.#unreadBytes += buffer.byteLength;
    this.#port.postMessage(buffer, [buffer]);
  }

  #startBatch(record: number): void {
    const buffer = new ArrayBuffer(Math.max(this.#nextBytes, record));
    this.#buffer = buffer;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#used = 0;
    this.#onDirty(this);
  }
}

const EMPTY = new Uint8Array(0);
