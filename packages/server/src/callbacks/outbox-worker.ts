import type { Alerts, Log } from "../observe/index.ts";
import type { OutboxQueue, SigningKeys } from "./ports.ts";
import type { WebhookClient, WebhookClock } from "./types.ts";

export interface OutboxWorkerOptions {
  /** The store's `outbox`. */
  readonly outbox: OutboxQueue;
  /** The store's `accounts`. */
  readonly accounts: SigningKeys;
  readonly client: WebhookClient;
  readonly alerts: Alerts;
  readonly log: Log;
  readonly clock: WebhookClock;
  /** Deliveries at the same time. Default 32. */
  readonly concurrency?: number | undefined;
  /** Waits before the next delivery after a connection failure; its length bounds the deliveries. */
  readonly retryDelaysMs?: readonly number[] | undefined;
}

export interface OutboxWorker {
  start(): void;
  /** Claims nothing more; resolves when deliveries under way are over, which are aborted and handed back after `limitMs` (default 5,000). */
  stop(limitMs?: number): Promise<void>;
  /** Resolves when nothing is under way and nothing is due now. Callbacks that wait for a retry are not waited for. */
  drained(): Promise<void>;
}

/** Delivers the store's outbox: at least once each, in order within a lane. */
export function createOutboxWorker(_options: OutboxWorkerOptions): OutboxWorker {
  return { start: () => {}, stop: async () => {}, drained: async () => {} };
}
