import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import type { MediaEvent, MediaPlane, MediaPort, MediaSrtp, MediaTarget } from "../media/index.ts";
import type { Clock, Timer } from "../net/index.ts";
import { isG711, type PayloadFormat } from "./tracks/payload-format.ts";
import { repairedTicks } from "./tracks/repair-files.ts";
import type { TrackListener, TrackWriter, WrittenTrack } from "./tracks/writer.ts";
import type { Digit, Heard, TrackSummary } from "./tracks/writer-messages.ts";

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
  readonly kind: "audio" | "video";
  /** Name of its files below the folder, without extension. */
  readonly base: string;
  readonly formats: readonly PayloadFormat[];
  /** The codec of our answer. */
  readonly codec: string;
  readonly clockRateHz: number;
  readonly remoteAddress: string;
  readonly cname: string;
  readonly events: TrackEvents;
}

export interface TrackEvents {
  onStarted(track: RecordedTrack): void;
  /** The sender's clock has said when the track began. */
  onAligned(): void;
  onDigit(track: RecordedTrack, digit: Digit): void;
  /** Some of the tracks that are on lines were paused, or go on. */
  onHeld(changed: readonly RecordedTrack[], all: readonly RecordedTrack[]): void;
  /** What was written on a track while somebody listens. */
  onHeard(track: RecordedTrack, heard: readonly Heard[]): void;
  /** An active line is silent: since it became active, or since the last packet. */
  onSilent(track: RecordedTrack, started: boolean): void;
  onWriteFailed(track: RecordedTrack, message: string): void;
  onMediaLost(track: RecordedTrack): void;
}

/** One recorded m-line: a receiver of the media plane, and the file that its packets go to. */
export class RecordedTrack {
  readonly line: number;
  readonly label: string;
  readonly kind: "audio" | "video";
  readonly clockRateHz: number;
  /** What the description promises; what was heard stands in the summary. */
  readonly codec: string;
  readonly port: MediaPort;
  readonly #options: TrackOptions;
  readonly #written: WrittenTrack;
  #closing: Promise<void> | undefined;
  #summary: TrackSummary | undefined;
  #mediaHost: string | null = null;
  #isActive = false;
  #wasActive = false;
  #startTime: number | undefined;
  #watch: Timer | undefined;
  #failed = false;

  /** Opens receiver and file; rejects when there is no port left. */
  static async open(options: TrackOptions): Promise<RecordedTrack> {
    const { media, writer } = options;
    let track: RecordedTrack | undefined;
    const written = writer.open(
      {
        media: options.kind,
        base: join(options.folder, options.base),
        key: options.key,
        clockRateHz: options.clockRateHz,
        formats: options.formats,
        onStarted: (time) => track?.started(time),
        onAligned: () => options.events.onAligned(),
        onDigit: (digit) => track !== undefined && options.events.onDigit(track, digit),
        onFailed: (message) => track?.failed(message),
      },
      media.implementation.workers,
    );
    try {
      const port = await media.openReceiver({
        group: options.recordingSid,
        remoteAddress: options.remoteAddress,
        sink: written.sink,
        cname: options.cname,
        clockRateHz: options.clockRateHz,
      });
      written.bind(port.id, port.rtpPort);
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
    this.kind = options.kind;
    this.clockRateHz = options.clockRateHz;
    this.codec = options.codec;
  }

  /** Where the media comes from, as the description says; null before one said it. */
  get mediaHost(): string | null {
    return this.#mediaHost;
  }

  /** Names of its files, in the order of the timeline; before a packet came, of the one that there will be. */
  filesOf(summary: TrackSummary | undefined): readonly string[] {
    const { base, kind, formats } = this.#options;
    if (summary !== undefined && summary.files.length > 0) return summary.files;
    if (kind === "video") return [`${base}.pcap`];
    return [`${base}.${isG711(formats[0]?.codec ?? "") ? "wav" : "cfp"}`];
  }

  /** What it is written from, as it comes. Costs nothing as long as nobody listens. */
  listen(listener: TrackListener): () => void {
    return this.#written.listen(listener);
  }

  get isEnded(): boolean {
    return this.#closing !== undefined;
  }

  get isActive(): boolean {
    return this.#isActive;
  }

  /** It was active before, and is not now. */
  get isHeld(): boolean {
    return this.#wasActive && !this.#isActive;
  }

  /** When its first packet came, epoch milliseconds. */
  get startTime(): number | undefined {
    return this.#startTime;
  }

  /** A write failed: what the file holds is not all that came. */
  get hasFailed(): boolean {
    return this.#failed;
  }

  /** What an answer came to, of the first offer or a later one. */
  connect(
    remote: MediaTarget | null,
    payloadTypes: readonly number[],
    formats: readonly PayloadFormat[],
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

  /** Resolves when the media worker has carried out what `connect` asked for: then no packet is too early. */
  async ready(): Promise<void> {
    if (!this.isEnded) await this.#options.media.stats(this.port.id);
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
      this.#summary = (await this.#written.close()) ?? (await this.#salvaged());
    })();
    return this.#closing;
  }

  /** The writer died: what its files hold is what there is. */
  async #salvaged(): Promise<TrackSummary | undefined> {
    const before = this.#summary;
    if (before === undefined) return undefined;
    const { folder, base, key, clockRateHz } = this.#options;
    const samples = await repairedTicks({ base: join(folder, base), key, clockRateHz });
    return { ...before, samples: samples ?? (this.kind === "video" ? before.samples : 0) };
  }

  /** @internal */
  started(firstPacketTime: number): void {
    this.#startTime = firstPacketTime;
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
    if (event.kind === "worker-lost") {
      this.#written.sinkLost();
      this.#options.events.onMediaLost(this);
    } else if (event.kind === "rtp-stopped" && this.#isActive && this.#startTime !== undefined) {
      this.#options.events.onSilent(this, true);
    }
  }

  #setWatch(): void {
    this.#watch?.cancel();
    if (!this.#isActive || this.#startTime !== undefined) return;
    this.#watch = this.#options.clock.setTimer(NO_RTP_MS, () => this.#options.events.onSilent(this, false));
  }
}
