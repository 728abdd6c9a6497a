import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Log } from "../../observe/index.ts";
import type { FilePlace } from "../files/file-writer.ts";
import type { TrackFormat } from "./track-file.ts";
import type { TrackSummary, WriterCommand, WriterReport } from "./writer-messages.ts";

export interface OpenTrack extends FilePlace {
  readonly clockRateHz: number;
  readonly formats: readonly (readonly [payloadType: number, format: TrackFormat])[];
  /** The first packet was written; epoch milliseconds. */
  readonly onStarted?: (firstPacketTime: number) => void;
  /** The sender's clock has said when the track began; told once. */
  readonly onAligned?: () => void;
  /** The disk refuses this track's audio; told once. */
  readonly onFailed?: (message: string) => void;
}

/** One track that is being written. */
export interface WrittenTrack {
  /** For `MediaPlane.openReceiver`; transferred there. */
  readonly sink: MessagePort;
  addFormats(formats: readonly (readonly [payloadType: number, format: TrackFormat])[]): void;
  /** The sender was told to pause and goes on now: the next packet is placed by the clock. */
  resumed(): void;
  /** As of now; undefined when the writer is gone. */
  summary(): Promise<TrackSummary | undefined>;
  /** Writes what came, closes the file and waits for the disk. Close the receiver first. */
  close(): Promise<TrackSummary | undefined>;
}

/** The recorder's writer: a thread of its own, so that a slow disk delays neither signalling nor RTP. */
export class TrackWriter {
  readonly #worker: Worker;
  readonly #tracks = new Map<number, OpenTrack>();
  readonly #questions = new Map<number, (summary: TrackSummary | undefined) => void>();
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

  open(options: OpenTrack): WrittenTrack {
    const track = ++this.#lastTrack;
    const { port1: sink, port2: batches } = new MessageChannel();
    this.#tracks.set(track, options);
    const { path, key, clockRateHz, formats } = options;
    this.#tell({ kind: "open", track, place: { path, key }, clockRateHz, formats, batches }, [batches]);
    return {
      sink,
      addFormats: (more) => this.#tell({ kind: "formats", track, formats: more }),
      resumed: () => this.#tell({ kind: "resumed", track }),
      summary: () => this.#ask("ask", track),
      close: async () => {
        const summary = await this.#ask("close", track);
        this.#tracks.delete(track);
        return summary;
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
    } else if (message.kind === "started")
      this.#tracks.get(message.track)?.onStarted?.(message.firstPacketTime);
    else if (message.kind === "aligned") this.#tracks.get(message.track)?.onAligned?.();
    else this.#tracks.get(message.track)?.onFailed?.(message.message);
  }
}
