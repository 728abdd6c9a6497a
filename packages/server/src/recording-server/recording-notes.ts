import { objectIdKey, participantsOf } from "@callfork/protocol/siprec";
import type { AudioFormat } from "../media/index.ts";
import type { RecordingSource } from "./live/recording-source.ts";
import { Markers } from "./markers.ts";
import type { PreparedOffer } from "./media-lines.ts";
import type { Knowledge, PreparedMetadata } from "./metadata-log.ts";
import type { RecordedTrack, TrackEvents } from "./recorded-track.ts";
import type { RecorderHouse } from "./recorder-house.ts";
import type { Digit, Heard } from "./tracks/writer-messages.ts";
import { type WarningCode, Warnings } from "./warnings.ts";

export interface RecordingNotesOptions {
  readonly house: RecorderHouse;
  readonly sid: string;
  readonly live: RecordingSource;
  /** The INVITE was granted, and the dialog lives. */
  readonly isRecording: () => boolean;
  /** What is to be saved has changed. */
  readonly onChanged: () => void;
  /** Not all of the audio is kept. */
  readonly onCut: (why: WarningCode) => void;
  /** The recording cannot go on. */
  readonly onLost: (why: WarningCode, message: string) => void;
}

/** What is to be said about one recording: warnings, alerts, markers, and audio to those who listen. */
export class RecordingNotes implements TrackEvents {
  readonly warnings: Warnings;
  readonly markers = new Markers();
  readonly #options: RecordingNotesOptions;
  #isPaused = false;
  /** Who takes part now, by key; undefined before anybody was named. */
  #parties: ReadonlyMap<string, string> | undefined;

  constructor(options: RecordingNotesOptions) {
    this.#options = options;
    const { clock, onWarning } = options.house;
    this.warnings = new Warnings(() => clock.wallNow(), onWarning);
  }

  /** Warnings of what has just been granted. */
  granted(prepared: PreparedOffer | undefined, metadata: PreparedMetadata | undefined): void {
    let isNews = false;
    for (const [code, message] of prepared?.warnings ?? [])
      isNews = this.warnings.add(code, message) || isNews;
    for (const warning of metadata?.warnings ?? []) {
      if (!this.warnings.addForeign(warning)) continue;
      isNews = true;
      if (warning.code === "METADATA_MALFORMED") this.#alert("warning", 31950, warning.message);
    }
    if (metadata !== undefined) isNews = this.#noteParties(metadata.knowledge) || isNews;
    if (isNews) this.#options.onChanged();
  }

  /** Something about the media that somebody should look at. */
  alertMedia = (text: string): void => this.#alert("warning", 32014, text);

  onStarted(): void {
    this.#options.onChanged();
  }

  onAligned(): void {
    this.#options.onChanged();
  }

  onDigit(track: RecordedTrack, { digit, offsetMs, durationMs }: Digit): void {
    const time = Math.round((track.startTime ?? this.#now()) + offsetMs);
    this.markers.add({ kind: "dtmf", time, label: track.label, text: digit, durationMs });
    this.#options.live.digit(track.label, digit);
  }

  onHeld(changed: readonly RecordedTrack[], all: readonly RecordedTrack[]): void {
    const time = this.#now();
    const isPaused = all.every(({ isHeld }) => isHeld);
    if (isPaused !== this.#isPaused) {
      this.#isPaused = isPaused;
      this.markers.add({ kind: isPaused ? "pause" : "continue", time });
    } else {
      for (const { label, isHeld } of changed)
        this.markers.add({ kind: isHeld ? "hold" : "resume", time, label });
    }
    this.#options.onChanged();
  }

  onHeard({ label }: RecordedTrack, heard: readonly Heard[]): void {
    const { live } = this.#options;
    for (const one of heard) {
      if ("silenceMs" in one) live.silence(label, one.silenceMs);
      else live.audio(label, one.payload, audioFormatOf(one.format));
    }
  }

  onSilent({ label }: RecordedTrack, started: boolean): void {
    if (!this.#options.isRecording()) return;
    const text = started
      ? `track ${label}: packets stopped coming`
      : `track ${label}: no packet came within 10 seconds`;
    if (this.warnings.add(started ? "RTP_STOPPED" : "NO_RTP", text)) this.alertMedia(text);
    this.#options.onChanged();
  }

  onWriteFailed({ label }: RecordedTrack, message: string): void {
    const text = `track ${label} cannot be written: ${message}`;
    if (this.warnings.add("WRITE_FAILED", text)) this.#alert("error", 20500, text);
    this.#options.onCut("WRITE_FAILED");
  }

  onMediaLost(): void {
    this.#alert("error", 20500, "the media worker of a recording died");
    this.#options.onLost("MEDIA_LOST", "the media worker died");
  }

  /** A transfer: somebody came or went after the recording had begun. */
  #noteParties({ state }: Knowledge): boolean {
    const now = new Map<string, string>();
    for (const { participantId, normalizedAor, aor, current } of participantsOf(state)) {
      if (current) now.set(objectIdKey(participantId), normalizedAor || aor);
    }
    const before = this.#parties;
    if (now.size === 0) return false;
    this.#parties = now;
    if (before === undefined) return false;
    const came = [...now].flatMap(([key, who]) => (before.has(key) ? [] : [who]));
    const went = [...before].flatMap(([key, who]) => (now.has(key) ? [] : [who]));
    if (came.length + went.length === 0) return false;
    const text = [...came.map((who) => `+${who}`), ...went.map((who) => `-${who}`)].join(" ");
    return this.markers.add({ kind: "transfer", time: this.#now(), text });
  }

  #alert(level: "warning" | "error", code: number, text: string): void {
    this.#options.house.alert(level, code, this.#options.sid, text);
  }

  #now(): number {
    return Math.round(this.#options.house.clock.wallNow());
  }
}

const audioFormats = new WeakMap<object, AudioFormat>();

/** One object a format: listeners tell formats apart by it. */
function audioFormatOf(format: Exclude<Heard, { silenceMs: number }>["format"]): AudioFormat {
  let known = audioFormats.get(format);
  if (known === undefined) {
    const { codec, clockRateHz, channels, fmtp } = format;
    known = { name: codec, clockRateHz, channels, ...(fmtp !== undefined && { fmtp }) };
    audioFormats.set(format, known);
  }
  return known;
}
