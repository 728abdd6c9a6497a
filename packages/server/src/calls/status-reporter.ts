import type { Clock } from "../net/index.ts";
import type { Alerts, Log } from "../observe/index.ts";
import type { CallbackRequest, HttpMethod } from "./callbacks.ts";
import type { CallStore } from "./ports.ts";
import type { CallRecord } from "./records.ts";
import { type Parameters, voiceParameters } from "./request-parameters.ts";

export type CallEvent = "initiated" | "ringing" | "answered" | "completed";

/** Where the progress of a call is told. */
export interface StatusCallback {
  readonly url: string;
  readonly method: HttpMethod;
  /** Empty: `completed` alone, as Twilio does. */
  readonly events: readonly string[];
}

export interface ReporterOptions {
  readonly record: CallRecord;
  readonly callback: StatusCallback | null;
  /** What an inbound call's webhooks also carry. */
  readonly sip: Parameters;
  readonly store: Pick<CallStore, "saveCall">;
  readonly clock: Clock;
  readonly log: Log;
  readonly alerts: Alerts;
}

/**
 * The row of one call: every change is saved together with the callback it owes, in order. A store that fails is
 * logged and raises an alert; the call goes on.
 */
export class StatusReporter {
  readonly #options: ReporterOptions;
  #record: CallRecord;
  #saved: Promise<void> = Promise.resolve();
  #alerted = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
    const { record, callback, sip } = options;
    this.#record = callback ? { ...record, reporting: { ...callback, sip, sequence: 0 } } : record;
  }

  get record(): CallRecord {
    return this.#record;
  }

  parameters(): Parameters {
    return voiceParameters(this.#record, this.#options.sip);
  }

  /** Saves the new row. @throws what the store throws: nothing is promised before it is durable */
  create(): Promise<void> {
    const created = this.#options.store.saveCall(this.#record, []);
    this.#saved = created.catch(() => undefined);
    return created;
  }

  /** Changes the row and tells of `event`, when there is a callback that wants it. */
  change(patch: Partial<CallRecord>, event?: CallEvent): void {
    this.#record = { ...this.#record, ...patch, dateUpdated: this.#options.clock.wallNow() };
    const { clock } = this.#options;
    const callbacks = event === undefined ? [] : callbacksOf(this.#record, event, clock.wallNow());
    const { reporting } = this.#record;
    if (reporting && event === "completed") this.#record = { ...this.#record, reporting: null };
    else if (reporting && callbacks.length > 0) {
      this.#record = { ...this.#record, reporting: { ...reporting, sequence: reporting.sequence + 1 } };
    }
    const record = this.#record;
    this.#saved = this.#saved
      .then(() => this.#options.store.saveCall(record, callbacks))
      .catch((error: unknown) => this.#failed(error));
  }

  /** Resolves when all that was changed is durable, or could not be made so. */
  flushed(): Promise<void> {
    return this.#saved;
  }

  #failed(error: unknown): void {
    const { log, alerts } = this.#options;
    log.error({ error, status: this.#record.status }, "call: its row could not be saved");
    if (this.#alerted) return;
    this.#alerted = true;
    alerts.raise({
      accountSid: this.#record.accountSid,
      errorCode: 20500,
      level: "error",
      text: "the state of a call could not be saved",
      callSid: this.#record.sid,
      resourceSid: this.#record.sid,
    });
  }
}

/** The callback that a call owes for this event, if somebody wants it; made of its row alone. */
export function callbacksOf(record: CallRecord, event: CallEvent, now: number): readonly CallbackRequest[] {
  const { reporting } = record;
  if (!reporting) return [];
  const { url, method, events, sip, sequence } = reporting;
  if (!(events.length === 0 ? event === "completed" : events.includes(event))) return [];
  const status = event === "initiated" ? "initiated" : record.status;
  const parameters: [string, string][] = [
    ...voiceParameters(record, sip, status).map(([name, value]): [string, string] => [name, value]),
    ["Timestamp", rfc2822(now)],
    ["CallbackSource", "call-progress-events"],
    ["SequenceNumber", String(sequence)],
  ];
  if (event === "completed") {
    const seconds = durationSeconds(record);
    parameters.push(["CallDuration", String(seconds)], ["Duration", String(Math.ceil(seconds / 60))]);
    if (record.sipStatus !== null) parameters.push(["SipResponseCode", String(record.sipStatus)]);
  }
  const { accountSid, sid: callSid } = record;
  return [{ accountSid, callSid, kind: "call-status", url, method, parameters }];
}

/** Seconds from answer to end, rounded up as carriers do; 0 for a call that nobody answered. */
export function durationSeconds(record: CallRecord): number {
  if (record.startTime === null || record.endTime === null) return 0;
  return Math.max(0, Math.ceil((record.endTime - record.startTime) / 1000));
}

/** `Thu, 30 Jul 2015 20:00:00 +0000`. */
export function rfc2822(time: number): string {
  return new Date(time).toUTCString().replace(/GMT$/, "+0000");
}
