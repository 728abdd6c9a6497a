import type { CallbackRequest, SiprecRecord } from "../calls/index.ts";
import type { Clock, Timer } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import type { SiprecStore } from "./ports.ts";

/** A write that failed is tried again after these; then the row waits for the next start of the node. */
const RETRY_DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 16_000] as const;

/**
 * The row of one fork: changes become durable in the order they were made, each with the callbacks it owes. A change
 * that the store did not take is not lost: it goes along with the next one, or with a later try.
 */
export class SiprecRow {
  readonly #store: SiprecStore;
  readonly #clock: Clock;
  readonly #log: Log;
  #record: SiprecRecord;
  #owed: readonly CallbackRequest[] = [];
  #version = 0;
  #savedVersion = 0;
  #tail: Promise<void> = Promise.resolve();
  #failures = 0;
  #retry: Timer | undefined;
  #abandoned = false;

  constructor(store: SiprecStore, clock: Clock, log: Log, record: SiprecRecord) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#record = record;
  }

  get record(): SiprecRecord {
    return this.#record;
  }

  /** Changes the row. Resolves when that is durable, rejects when the store did not take it this time. */
  change(changes: Partial<SiprecRecord>, callbacks: readonly CallbackRequest[]): Promise<void> {
    this.#record = { ...this.#record, ...changes, dateUpdated: this.#clock.wallNow() };
    this.#owed = [...this.#owed, ...callbacks];
    this.#version += 1;
    this.#failures = 0;
    return this.#write();
  }

  /** Changes the row without a write of its own: it goes along with the next one. */
  amend(changes: Partial<SiprecRecord>): void {
    this.#record = { ...this.#record, ...changes };
  }

  /** Nothing more is written: the request that wanted the row was refused. */
  abandon(): void {
    this.#abandoned = true;
    this.#retry?.cancel();
  }

  #write(): Promise<void> {
    this.#retry?.cancel();
    const written = this.#tail.then(() => this.#writeNow());
    this.#tail = written.catch(() => {});
    return written;
  }

  async #writeNow(): Promise<void> {
    const version = this.#version;
    if (this.#abandoned || this.#savedVersion === version) return; // an earlier write took it along
    const owed = this.#owed;
    this.#owed = [];
    try {
      await this.#store.saveSiprec(this.#record, owed);
      this.#savedVersion = version;
    } catch (error) {
      this.#owed = [...owed, ...this.#owed];
      this.#writeFailed(error);
      throw error;
    }
  }

  #writeFailed(error: unknown): void {
    const delayMs = RETRY_DELAYS_MS[this.#failures];
    this.#failures += 1;
    this.#log.error({ err: error, retryMs: delayMs ?? null }, "siprec: the row was not saved");
    if (delayMs === undefined || this.#abandoned) return;
    this.#retry?.cancel();
    this.#retry = this.#clock.setTimer(delayMs, () => void this.#write().catch(() => {}));
  }
}
