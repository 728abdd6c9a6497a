import type { Timer } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import type { ClientContext } from "./context.ts";
import type { ForkMedia } from "./fork-media.ts";
import type { ForkReport } from "./fork-report.ts";
import type { IncomingSession } from "./incoming-session.ts";
import { RecorderAttempt } from "./recorder-attempt.ts";
import { type RecorderFailure, UNSECURED_CODE } from "./recorder-failure.ts";
import { RecorderRota } from "./recorder-rota.ts";
import type { ConnectorPlan, Recorder } from "./recorders.ts";
import type { RecordingSession } from "./recording-session.ts";

/** What comes of calling a recorder: an input of `fork-state.ts`, or a session. */
export interface ForkRecordersOptions {
  readonly context: ClientContext;
  readonly plan: ConnectorPlan;
  readonly media: ForkMedia;
  readonly report: ForkReport;
  readonly log: Log;
  /** The recorder called us: there is no other one, and none takes its place. */
  readonly incoming?: IncomingSession | undefined;
}

/** What one call of a recorder is made of at the moment it goes out. */
export type AttemptParts = Pick<
  ConstructorParameters<typeof RecorderAttempt>[0],
  "codecs" | "encryption" | "headers" | "owner"
>;

export interface AttemptOutcome {
  onAnswered(session: RecordingSession): void;
  onFailed(failure: RecorderFailure): void;
}

/** The recorders of one fork's connector: whose turn it is, the call that is out, and what has failed so far. */
export class ForkRecorders {
  readonly #options: ForkRecordersOptions;
  readonly #rota: RecorderRota;
  readonly #failures: RecorderFailure[] = [];
  #attempt: RecorderAttempt | undefined;
  #roundTimer: Timer | undefined;

  constructor(options: ForkRecordersOptions) {
    this.#options = options;
    const { context, plan } = options;
    // Those that asked for time come later, those that do not answer OPTIONS last.
    this.#rota = new RecorderRota(plan.recorders, context.clock, (recorders) =>
      context.health.ordered(plan, context.backoff.ordered(recorders)),
    );
  }

  get current(): Recorder {
    return this.#rota.current;
  }

  /** All there were, our own included; the last one is the verdict. */
  get failures(): readonly RecorderFailure[] {
    return this.#failures;
  }

  note(failure: RecorderFailure): void {
    this.#failures.push(failure);
  }

  /** Calls the recorder whose turn it is; `outcome` hears of it once. Until it answers `owner` hears nothing. */
  call(parts: AttemptParts, outcome: AttemptOutcome): void {
    const { context, log, plan, media, report } = this.#options;
    const recorder = this.current;
    const events = {
      onAnswered: (session: RecordingSession) => {
        this.#rota.answered();
        const { callId } = session.dialog;
        const details = { sipStatus: 200, errorCode: null, reason: null, callId };
        report.attempted({ recorder: recorder.shownUri, result: "answered", ...details });
        outcome.onAnswered(session);
      },
      onFailed: (failure: RecorderFailure) => outcome.onFailed(failure),
    };
    if (parts.encryption !== undefined && !recorder.secure && this.#isTooOpen(recorder, events.onFailed))
      return;
    const common = { ...parts, context, log, recorder, plan, media };
    const { incoming } = this.#options;
    if (incoming !== undefined) {
      incoming.answer(common, events);
      return;
    }
    this.#attempt = new RecorderAttempt({ ...common, ...events });
    this.#attempt.start();
  }

  /** A secured call and a recorder in the clear: said, or refused. */
  #isTooOpen({ shownUri }: Recorder, onFailed: (failure: RecorderFailure) => void): boolean {
    const { context, report, incoming } = this.#options;
    if (context.unsecuredCopies !== "refuse") {
      report.warn(UNSECURED_CODE, `${shownUri}: the call is encrypted, and its copy is not`, shownUri);
      return false;
    }
    incoming?.refuse(403);
    const text = `${shownUri}: the call is encrypted, and its copy would not be`;
    onFailed({ code: UNSECURED_CODE, text, tryNext: true });
    return true;
  }

  cancel(): void {
    this.#attempt?.cancel();
    this.#options.incoming?.cancel();
  }

  /** The recorder that was called failed. @returns the next one's turn has come */
  failed(failure: RecorderFailure): boolean {
    const { context, log, report } = this.#options;
    const { shownUri } = this.current;
    log.warn({ code: failure.code, status: failure.responseStatus }, `siprec: ${failure.text}`);
    this.note(failure);
    report.attempted({
      recorder: shownUri,
      result: "failed",
      sipStatus: failure.responseStatus ?? null,
      errorCode: failure.code,
      reason: failure.text,
    });
    if (failure.retryAfterMs !== undefined) context.backoff.note(this.current, failure.retryAfterMs);
    if (!failure.tryNext || !this.#rota.next()) return false;
    report.alert("warning", failure, `${failure.text}; the next recorder is called`, shownUri);
    return true;
  }

  /** The recorder that had the fork is gone. */
  lost(failure: RecorderFailure): void {
    this.note(failure);
    this.#options.report.lost(failure, this.current.shownUri);
  }

  /** Others of the list come first and at once; the lost one gets time to come back. @returns false: no more */
  nextRound(onDue: () => void): boolean {
    if (this.#options.incoming !== undefined) return false;
    const delayMs = this.#rota.again();
    if (delayMs === undefined) return false;
    this.stopWaiting();
    this.#roundTimer = this.#options.context.clock.setTimer(delayMs, () => {
      this.#roundTimer = undefined;
      onDue();
    });
    return true;
  }

  get isWaiting(): boolean {
    return this.#roundTimer !== undefined;
  }

  stopWaiting(): void {
    this.#roundTimer?.cancel();
    this.#roundTimer = undefined;
  }
}
