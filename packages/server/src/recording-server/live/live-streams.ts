import { type Random, toHex } from "@callfork/protocol/text";
import type { Log } from "../../observe/index.ts";
import type { LiveSource } from "./live-source.ts";
import { LiveStream } from "./live-stream.ts";
import type {
  RecordingStreams,
  StreamConnector,
  StreamRecord,
  StreamRefusal,
  StreamRequest,
  StreamSocket,
} from "./stream-ports.ts";

/** Consumers that hear one recording at once. */
const MAX_LIVE = 8;
/** Streams of one recording that are remembered after they ended. */
const MAX_OVER = 32;

export interface LiveStreamsOptions {
  /** Undefined: no such recording is in progress. */
  readonly sourceOf: (recordingSid: string) => LiveSource | undefined;
  readonly connector: StreamConnector | undefined;
  /** Every recording is heard by these. */
  readonly urls: readonly string[];
  readonly random: Random;
  readonly now: () => number;
  readonly log: Log;
  /** A stream failed. */
  readonly onFailed: (stream: StreamRecord) => void;
}

/** Who hears which recording while it is made. */
export class LiveStreams implements RecordingStreams {
  readonly #options: LiveStreamsOptions;
  readonly #streams = new Map<string, LiveStream[]>();

  constructor(options: LiveStreamsOptions) {
    this.#options = options;
  }

  /** A recording began: those that hear every recording are connected. */
  recordingStarted(source: LiveSource): void {
    for (const url of this.#options.urls) {
      this.start(source.accountSid, source.recordingSid, url, {
        name: null,
        track: "both_tracks",
        parameters: {},
      });
    }
  }

  recordingEnded(recordingSid: string): void {
    for (const stream of this.#streams.get(recordingSid) ?? []) stream.ended();
    this.#streams.delete(recordingSid);
  }

  start(
    accountSid: string,
    recordingSid: string,
    url: string,
    request: StreamRequest,
  ): StreamRecord | StreamRefusal {
    const stream = this.#add(accountSid, recordingSid, url, request);
    if (typeof stream === "string") return stream;
    const { connector } = this.#options;
    const opening =
      connector?.open(url, accountSid) ?? Promise.reject(new Error("nothing opens connections"));
    opening.then(
      (consumer) => stream.connected(consumer),
      (error: unknown) => stream.failed(error instanceof Error ? error.message : String(error)),
    );
    return stream.record();
  }

  attach(
    accountSid: string,
    recordingSid: string,
    consumer: StreamSocket,
    request: StreamRequest,
  ): StreamRecord | StreamRefusal {
    const stream = this.#add(accountSid, recordingSid, null, request);
    if (typeof stream === "string") return stream;
    stream.connected(consumer);
    return stream.record();
  }

  list(accountSid: string, recordingSid: string): readonly StreamRecord[] | undefined {
    if (this.#source(accountSid, recordingSid) === undefined) return undefined;
    return (this.#streams.get(recordingSid) ?? []).map((stream) => stream.record());
  }

  stop(accountSid: string, recordingSid: string, sidOrName: string): StreamRecord | undefined {
    if (this.#source(accountSid, recordingSid) === undefined) return undefined;
    const streams = this.#streams.get(recordingSid) ?? [];
    const stream =
      streams.find(({ sid }) => sid === sidOrName) ?? streams.findLast(({ name }) => name === sidOrName);
    stream?.stop();
    return stream?.record();
  }

  #source(accountSid: string, recordingSid: string): LiveSource | undefined {
    const source = this.#options.sourceOf(recordingSid);
    return source?.accountSid === accountSid ? source : undefined;
  }

  #add(
    accountSid: string,
    recordingSid: string,
    url: string | null,
    request: StreamRequest,
  ): LiveStream | StreamRefusal {
    const source = this.#source(accountSid, recordingSid);
    if (source === undefined) return "not-live";
    const streams = this.#streams.get(recordingSid) ?? [];
    this.#streams.set(recordingSid, streams);
    if (streams.filter(({ isOver }) => !isOver).length >= MAX_LIVE) return "busy";
    const stream = new LiveStream({
      sid: `MZ${toHex(this.#options.random.bytes(16))}`,
      url,
      request,
      source,
      now: this.#options.now,
      onEnded: (ended) => this.#ended(ended),
    });
    streams.push(stream);
    if (streams.length > MAX_LIVE + MAX_OVER) {
      const oldest = streams.findIndex(({ isOver }) => isOver);
      streams.splice(oldest, 1);
    }
    return stream;
  }

  #ended(stream: LiveStream): void {
    const record = stream.record();
    const { sid: streamSid, recordingSid, error, messages } = record;
    const fields = { streamSid, recordingSid, messages };
    if (error === null) this.#options.log.info(fields, "live stream ended");
    else this.#options.log.warn({ ...fields, error }, "live stream failed");
    if (record.status === "failed") this.#options.onFailed(record);
  }
}
