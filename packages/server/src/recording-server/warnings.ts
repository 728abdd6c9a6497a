/**
 * What a recording is marked with when something about it was guessed, missing or lost. docs/recorder.md holds the
 * table; metadata warnings of the protocol room (`METADATA_…`) come on top.
 */
export const WARNING_CODES = [
  "REQUIRE_SIPREC_MISSING",
  "SIP_SRC_MISSING",
  "SIP_SRC_MISPLACED",
  "BODY_REPAIRED",
  "BODY_PART_IGNORED",
  "OFFER_MISSING",
  "ANSWER_MISSING",
  "METADATA_MISSING",
  "PARTICIPANTS_GUESSED",
  "METADATA_MALFORMED",
  "METADATA_NOT_KEPT",
  "LABEL_MISSING",
  "LABEL_NOT_UNIQUE",
  "STREAM_WITHOUT_LABEL",
  "STREAM_LABEL_UNKNOWN",
  "LINE_WITHOUT_STREAM",
  "LINE_REFUSED",
  "SNAPSHOT_REFUSED",
  "CODEC_NOT_DECODED",
  "NO_RTP",
  "RTP_STOPPED",
  "SOURCE_CHANGED",
  "PACKETS_IGNORED",
  "LOST_PACKETS",
  "DURATION_DIFFERS",
  "TRACK_SILENT",
  "RECORDING_WITHOUT_MEDIA",
  "METADATA_WITHOUT_RECORDING",
  "TWIN_SESSION",
  "WRITE_FAILED",
  "WRITER_LOST",
  "MEDIA_LOST",
  "DIALOG_LOST",
  "RECORDER_STOPPED",
  "PROCESS_DIED",
] as const;

export type WarningCode = (typeof WARNING_CODES)[number];

export interface RecordingWarning {
  readonly code: string;
  readonly message: string;
  readonly time: number;
}

const MAX_WARNINGS = 100;

/** Warnings of one recording: each said once, at most a hundred, long ones cut. */
export class Warnings {
  readonly #list: RecordingWarning[] = [];
  readonly #said = new Set<string>();
  readonly #now: () => number;
  readonly #onNew: (code: string) => void;

  /** @param onNew - for metrics */
  constructor(now: () => number, onNew: (code: string) => void = () => {}) {
    this.#now = now;
    this.#onNew = onNew;
  }

  /** Says whether it is new. */
  add(code: WarningCode, message: string): boolean {
    return this.#put(code, message, this.#now());
  }

  /** A warning of the protocol room, whose codes are its own. */
  addForeign({ code, message }: { readonly code: string; readonly message: string }): boolean {
    return this.#put(code, message, this.#now());
  }

  get list(): readonly RecordingWarning[] {
    return [...this.#list];
  }

  #put(code: string, message: string, time: number): boolean {
    const short = message.slice(0, 500);
    const key = `${code} ${short}`;
    if (this.#said.has(key) || this.#list.length >= MAX_WARNINGS) return false;
    this.#said.add(key);
    this.#list.push({ code, message: short, time });
    this.#onNew(code);
    return true;
  }
}
