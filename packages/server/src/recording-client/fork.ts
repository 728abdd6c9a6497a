import type { SiprecRecord } from "../calls/index.ts";
import type { Log } from "../observe/index.ts";
import type { DialogEnd } from "../signalling/index.ts";
import type { CallDocument } from "./call-document.ts";
import { inviteHeaders, problemsOf } from "./connector-words.ts";
import { type ForkCodecs, forkCodecsOf } from "./fork-codecs.ts";
import type { ForkGaps } from "./fork-gaps.ts";
import type { ForkMedia } from "./fork-media.ts";
import { type ForkSetup, forkParts } from "./fork-parts.ts";
import type { ForkPause } from "./fork-pause.ts";
import type { ForkRecorders } from "./fork-recorders.ts";
import type { ForkReport } from "./fork-report.ts";
import { type ForkAction, type ForkInput, type ForkState, forkRow } from "./fork-state.ts";
import type { LossWatch } from "./loss-watch.ts";
import { sessionReasons } from "./metadata.ts";
import {
  BAD_ANSWER_CODE,
  BROKEN_CODE,
  failureOfEnd,
  INTERNAL_CODE,
  type RecorderFailure,
  UNREACHABLE_CODE,
  URI_PARAMETER_CODE,
} from "./recorder-failure.ts";
import { forkCodecs } from "./recording-offer.ts";
import type { RecordingSession, SessionOwner } from "./recording-session.ts";
import { labelsOf, type TrackLabel } from "./tracks.ts";
import type { UnrecordedWatch } from "./unrecorded-watch.ts";

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
  readonly #log: Log;
  readonly #report: ForkReport;
  readonly #media: ForkMedia;
  readonly #gaps: ForkGaps;
  readonly #losses: LossWatch;
  readonly #unrecorded: UnrecordedWatch;
  readonly #document: CallDocument;
  #state: ForkState = "Preparing";
  /** The row is durable and the recorder may be called. */
  #begun = false;
  #preparing = false;
  readonly #recorders: ForkRecorders;
  #session: RecordingSession | undefined;
  readonly #pause: ForkPause;
  #callOver = false;
  readonly #takeOff: readonly (() => void)[];
  #resolveOver: () => void = () => {};

  constructor(setup: ForkSetup) {
    const { record, tap } = setup;
    this.#setup = setup;
    this.sid = record.sid;
    // The limit is for what applications ask for, not for what an operator has recorded beside it.
    const isAskedFor = record.detail.parallelOf === null && setup.incoming === undefined;
    this.streams = isAskedFor ? labelsOf(record.track).length : 0;
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    const parts = forkParts(setup, {
      isLive: () => this.isLive,
      isReplacing: () => this.#isReplacing,
      isCallOver: () => this.#callOver,
      unreachable: (label, delivered) => this.#unreachable(label, delivered),
      pauseChanged: () => this.#tell(),
      broken: (text) => {
        this.#ourFault(text);
        this.#dispatch("broken");
      },
      warn: (code, text) => this.#warn(code, text),
    });
    this.#log = parts.log;
    this.#report = parts.report;
    this.#media = parts.media;
    this.#recorders = parts.recorders;
    this.#gaps = parts.gaps;
    this.#pause = parts.pause;
    this.#losses = parts.losses;
    this.#document = parts.document;
    this.#unrecorded = parts.unrecorded;
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

  /** Ends one that has not begun, and of which nobody is to hear. */
  drop(): void {
    this.#report.refuse();
    this.#dispatch("stop");
  }

  /** Resolves when that is durable. */
  async stop(): Promise<SiprecRecord> {
    this.#dispatch("stop");
    await this.#report.durable;
    return this.record;
  }

  /** Resolves when not one packet leaves any more, and that is durable. @throws SiprecOverError */
  async pause(): Promise<SiprecRecord> {
    await this.#pause.begin();
    return this.record;
  }

  /** Resolves when that is durable; packets flow when the recorder has agreed. @throws SiprecOverError */
  async resume(): Promise<SiprecRecord> {
    await this.#pause.end();
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
    if (!this.isLive) {
      this.#document.freeze();
      this.#unrecorded.stop();
      this.#indicate();
    }
    for (const action of row.do) this.#do(action);
    if (this.#state === "Stopped") this.#finish();
  }

  /** A mistake of ours ends the fork, never the call. */
  #do(action: ForkAction): void {
    try {
      this.#actions[action]();
    } catch (error) {
      this.#log.error({ err: error, action }, "siprec: an action failed");
      this.#ourFault("an error of this node");
      if (this.isLive) this.#dispatch("broken");
    }
  }

  readonly #actions: Readonly<Record<ForkAction, () => void>> = {
    prepare: () => void this.#prepare(),
    invite: () => this.#invite(),
    cancelInvite: () => this.#recorders.cancel(),
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
    if (this.#state !== "Preparing" || !this.#begun || this.#preparing || this.#recorders.isWaiting) return;
    const leg = tap.mediaLeg();
    if (leg === undefined || forkCodecs(tap).length === 0) return;
    this.#unrecorded.missing(); // not before: while it rings there is nothing to record
    if (this.#codecs.offered.length === 0) {
      const text = `the call has none of the codecs that connector ${this.record.connectorName} takes`;
      this.#recorders.note({ code: BAD_ANSWER_CODE, text, tryNext: false });
      this.#dispatch("unprepared");
      return;
    }
    this.#preparing = true;
    try {
      await this.#media.open(leg, this.#recorders.current);
    } catch (error) {
      this.#log.error({ err: error }, "siprec: no ports");
      this.#ourFault("no media ports for the fork");
      this.#dispatch("unprepared");
      return;
    } finally {
      this.#preparing = false;
    }
    this.#dispatch("ready");
  }

  #invite(): void {
    const { tap, plan, identity } = this.#setup;
    const { calls } = this.#setup.context;
    const call = calls.find(this.record.callSid)?.record();
    const { headers, problems } = inviteHeaders(plan, this.record, call);
    for (const problem of problems) this.#warn(URI_PARAMETER_CODE, problem);
    let session: RecordingSession | undefined;
    const owner: SessionOwner = {
      codecs: () => this.#codecs,
      snapshot: () => this.#document.snapshot(),
      cname: (label) => identity.cname(label),
      isPaused: () => this.#pause.isOn,
      warn: (code, text) => this.#warn(code, text),
      unusable: (text) => {
        if (session === this.#session) this.#useless(BROKEN_CODE, text);
      },
      ended: (end) => {
        if (session === this.#session) this.#sessionEnded(end);
      },
    };
    this.#recorders.call(
      { codecs: this.#codecs, encryption: tap.encryption(), headers, owner },
      {
        onAnswered: (answered) => {
          session = answered;
          this.#session = answered;
          this.#dispatch("answered");
        },
        onFailed: (failure) => this.#attemptFailed(failure),
      },
    );
  }

  get #codecs(): ForkCodecs {
    return forkCodecsOf(forkCodecs(this.#setup.tap), this.#setup.plan.settings.codecs);
  }

  #attemptFailed(failure: RecorderFailure): void {
    if (this.#state !== "Inviting") {
      this.#dispatch("exhausted"); // our CANCEL has done its work
      return;
    }
    if (this.#recorders.failed(failure)) this.#dispatch("nextRecorder");
    else this.#dispatch(failure.tryNext && this.#hasStarted ? "nextRound" : "exhausted");
  }

  #startMedia(): void {
    this.#indicate(); // before the first packet is copied (RFC 7866 §6.1.2)
    this.#session?.start();
    this.#unrecorded.recorded();
    this.#losses.start();
    this.#session?.changed(); // while the recorder thought about it, perhaps
  }

  #saveStarted(): void {
    const { shownUri } = this.#recorders.current;
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
    this.#report.ended(how, this.#recorders.failures, this.#recorders.current.shownUri);
    this.#unrecorded.givenUp();
  }

  async #closeMedia(): Promise<void> {
    this.#recorders.stopWaiting();
    this.#losses.stop();
    const missed = this.#gaps.end();
    await this.#media.close();
    this.#report.counted(await this.#media.report(), await missed);
  }

  #sendBye(): void {
    const over = () => this.#dispatch("over");
    const reasons = sessionReasons(this.#setup.tap.reasons());
    (this.#session?.bye(this.#callOver, reasons) ?? Promise.resolve()).then(over, over);
  }

  #callEnded(): void {
    this.#callOver = true;
    this.#document.freeze();
    this.#dispatch("stop");
  }

  #sessionEnded(end: DialogEnd): void {
    if (end.by === "local" && end.cause === "bye") return; // our own BYE: over when it is answered
    const isRecordersWill = this.#setup.incoming !== undefined && end.by === "remote" && end.cause === "bye";
    if (end.cause === "stopped" || isRecordersWill) {
      this.#dispatch("stop"); // the node goes down in order, or who began it has ended it
      return;
    }
    if (this.#state === "Recording") {
      this.#recorders.lost(failureOfEnd(this.#recorders.current.shownUri, end));
    }
    this.#dispatch("recorderGone");
  }

  #useless(code: number, text: string): void {
    if (this.#state !== "Recording") return;
    this.#recorders.lost({ code, text: `${this.#recorders.current.shownUri}: ${text}`, tryNext: true });
    this.#dispatch("recorderUseless");
  }

  #ourFault(text: string): void {
    this.#recorders.note({ code: INTERNAL_CODE, text, tryNext: false });
  }

  #beginGap(): void {
    this.#unrecorded.missing();
    this.#media.hold();
    if (!this.#pause.isOn) this.#gaps.begin(this.#recorders.failures.at(-1)?.text ?? "the recorder was lost");
    this.#losses.stop();
  }

  #leaveRecorder(): void {
    const left = this.#session;
    this.#session = undefined;
    void left?.bye(false).catch(() => {});
  }

  #replace(): void {
    this.#session = undefined;
    const isDue = this.#recorders.nextRound(() => {
      if (this.#state === "Preparing") this.#do("prepare");
    });
    if (!isDue) this.#dispatch("exhausted");
  }

  /** The call has changed: media came up, another codec, another party, a hold. */
  #changed(): void {
    this.#report.refreshVoice();
    if (this.#state === "Preparing") this.#do("prepare");
    if (this.#setup.tap.mediaLeg() === undefined) return;
    this.#document.note();
    if (this.#state === "Recording") this.#session?.changed();
  }

  /** The call tells its parties whether they are recorded: from the first answer on, also between two recorders. */
  #indicate(): void {
    const isUp = this.isLive && (this.#state === "Recording" || this.#hasStarted);
    const state = this.#pause.isOn ? "paused" : "on";
    this.#setup.tap.recordingChanged(this.sid, isUp ? state : "off");
  }

  /** A pause or its end: at once. */
  #tell(): void {
    this.#indicate();
    this.#document.note();
    if (this.#state === "Recording") this.#session?.changed({ atOnce: true });
  }

  #unreachable(label: TrackLabel, delivered: number | undefined): void {
    if (this.#state !== "Recording") return;
    const text = `nobody listens at the recorder's port for the ${label} track`;
    const finding = this.#gaps.unreachable(label, delivered);
    if (finding === "confirmed") this.#useless(UNREACHABLE_CODE, text);
    if (finding !== "first") return;
    this.#log.warn({ track: label }, `siprec: ${text}`);
    this.#warn(UNREACHABLE_CODE, text);
  }

  #warn(code: number, text: string): void {
    this.#report.warn(code, text, this.#recorders.current.shownUri);
  }

  #finish(): void {
    this.#setup.incoming?.refuse(480);
    for (const takeOff of this.#takeOff) takeOff();
    this.#resolveOver();
  }
}
