import type {
  CallbackRequest,
  SiprecAttempt,
  SiprecDetail,
  SiprecGap,
  SiprecRecord,
  SiprecTrackReport,
} from "../calls/index.ts";
import type { Log } from "../observe/index.ts";
import type { ClientContext } from "./context.ts";
import { BROKEN_CODE, INTERNAL_CODE, type RecorderFailure } from "./recorder-failure.ts";
import { siprecCallback } from "./siprec-callbacks.ts";
import { SiprecRow } from "./siprec-row.ts";

/** Alerts one fork may raise as warnings, so that a recorder cannot fill the debugger. */
const MAXIMUM_WARNINGS = 20;

/** What a row keeps of its history. */
const MAXIMUM_ATTEMPTS = 50;
const MAXIMUM_SPANS = 200;

/** What others learn of one fork: its row with the callbacks it owes, alerts, metrics. */
export class ForkReport {
  readonly #context: ClientContext;
  readonly #log: Log;
  readonly #row: SiprecRow;
  /** The call's voice parameters, the last known when the call is gone. */
  #voice: readonly (readonly [string, string])[] = [];
  readonly #warned = new Set<string>();
  /** The store did not take the row: nobody is told of this fork but the one who asked. */
  #refused = false;
  #lastSave: Promise<void> = Promise.resolve();

  constructor(context: ClientContext, record: SiprecRecord, log: Log) {
    this.#context = context;
    this.#log = log;
    this.#row = new SiprecRow(context.store, context.clock, log, record);
    this.refreshVoice();
  }

  get record(): SiprecRecord {
    return this.#row.record;
  }

  /** The last change as far as the store is concerned; rejects when it did not take it yet. */
  get durable(): Promise<void> {
    return this.#lastSave;
  }

  refreshVoice(): void {
    const call = this.#context.calls.find(this.record.callSid);
    if (call !== undefined) this.#voice = call.requestParameters();
  }

  /** @throws what the store rejects with; then nothing more is reported */
  async accepted(): Promise<void> {
    try {
      await this.#row.change({}, []);
    } catch (error) {
      this.refuse();
      throw error;
    }
  }

  /** Nothing more is written or told. */
  refuse(): void {
    this.#row.abandon();
    this.#refused = true;
  }

