import { type MessagePort, Worker } from "node:worker_threads";
import { giveBack, HeldResources } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import { MediaLostError } from "./errors.ts";
import type { MediaEvent, MediaId } from "./types.ts";
import type { WorkerAnswer, WorkerCommand, WorkerReport, WorkerSettings } from "./worker-messages.ts";

export interface MediaWorkerHandlers {
  onEvent(event: MediaEvent): void;
  /** It died; not called after `stop`. */
  onLost(worker: MediaWorker): void;
}

/** The main thread's end of one media worker: commands in order, questions with answers. */
export class MediaWorker {
  /** What lives in it. */
  readonly ids = new Set<MediaId>();
  /** The packet implementation it found. */
  io: "dgram" | "uring" = "dgram";
  /** Why that is not io_uring, where it was wanted. */
  refusal: string | undefined;
  readonly #worker: Worker;
  readonly #questions = new Map<
    number,
    { resolve(answer: WorkerAnswer): void; reject(error: MediaLostError): void }
  >();
  #lastQuestion = 0;
  #stopping = false;
  #gone = false;

  /** Resolves when it is ready. */
  static start(settings: WorkerSettings, log: Log, handlers: MediaWorkerHandlers): Promise<MediaWorker> {
    return new Promise((resolve, reject) => {
      const worker = new MediaWorker(settings, log, handlers, () => resolve(worker), reject);
    });
  }

  private constructor(
    settings: WorkerSettings,
    log: Log,
    handlers: MediaWorkerHandlers,
    ready: () => void,
    failed: (error: Error) => void,
  ) {
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), {
      workerData: settings,
      name: "media",
    });
    this.#worker.on("message", (report: WorkerReport) => {
      if (report.kind === "event") handlers.onEvent(report.event);
      else if (report.kind === "answer") this.#take(report.question, report.answer);
      else {
        this.io = report.io;
        this.refusal = report.refusal;
        ready();
      }
    });
    this.#worker.on("error", (error: unknown) => log.error({ error }, "a media worker failed"));
    this.#worker.on("exit", (exitCode) => {
      this.#gone = true;
      giveBack(new HeldResources(settings.held));
      const lost = new MediaLostError("the media worker is gone");
      failed(lost);
      for (const question of this.#questions.values()) question.reject(lost);
      this.#questions.clear();
      if (this.#stopping) return;
      log.error({ exitCode, streams: this.ids.size }, "a media worker died");
      handlers.onLost(this);
    });
  }

  tell(command: WorkerCommand, transfer: readonly MessagePort[] = []): void {
    if (!this.#gone) this.#worker.postMessage(command, [...transfer]);
  }

  /** @throws MediaLostError */
  ask(
    build: (question: number) => WorkerCommand,
    transfer: readonly MessagePort[] = [],
  ): Promise<WorkerAnswer> {
    if (this.#gone) return Promise.reject(new MediaLostError("the media worker is gone"));
    const question = ++this.#lastQuestion;
    return new Promise((resolve, reject) => {
      this.#questions.set(question, { resolve, reject });
      this.#worker.postMessage(build(question), [...transfer]);
    });
  }

  async stop(): Promise<void> {
    if (this.#gone) return;
    this.#stopping = true;
    const exited = new Promise<void>((resolve) => this.#worker.once("exit", () => resolve()));
    this.tell({ kind: "stop", id: 0 });
    await exited;
  }

  #take(question: number, answer: WorkerAnswer): void {
    this.#questions.get(question)?.resolve(answer);
    this.#questions.delete(question);
  }
}
