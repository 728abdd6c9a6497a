import type { Alerts, Log } from "../observe/index.ts";
import { WebhookError, type WebhookFailure } from "./errors.ts";
import type { DueCallback, OutboxQueue, SigningKeys } from "./ports.ts";
import { formOf, shownUrl } from "./target.ts";
import type { WebhookClient, WebhookClock, WebhookResponse } from "./types.ts";

/** Twilio's code for connection overrides that ask for the impossible. */
export const INVALID_OVERRIDES_CODE = 11243;
/** Twilio's code for an answer that is not 2xx. */
const BAD_STATUS_CODE = 11200;

/** A claim outlives the longest delivery (15 s) by far, and is forgotten when the process is. */
const LEASE_MS = 60_000;
const DEFAULT_CONCURRENCY = 32;
/** Deliveries to one receiver at a time, so that one that is slow leaves room for the others. */
const ORIGIN_CONCURRENCY = 8;
/** 6 deliveries within some 13 minutes. */
const DEFAULT_RETRY_DELAYS_MS: readonly number[] = [1000, 5000, 30_000, 120_000, 600_000];
const BODY_OCTETS = 4096;
/** How long the worker sleeps at most, and how long after the store failed it. */
const LONGEST_SLEEP_MS = 60_000;
const AFTER_STORE_FAILURE_MS = 1000;
const DEFAULT_STOP_LIMIT_MS = 5000;

/** Failures that may be gone by themselves; of the others another delivery would make nothing better. */
const TRANSIENT: readonly WebhookFailure[] = [
  "badHost",
  "connectTimeout",
  "connectFailed",
  "readTimeout",
  "totalTimeout",
  "connectionLost",
];

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
  /** Waits before the next delivery after a connection failure; its length bounds the deliveries. Default 1, 5, 30, 120, 600 s. */
  readonly retryDelaysMs?: readonly number[] | undefined;
}

export interface OutboxWorker {
  start(): void;
  /** Claims nothing more; resolves when deliveries under way are over, which are aborted and handed back after `limitMs` (default 5,000). */
  stop(limitMs?: number): Promise<void>;
  /** Resolves when nothing is under way and nothing is due now. Callbacks that wait for a retry are not waited for. */
  drained(): Promise<void>;
}

/**
 * Delivers the store's outbox: at least once each, in order within a lane. One delivery is a request with the tries that
 * the URL's connection overrides grant. After a failure of the connection the callback is delivered again later, with
 * the same idempotency token; any HTTP answer is final. What is given up raises an alert.
 */
export function createOutboxWorker(options: OutboxWorkerOptions): OutboxWorker {
  return new Worker(options);
}

class Worker implements OutboxWorker {
  readonly #options: OutboxWorkerOptions;
  readonly #concurrency: number;
  readonly #retryDelaysMs: readonly number[];
  /** Under way, by receiver. */
  readonly #byOrigin = new Map<string, number>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #drainWaiters: (() => void)[] = [];
  #abort = new AbortController();
  #running = false;
  /** A claim is being made; `#again` asks for another one afterwards. */
  #claiming: Promise<void> | undefined;
  #again = false;
  #timer: { cancel(): void } | undefined;
  #stopListening: (() => void) | undefined;

  constructor(options: OutboxWorkerOptions) {
    this.#options = options;
    this.#concurrency = options.concurrency ?? DEFAULT_CONCURRENCY;
    this.#retryDelaysMs = options.retryDelaysMs ?? DEFAULT_RETRY_DELAYS_MS;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#abort = new AbortController();
    this.#stopListening = this.#options.outbox.onAdded(() => this.#wake());
    this.#wake();
  }

