import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { RecordingFiles } from "../files/recording-files.ts";
import type { RecordingRecord, RecordingStore } from "../ports.ts";
import type { KeepingStore, SentFork } from "./ports.ts";

export type FindingKind =
  /** Our client had a recording session with this recorder, of which there is no recording. */
  | "missing-recording"
  /** Our client sent a track, and the recording has none of it. */
  | "missing-track"
  /** Fewer packets are recorded than our client sent. */
  | "fewer-packets-than-sent"
  /** Packets never came, by their sequence numbers. */
  | "packets-lost"
  /** There is metadata, and no audio at all. */
  | "metadata-without-recording"
  /** The audio is longer or shorter than the metadata says. */
  | "duration-differs"
  /** A track with packets whose file is gone. */
  | "file-missing"
  /** An object in storage has another size than what was put there. */
  | "file-damaged"
  /** Files that belong to no recording. */
  | "files-without-recording";

/** Something that is not as it was said to be. */
export interface Finding {
  readonly kind: FindingKind;
  readonly recordingSid: string | null;
  /** The fork that says otherwise. */
  readonly siprecSid: string | null;
  readonly callId: string | null;
  readonly label: string | null;
  readonly message: string;
}

export interface Reconciliation {
  readonly checked: {
    readonly forks: number;
    readonly recordings: number;
    readonly files: number;
    readonly folders: number;
  };
  readonly findings: readonly Finding[];
  /** More was there than is looked at in one go: ask for a shorter time. */
  readonly isPartial: boolean;
}

export interface ReconcilerOptions {
  readonly store: Pick<RecordingStore, "listRecordings" | "findRecording">;
  readonly keeping: Pick<KeepingStore, "sentForks" | "storedFiles" | "keeping">;
  readonly files: RecordingFiles;
  /** Whether a recorder's URI leads to this node. */
  readonly isOwnRecorder: (uri: string) => boolean;
  readonly now: () => number;
}

const MAX_ROWS = 5_000;
const MAX_FINDINGS = 1_000;
const SLICE = 500;
/** Each is a request to the storage. */
const MAX_OBJECTS = 1_000;
/** A folder is made a moment before its row. */
const NEW_FOLDER_MS = 60_000;

/** Warnings of recordings that say that something is not as the source said. */
const WARNINGS: Readonly<Record<string, FindingKind | undefined>> = {
  METADATA_WITHOUT_RECORDING: "metadata-without-recording",
  RECORDING_WITHOUT_MEDIA: "metadata-without-recording",
  DURATION_DIFFERS: "duration-differs",
};

