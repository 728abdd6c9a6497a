import type { KeyObject } from "node:crypto";
import { rm } from "node:fs/promises";
import { formatSessionDescription, type SessionDescription } from "@callfork/protocol/sdp";
import type { SipRequest } from "@callfork/protocol/sip";
import { newObjectId, participantsOf } from "@callfork/protocol/siprec";
import { utf8Encode } from "@callfork/protocol/text";
import type { Log } from "../observe/index.ts";
import type {
  DialogAnswer,
  DialogEnd,
  IncomingInvite,
  ReceivedPart,
  SipBody,
  SipDialog,
} from "../signalling/index.ts";
import { conclude } from "./conclude.ts";
import type { Refusal } from "./errors.ts";
import { headerParties } from "./header-parties.ts";
import { type Intake, type IntakeOptions, readIntake } from "./intake.ts";
import { RecordingSource, type SourceFacts } from "./live/recording-source.ts";
import { MediaLines, type PreparedOffer } from "./media-lines.ts";
import { MetadataLog, type PreparedMetadata } from "./metadata-log.ts";
import { ownLabels } from "./own-offer.ts";
import type { RecordingRecord } from "./ports.ts";
import { buildRecord, type IdentifiedParty, sourceOf } from "./record.ts";
import type { RecordedTrack } from "./recorded-track.ts";
import type { RecorderHouse } from "./recorder-house.ts";
import { RecordingNotes } from "./recording-notes.ts";
import { answerOf, rejectInvite } from "./refuse.ts";
import { SnapshotRequest } from "./snapshot-request.ts";
import { nextRecordingState, type RecordingInput, type RecordingState } from "./state.ts";
import { RowKeeper, Steps } from "./steps.ts";
import { bridgeReference, relatedFilters } from "./stitching/belonging.ts";
import type { TrackWriter } from "./tracks/writer.ts";
import type { TrackSummary } from "./tracks/writer-messages.ts";
import type { WarningCode } from "./warnings.ts";

export interface RecordingOptions {
  readonly sid: string;
  readonly folder: string;
  readonly writer: TrackWriter;
  readonly invite: IncomingInvite;
  /** Of the INVITE's body. Without a session description we make the offer. */
  readonly intake: Intake;
  readonly intakeOptions: IntakeOptions;
  readonly warnings: readonly (readonly [WarningCode, string])[];
  /** The INVITE was granted. Called once at most. */
  readonly onAnswered: () => void;
  /** The recording is over, or never came to be (without a record). Called once. */
  readonly onClosed: (record: RecordingRecord | undefined) => void;
}

/** One recording session: from the INVITE to the saved row. What it does next stands in `RECORDING`. */
export class Recording {
  readonly sid: string;
  readonly live: RecordingSource;
  readonly #house: RecorderHouse;
  readonly #options: RecordingOptions;
  readonly #log: Log;
  readonly #startTime: number;
  readonly #notes: RecordingNotes;
  readonly #lines: MediaLines;
  readonly #metadata: MetadataLog;
  #state: RecordingState = "Answering";
  #dialog: SipDialog | undefined;
  /** Requests, saving and closing. */
  readonly #steps: Steps;
  readonly #keeper: RowKeeper;
  #offered = false;
  #parties: readonly IdentifiedParty[] = [];
  #cut: WarningCode | undefined;
  #partOf: string | undefined;
  /** By which a first recording of the call was looked for last. */
  #identities = "";
  #key: KeyObject | undefined;
  #snapshot: SnapshotRequest | undefined;

