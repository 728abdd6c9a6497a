import type { UploadProgress } from "../files/upload.ts";
import type { RecordingRecord } from "../ports.ts";

/** How a recording is kept, besides what is in it. Times: epoch milliseconds. */
export interface RecordingKeeping {
  readonly recordingSid: string;
  /** Nobody and nothing deletes it until the hold is lifted. */
  readonly legalHold: { readonly reason: string; readonly since: number } | null;
  /** When retention deletes it; null: never. */
  readonly deleteAt: number | null;
  /** Its audio is encrypted with a key of its own. */
  readonly isSealed: boolean;
  readonly place: "disk" | "objects";
  /** Why it could not be moved to object storage so far. */
  readonly moveError: string | null;
}

/** A file of a recording in object storage. */
export interface StoredFile {
  readonly file: string;
  readonly octets: number;
  /** SHA-256 of the octets as they lie there, hexadecimal. */
  readonly sha256: string;
  /** Key of the object. */
  readonly object: string;
}

export type AuditAction =
  | "heard"
  | "metadata-read"
  | "exported"
  | "held"
  | "released"
  | "deleted"
  | "retention-deleted";

/** Somebody did something with a recording. */
export interface AuditEntry {
  readonly accountSid: string;
  readonly recordingSid: string;
  readonly time: number;
  readonly action: AuditAction;
  /** SID of the API key, or of the account when its Auth Token was used; "retention" when nobody asked. */
  readonly actor: string;
  /** Where the request came from. */
  readonly address: string | null;
  readonly detail: string | null;
}

/** How long recordings are kept that all given conditions meet. Of several rules the longest counts. */
export interface RetentionRule {
  readonly sid: string;
  readonly accountSid: string;
  /** A number or an address of a participant; `*` at its end stands for anything. */
  readonly number: string | null;
  readonly label: string | null;
  readonly connectorName: string | null;
  readonly retentionDays: number;
  readonly dateCreated: number;
}

/** What rules look at. */
export interface RetentionCase {
  readonly record: RecordingRecord;
  /** The connector that our own client sent it by. */
  readonly connectorName: string | null;
  /** Addresses and numbers of its participants, in the form that rules have theirs in. */
  readonly numbers: readonly string[];
}

/** What our own recording client says of a fork that is over. */
export interface SentFork {
  readonly siprecSid: string;
  /** Recording sessions that recorders answered, in order. */
  readonly dialogs: readonly { readonly callId: string; readonly recorder: string }[];
  /** Packets sent, over all of them. */
  readonly tracks: readonly { readonly label: string; readonly packets: number }[];
}

export interface Page {
  readonly offset: number;
  readonly limit: number;
}

/** Every promise resolves when the change is durable. A recording has its entry from `saveRecording` on. */
export interface KeepingStore {
  /** The recording's key, before anything is sealed with it. */
  saveKey(recordingSid: string, key: Uint8Array): Promise<void>;
  /** @returns 32 octets; undefined when its files are plain, or the key was destroyed */
  findKey(recordingSid: string): Promise<Uint8Array | undefined>;
  keeping(recordingSids: readonly string[]): Promise<readonly RecordingKeeping[]>;
  /** @returns false when there is no such recording, or its deletion has begun */
  hold(recordingSid: string, hold: RecordingKeeping["legalHold"]): Promise<boolean>;

  /**
   * The point of no return: destroys the key, and says so in the audit trail, both or nothing.
   *
   * @returns false when it is held, in progress, being deleted, or not there
   */
  beginDeletion(entry: AuditEntry): Promise<boolean>;
  /** Recordings whose deletion began and did not end. */
  deletions(): Promise<readonly string[]>;
  /** Ended recordings, not held, whose time has come. */
  expired(now: number, limit: number): Promise<readonly RecordingRecord[]>;
  /** Ended recordings that rules of another version were applied to, or none. */
  retentionOutdated(version: string, limit: number): Promise<readonly RetentionCase[]>;
  setRetention(
    version: string,
    entries: readonly { readonly recordingSid: string; readonly deleteAt: number | null }[],
  ): Promise<void>;
  retentionRules(accountSid?: string): Promise<readonly RetentionRule[]>;
  /** The number comes back in the form that is compared. */
  addRetentionRule(rule: Omit<RetentionRule, "sid">): Promise<RetentionRule>;
  deleteRetentionRule(accountSid: string, sid: string): Promise<boolean>;

  /** Ended recordings on the disk whose move is due, the longest due first. */
  movable(
    now: number,
    limit: number,
  ): Promise<readonly { readonly record: RecordingRecord; readonly attempts: number }[]>;
  /** By file, how far uploads in parts have come. */
  uploadProgress(recordingSid: string): Promise<Readonly<Record<string, UploadProgress>>>;
  saveUploadProgress(recordingSid: string, progress: Readonly<Record<string, UploadProgress>>): Promise<void>;
  moved(recordingSid: string, files: readonly StoredFile[]): Promise<void>;
  moveFailed(recordingSid: string, error: string, dueAt: number): Promise<void>;
  storedFiles(recordingSid: string): Promise<readonly StoredFile[]>;

  /** Forks of our own client that started then and are over. */
  sentForks(
    accountSid: string,
    range: { readonly from: number; readonly to: number },
    limit: number,
  ): Promise<readonly SentFork[]>;

  addAudit(entry: AuditEntry): Promise<void>;
  /** Newest first. Entries outlive their recording. */
  audit(accountSid: string, recordingSid: string, page: Page): Promise<readonly AuditEntry[]>;
  /** Entries from before that time are forgotten, those of recordings that are still there excepted. */
  pruneAudit(before: number): Promise<void>;
}
