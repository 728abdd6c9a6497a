import { join } from "node:path";
import { toHex } from "@callfork/protocol/text";
import type { IncomingInvite } from "../signalling/index.ts";
import { isRecordingSession, marksMissing, recordingMarks } from "./admission.ts";
import { DiskWatch } from "./disk-watch.ts";
import type { Refusal } from "./errors.ts";
import { type IntakeOptions, readIntake } from "./intake.ts";
import { Library } from "./library.ts";
import { LiveStreams } from "./live/live-streams.ts";
import type { RecordingServer, RecordingServerOptions } from "./options.ts";
import { Peers } from "./peers.ts";
import { createRecordingPermit, type RecordingPermit } from "./permit.ts";
import type { RecordingLibrary, RecordingRecord } from "./ports.ts";
import { RecorderHouse } from "./recorder-house.ts";
import { Recording } from "./recording.ts";
import { rejectInvite } from "./refuse.ts";
import { repairRecording } from "./repair.ts";
import { Twins } from "./stitching/twins.ts";
import { TrackWriter } from "./tracks/writer.ts";
import type { WarningCode } from "./warnings.ts";

/** A recording client that finds us full comes back after this time, or goes to the next recorder of its list. */
const RETRY_AFTER_SECONDS = 10;

/**
 * The recorder.
 *
 * @param openWriter - starts the thread that writes; tests give one that they can kill
 */
export function createRecordingServer(
  options: RecordingServerOptions,
  openWriter: OpenWriter = (log, onLost) => new TrackWriter(log, onLost),
): RecordingServer {
  return new Recorder(options, openWriter);
}

type OpenWriter = (...args: ConstructorParameters<typeof TrackWriter>) => TrackWriter;

class Recorder implements RecordingServer {
  readonly library: RecordingLibrary;
  readonly streams: LiveStreams;
  readonly #options: RecordingServerOptions;
  readonly #openWriter: OpenWriter;
  readonly #house: RecorderHouse;
  readonly #isAllowed: RecordingPermit;
  readonly #peers: Peers;
  readonly #twins = new Twins();
  readonly #live = new Map<string, Recording>();
  readonly #closed = new Set<() => void>();
  readonly #disk: DiskWatch;
  #writer: TrackWriter | undefined;
  #isStopping = false;