  constructor(house: RecorderHouse, options: RecordingOptions) {
    this.sid = options.sid;
    this.#house = house;
    this.#options = options;
    const { invite } = options;
    this.#log = house.log.child({ callId: invite.callId, recordingSid: this.sid });
    this.#startTime = house.clock.wallNow();
    this.#steps = new Steps(this.#log);
    this.#keeper = new RowKeeper(house.clock, this.#steps, async () => {
      if (this.#state === "Recording") await this.#save(undefined, undefined);
    });
    this.#metadata = new MetadataLog(this.sid);
    this.live = new RecordingSource({
      recordingSid: this.sid,
      accountSid: house.accountSid,
      facts: () => this.#sourceFacts(),
      onHeard: (isHeard) => this.#lines.setHeard(isHeard),
    });
    this.#notes = new RecordingNotes({
      house,
      sid: this.sid,
      live: this.live,
      isRecording: () => this.#state === "Recording",
      onChanged: () => this.#state === "Recording" && this.#keeper.soon(),
      onCut: (why) => {
        this.#cut ??= why;
      },
      onLost: (why, message) => this.end(why, message),
    });
    for (const [code, message] of options.warnings) this.#notes.warnings.add(code, message);
    this.#lines = new MediaLines({
      media: house.media,
      writer: options.writer,
      clock: house.clock,
      random: house.random,
      recordingSid: this.sid,
      folder: options.folder,
      key: () => this.#key,
      remoteAddress: invite.flow.remoteAddress,
      maximumTracks: house.limits.tracksPerRecording,
      security: house.security,
      events: this.#notes,
    });
    invite.attach({ onCanceled: () => void this.#advance("abandoned") });
  }

  get state(): RecordingState {
    return this.#state;
  }

  get writer(): TrackWriter {
    return this.#options.writer;
  }

  /** Sets everything up and answers the INVITE. Never rejects. */
  async answer(): Promise<void> {
    const refusal = await this.#setUp().catch((error: unknown) => {
      this.#log.error({ err: error }, "a recording could not be set up");
      if (this.#state !== "Answering") return "canceled" as const;
      return { status: 500, message: "the recording could not be set up", reason: "internal" };
    });
    if (refusal === undefined || this.#dialog !== undefined) return;
    this.#advance("abandoned");
    if (refusal !== "canceled") {
      this.#house.refused(refusal, this.#options.invite);
      rejectInvite(this.#options.invite, refusal);
    }
    await this.#discard();
    this.#options.onClosed(undefined);
  }

  /** The row as of now. */
  async record(): Promise<RecordingRecord> {
    return this.#build(undefined, await this.#summaries());
  }

  /** Ends the recording from our side: with BYE, or by refusing what is not answered yet. */
  end(why: WarningCode, message: string): void {
    if (this.#state !== "Recording" && this.#state !== "Answering") return;
    this.#cut ??= why;
    this.#notes.warnings.add(why, message);
    void this.#dialog?.bye();
  }

  async #setUp(): Promise<Refusal | "canceled" | undefined> {
    const { invite, intake, folder } = this.#options;
    const full = await this.#house.diskRefusal();
    if (full !== undefined) return full;
    await this.#house.makeFolder(folder);
    this.#key = await this.#house.files.createKey(this.sid);
    const { description } = intake;
    const offered =
      description === undefined
        ? await this.#lines.prepareOwn(ownLabels(intake.metadata, this.#house.limits.tracksPerRecording))
        : await this.#lines.prepare(description);
    if ("refusal" in offered) return offered.refusal;
    const { prepared } = offered;
    this.#lines.commit(prepared);
    this.#offered = prepared.isOurs;
    const metadata = this.#prepareMetadata("INVITE", intake, prepared);
    if (intake.metadata === undefined)
      this.#notes.warnings.add("METADATA_MISSING", "the INVITE has no metadata");
    if (metadata !== undefined) this.#metadata.commit(metadata);
    this.#guessParties();
    this.#notes.granted(prepared, metadata);
    if (this.#state !== "Answering") return "canceled";
    // Acknowledged means durable: row and document are on the disk before the 200 goes out.
    await this.#house.store.saveRecording(this.#build(undefined, new Map()));
    if (metadata?.version !== undefined) await this.#house.documents.add(metadata.version);
    await this.#lines.ready();
    if (this.#state !== "Answering") return "canceled";
    if (this.#cut !== undefined) {
      const message = "the recorder is being stopped, or its writer died";
      return { status: 503, message, reason: "stopping", retryAfterSeconds: 10 };
    }
    const dialog = invite.answer({
      body: sdpBody(prepared.answer.description),
      contactParameters: ";+sip.srs",
    });
    this.#dialog = dialog;
    this.#advance("answered");
    this.#snapshot = new SnapshotRequest(dialog, this.#notes.warnings, this.#log);
    if (metadata?.needsSnapshot === true) this.#snapshot.want();
    this.#attach(dialog);
    this.#log.info({ tracks: this.#lines.tracks.length, dialect: this.#metadata.dialect }, "recording");
    this.#house.onStarted();
    this.#options.onAnswered();
    // After the 200: what is refused or cancelled until then was no recording.
    void this.#steps.add(async () => {
      await this.#stitch();
      await this.#house.saveWithNews(await this.record());
    }, undefined);
    return undefined;
  }

  /** Looks for the first recording of the same call, until there is one. */
  async #stitch(): Promise<void> {
    if (this.#partOf !== undefined) return;
    const record = await this.record();
    const identities = JSON.stringify(relatedFilters(record));
    if (identities === this.#identities) return;
    this.#identities = identities;
    this.#partOf = await this.#house.stitcher.headOf(record, this.#house.clock.wallNow());
    if (this.#partOf !== undefined) this.#log.info({ partOf: this.#partOf }, "another part of a call");
  }

  /** Without metadata that names anybody, header fields may (who they are is kept even if it comes later). */
  #guessParties(): void {
    if (participantsOf(this.#metadata.knowledge.state).length > 0) return;
    const { parties, source } = headerParties(this.#options.invite.request);
    if (parties.length === 0) return;
    const { random } = this.#house;
    this.#parties = parties.map((party) => ({ ...party, participantId: newObjectId(random) }));
    this.#notes.warnings.add("PARTICIPANTS_GUESSED", `participants are taken from ${source}`);
  }

  /** Nothing was acknowledged, so nothing stays. */
  async #discard(): Promise<void> {
    const failed = (error: unknown) => this.#log.error({ err: error }, "an abandoned recording left traces");
    await this.#lines.close().catch(failed);
    await this.#house.store.deleteRecording(this.sid).catch(failed);
    await rm(this.#options.folder, { recursive: true, force: true }).catch(failed);
  }

  #attach(dialog: SipDialog): void {
    const take = (request: SipRequest, parts: readonly ReceivedPart[]): Promise<DialogAnswer> =>
      this.#steps.add(() => this.#take(request, parts), { status: 500 });
    dialog.attach({
      onAcknowledged: (_ack, parts) => {
        if (this.#offered) void this.#steps.add(async () => this.#takeAnswer(parts), undefined);
        this.#snapshot?.ask();
      },
      onReinvite: take,
      onUpdate: take,
      onEnded: (why) => {
        if (this.#advance("dialogEnded")) void this.#steps.add(() => this.#close(why), undefined, true);
      },
    });
  }

  /** A request in the dialog: all of it is granted, or nothing (RFC 3261 §12.2.2). */
  async #take(request: SipRequest, parts: readonly ReceivedPart[]): Promise<DialogAnswer> {
    if (this.#state !== "Recording") return { status: 481 };
    const read = readIntake(request, parts, this.#options.intakeOptions);
    if ("refusal" in read) return this.#refuse(read.refusal);
    const { intake } = read;
    let prepared: PreparedOffer | undefined;
    if (intake.description !== undefined) {
      const offered = await this.#lines.prepare(intake.description);
      if ("refusal" in offered) return this.#refuse(offered.refusal);
      prepared = offered.prepared;
    }
    let metadata: PreparedMetadata | undefined;
    try {
      metadata = this.#prepareMetadata(request.method, intake, prepared);
      if (metadata !== undefined || prepared !== undefined) await this.#save(metadata, prepared);
    } catch (error) {
      this.#log.error({ err: error }, "a change of the recording could not be saved");
      if (prepared !== undefined) await this.#lines.abandon(prepared);
      return { status: 500 };
    }
    if (prepared !== undefined) {
      this.#lines.commit(prepared);
      await this.#lines.ready();
    }
    if (metadata !== undefined) {
      this.#metadata.commit(metadata);
      void this.#steps.add(async () => {
        await this.#stitch();
        if (this.#partOf !== undefined) await this.#save(undefined, undefined);
      }, undefined);
    }
    for (const [code, message] of intake.warnings) this.#notes.warnings.add(code, message);
    this.#notes.granted(prepared, metadata);
    if (metadata?.needsSnapshot === true) {
      this.#snapshot?.want();
      // After our answer: a re-INVITE's ACK asks by itself.
      if (request.method === "UPDATE") this.#house.clock.setTimer(0, () => this.#snapshot?.ask());
    }
    return { status: 200, ...this.#bodyFor(request, prepared) };
  }

  /** The answer; to a re-INVITE without offer our description, as an offer (RFC 3261 §14.2). */
  #bodyFor(request: SipRequest, prepared: PreparedOffer | undefined): { readonly body?: SipBody } {
    if (prepared !== undefined) return { body: sdpBody(prepared.answer.description) };
    if (request.method !== "INVITE" || this.#lines.local === undefined) return {};
    this.#offered = true;
    return { body: sdpBody(this.#lines.local) };
  }

  #takeAnswer(parts: readonly ReceivedPart[]): void {
    this.#offered = false;
    const ack = readIntake(this.#options.invite.request, parts, this.#options.intakeOptions);
    const answer = "intake" in ack ? ack.intake.description : undefined;
    if (answer !== undefined && this.#lines.takeAnswer(answer)) return;
    // RFC 3261 §13.2.1: the ACK has the answer. In a re-INVITE its absence leaves all as it was.
    if (this.#lines.remote === undefined)
      this.end("ANSWER_MISSING", "the ACK has no answer to our offer that can be recorded");
  }

  #refuse(refusal: Refusal): DialogAnswer {
    this.#log.warn({ status: refusal.status }, `refused: ${refusal.message}`);
    return answerOf(refusal);
  }

  #prepareMetadata(
    carrier: string,
    { metadata }: Intake,
    prepared: PreparedOffer | undefined,
  ): PreparedMetadata | undefined {
    const description = prepared?.offer ?? this.#lines.remote;
    const onLine = prepared?.onLine ?? this.#lines.onLine;
    if (metadata !== undefined) {
      const now = this.#house.clock.wallNow();
      return this.#metadata.prepare(metadata, { carrier, now, description, onLine });
    }
    return prepared === undefined ? undefined : this.#metadata.resolve({ description, onLine });
  }

  async #save(metadata: PreparedMetadata | undefined, prepared: PreparedOffer | undefined): Promise<void> {
    if (metadata?.version !== undefined) await this.#house.documents.add(metadata.version);
    const next = { knowledge: metadata?.knowledge, tracks: prepared?.tracks };
    await this.#house.store.saveRecording(this.#build(undefined, await this.#summaries(), next));
  }

  async #close(why: DialogEnd): Promise<void> {
    this.#keeper.stop();
    this.#snapshot?.cancel();
    const time = this.#house.clock.wallNow();
    // RFC 8068 §3.2.4 puts metadata into BYE, which RFC 7866 §9.1 does not foresee.
    const read = readIntake(
      why.request ?? this.#options.invite.request,
      why.body ?? [],
      this.#options.intakeOptions,
    );
    const metadata = "intake" in read ? this.#prepareMetadata("BYE", read.intake, undefined) : undefined;
    if (metadata !== undefined) {
      this.#metadata.commit(metadata);
      this.#notes.granted(undefined, metadata);
    }
    await this.#lines
      .close()
      .catch((error: unknown) => this.#log.error({ err: error }, "tracks did not close"));
    const summaries = await this.#summaries();
    const status = conclude(
      {
        dialogEnd: why,
        cut: this.#cut,
        tracks: this.#lines.tracks,
        summaries,
        knowledge: this.#metadata.knowledge,
        refusedLabels: this.#lines.refusedLabels,
        startTime: this.#startTime,
      },
      this.#notes.warnings,
      this.#notes.alertMedia,
    );
    const record = this.#build({ time, status }, summaries);
    await this.#house.saveAtLast(record, metadata?.version, this.#log);
    this.#advance("closed");
    this.#log.info({ status, durationMs: record.durationMs, cause: why.cause }, "recording ended");
    this.#options.onClosed(record);
  }

  async #summaries(): Promise<ReadonlyMap<RecordedTrack, TrackSummary>> {
    const { tracks } = this.#lines;
    const found = await Promise.all(tracks.map((track) => track.summary()));
    return new Map(tracks.flatMap((track, at) => (found[at] === undefined ? [] : [[track, found[at]]])));
  }

  #build(
    end: { readonly time: number; readonly status: RecordingRecord["status"] } | undefined,
    summaries: ReadonlyMap<RecordedTrack, TrackSummary>,
    next: {
      readonly knowledge?: PreparedMetadata["knowledge"] | undefined;
      readonly tracks?: readonly RecordedTrack[] | undefined;
    } = {},
  ): RecordingRecord {
    const record = buildRecord({
      sid: this.sid,
      partOf: this.#partOf,
      bridgeReference: bridgeReference(this.#options.invite.request),
      accountSid: this.#house.accountSid,
      source: sourceOf(this.#options.invite, this.#metadata.dialect),
      startTime: this.#startTime,
      tracks: next.tracks ?? this.#lines.tracks,
      summaries,
      knowledge: next.knowledge ?? this.#metadata.knowledge,
      headerParties: this.#parties,
      markers: this.#notes.markers.list,
      warnings: this.#notes.warnings.list,
      end,
    });
    return this.#house.minimise(record);
  }

  #sourceFacts(): SourceFacts {
    const { extensionData, sessions } = this.#build(undefined, new Map());
    const labels = this.#lines.tracks.filter(({ isEnded }) => !isEnded).map(({ label }) => label);
    const parameters = { ...extensionData };
    const session = sessions[0];
    if (session !== undefined) parameters.SessionId = session.sessionId;
    return { labels, callSid: extensionData.CallSid ?? null, parameters };
  }

  #advance(input: RecordingInput): boolean {
    const next = nextRecordingState(this.#state, input);
    if (next !== undefined) this.#state = next;
    return next !== undefined;
  }
}

function sdpBody(description: SessionDescription): SipBody {
  return { contentType: "application/sdp", bytes: utf8Encode(formatSessionDescription(description)) };
}
