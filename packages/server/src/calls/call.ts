import type { CodecCapability, NegotiatedMedia } from "@callfork/protocol/offer-answer";
import type { SessionDescription } from "@callfork/protocol/sdp";
import type { MediaEvent } from "../media/index.ts";
import type { Timer } from "../net/index.ts";
import { type Log, PlatformError } from "../observe/index.ts";
import { CallRecording } from "./call-recording.ts";
import type { Conversation } from "./conversation.ts";
import { OWN_CODECS } from "./descriptions.ts";
import { Dial } from "./dial.ts";
import { finalStatus, type LegEnd, refusalStatus } from "./end-status.ts";
import type { House } from "./house.ts";
import { IncomingLeg } from "./incoming-leg.ts";
import type { Leg, LegObserver } from "./leg.ts";
import { LegMedia } from "./leg-media.ts";
import { securityFor } from "./media-security.ts";
import { OutgoingLeg } from "./outgoing-leg.ts";
import type { CallControl, CallParty, DialOptions, DialResult, DocumentSource } from "./ports.ts";
import type { NoticeChoice } from "./recording-policy.ts";
import type { CallRecord } from "./records.ts";
import type { Parameters } from "./request-parameters.ts";
import { newDescriptionId } from "./sid.ts";
import { type StatusCallback, StatusReporter } from "./status-reporter.ts";
import { Tap } from "./tap.ts";

/** Who runs a call that we make: a `<Dial>`, or the REST request that placed it. */
export interface CallOwner {
  ringing?(): void;
  earlyMedia(description: SessionDescription): void;
  answered(description: SessionDescription | undefined): void;
  ended(end: LegEnd): void;
  /** The call got a document of its own and is no longer the owner's. */
  taken?(): void;
  /** Somebody may answer in the callee's place (RFC 3891): with these codecs, and is told when that is done. */
  readonly pickUp?: { codecs(): readonly CodecCapability[]; done(): void };
}

export interface CallSetup<L extends Leg> {
  readonly record: CallRecord;
  /** The SID whose media worker carries it. */
  readonly group: string;
  readonly callback: StatusCallback | null;
  readonly sip: Parameters;
  readonly party: CallParty;
  readonly dialled: CallParty;
  readonly sipSessionId?: string | undefined;
  /** Max-Forwards of the legs that this call makes. */
  readonly hopsLeft: number;
  readonly timeLimitSeconds: number | null;
  /** How its party hears that it is recorded. */
  readonly notice: NoticeChoice;
  /** Its media is to be SRTP, or it does not come about. */
  readonly isSecure?: boolean;
  readonly makeLeg: (media: LegMedia, observer: LegObserver, log: Log) => L;
}

/**
 * One call: its leg, its row, its tap, and what runs on it. It decides nothing by itself but when it is over; the leg
 * speaks SIP, `Dial` bridges, the director says what is done.
 */
