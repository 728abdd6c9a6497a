import type { CallTap, SiprecRecord } from "../calls/index.ts";
import type { Timer } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import type { DialogEnd } from "../signalling/index.ts";
import { CallDocument } from "./call-document.ts";
import type { CallIdentity } from "./call-identity.ts";
import { extensionsOf, parameterHeaders, problemsOf } from "./connector-words.ts";
import type { ClientContext } from "./context.ts";
import { SiprecOverError } from "./errors.ts";
import { ForkGaps } from "./fork-gaps.ts";
import { ForkMedia } from "./fork-media.ts";
import { ForkReport } from "./fork-report.ts";
import { type ForkAction, type ForkInput, type ForkState, forkRow } from "./fork-state.ts";
import { LossWatch } from "./loss-watch.ts";
import { RecorderAttempt } from "./recorder-attempt.ts";
import {
  BROKEN_CODE,
  DISCARDED_CODE,
  failureOfEnd,
  INTERNAL_CODE,
  type RecorderFailure,
  UNREACHABLE_CODE,
  URI_PARAMETER_CODE,
} from "./recorder-failure.ts";
import { RecorderRota } from "./recorder-rota.ts";
import type { ConnectorPlan, Recorder } from "./recorders.ts";
import { forkCodecs } from "./recording-offer.ts";
import type { RecordingSession } from "./recording-session.ts";
import { labelsOf } from "./tracks.ts";

export interface ForkSetup {
  readonly context: ClientContext;
  readonly record: SiprecRecord;
  readonly plan: ConnectorPlan;
  readonly tap: CallTap;
  readonly identity: CallIdentity;
}

/**
 * One fork of a call: carries out what the table of `fork-state.ts` says. It only ever listens to the call; whatever
 * happens to the recorder, the media plane or the store ends here.
 */
export class Fork {
  readonly sid: string;
  /** Forked streams it counts for. */
  readonly streams: number;
  /** Resolves when nothing of it is left, the recorder's answer to BYE included. */
  readonly over: Promise<void>;
  readonly #setup: ForkSetup;
  readonly #context: ClientContext;
  readonly #log: Log;
  readonly #report: ForkReport;
  readonly #media: ForkMedia;
  readonly #gaps: ForkGaps;
  readonly #losses: LossWatch;
  readonly #document: CallDocument;
  #state: ForkState = "Preparing";
  /** The row is durable and the recorder may be called. */
  #begun = false;
  #preparing = false;
  readonly #rota: RecorderRota;
  #roundTimer: Timer | undefined;
  readonly #failures: RecorderFailure[] = [];
  #attempt: RecorderAttempt | undefined;
  #session: RecordingSession | undefined;
  #isPaused = false;
  #fence: Promise<void> = Promise.resolve();
  #callOver = false;
  readonly #takeOff: readonly (() => void)[];
  #resolveOver: () => void = () => {};