  async stop(limitMs = DEFAULT_STOP_LIMIT_MS): Promise<void> {
    this.#running = false;
    this.#stopListening?.();
    this.#timer?.cancel();
    const limit = this.#options.clock.setTimer(limitMs, () =>
      this.#abort.abort(new Error("the worker stops")),
    );
    await this.#claiming;
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    limit.cancel();
    this.#settleDrained();
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drainWaiters.push(resolve);
      if (this.#running) this.#wake();
      else this.#settleDrained();
    });
  }

  /** Claims whatever is due and fits; comes again when something ends, arrives or falls due. */
  #wake(): void {
    if (!this.#running) return;
    if (this.#claiming !== undefined) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#claiming = this.#claim()
      .catch((error: unknown) => {
        this.#options.log.error({ err: error }, "callbacks could not be claimed");
        this.#sleep(AFTER_STORE_FAILURE_MS);
      })
      .finally(() => {
        this.#claiming = undefined;
        if (this.#again) {
          this.#again = false;
          this.#wake();
        }
      });
  }

  async #claim(): Promise<void> {
    const { outbox, clock } = this.#options;
    for (;;) {
      const free = this.#concurrency - this.#underWay.size;
      // Whatever ends first wakes us; so does a delivery to a receiver that is busy enough.
      if (free <= 0 || !this.#running) return;
      const busy = [...this.#byOrigin].filter(([, count]) => count >= ORIGIN_CONCURRENCY);
      const exceptOrigins = busy.map(([origin]) => origin);
      const limit = Math.min(free, ORIGIN_CONCURRENCY);
      const due = await outbox.claim({ limit, leaseMs: LEASE_MS, exceptOrigins });
      for (const callback of due) this.#begin(callback);
      if (due.length > 0) continue;
      const nextDueAt = await outbox.nextDueAt({ exceptOrigins });
      const delayMs = (nextDueAt ?? Number.POSITIVE_INFINITY) - clock.wallNow();
      // One fell due between the two questions.
      if (delayMs <= 0) continue;
      this.#sleep(delayMs);
      if (this.#underWay.size === 0) this.#settleDrained();
      return;
    }
  }

  #sleep(ms: number): void {
    this.#timer?.cancel();
    if (this.#running)
      this.#timer = this.#options.clock.setTimer(Math.min(Math.max(ms, 1), LONGEST_SLEEP_MS), () =>
        this.#wake(),
      );
  }

  #settleDrained(): void {
    for (const resolve of this.#drainWaiters.splice(0)) resolve();
  }

  #begin(callback: DueCallback): void {
    const origin = URL.parse(callback.url)?.origin ?? callback.url;
    this.#byOrigin.set(origin, (this.#byOrigin.get(origin) ?? 0) + 1);
    const delivery = this.#deliver(callback)
      // The store failed us: the claim ends with its lease, and the callback is delivered again.
      .catch((error: unknown) => {
        this.#options.log.error(
          { err: error, ...about(callback) },
          "a callback's outcome could not be stored",
        );
      })
      .finally(() => {
        const left = (this.#byOrigin.get(origin) ?? 1) - 1;
        if (left === 0) this.#byOrigin.delete(origin);
        else this.#byOrigin.set(origin, left);
        this.#underWay.delete(delivery);
        this.#wake();
      });
    this.#underWay.add(delivery);
  }

  async #deliver(callback: DueCallback): Promise<void> {
    const { outbox, accounts, client, log } = this.#options;
    const { signal } = this.#abort;
    const authToken = await accounts.authToken(callback.accountSid);
    if (authToken === undefined) {
      await outbox.giveUp(callback.id, "the account is gone");
      log.warn(about(callback), "a callback of an unknown account was dropped");
      return;
    }
    let response: WebhookResponse;
    try {
      response = await client.request({
        url: callback.url,
        method: callback.method,
        parameters: callback.parameters,
        authToken,
        idempotencyToken: callback.id,
        maximumBytes: BODY_OCTETS,
        signal,
        onInvalidOverrides: (problem) => {
          if (callback.attempts > 0) return;
          this.#alert(
            callback,
            INVALID_OVERRIDES_CODE,
            `Connection overrides are ignored: ${problem}`,
            "warning",
          );
        },
      });
    } catch (error) {
      await this.#failed(callback, error);
      return;
    }
    const { status, tries } = response;
    if (status >= 200 && status < 300) {
      await outbox.complete(callback.id);
      log.debug({ ...about(callback), status, tries }, "callback delivered");
      return;
    }
    await outbox.giveUp(callback.id, `HTTP ${status}`);
    log.warn({ ...about(callback), status, tries }, "callback refused by its receiver");
    this.#alert(callback, BAD_STATUS_CODE, `Callback answered with HTTP ${status}`, "error", response);
  }

  async #failed(callback: DueCallback, error: unknown): Promise<void> {
    const { outbox, clock, log } = this.#options;
    if (this.#abort.signal.aborted) {
      await outbox.release(callback.id);
      return;
    }
    const reason = error instanceof Error ? error.message : String(error);
    const failure = error instanceof WebhookError ? error.failure : undefined;
    const delayMs = this.#retryDelaysMs[callback.attempts];
    if (failure !== undefined && TRANSIENT.includes(failure) && delayMs !== undefined) {
      await outbox.postpone(callback.id, clock.wallNow() + delayMs, reason);
      log.info({ ...about(callback), reason, delayMs }, "callback failed, to be delivered again");
      return;
    }
    await outbox.giveUp(callback.id, reason);
    log.warn({ ...about(callback), reason, deliveries: callback.attempts + 1 }, "callback given up");
    const code = error instanceof WebhookError ? error.publicCode : BAD_STATUS_CODE;
    this.#alert(callback, code, `Callback given up: ${reason}`, "error");
  }

  #alert(
    callback: DueCallback,
    errorCode: number,
    text: string,
    level: "error" | "warning",
    response?: WebhookResponse,
  ): void {
    const parameters = new Map(callback.parameters);
    this.#options.alerts.raise({
      accountSid: callback.accountSid,
      errorCode,
      level,
      text,
      callSid: callback.callSid ?? undefined,
      resourceSid:
        parameters.get("SiprecSid") ?? parameters.get("RecordingSid") ?? callback.callSid ?? undefined,
      requestMethod: callback.method,
      requestUrl: shownUrl(callback.url),
      requestVariables: formOf(callback.parameters),
      responseStatus: response?.status,
      responseBody: response && new TextDecoder().decode(response.body),
    });
  }
}

/** What log lines about a callback carry; its parameters hold what callers said and are left out. */
function about({ id, callSid, kind, url, attempts }: DueCallback): object {
  return { callbackId: id, callSid, kind, url: shownUrl(url), attempts };
}
