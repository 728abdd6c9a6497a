import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Log } from "../../observe/index.ts";
import type { PayloadFormat } from "./payload-format.ts";
import type {
  Digit,
  Heard,
  TrackPlan,
  TrackSummary,
  WriterCommand,
  WriterReport,
} from "./writer-messages.ts";

export interface OpenTrack extends TrackPlan {
  /** The first packet was written; epoch milliseconds. */
  readonly onStarted?: (firstPacketTime: number) => void;
  /** The sender's clock has said when the track began; told once. */
  readonly onAligned?: () => void;
  /** A key was pressed. */
  readonly onDigit?: (digit: Digit) => void;
  /** The disk refuses this track's audio; told once. */
  readonly onFailed?: (message: string) => void;
}

/** Hears what is written on a track, in order. Payloads are the listener's to keep. */
export type TrackListener = (heard: readonly Heard[]) => void;

/** One track that is being written. */
export interface WrittenTrack {
  /** For `MediaPlane.openReceiver`. Tracks share it: each tells which receiver is its own (`bind`). */
  readonly sink: MessagePort;
  /** Once the receiver is open, and before anything can come to it. */
  bind(receiver: number, rtpPort: number): void;
  addFormats(formats: readonly PayloadFormat[]): void;
  /** The sender was told to pause and goes on now: the next packet is placed by the clock. */
  resumed(): void;
  /** Costs nothing as long as nobody listens. @returns the way out */
  listen(listener: TrackListener): () => void;
  /** As of now; undefined when the writer is gone. */
  summary(): Promise<TrackSummary | undefined>;
  /** Writes what came, closes the file and waits for the disk. Close the receiver first. */
  close(): Promise<TrackSummary | undefined>;
  /** The media worker behind the sink died: later tracks get another one. */
  sinkLost(): void;
}

interface Sink {
  readonly port: MessagePort;
  users: number;
}

interface OpenedTrack {
  readonly options: OpenTrack;
  readonly listeners: Set<TrackListener>;
}

/** The recorder's writer: a thread of its own, so that a slow disk delays neither signalling nor RTP. */
export class TrackWriter {
  readonly #worker: Worker;
  readonly #tracks = new Map<number, OpenedTrack>();
  readonly #questions = new Map<number, (summary: TrackSummary | undefined) => void>();
  #sinks: Sink[] = [];
  #lastTrack = 0;
  #lastQuestion = 0;
  #isStopping = false;
  #gone = false;

  /** @param onLost - the thread ended unasked; nothing more is written by this writer. Called once. */
  constructor(log: Log, onLost: (error: Error) => void) {
    this.#worker = new Worker(new URL("./writer-worker.ts", import.meta.url), { name: "track-writer" });
    let cause: Error | undefined;
    this.#worker.on("message", (message: WriterReport) => this.#take(message));
    this.#worker.on("error", (error: unknown) => {
      cause = error instanceof Error ? error : new Error(String(error));
    });
    this.#worker.on("exit", (exitCode) => {
      this.#gone = true;
      for (const answer of this.#questions.values()) answer(undefined);
      this.#questions.clear();
      if (this.#isStopping) return;
      cause ??= new Error(`it ended with exit code ${exitCode}`);
      log.error({ err: cause }, "the track writer died");
      onLost(cause);
    });
  }

  /** @param mediaWorkers - how many sinks the tracks are spread over: a sink's receivers live in one media worker */
  open(options: OpenTrack, mediaWorkers = 1): WrittenTrack {
    const track = ++this.#lastTrack;
    const { media, base, key, clockRateHz, formats } = options;
    const opened: OpenedTrack = { options, listeners: new Set() };
    this.#tracks.set(track, opened);
    this.#tell({ kind: "open", track, plan: { media, base, key, clockRateHz, formats } });
    const sink = this.#sinkFor(mediaWorkers);
    sink.users++;
    let isOpen = true;
    return {
      sink: sink.port,
      bind: (receiver, rtpPort) => this.#tell({ kind: "bind", track, receiver, rtpPort }),
      addFormats: (more) => this.#tell({ kind: "formats", track, formats: more }),
      resumed: () => this.#tell({ kind: "resumed", track }),
      listen: (listener) => {
        if (opened.listeners.size === 0) this.#tell({ kind: "listen", track, on: true });
        opened.listeners.add(listener);
        return () => {
          if (opened.listeners.delete(listener) && opened.listeners.size === 0)
            this.#tell({ kind: "listen", track, on: false });
        };
      },
      summary: () => this.#ask("ask", track),
      close: async () => {
        if (isOpen) sink.users--;
        isOpen = false;
        const summary = await this.#ask("close", track);
        this.#tracks.delete(track);
        return summary;
      },
      sinkLost: () => {
        this.#sinks = this.#sinks.filter((one) => one !== sink);
      },
    };
  }

  async stop(): Promise<void> {
    if (this.#gone) return;
    this.#isStopping = true;
    const exited = new Promise<void>((resolve) => this.#worker.once("exit", () => resolve()));
    this.#tell({ kind: "stop" });
    await exited;
  }

  /** Kills the thread, as a defect in it would. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
  }

  #sinkFor(mediaWorkers: number): Sink {
    const [first, ...others] = this.#sinks;
    const least = others.reduce((best, one) => (one.users < best!.users ? one : best), first);
    if (least !== undefined && (least.users === 0 || this.#sinks.length >= mediaWorkers)) return least;
    const { port1: port, port2: batches } = new MessageChannel();
    const sink: Sink = { port, users: 0 };
    this.#sinks.push(sink);
    this.#tell({ kind: "sink", batches }, [batches]);
    return sink;
  }

  #ask(kind: "ask" | "close", track: number): Promise<TrackSummary | undefined> {
    if (this.#gone) return Promise.resolve(undefined);
    const question = ++this.#lastQuestion;
    return new Promise((resolve) => {
      this.#questions.set(question, resolve);
      this.#tell({ kind, track, question });
    });
  }

  #tell(command: WriterCommand, transfer: MessagePort[] = []): void {
    if (!this.#gone) this.#worker.postMessage(command, transfer);
  }

  #take(message: WriterReport): void {
    if (message.kind === "answer") {
      this.#questions.get(message.question)?.(message.summary);
      this.#questions.delete(message.question);
      return;
    }
    const track = this.#tracks.get(message.track);
    if (track === undefined) return;
    const { options, listeners } = track;
    switch (message.kind) {
      case "started":
        options.onStarted?.(message.firstPacketTime);
        break;
      case "aligned":
        options.onAligned?.();
        break;
      case "digit":
        options.onDigit?.(message.digit);
        break;
      case "heard":
        for (const listener of listeners) listener(message.heard);
        break;
      case "failed":
        options.onFailed?.(message.message);
    }
  }
}
