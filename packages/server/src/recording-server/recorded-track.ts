import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import type { MediaEvent, MediaPlane, MediaPort, MediaSrtp, MediaTarget } from "../media/index.ts";
import type { Clock, Timer } from "../net/index.ts";
import { repairTrackFile, type TrackFormat } from "./tracks/track-file.ts";
import type { TrackWriter, WrittenTrack } from "./tracks/writer.ts";
import type { TrackSummary } from "./tracks/writer-messages.ts";

/** How long an active line may be silent before somebody is told. */
export const NO_RTP_MS = 10_000;

export interface TrackOptions {
  readonly media: MediaPlane;
  readonly writer: TrackWriter;
  readonly clock: Clock;
  readonly recordingSid: string;
  readonly folder: string;
  /** The recording's key; undefined: files are plain. */
  readonly key?: KeyObject | undefined;
  /** Position of the m-line (RFC 3264 §8). */
  readonly line: number;
  /** Unique in the recording. */
  readonly label: string;
  readonly file: string;
  readonly formats: readonly (readonly [payloadType: number, format: TrackFormat])[];
  readonly clockRateHz: number;
  readonly remoteAddress: string;
  readonly cname: string;
  readonly events: TrackEvents;
}

export interface TrackEvents {
  onStarted(track: RecordedTrack): void;
  /** The sender's clock has said when the track began. */
  onAligned(): void;
  /** An active line is silent: since it became active, or since the last packet. */
  onSilent(track: RecordedTrack, started: boolean): void;
  onWriteFailed(track: RecordedTrack, message: string): void;
  onMediaLost(track: RecordedTrack): void;
}

/** One recorded m-line: a receiver of the media plane, and the file that its packets go to. */
export class RecordedTrack {
  readonly line: number;
  readonly label: string;
  readonly file: string;
  readonly clockRateHz: number;
  /** What the description promises; the file's own format once there is one. */
  readonly codec: string;
  readonly port: MediaPort;
  readonly #options: TrackOptions;
  readonly #written: WrittenTrack;
  #closing: Promise<void> | undefined;
  #summary: TrackSummary | undefined;
  #mediaHost: string | null = null;
  #isActive = false;
  #wasActive = false;
  #hasStarted = false;
  #watch: Timer | undefined;
  #failed = false;

  /** Opens receiver and file; rejects when there is no port left. */
  static async open(options: TrackOptions): Promise<RecordedTrack> {
    const { media, writer } = options;
    let track: RecordedTrack | undefined;
    const written = writer.open({
      path: join(options.folder, options.file),
      key: options.key,
      clockRateHz: options.clockRateHz,
      formats: options.formats,
      onStarted: () => track?.started(),
      onAligned: () => options.events.onAligned(),
      onFailed: (message) => track?.failed(message),
    });
    try {
      const port = await media.openReceiver({
        group: options.recordingSid,
        remoteAddress: options.remoteAddress,
        sink: written.sink,
        cname: options.cname,
        clockRateHz: options.clockRateHz,
      });
      track = new RecordedTrack(options, written, port);
      media.onEvent(port.id, (event) => track?.mediaEvent(event));
      return track;
    } catch (error) {
      await written.close();
      throw error;
    }
  }

  private constructor(options: TrackOptions, written: WrittenTrack, port: MediaPort) {
    this.#options = options;
    this.#written = written;
    this.port = port;
    this.line = options.line;
    this.label = options.label;
    this.file = options.file;
    this.clockRateHz = options.clockRateHz;
    this.codec = options.formats[0]?.[1] === "alaw" ? "PCMA" : "PCMU";
  }

  /** Where the media comes from, as the description says; null before one said it. */
  get mediaHost(): string | null {
    return this.#mediaHost;
  }

  get isEnded(): boolean {
    return this.#closing !== undefined;
  }

  get isActive(): boolean {
    return this.#isActive;
  }

  /** A write failed: what the file holds is not all that came. */
  get hasFailed(): boolean {
    return this.#failed;
  }

  /** What an answer came to, of the first offer or a later one. */
  connect(
    remote: MediaTarget | null,
    payloadTypes: readonly number[],
    formats: readonly (readonly [payloadType: number, format: TrackFormat])[],
    active: boolean,
    srtp?: MediaSrtp | undefined,
  ): void {
    if (this.isEnded) return;
    this.#written.addFormats(formats);
    this.#mediaHost ??= remote?.address ?? null;
    // A paused line is masked: what is sent on it all the same is not recorded.
    this.#options.media.connectReceiver(this.port.id, remote, active ? payloadTypes : [], srtp);
    if (active && !this.#isActive && this.#wasActive) this.#written.resumed();
    this.#isActive = active;
    this.#wasActive ||= active;
    this.#setWatch();
  }

  /** Counters as of now; those of the end after `close`. With the writer gone: what was last known. */
  async summary(): Promise<TrackSummary | undefined> {
    if (this.isEnded) await this.#closing;
    else this.#summary = (await this.#written.summary()) ?? this.#summary;
    return this.#summary;
  }

  /** First the receiver, so that its last packets reach the writer, then the file. */
  close(): Promise<void> {
    this.#watch?.cancel();
    this.#closing ??= (async () => {
      await this.#options.media.close(this.port.id).catch(() => undefined);
      this.#summary = (await this.#written.close()) ?? this.#salvaged();
    })();
    return this.#closing;
  }

  /** The writer died: what its file holds is what there is. */
  #salvaged(): TrackSummary | undefined {
    const before = this.#summary;
    if (before === undefined) return undefined;
    const { folder, key } = this.#options;
    try {
      const samples = repairTrackFile({ path: join(folder, this.file), key });
      return { ...before, samples: samples ?? 0 };
    } catch {
      return { ...before, samples: 0 };
    }
  }

  /** @internal */
  started(): void {
    this.#hasStarted = true;
    this.#watch?.cancel();
    this.#options.events.onStarted(this);
  }

  /** @internal */
  failed(message: string): void {
    this.#failed = true;
    this.#options.events.onWriteFailed(this, message);
  }

  /** @internal */
  mediaEvent(event: MediaEvent): void {
    if (this.isEnded) return;
    if (event.kind === "worker-lost") this.#options.events.onMediaLost(this);
    else if (event.kind === "rtp-stopped" && this.#isActive && this.#hasStarted) {
      this.#options.events.onSilent(this, true);
    }
  }

  #setWatch(): void {
    this.#watch?.cancel();
    if (!this.#isActive || this.#hasStarted) return;
    this.#watch = this.#options.clock.setTimer(NO_RTP_MS, () => this.#options.events.onSilent(this, false));
  }
}
