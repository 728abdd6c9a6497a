import type { AudioFormat } from "../../media/index.ts";
import type { LiveListener, LiveSource } from "./live-source.ts";
import { MediaStreamMessages, streamTrackNames } from "./media-stream.ts";
import { MulawFeed } from "./mulaw-feed.ts";
import type { StreamRecord, StreamRequest, StreamSocket } from "./stream-ports.ts";

/** A consumer that is this far behind (some twenty seconds of two tracks) will not catch up. */
export const MAX_BUFFERED_BYTES = 512 * 1024;
/** Tracks that one stream follows. */
const MAX_TRACKS = 64;

/** WebSocket.OPEN. */
const OPEN = 1;

/** RFC 6455 §7.4.1 and the registry behind it. */
const NORMAL = 1000;
const TRY_AGAIN_LATER = 1013;

export interface LiveStreamOptions {
  readonly sid: string;
  readonly url: string | null;
  readonly request: StreamRequest;
  readonly source: LiveSource;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Once, when it has stopped or failed. */
  readonly onEnded: (stream: LiveStream) => void;
}

/** One consumer hearing one recording. */
export class LiveStream implements LiveListener {
  readonly sid: string;
  readonly #options: LiveStreamOptions;
  readonly #messages: MediaStreamMessages;
  readonly #names: Map<string, string>;
  readonly #feeds = new Map<string, MulawFeed>();
  readonly #startTime: number;
  #consumer: StreamSocket | undefined;
  #unlisten: (() => void) | undefined;
  #status: StreamRecord["status"] = "connecting";
  #endTime: number | null = null;
  #error: string | null = null;
  #sent = 0;

  constructor(options: LiveStreamOptions) {
    this.#options = options;
    this.sid = options.sid;
    this.#startTime = options.now();
    const { source, request } = options;
    this.#names = new Map(streamTrackNames(source.labels));
    const labels = Object.fromEntries([...this.#names].map(([label, name]) => [`Label.${name}`, label]));
    this.#messages = new MediaStreamMessages({
      streamSid: options.sid,
      accountSid: source.accountSid,
      callSid: source.callSid ?? source.recordingSid,
      tracks: [...this.#names.values()].filter((name) => this.#isWanted(name)),
      customParameters: {
        RecordingSid: source.recordingSid,
        ...labels,
        ...source.parameters,
        ...request.parameters,
      },
    });
  }

  get name(): string | null {
    return this.#options.request.name;
  }

  get isOver(): boolean {
    return this.#endTime !== null;
  }

  record(): StreamRecord {
    const { source, url, request } = this.#options;
    return {
      sid: this.sid,
      accountSid: source.accountSid,
      recordingSid: source.recordingSid,
      name: request.name,
      url,
      track: request.track,
      status: this.#status,
      startTime: this.#startTime,
      endTime: this.#endTime,
      error: this.#error,
      messages: this.#sent,
    };
  }

  /** The consumer is there: it hears whatever comes from now on. */
  connected(consumer: StreamSocket): void {
    if (this.isOver) {
      consumer.close(NORMAL, "the stream was stopped");
      return;
    }
    this.#consumer = consumer;
    this.#status = "in-progress";
    // An error closes the socket: that is what counts.
    consumer.on("error", () => {});
    consumer.once("close", () => this.#end("stopped", null));
    this.#send(this.#messages.connected());
    this.#send(this.#messages.start());
    this.#unlisten = this.#options.source.listen(this);
  }

  failed(message: string): void {
    this.#end("failed", message);
  }

  stop(): void {
    this.#end("stopped", null);
  }

  audio(label: string, payload: Uint8Array, format: AudioFormat): void {
    this.#feed(label)?.audio(payload, format);
  }

  silence(label: string, durationMs: number): void {
    this.#feed(label)?.silence(durationMs);
  }

  digit(label: string, digit: string): void {
    const name = this.#nameOf(label);
    if (name !== undefined) this.#send(this.#messages.dtmf(name, digit));
  }

  ended(): void {
    this.#end("stopped", null);
  }

  #feed(label: string): MulawFeed | undefined {
    const known = this.#feeds.get(label);
    if (known !== undefined || this.isOver) return known;
    const name = this.#nameOf(label);
    if (name === undefined) return undefined;
    const feed = new MulawFeed(this.#options.now() - this.#startTime, (timestampMs, chunk) => {
      this.#sent++;
      this.#send(this.#messages.media(name, timestampMs, chunk));
    });
    this.#feeds.set(label, feed);
    return feed;
  }

  /** Undefined: this stream does not want that track. Lines that come later go by their labels. */
  #nameOf(label: string): string | undefined {
    let name = this.#names.get(label);
    if (name === undefined) {
      if (this.#names.size >= MAX_TRACKS) return undefined;
      name = label;
      this.#names.set(label, name);
    }
    return this.#isWanted(name) ? name : undefined;
  }

  #isWanted(name: string): boolean {
    const { track } = this.#options.request;
    return track === "both_tracks" || track === `${name}_track`;
  }

  #send(text: string): void {
    const consumer = this.#consumer;
    if (consumer?.readyState !== OPEN || this.isOver) return;
    if (consumer.bufferedAmount > MAX_BUFFERED_BYTES) {
      // What was left out would be audio lost without a word: the consumer hears that it is too slow instead.
      this.#end("failed", "the consumer reads too slowly", TRY_AGAIN_LATER);
      return;
    }
    consumer.send(text);
  }

  #end(status: "stopped" | "failed", error: string | null, code = NORMAL): void {
    if (this.isOver) return;
    this.#unlisten?.();
    if (status === "stopped") {
      for (const feed of this.#feeds.values()) feed.close();
      this.#send(this.#messages.stop());
    }
    this.#status = status;
    this.#endTime = this.#options.now();
    this.#error = error;
    this.#consumer?.close(code, (error ?? "").slice(0, 100));
    this.#options.onEnded(this);
  }
}