/** Compares what sources said they sent with what there is. */
export class Reconciler {
  readonly #options: ReconcilerOptions;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** @param range - recordings and forks that started then; epoch milliseconds, both ends inclusive */
  async reconcile(
    accountSid: string,
    range: { readonly from: number; readonly to: number },
  ): Promise<Reconciliation> {
    const { store, keeping } = this.#options;
    const forks = await keeping.sentForks(accountSid, range, MAX_ROWS);
    const recordings: RecordingRecord[] = [];
    const wish = { accountSid, startedFrom: range.from, startedTo: range.to, limit: SLICE };
    for (let offset = 0; offset < MAX_ROWS; offset += SLICE) {
      const rows = await store.listRecordings({ ...wish, offset });
      recordings.push(...rows);
      if (rows.length < SLICE) break;
    }
    const ended = recordings.filter(({ status }) => status !== "in-progress");
    const findings: Finding[] = [];
    for (const fork of forks) findings.push(...(await this.#ofFork(accountSid, fork)));
    for (const record of ended) findings.push(...ofRecord(record));
    let files = 0;
    const budget = { objects: MAX_OBJECTS };
    for (let at = 0; at < ended.length; at += 8) {
      const some = await Promise.all(ended.slice(at, at + 8).map((record) => this.#ofFiles(record, budget)));
      for (const each of some) {
        files += each.files;
        findings.push(...each.findings);
      }
    }
    const folders = await this.#strayFolders();
    findings.push(...folders.findings);
    return {
      checked: { forks: forks.length, recordings: recordings.length, files, folders: folders.count },
      findings: findings.slice(0, MAX_FINDINGS),
      isPartial:
        budget.objects < 0 ||
        forks.length >= MAX_ROWS ||
        recordings.length >= MAX_ROWS ||
        findings.length > MAX_FINDINGS,
    };
  }

  async #ofFork(accountSid: string, fork: SentFork): Promise<readonly Finding[]> {
    const { store, isOwnRecorder } = this.#options;
    const own = fork.dialogs.filter(({ recorder }) => isOwnRecorder(recorder));
    if (own.length === 0) return [];
    const findings: Finding[] = [];
    const found: RecordingRecord[] = [];
    for (const { callId, recorder } of own) {
      const rows = await store.listRecordings({ accountSid, callId, offset: 0, limit: 10 });
      found.push(...rows);
      if (rows.length > 0) continue;
      const message = `the fork had a recording session with ${recorder}, of which there is no recording`;
      findings.push(finding("missing-recording", message, { siprecSid: fork.siprecSid, callId }));
    }
    // With another recorder in between, or the end not yet in, what was sent and what came cannot be held together.
    const isComparable =
      own.length === fork.dialogs.length && found.every(({ status }) => status !== "in-progress");
    if (isComparable && found.length > 0) findings.push(...compareTracks(fork, found));
    return findings;
  }

  async #ofFiles(
    record: RecordingRecord,
    budget: { objects: number },
  ): Promise<{ files: number; findings: readonly Finding[] }> {
    const { files, keeping } = this.#options;
    const { sid } = record;
    const findings: Finding[] = [];
    const local = new Set((await files.local(sid)).map(({ file }) => file));
    const stored = await keeping.storedFiles(sid);
    let count = local.size;
    for (const { file, object, octets } of stored) {
      if (local.has(file) || files.objects === undefined || --budget.objects < 0) continue;
      const there = await files.objects.head(object);
      count++;
      if (there === undefined) {
        const message = `${object} is not in ${files.objects.name}`;
        findings.push(finding("file-missing", message, { recordingSid: sid }));
      } else if (there.octets !== octets) {
        const message = `${object} has ${there.octets} octets in ${files.objects.name}, not ${octets}`;
        findings.push(finding("file-damaged", message, { recordingSid: sid }));
      }
    }
    const known = new Set([...local, ...stored.map(({ file }) => file)]);
    for (const { label, durationMs, file, detail } of record.tracks) {
      // Packets without audio, such as digits, make no file.
      if (durationMs === 0) continue;
      for (const name of detail?.files ?? [file]) {
        if (known.has(name)) continue;
        const message = `${name} is neither on the disk nor in object storage`;
        findings.push(finding("file-missing", message, { recordingSid: sid, label }));
      }
    }
    return { files: count, findings };
  }

  /** Folders of recordings that no row knows. */
  async #strayFolders(): Promise<{ count: number; findings: readonly Finding[] }> {
    const { files, keeping, now } = this.#options;
    const folders = await files.localSids();
    const findings: Finding[] = [];
    for (let at = 0; at < folders.length; at += SLICE) {
      const slice = folders.slice(at, at + SLICE);
      const known = new Set((await keeping.keeping(slice)).map(({ recordingSid }) => recordingSid));
      for (const name of slice) {
        if (known.has(name) || findings.length > MAX_FINDINGS) continue;
        const { mtimeMs } = await stat(join(files.folder, name)).catch(() => ({ mtimeMs: now() }));
        if (now() - mtimeMs < NEW_FOLDER_MS) continue;
        const message = `the folder ${name} belongs to no recording`;
        findings.push(finding("files-without-recording", message, { recordingSid: name }));
      }
    }
    return { count: folders.length, findings };
  }
}

/** What a recording says of itself. */
function ofRecord(record: RecordingRecord): readonly Finding[] {
  const { sid: recordingSid, source } = record;
  const about = { recordingSid, callId: source.callId };
  const findings: Finding[] = [];
  for (const { code, message } of record.warnings) {
    const kind = WARNINGS[code];
    if (kind !== undefined) findings.push(finding(kind, message, about));
  }
  for (const { label, lost, expected } of record.tracks) {
    if (lost === 0) continue;
    const message = `of ${expected} packets ${lost} were lost`;
    findings.push(finding("packets-lost", message, { ...about, label }));
  }
  return findings;
}

/** What a fork sent, by label, and what its recordings have of it. */
export function compareTracks(
  { siprecSid, tracks, dialogs }: SentFork,
  recordings: readonly RecordingRecord[],
): readonly Finding[] {
  const findings: Finding[] = [];
  const recordingSid = recordings[0]?.sid ?? null;
  const about = { siprecSid, recordingSid, callId: dialogs[0]?.callId ?? null };
  for (const { label, packets: sent } of tracks) {
    if (sent === 0) continue;
    const heard = recordings.flatMap(({ tracks }) => tracks.filter((track) => track.label === label));
    const packets = heard.reduce((sum, track) => sum + track.packets, 0);
    if (packets === 0) {
      const message = `${sent} packets were sent, and nothing is recorded of it`;
      findings.push(finding("missing-track", message, { ...about, label }));
    } else if (packets < sent) {
      const message = `${sent} packets were sent, and ${packets} are recorded`;
      findings.push(finding("fewer-packets-than-sent", message, { ...about, label }));
    }
  }
  return findings;
}

function finding(
  kind: FindingKind,
  message: string,
  about: Partial<Pick<Finding, "recordingSid" | "siprecSid" | "callId" | "label">>,
): Finding {
  return { kind, recordingSid: null, siprecSid: null, callId: null, label: null, message, ...about };
}