  constructor(setup: ForkSetup) {
    const { context, record, tap, identity, plan } = setup;
    this.#setup = setup;
    this.#context = context;
    this.sid = record.sid;
    // Those that asked for time come later, those that do not answer OPTIONS last.
    this.#rota = new RecorderRota(plan.recorders, context.clock, (recorders) =>
      context.health.ordered(plan, context.backoff.ordered(recorders)),
    );
    const labels = labelsOf(record.track);
    this.streams = labels.length;
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    const call = context.calls.find(record.callSid)?.record();
    const callId = call?.sipCallId ?? null;
    this.#log = context.log.child({ callSid: record.callSid, callId, siprecSid: record.sid });
    this.#report = new ForkReport(context, record, this.#log);
    this.#media = new ForkMedia({
      media: context.media,
      clock: context.clock,
      log: this.#log,
      labels,
      onUnreachable: (label) => this.#unreachable(label),
      onLost: () => {
        this.#failures.push({ code: INTERNAL_CODE, text: "a media worker was lost", tryNext: false });
        this.#dispatch("broken");
      },
    });
    this.#gaps = new ForkGaps(this.#media, context.clock);
    this.#losses = new LossWatch({
      media: this.#media,
      clock: context.clock,
      thresholdPercent: context.limits.lossAlertPercent,
      onLoss: (label, percent) =>
        this.#warn(DISCARDED_CODE, `the recorder reports that ${percent} % of the ${label} track is lost`),
    });
    this.#document = new CallDocument({
      context,
      tap,
      identity,
      record,
      extensions: extensionsOf(plan, record, call, context.extensionNamespace),
      isPaused: () => this.#isPaused,
    });
    this.#takeOff = [tap.onChange(() => this.#changed()), tap.onEnded(() => this.#callEnded())];
  }

  get record(): SiprecRecord {
    return this.#report.record;
  }

  /** Counts against the call's limits, and its name is taken. */
  get isLive(): boolean {
    return this.#state !== "Stopping" && this.#state !== "Stopped";
  }

  /** Saves the row; then the recorder is called. @throws what the store rejects with: then there is no fork */
  async begin(): Promise<void> {
    try {
      await this.#report.accepted();
    } catch (error) {
      this.#dispatch("stop");
      throw error;
    }
    if (!this.isLive) return;
    const { connectorName, track } = this.record;
    this.#log.info({ connectorName, track, name: this.record.name }, "siprec: fork accepted");
    this.#begun = true;
    for (const { code, text } of problemsOf(this.#setup.plan)) this.#warn(code, text);
    this.#do("prepare");
  }

  /** Resolves when that is durable. */
  async stop(): Promise<SiprecRecord> {
    this.#dispatch("stop");
    await this.#report.durable;
    return this.record;
  }

  /** Resolves when not one packet leaves any more, and that is durable. @throws SiprecOverError */
  async pause(): Promise<SiprecRecord> {
    if (!this.isLive) throw new SiprecOverError("the fork has ended");
    if (!this.#isPaused) {
      this.#isPaused = true;
      this.#fence = this.#media.fence();
      this.#tell();
      const missed = this.#gaps.end();
      try {
        await this.#fence;
      } catch (error) {
        // What cannot be fenced is closed: a pause that is not certain is none.
        this.#log.error({ err: error }, "siprec: the media plane did not confirm the pause");
        this.#failures.push({ code: INTERNAL_CODE, text: "a pause could not be confirmed", tryNext: false });
        this.#dispatch("broken");
        throw error;
      }
      const gap = await missed;
      if (gap !== undefined) this.#report.missed(gap);
      if (this.isLive && this.#isPaused) this.#report.paused();
    }
    await this.#fence;
    await this.#report.durable;
    return this.record;
  }

  /** Resolves when that is durable; packets flow when the recorder has agreed. @throws SiprecOverError */
  async resume(): Promise<SiprecRecord> {
    if (!this.isLive) throw new SiprecOverError("the fork has ended");
    await this.#fence.catch(() => {});
    if (this.isLive && this.#isPaused) {
      this.#isPaused = false;
      this.#tell();
      if (this.#isReplacing) this.#gaps.begin("the recorder was lost");
      this.#report.resumed();
    }
    await this.#report.durable;
    return this.record;
  }

  /** The row with the counters of now. */
  async inspect(): Promise<SiprecRecord> {
    const tracks = await this.#media.report();
    return { ...this.record, detail: { ...this.record.detail, tracks } };
  }

  #dispatch(input: ForkInput): void {
    const row = forkRow(this.#state, input);
    if (row === undefined) {
      this.#log.debug({ state: this.#state, input }, "siprec: no effect");
      return;
    }
    this.#log.debug({ from: this.#state, input, to: row.to }, "siprec: state");
    this.#state = row.to;
    if (!this.isLive) this.#document.freeze();
    for (const action of row.do) this.#do(action);
    if (this.#state === "Stopped") this.#finish();
  }

  /** A mistake of ours ends the fork, never the call. */
  #do(action: ForkAction): void {
    try {
      this.#actions[action]();
    } catch (error) {
      this.#log.error({ err: error, action }, "siprec: an action failed");
      this.#failures.push({ code: INTERNAL_CODE, text: "an error of this node", tryNext: false });
      if (this.isLive) this.#dispatch("broken");
    }
  }

  readonly #actions: Readonly<Record<ForkAction, () => void>> = {
    prepare: () => void this.#prepare(),
    invite: () => this.#invite(),
    cancelInvite: () => this.#attempt?.cancel(),
    startMedia: () => this.#startMedia(),
    closeMedia: () => void this.#closeMedia(),
    saveStarted: () => this.#saveStarted(),
    saveStopped: () => this.#report.stopped(),
    saveFailed: () => this.#saveEnded(this.#hasStarted ? "lost" : "failed"),
    saveLost: () => this.#saveEnded("lost"),
    sendBye: () => this.#sendBye(),
    beginGap: () => this.#beginGap(),
    leaveRecorder: () => this.#leaveRecorder(),
    replace: () => this.#replace(),
  };

  get #hasStarted(): boolean {
    return this.record.startTime !== null;
  }

  get #isReplacing(): boolean {
    return this.#hasStarted && (this.#state === "Preparing" || this.#state === "Inviting");
  }

  /** Waits for the call's media, whose news comes as a change of the tap, and for ports. */
  async #prepare(): Promise<void> {
    const { tap } = this.#setup;
    if (this.#state !== "Preparing" || !this.#begun || this.#preparing || this.#roundTimer !== undefined)
      return;
    const leg = tap.mediaLeg();
    if (leg === undefined || forkCodecs(tap).length === 0) return;
    this.#preparing = true;
    try {
      await this.#media.open(leg, this.#recorder.address);
    } catch (error) {
      this.#log.error({ err: error }, "siprec: no ports");
      this.#failures.push({ code: INTERNAL_CODE, text: "no media ports for the fork", tryNext: false });
      this.#dispatch("unprepared");
      return;
    } finally {
      this.#preparing = false;
    }
    this.#dispatch("ready");
  }

  get #recorder(): Recorder {
    return this.#rota.current;
  }

  #invite(): void {
    const recorder = this.#recorder;
    const { tap, plan } = this.#setup;
    const { headers, problems } = parameterHeaders(plan, this.record.parameters);
    for (const problem of problems) this.#warn(URI_PARAMETER_CODE, problem);
    let session: RecordingSession | undefined;
    this.#attempt = new RecorderAttempt({
      context: this.#context,
      log: this.#log,
      recorder,
      plan,
      media: this.#media,
      codecs: forkCodecs(tap),
      encryption: tap.encryption(),
      headers,
      owner: {
        codecs: () => forkCodecs(tap),
        snapshot: () => this.#document.snapshot(),
        cname: (label) => this.#setup.identity.cname(label),
        isPaused: () => this.#isPaused,
        warn: (code, text) => this.#warn(code, text),
        unusable: (text) => {
          if (session === this.#session) this.#useless(BROKEN_CODE, text);
        },
        ended: (end) => {
          if (session === this.#session) this.#sessionEnded(end);
        },
      },
      onAnswered: (answered) => {
        session = answered;
        this.#session = answered;
        this.#rota.answered();
        const details = { sipStatus: 200, errorCode: null, reason: null };
        this.#report.attempted({ recorder: recorder.shownUri, result: "answered", ...details });
        this.#dispatch("answered");
      },
      onFailed: (failure) => this.#attemptFailed(failure),
    });
    this.#attempt.start();
  }

  #attemptFailed(failure: RecorderFailure): void {
    if (this.#state !== "Inviting") {
      this.#dispatch("exhausted"); // our CANCEL has done its work
      return;
    }
    this.#log.warn({ code: failure.code, status: failure.responseStatus }, `siprec: ${failure.text}`);
    this.#failures.push(failure);
    this.#report.attempted({
      recorder: this.#recorder.shownUri,
      result: "failed",
      sipStatus: failure.responseStatus ?? null,
      errorCode: failure.code,
      reason: failure.text,
    });
    if (failure.retryAfterMs !== undefined) this.#context.backoff.note(this.#recorder, failure.retryAfterMs);
    const { shownUri } = this.#recorder;
    if (!failure.tryNext || !this.#rota.next()) {
      this.#dispatch(failure.tryNext && this.#hasStarted ? "nextRound" : "exhausted");
      return;
    }
    this.#report.alert("warning", failure, `${failure.text}; the next recorder is called`, shownUri);
    this.#dispatch("nextRecorder");
  }

  #startMedia(): void {
    this.#session?.start();
    this.#losses.start();
    this.#session?.changed(); // while the recorder thought about it, perhaps
  }

  #saveStarted(): void {
    const { shownUri } = this.#recorder;
    if (!this.#hasStarted) {
      this.#report.started(shownUri);
      return;
    }
    void this.#gaps.end().then((gap) => {
      if (this.isLive) this.#report.recovered(shownUri, gap);
      else if (gap !== undefined) this.#report.missed(gap);
    });
  }

  #saveEnded(how: "failed" | "lost"): void {
    this.#report.ended(how, this.#failures, this.#recorder.shownUri);
  }

  async #closeMedia(): Promise<void> {
    this.#roundTimer?.cancel();
    this.#losses.stop();
    const missed = this.#gaps.end();
    await this.#media.close();
    this.#report.counted(await this.#media.report(), await missed);
  }

  #sendBye(): void {
    const over = () => this.#dispatch("over");
    (this.#session?.bye(this.#callOver) ?? Promise.resolve()).then(over, over);
  }

  #callEnded(): void {
    this.#callOver = true;
    this.#document.freeze();
    this.#dispatch("stop");
  }

  #sessionEnded(end: DialogEnd): void {
    if (end.by === "local" && end.cause === "bye") return; // our own BYE: over when it is answered
    if (end.cause === "stopped") {
      this.#dispatch("stop"); // the node goes down in order
      return;
    }
    if (this.#state === "Recording") this.#lost(failureOfEnd(this.#recorder.shownUri, end));
    this.#dispatch("recorderGone");
  }

  #useless(code: number, text: string): void {
    if (this.#state !== "Recording") return;
    this.#lost({ code, text: `${this.#recorder.shownUri}: ${text}`, tryNext: true });
    this.#dispatch("recorderUseless");
  }

  #lost(failure: RecorderFailure): void {
    this.#failures.push(failure);
    this.#report.lost(failure, this.#recorder.shownUri);
  }

  #beginGap(): void {
    if (!this.#isPaused) this.#gaps.begin(this.#failures.at(-1)?.text ?? "the recorder was lost");
    this.#media.hold();
    this.#losses.stop();
  }

  #leaveRecorder(): void {
    const left = this.#session;
    this.#session = undefined;
    void left?.bye(false).catch(() => {});
  }

  /** Others of the list come first and at once; the lost one gets time to come back. */
  #replace(): void {
    this.#session = undefined;
    const delayMs = this.#rota.again();
    if (delayMs === undefined) {
      this.#dispatch("exhausted");
      return;
    }
    this.#roundTimer?.cancel();
    this.#roundTimer = this.#context.clock.setTimer(delayMs, () => {
      this.#roundTimer = undefined;
      if (this.#state === "Preparing") this.#do("prepare");
    });
  }

  /** The call has changed: media came up, another codec, another party, a hold. */
  #changed(): void {
    this.#report.refreshVoice();
    if (this.#state === "Preparing") this.#do("prepare");
    if (this.#setup.tap.mediaLeg() === undefined) return;
    this.#document.note();
    if (this.#state === "Recording") this.#session?.changed();
  }

  /** A pause or its end: at once. */
  #tell(): void {
    this.#document.note();
    if (this.#state === "Recording") this.#session?.changed({ atOnce: true });
  }

  #unreachable(label: string): void {
    if (this.#state !== "Recording") return;
    const text = `nobody listens at the recorder's port for the ${label} track`;
    const finding = this.#gaps.unreachable();
    if (finding === "confirmed") this.#useless(UNREACHABLE_CODE, text);
    if (finding !== "first") return;
    this.#log.warn({ track: label }, `siprec: ${text}`);
    this.#warn(UNREACHABLE_CODE, text);
  }

  #warn(code: number, text: string): void {
    this.#report.warn(code, text, this.#recorder.shownUri);
  }

  #finish(): void {
    for (const takeOff of this.#takeOff) takeOff();
    this.#resolveOver();
  }
}