  /** A recorder was called and has answered, or has not. It is written with the next change. */
  attempted(attempt: Omit<SiprecAttempt, "time">): void {
    const attempts = [...this.record.detail.attempts, { time: this.#now(), ...attempt }].slice(
      -MAXIMUM_ATTEMPTS,
    );
    this.#amend({ attempts });
    this.#context.onAttempt?.(this.record.connectorName, attempt.result);
  }

  started(recorderUri: string): void {
    const now = this.#now();
    this.#save({ startTime: now, recorderUri }, this.#callback("siprec-started", now));
    this.#log.info({ recorder: recorderUri }, "siprec: recording");
    this.#context.onStarted?.();
  }

  /** Another recorder, or the same one again, goes on where one was lost. */
  recovered(recorderUri: string, gap: SiprecGap | undefined): void {
    const now = this.#now();
    const ms = gap === undefined ? 0 : (gap.until ?? now) - gap.from;
    const packets = gap?.packets ?? 0;
    if (gap !== undefined) this.missed(gap);
    const details: [string, string][] = [
      ["SiprecGapMs", String(ms)],
      ["SiprecGapPackets", String(packets)],
      ["SiprecRecorder", recorderUri],
    ];
    this.#save({ recorderUri }, this.#callback("siprec-recovered", now, undefined, details));
    const text = `${recorderUri} goes on; ${ms} ms were not recorded, ${packets} packets`;
    this.#log.warn({ recorder: recorderUri, ms, packets }, `siprec: ${text}`);
    this.alert("warning", { code: BROKEN_CODE }, text, recorderUri);
  }

  /** A gap that ended by a pause, or by the end. It is written with the next change. */
  missed(gap: SiprecGap): void {
    this.#amend({ gaps: [...this.record.detail.gaps, gap].slice(-MAXIMUM_SPANS) });
    this.#context.onMissed?.(this.record.connectorName, gap.packets);
  }

  /** The recorder that had the fork is gone; another one is looked for. */
  lost(failure: RecorderFailure, recorderUri: string): void {
    const text = `${failure.text}; it is replaced`;
    this.#log.warn({ code: failure.code }, `siprec: ${text}`);
    this.alert("warning", failure, text, recorderUri);
    this.#context.onAttempt?.(this.record.connectorName, "lost");
  }

  paused(): void {
    const now = this.#now();
    const pauses = [...this.record.detail.pauses, { from: now, until: null }].slice(-MAXIMUM_SPANS);
    this.#amend({ pauses });
    this.#save({ status: "paused" }, this.#callback("siprec-paused", now));
    this.#log.info({}, "siprec: paused");
  }

  resumed(): void {
    const now = this.#now();
    this.#endPause(now);
    this.#save({ status: "in-progress" }, this.#callback("siprec-resumed", now));
    this.#log.info({}, "siprec: resumed");
  }

  stopped(): void {
    if (this.#refused) return;
    const now = this.#now();
    this.#endPause(now);
    this.#save({ status: "stopped", endTime: now }, this.#callback("siprec-stopped", now));
    this.#log.info({}, "siprec: stopped");
    this.#context.onEnded?.("completed", this.record.startTime !== null);
  }

  /**
   * `failed`: it never started, and the error is its end. `lost`: it broke off, and has stopped by that.
   *
   * @param failures - all there were; the last one is the verdict
   */
  ended(how: "failed" | "lost", failures: readonly RecorderFailure[], recorderUri: string): void {
    const now = this.#now();
    this.#endPause(now);
    const problem = failures.at(-1) ?? { code: INTERNAL_CODE, text: "an error of this node" };
    const callbacks = [
      ...this.#callback("siprec-error", now, problem),
      ...(how === "lost" ? this.#callback("siprec-stopped", now) : []),
    ];
    const changes = { endTime: now, errorCode: problem.code, errorMessage: problem.text };
    this.#save({ status: "stopped", ...changes }, callbacks);
    this.#log.warn({ code: problem.code }, `siprec: ${how}: ${problem.text}`);
    const before = failures.length - 1;
    const text =
      before > 0 ? `${problem.text} (after ${before} other${before > 1 ? "s" : ""})` : problem.text;
    this.alert(how === "failed" ? "error" : "warning", problem, text, recorderUri);
    this.#context.onEnded?.(how, this.record.startTime !== null);
  }

  /** The last counters, after the end. */
  counted(tracks: readonly SiprecTrackReport[], gap: SiprecGap | undefined): void {
    if (this.#refused || (gap === undefined && tracks.every(({ packets }) => packets === 0))) return;
    if (gap !== undefined) this.missed(gap);
    this.#amend({ tracks });
    this.#save({}, []);
  }

  /** Said once a text. */
  warn(code: number, text: string, recorderUri: string): void {
    if (this.#warned.has(text) || this.#warned.size >= MAXIMUM_WARNINGS) return;
    this.#warned.add(text);
    this.alert("warning", { code }, text, recorderUri);
  }

  alert(
    level: "error" | "warning",
    problem: Pick<RecorderFailure, "code" | "responseStatus" | "responseText">,
    text: string,
    recorderUri: string,
  ): void {
    const { accountSid, callSid, sid } = this.record;
    this.#context.alerts.raise({
      accountSid,
      errorCode: problem.code,
      level,
      text,
      callSid,
      resourceSid: sid,
      requestMethod: "INVITE",
      requestUrl: recorderUri,
      responseStatus: problem.responseStatus,
      responseBody: problem.responseText,
    });
  }

  #now(): number {
    return this.#context.clock.wallNow();
  }

  #callback(
    event: Parameters<typeof siprecCallback>[1],
    now: number,
    problem?: Parameters<typeof siprecCallback>[4],
    details?: Parameters<typeof siprecCallback>[5],
  ): readonly CallbackRequest[] {
    this.refreshVoice();
    return siprecCallback(this.record, event, this.#voice, now, problem, details);
  }

  #amend(changes: Partial<SiprecDetail>): void {
    this.#row.amend({ detail: { ...this.record.detail, ...changes } });
  }

  #endPause(now: number): void {
    const { pauses } = this.record.detail;
    if (pauses.at(-1)?.until !== null) return;
    this.#amend({ pauses: pauses.map((span) => (span.until === null ? { ...span, until: now } : span)) });
  }

  #save(changes: Partial<SiprecRecord>, callbacks: readonly CallbackRequest[]): void {
    this.#lastSave = this.#row.change(changes, callbacks);
    this.#lastSave.catch(() => {}); // logged and tried again by the row
  }
}
