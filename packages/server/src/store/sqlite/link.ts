import { Worker } from "node:worker_threads";
import {
  StoreFailedError,
  StoreLockedError,
  StoreOverloadedError,
  StoreUnavailableError,
} from "../errors.ts";
import type { StatementResult, StoreGreeting, StoreReply, StoreRequest } from "./messages.ts";

/** Requests that may wait for the database: about ten seconds' worth on a slow disk. */
const PENDING_LIMIT = 20_000;
/** SQLITE_CONSTRAINT_UNIQUE and SQLITE_CONSTRAINT_PRIMARYKEY. */
const UNIQUE_RESULT_CODES: readonly number[] = [2067, 1555];

interface Pending {
  resolve(results: readonly StatementResult[]): void;
  reject(error: Error): void;
}

/** `Omit` that keeps a union a union. */
type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;

/** The main thread's end of the store's thread. */
export class StoreLink {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  /** Why nothing more can be asked. */
  #over: Error | undefined;

  /** Starts the thread; resolves when the database is open. */
  static async open(file: string): Promise<StoreLink> {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: { file } });
    const link = new StoreLink(worker);
    const greeting = await link.#greeting();
    if (greeting.ready) return link;
    await link.#exited;
    const { message } = greeting.failure;
    if (greeting.locked)
      throw new StoreLockedError(
        `another process uses the database ${file}; one process serves one data directory`,
      );
    throw new StoreUnavailableError(`cannot open the database ${file}: ${message}`);
  }

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (message: StoreReply | StoreGreeting) => {
      if ("id" in message) this.#settle(message);
    });
    worker.on("error", (error) =>
      this.#end(new StoreUnavailableError("the database's thread died", { cause: error })),
    );
    this.#exited = new Promise((resolve) => {
      worker.once("exit", (code) => {
        this.#end(new StoreUnavailableError(`the database's thread ended with code ${code}`));
        resolve();
      });
    });
  }

  async request(request: WithoutId<StoreRequest>): Promise<readonly StatementResult[]> {
    if (this.#over !== undefined) throw this.#over;
    if (this.#pending.size >= PENDING_LIMIT)
      throw new StoreOverloadedError(`${PENDING_LIMIT} requests wait for the database already`);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ ...request, id });
    });
  }

  /** Requests sent before are carried out. */
  async close(): Promise<void> {
    if (this.#over !== undefined) return this.#exited;
    const closing = this.request({ kind: "close" });
    this.#over = new StoreUnavailableError("the database is closed");
    await closing.catch(() => {});
    await this.#exited;
  }

  /** Ends the thread where it stands, as a crash would. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
  }

  #greeting(): Promise<StoreGreeting> {
    return new Promise((resolve, reject) => {
      this.#worker.once("message", resolve);
      this.#pending.set(0, { resolve: () => {}, reject });
    }).finally(() => this.#pending.delete(0)) as Promise<StoreGreeting>;
  }

  #settle(reply: StoreReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ("results" in reply) pending?.resolve(reply.results);
    else pending?.reject(new SqliteError(reply.failure.message, reply.failure.resultCode));
  }

  #end(error: Error): void {
    this.#over ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#over);
    this.#pending.clear();
  }
}

/** A statement that SQLite refused. */
export class SqliteError extends StoreFailedError {
  readonly unique: boolean;

  constructor(message: string, resultCode: number) {
    super(message);
    this.unique = UNIQUE_RESULT_CODES.includes(resultCode);
  }
}