export class Call<L extends Leg = Leg> implements CallControl {
  readonly sid: string;
  readonly accountSid: string;
  readonly tap: Tap;
  readonly reporter: StatusReporter;
  readonly recording: CallRecording;
  /** Names the call on every line; the Call-ID too, as soon as there is one. */
  log: Log;
  readonly group: string;
  readonly hopsLeft: number;
  readonly notice: NoticeChoice;
  owner: CallOwner | undefined;
  /** Whom it talks to, while bridged. */
  conversation: Conversation | undefined;
  #leg: Leg;
  /** The leg was replaced before its callee answered. */
  #pickedUp = false;
  readonly #house: House;
  readonly #timeLimitSeconds: number;
  #program = new AbortController();
  #answering: Promise<void> | undefined;
  #timer: Timer | undefined;
  #dialled: Pick<DialResult, "dialCallStatus"> & { readonly sipStatus: number | null } = {
    dialCallStatus: "completed",
    sipStatus: null,
  };
  #reasons: readonly string[] = [];
  #watched = false;

  constructor(house: House, setup: CallSetup<L>) {
    const { record } = setup;
    this.#house = house;
    this.sid = record.sid;
    this.accountSid = record.accountSid;
    this.group = setup.group;
    this.hopsLeft = setup.hopsLeft;
    this.notice = setup.notice;
    this.#timeLimitSeconds = setup.timeLimitSeconds ?? house.limits.timeLimitSeconds;
    const { store, clock, random, alerts, srtpPolicy } = house.options;
    this.log = house.options.log.child({
      callSid: record.sid,
      ...(record.sipCallId !== null && { callId: record.sipCallId }),
    });
    const security = securityFor(random, srtpPolicy, setup.isSecure);
    const media = new LegMedia(house.media, setup.group, newDescriptionId(random), security);
    this.#leg = this.#makeLeg(media, setup.makeLeg);
    this.tap = new Tap(record, this.leg, this.log, setup);
    this.reporter = new StatusReporter({
      record,
      callback: setup.callback,
      sip: setup.sip,
      store,
      clock,
      alerts,
      log: this.log,
    });
    this.recording = new CallRecording(house, this, setup.notice, (...alert) => this.#alert(...alert));
    house.add(this);
  }

  /** Of the kind it began with, until somebody took its place (RFC 3891). */
  get leg(): L {
    return this.#leg as L;
  }

  get ended(): boolean {
    return this.leg.ended;
  }

  get signal(): AbortSignal {
    return this.#program.signal;
  }

  /** Reason header fields that ended the leg, or the bridge before. */
  get reasons(): readonly string[] {
    return this.#reasons;
  }

  record(): CallRecord {
    return this.reporter.record;
  }

  requestParameters(): Parameters {
    return this.reporter.parameters();
  }

  /** Opens the leg's ports and watches them. @throws what the media plane rejects with */
  async openMedia(remoteAddress: string | undefined): Promise<void> {
    const port = await this.leg.media.open(remoteAddress);
    if (this.#watched) return;
    this.#watched = true;
    this.#house.media.onEvent(port.id, (event) => this.#mediaEvent(event));
  }

  /** A leg that may take the place of the one there is, with its ports; it tells nothing until it does. */
  nextLeg<N extends Leg>(make: (media: LegMedia, observer: LegObserver, log: Log) => N): N {
    return this.#makeLeg(this.#leg.media, make);
  }

  /** Puts that leg in the place of the old one, which tells nothing more and is the caller's to end. */
  takeLeg(leg: Leg, party: CallParty, sipSessionId: string | undefined): Leg {
    const old = this.#leg;
    leg.negotiator = old.negotiator;
    leg.referred = old.referred;
    old.negotiator = undefined;
    old.referred = undefined;
    this.#pickedUp = !old.answered;
    this.#house.released(this);
    this.#leg = leg;
    const callId = leg.callId ?? null;
    this.log = this.log.child({ callId });
    this.reporter.change({ sipCallId: callId });
    this.tap.replaced(leg, party, sipSessionId);
    this.recording.partyChanged();
    this.conversation?.otherOf(this)?.tap.bridgedWith(party);
    return old;
  }

  /** The INVITE is out: its Call-ID is known. */
  invited(callId: string, requestUri: string): void {
    this.#house.invited(this, callId, requestUri);
    this.log = this.log.child({ callId });
    this.reporter.change({ sipCallId: callId }, "initiated");
  }

  answer(): Promise<void> {
    const leg: Leg = this.leg;
    if (this.ended || leg.answered || !(leg instanceof IncomingLeg)) return Promise.resolve();
    this.#answering ??= this.#answerAlone(leg);
    return this.#answering;
  }

  async dial(options: DialOptions): Promise<DialResult> {
    const dial = new Dial(this.#house, this, options, this.signal);
    const outcome = await dial.run();
    this.#dialled = outcome;
    this.#reasons = outcome.reasons;
    const { dialCallSid, dialCallStatus, durationSeconds, bridged } = outcome;
    return { dialCallSid, dialCallStatus, durationSeconds, bridged };
  }

  async play(samples: Int16Array, loop: number): Promise<void> {
    const { signal } = this;
    await this.answer();
    const port = this.leg.media.port;
    if (this.ended || signal.aborted || !port) return;
    this.#reasons = [];
    if (!(await this.#canPlay()) || signal.aborted) return;
    const stop = () => this.#house.media.stopPlay(port.id);
    signal.addEventListener("abort", stop, { once: true });
    try {
      await this.#house.media.play(port.id, { samples, loop });
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  pause(seconds: number): Promise<void> {
    const { signal } = this;
    if (signal.aborted || this.ended) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = this.#house.options.clock.setTimer(seconds * 1000, done);
      signal.addEventListener("abort", done, { once: true });
    });
  }

  async reject(reason: "rejected" | "busy"): Promise<void> {
    if (this.leg.answered) return this.hangup();
    this.leg.hangup({ status: reason === "busy" ? 486 : 603 });
    await this.reporter.flushed();
  }

  async hangup({ sipStatus }: { readonly sipStatus?: number } = {}): Promise<void> {
    const { dialCallStatus, sipStatus: dialledStatus } = this.#dialled;
    const status =
      sipStatus ?? (dialCallStatus === "answered" ? 480 : refusalStatus(dialCallStatus, dialledStatus));
    if (!this.ended) this.leg.hangup({ status, reasons: this.#reasons });
    await this.reporter.flushed();
  }

  redirect(source: DocumentSource): void {
    if (this.ended) return;
    this.#stopProgram();
    const { owner } = this;
    this.owner = undefined;
    owner?.taken?.();
    this.direct(source);
  }

  /** Starts a document. */
  direct(source: DocumentSource): void {
    try {
      this.#house.options.director.direct(this, source);
    } catch (error) {
      this.log.error({ error }, "call: the director threw");
      void this.hangup({ sipStatus: 500 });
    }
  }

  /** Ends the call because something of ours or the network's failed; the account is told why. */
  fail(error: unknown): void {
    const known = error instanceof PlatformError ? error : undefined;
    // What is known has its alert; a stack is for errors of ours.
    if (known) this.log.info({ code: known.code, error: known.message }, "call: failed");
    else this.log.error({ error }, "call: failed");
    this.#alert(
      known?.publicCode ?? 20500,
      "error",
      known?.message ?? "the call failed by an error of this node",
    );
    const sipStatus = known?.sipStatus ?? 500;
    const leg: Leg = this.leg;
    if (leg instanceof OutgoingLeg && !leg.answered) leg.fail(sipStatus);
    else void this.hangup({ sipStatus });
  }

  async #answerAlone(leg: IncomingLeg): Promise<void> {
    try {
      await this.openMedia(leg.remoteAddress);
      leg.answerAlone();
    } catch (error) {
      if (!this.ended) this.fail(error);
    }
  }

  /** The player speaks G.711 only: a party that was bridged with another codec is asked to change. */
  async #canPlay(): Promise<boolean> {
    const { media } = this.leg;
    if (media.line && speaksOwn(media.line)) return true;
    const moved = await this.leg.reoffer(media.offer(OWN_CODECS));
    if (moved.ok) return true;
    if (!this.ended) this.#alert(32102, "warning", "the party speaks no codec that audio can be played in");
    return false;
  }

  #makeLeg<N extends Leg>(media: LegMedia, make: (media: LegMedia, observer: LegObserver, log: Log) => N): N {
    const made: { leg?: N } = {};
    made.leg = make(
      media,
      this.#observer(() => made.leg !== undefined && made.leg === this.#leg),
      this.log,
    );
    return made.leg;
  }

  #observer(isInPlace: () => boolean): LegObserver {
    const observer = this.#observe();
    return {
      ringing: () => isInPlace() && observer.ringing(),
      earlyMedia: (description) => isInPlace() && observer.earlyMedia(description),
      answered: (description) => isInPlace() && observer.answered(description),
      mediaChanged: () => isInPlace() && observer.mediaChanged(),
      ended: (end) => isInPlace() && observer.ended(end),
    };
  }

  #observe(): LegObserver {
    return {
      ringing: () => {
        this.reporter.change({ status: "ringing" }, "ringing");
        this.owner?.ringing?.();
      },
      earlyMedia: (description) => {
        if (this.record().status === "queued") this.reporter.change({ status: "ringing" }, "ringing");
        this.owner?.earlyMedia(description);
        this.tap.changed();
      },
      answered: (description) => this.#answered(description),
      mediaChanged: () => this.#mediaChanged(),
      ended: (end) => this.#ended(end),
    };
  }

  #answered(description: SessionDescription | undefined): void {
    if (this.record().startTime !== null) {
      this.#mediaChanged(); // a leg that took another's place
      return;
    }
    const { clock } = this.#house.options;
    this.reporter.change({ status: "in-progress", startTime: clock.wallNow(), sipStatus: 200 }, "answered");
    this.#timer = clock.setTimer(this.#timeLimitSeconds * 1000, () => {
      this.log.info({ seconds: this.#timeLimitSeconds }, "call: its time limit is over");
      void this.hangup();
    });
    this.log.info({}, "call: answered");
    if (this.#pickedUp) this.owner?.pickUp?.done();
    else this.owner?.answered(description);
    this.#mediaChanged();
  }

  #mediaChanged(): void {
    this.tap.changed();
    this.recording.changed();
  }

  /** The one place where a call ends; the tap first, while the ports are still there. */
  #ended(end: LegEnd): void {
    const { clock } = this.#house.options;
    const answered = this.record().startTime !== null;
    const status = finalStatus(end, answered);
    this.#timer?.cancel();
    if (end.reasons.length > 0) this.#reasons = end.reasons;
    this.tap.ended(end.reasons);
    this.#stopProgram();
    this.owner?.ended(end);
    this.leg.media.close();
    this.reporter.change(
      { status, endTime: clock.wallNow(), sipStatus: answered ? this.record().sipStatus : end.sipStatus },
      "completed",
    );
    this.log.info({ status, sipStatus: end.sipStatus, cause: end.cause, by: end.by }, "call: ended");
    this.#house.remove(this);
  }

  /** Ends whatever document runs, and leaves the call as it is: somebody else takes charge of it. */
  leaveProgram(): void {
    this.#stopProgram();
  }

  #stopProgram(): void {
    const program = this.#program;
    if (!this.ended) this.#program = new AbortController();
    program.abort();
  }

  #mediaEvent(event: MediaEvent): void {
    if (this.ended) return;
    if (event.kind === "worker-lost") {
      this.fail(new Error("the media worker of this call died"));
      return;
    }
    if (event.kind !== "rtp-stopped" || !this.leg.answered) return;
    this.log.warn({ silentMs: event.silentMs }, "call: no packets from its party");
    this.#alert(32014, "warning", `no audio was received for ${Math.round(event.silentMs / 1000)} seconds`);
  }

  #alert(errorCode: number, level: "error" | "warning" | "notice", text: string): void {
    const { accountSid, sid } = this;
    this.#house.options.alerts.raise({ accountSid, errorCode, level, text, callSid: sid, resourceSid: sid });
  }
}

const speaksOwn = (line: NegotiatedMedia): boolean => /^PCM[UA]$/i.test(line.codecs[0]?.name ?? "");
