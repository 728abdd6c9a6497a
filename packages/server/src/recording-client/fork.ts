import type { RecordingMetadata } from "@callfork/protocol/siprec";
import type { CallTap, SiprecRecord } from "../calls/index.ts";
import type { Log } from "../observe/index.ts";
import type { DialogEnd } from "../signalling/index.ts";
import type { CallIdentity } from "./call-identity.ts";
import type { ClientContext } from "./context.ts";
import { ForkMedia } from "./fork-media.ts";
import { ForkReport } from "./fork-report.ts";
import { type ForkAction, type ForkInput, type ForkState, forkRow } from "./fork-state.ts";
import { recordingMetadata } from "./metadata.ts";
import { changesSince } from "./metadata-changes.ts";
import { RecorderAttempt } from "./recorder-attempt.ts";
import {
  failureOfEnd,
  INTERNAL_CODE,
  type RecorderFailure,
  SECURE_MEDIA_CODE,
  TLS_CODE,
  UNREACHABLE_CODE,
  UNSUPPORTED_EDGE_CODE,
  URI_PARAMETER_CODE,
} from "./recorder-failure.ts";
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
  #state: ForkState = "Preparing";
  /** The row is durable and the recorder may be called. */
  #begun = false;
  #preparing = false;
  /** In the order they are called. */
  readonly #recorders: readonly Recorder[];
  #recorderIndex = 0;
  readonly #failures: RecorderFailure[] = [];
  #attempt: RecorderAttempt | undefined;
  #session: RecordingSession | undefined;
  /** The call as it is now, in words for a recorder. */
  #document: RecordingMetadata | undefined;
  #callOver = false;
  readonly #takeOff: readonly (() => void)[];
  #resolveOver: () => void = () => {};

  constructor(setup: ForkSetup) {
    const { context, record, tap } = setup;
    this.#setup = setup;
    this.#context = context;
    this.sid = record.sid;
    this.#recorders = context.backoff.ordered(setup.plan.recorders);
    const labels = labelsOf(record.track);
    this.streams = labels.length;
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    const callId = context.calls.find(record.callSid)?.record().sipCallId;
    this.#log = context.log.child({ callSid: record.callSid, callId: callId ?? null, siprecSid: record.sid });
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
    this.#tellProblems();
    this.#do("prepare");
  }

  /** Resolves when that is durable. */
  async stop(): Promise<SiprecRecord> {
    this.#dispatch("stop");
    await this.#report.durable;
    return this.record;
  }

  #dispatch(input: ForkInput): void {
    const row = forkRow(this.#state, input);
    if (row === undefined) {
      this.#log.debug({ state: this.#state, input }, "siprec: no effect");
      return;
    }
    this.#log.debug({ from: this.#state, input, to: row.to }, "siprec: state");
    this.#state = row.to;
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
    closeMedia: () => this.#media.close(),
    saveStarted: () => this.#report.started(this.#recorder.shownUri),
    saveStopped: () => this.#report.stopped(),
    saveFailed: () => this.#report.ended("failed", this.#failures, this.#recorder.shownUri),
    saveLost: () => this.#report.ended("lost", this.#failures, this.#recorder.shownUri),
    sendBye: () => this.#sendBye(),
  };

  /** Waits for the call's media, whose news comes as a change of the tap, and for ports. */
  async #prepare(): Promise<void> {
    const { tap } = this.#setup;
    if (this.#state !== "Preparing" || !this.#begun || this.#preparing) return;
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
    return this.#recorders[this.#recorderIndex]!;
  }

  #invite(): void {
    const recorder = this.#recorder;
    const unsupported = unsupportedBy(recorder);
    if (unsupported !== undefined) {
      this.#attemptFailed(unsupported);
      return;
    }
    const { tap, plan } = this.#setup;
    this.#attempt = new RecorderAttempt({
      context: this.#context,
      log: this.#log,
      recorder,
      plan,
      media: this.#media,
      codecs: forkCodecs(tap),
      owner: {
        codecs: () => forkCodecs(tap),
        snapshot: () => this.#snapshot(),
        cname: (label) => this.#setup.identity.cname(label),
        warn: (code, text) => this.#warn(code, text),
        ended: (end) => this.#sessionEnded(end),
      },
      onAnswered: (session) => {
        this.#session = session;
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
    if (failure.retryAfterMs !== undefined) this.#context.backoff.note(this.#recorder, failure.retryAfterMs);
    const hasNext = this.#recorderIndex + 1 < this.#recorders.length;
    if (!failure.tryNext || !hasNext) {
      this.#dispatch("exhausted");
      return;
    }
    const text = `${failure.text}; the next recorder is called`;
    this.#report.alert("warning", failure, text, this.#recorder.shownUri);
    this.#recorderIndex += 1;
    this.#dispatch("nextRecorder");
  }

  #startMedia(): void {
    this.#session?.start();
    this.#session?.changed(); // while the recorder thought about it, perhaps
  }

  #sendBye(): void {
    const over = () => this.#dispatch("over");
    (this.#session?.bye(this.#callOver) ?? Promise.resolve()).then(over, over);
  }

  #callEnded(): void {
    this.#callOver = true;
    this.#dispatch("stop");
  }

  #sessionEnded(end: DialogEnd): void {
    if (end.by === "local" && end.cause === "bye") return; // our own BYE: over when it is answered
    if (end.cause === "stopped") {
      this.#dispatch("stop"); // the node goes down in order
      return;
    }
    if (this.#state === "Recording") this.#failures.push(failureOfEnd(this.#recorder.shownUri, end));
    this.#dispatch("recorderGone");
  }

  /** The call has changed: media came up, another codec, another party. */
  #changed(): void {
    this.#report.refreshVoice();
    if (this.#state === "Preparing") this.#do("prepare");
    if (this.#setup.tap.mediaLeg() === undefined) return;
    if (this.#document !== undefined) this.#snapshot(); // now, for the times in it
    if (this.#state === "Recording") this.#session?.changed();
  }

  /** The same object until something has changed, so that its times stay. Once the call is over, its last moment. */
  #snapshot(): RecordingMetadata {
    const { context, tap, identity, record } = this.#setup;
    const known = this.#document;
    if (known !== undefined && (this.#callOver || this.#state === "Stopping")) return known;
    const call = context.calls.find(record.callSid)?.record();
    const now = context.clock.wallNow();
    const document = recordingMetadata(
      {
        identity,
        labels: labelsOf(record.track),
        party: tap.party(),
        counterpart: tap.counterpart(),
        direction: tap.direction(),
        sipSessionId: tap.sipSessionId(),
        callStart: call?.startTime ?? call?.dateCreated ?? record.dateCreated,
        forkStart: record.dateCreated,
        isPaused: false,
        parameters: record.parameters,
        extensionNamespace: context.extensionNamespace,
        now,
      },
      known,
    );
    if (known === undefined || changesSince(known, document, now) !== undefined) this.#document = document;
    return this.#document ?? document;
  }

  #unreachable(label: string): void {
    const text = `nobody listens at the recorder's port for the ${label} track`;
    this.#log.warn({ track: label }, `siprec: ${text}`);
    this.#warn(UNREACHABLE_CODE, text);
  }

  /** What the connector says and this node does not do: said, never passed over. */
  #tellProblems(): void {
    const { plan } = this.#setup;
    for (const problem of plan.problems)
      this.#warn(31942, `the connector has an unusable SIP URI: ${problem}`);
    for (const { edge, shownUri, warnings } of plan.recorders) {
      if (edge !== undefined) {
        const text = `${shownUri}: edge=${edge} is not supported by this node; the session leaves by the default route`;
        this.#warn(UNSUPPORTED_EDGE_CODE, text);
      }
      for (const warning of warnings) this.#warn(URI_PARAMETER_CODE, `${shownUri}: ${warning}`);
    }
  }

  #warn(code: number, text: string): void {
    this.#report.warn(code, text, this.#recorder.shownUri);
  }

  #finish(): void {
    for (const takeOff of this.#takeOff) takeOff();
    this.#resolveOver();
  }
}

/** What a connector may ask for and this version does not do: better no session than one that is not what was asked. */
function unsupportedBy({ secure, transport, shownUri }: Recorder): RecorderFailure | undefined {
  if (secure) {
    const text = `${shownUri}: secure=true asks for SRTP, which this version does not send`;
    return { code: SECURE_MEDIA_CODE, text, tryNext: true };
  }
  if (transport === "tls") {
    const text = `${shownUri}: TLS is asked for, which this version does not speak`;
    return { code: TLS_CODE, text, tryNext: true };
  }
  return undefined;
}