  constructor(options: RecordingServerOptions, openWriter: OpenWriter) {
    this.#options = options;
    this.#openWriter = openWriter;
    this.#house = new RecorderHouse(options);
    this.#isAllowed = createRecordingPermit(options);
    this.#peers = new Peers(options.peers ?? [], options.strict ? "strict" : "lenient");
    this.streams = new LiveStreams({
      sourceOf: (sid) => this.#live.get(sid)?.live,
      connector: options.liveAudio?.connector,
      urls: options.liveAudio?.urls ?? [],
      random: options.random,
      now: () => options.clock.wallNow(),
      log: options.log,
      onFailed: ({ recordingSid, url, error }) => {
        const where = url === null ? "" : ` to ${url.replace(/\/\/[^/@]*@/, "//").replace(/[?#].*$/, "")}`;
        this.#house.alert("warning", 31921, recordingSid, `live audio${where} failed: ${error}`);
      },
    });
    this.#disk = new DiskWatch(
      options.clock,
      () => this.#house.diskRefusal(),
      (full) => {
        const text = full?.message ?? "the disk of recordings has room again";
        this.#house.alert(full === undefined ? "warning" : "error", 20500, undefined, text);
      },
    );
    this.library = new Library({
      store: options.store,
      files: this.#house.files,
      documents: this.#house.documents,
      signer: options.vconSigner,
      now: () => options.clock.wallNow(),
      decoders: options.decoders ?? [],
      live: async (sid) => this.#live.get(sid)?.record(),
    });
  }

  get liveCount(): number {
    return this.#live.size;
  }

  async start(): Promise<void> {
    await this.#house.makeFolder(this.#options.folder);
    void this.#disk.start();
    this.#writer = this.#newWriter();
    for (const record of await this.#options.store.listUnfinishedRecordings()) {
      const key = await this.#house.files.key(record.sid);
      const repaired = await repairRecording(record, join(this.#options.folder, record.sid), key);
      await this.#house.saveWithNews(repaired);
      const { status, durationMs } = repaired;
      const fields = { callId: record.source.callId, recordingSid: record.sid, status, durationMs };
      this.#options.log.warn(fields, "a recording that a dead process left open was closed");
      this.#house.alert("warning", 20500, record.sid, "the recorder died during this recording");
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#disk.stop();
    for (const recording of this.#live.values())
      recording.end("RECORDER_STOPPED", "the recorder was stopped");
    while (this.#live.size > 0) await new Promise<void>((resolve) => this.#closed.add(resolve));
    await this.#writer?.stop();
    this.#writer = undefined;
  }

  isRecordingInvite(invite: IncomingInvite): boolean {
    const profile = this.#peers.profileOf(invite);
    return profile === "plain" || isRecordingSession(recordingMarks(invite), profile === "strict");
  }

  accept(invite: IncomingInvite): void {
    try {
      const refusal = this.#admit(invite);
      if (refusal === undefined) return;
      this.#house.refused(refusal, invite);
      rejectInvite(invite, refusal);
    } catch (error) {
      this.#options.log.error({ callId: invite.callId, err: error }, "an INVITE could not be taken");
      invite.reject(500);
    }
  }

  get refusal(): Pick<Refusal, "status" | "message" | "retryAfterSeconds"> | undefined {
    try {
      return this.#full() ?? this.#house.diskRefusalNow();
    } catch (error) {
      this.#options.log.error({ err: error }, "the disk of recordings does not say how much is free");
      return busy("the disk of recordings cannot be read", "disk");
    }
  }

  #full(): Refusal | undefined {
    if (this.#isStopping) return busy("the recorder is being stopped", "stopping");
    if (this.#live.size < this.#house.limits.liveRecordings) return undefined;
    return busy("as many recordings are live as may be", "limit");
  }

  #admit(invite: IncomingInvite): Refusal | undefined {
    const profile = this.#peers.profileOf(invite);
    const strict = profile === "strict";
    if (!this.#isAllowed(invite.flow)) {
      return { status: 403, message: "this address may not record here", reason: "address" };
    }
    const full = this.#full();
    if (full !== undefined) return full;
    const marks = recordingMarks(invite);
    if (strict && !isRecordingSession(marks, true)) {
      // RFC 7866 §6.1.1: without both marks this is an ordinary call, and none can be taken here.
      const message = "siprec in Require and +sip.src in Contact are needed";
      return { status: 403, message, reason: "no-recording-session" };
    }
    if (strict && invite.warnings.length > 0) {
      return { status: 400, message: `the body is malformed: ${invite.warnings[0]}`, reason: "body" };
    }
    const intakeOptions = this.#house.intakeOptions(profile);
    const read = readIntake(invite.request, invite.body, intakeOptions);
    if ("refusal" in read) return read.refusal;
    const noted: (readonly [WarningCode, string])[] = [...marksMissing(marks), ...read.intake.warnings];
    if (read.intake.description === undefined) {
      noted.push(["OFFER_MISSING", "the INVITE has no session description: the offer was ours"]);
    }
    for (const warning of invite.warnings) noted.push(["BODY_REPAIRED", warning]);
    const twin = this.#twins.seen(
      invite.flow.remoteAddress,
      invite.callId,
      read.intake.metadata?.document,
      this.#options.clock.wallNow(),
    );
    if (twin !== undefined) {
      const message = `the same session is recorded already, by Call-ID ${twin.slice(0, 128)}`;
      // RFC 3261 §8.2.2.2: a request that comes twice, merged.
      if (this.#options.twins === "refuse") return { status: 482, message, reason: "twin" };
      noted.push(["TWIN_SESSION", message]);
    }
    this.#record(invite, intakeOptions, read.intake, noted);
    return undefined;
  }

  #record(
    invite: IncomingInvite,
    intakeOptions: IntakeOptions,
    intake: ConstructorParameters<typeof Recording>[1]["intake"],
    warnings: readonly (readonly [WarningCode, string])[],
  ): void {
    const sid = `RE${toHex(this.#options.random.bytes(16))}`;
    this.#writer ??= this.#newWriter();
    const recording = new Recording(this.#house, {
      sid,
      folder: join(this.#options.folder, sid),
      writer: this.#writer,
      invite,
      intake,
      intakeOptions,
      warnings,
      onAnswered: () => this.streams.recordingStarted(recording.live),
      onClosed: (record) => {
        this.streams.recordingEnded(sid);
        this.#live.delete(sid);
        if (record !== undefined) {
          this.#options.onEnded?.(record);
          if (this.#options.opus === true && record.status !== "failed") this.#makeOpus(record);
        }
        for (const resolve of this.#closed) resolve();
        this.#closed.clear();
      },
    });
    this.#live.set(sid, recording);
    void recording.answer();
  }

  /** Before anybody asks for it; what fails then fails again when somebody does, and is told to whom it concerns. */
  #makeOpus({ accountSid, sid }: RecordingRecord): void {
    this.library.media(accountSid, sid, { form: "opus" }).catch((error: unknown) => {
      this.#options.log.warn({ recordingSid: sid, err: error }, "a recording could not be made into Opus");
    });
  }

  /** Recordings of a writer that died end; the next recording gets a new one. */
  #newWriter(): TrackWriter {
    const writer = this.#openWriter(this.#options.log, (error) => {
      if (this.#writer === writer) this.#writer = undefined;
      this.#house.alert("error", 20500, undefined, `the track writer died: ${error.message}`);
      for (const recording of this.#live.values()) {
        if (recording.writer === writer) recording.end("WRITER_LOST", "the track writer died");
      }
    });
    return writer;
  }
}

function busy(message: string, reason: string): Refusal {
  return { status: 503, message, reason, retryAfterSeconds: RETRY_AFTER_SECONDS };
}
