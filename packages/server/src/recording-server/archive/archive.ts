import type { Clock } from "../../net/index.ts";
import type { Alert, Log } from "../../observe/index.ts";
import { RecordingHeldError, RecordingInProgressError } from "../errors.ts";
import type { RecordingFiles } from "../files/recording-files.ts";
import type { RecordingRecord, RecordingStore } from "../ports.ts";
import type { Mover } from "./mover.ts";
import type {
  AuditAction,
  AuditEntry,
  KeepingStore,
  Page,
  RecordingKeeping,
  RetentionRule,
} from "./ports.ts";
import { Reconciler, type Reconciliation } from "./reconciliation.ts";
import { Sweeper } from "./sweeper.ts";

/** Who asks, for the audit trail. */
export interface Actor {
  /** SID of the API key, or of the account. */
  readonly actor: string;
  readonly address: string | null;
}

/** How recordings are kept and deleted, as `api` asks it. `undefined`: no such recording in that account. */
export interface RecordingArchive {
  /** In no order; those that are not there are missing. */
  keeping(recordingSids: readonly string[]): Promise<ReadonlyMap<string, RecordingKeeping>>;
  /** Sets or lifts (`reason` null) the legal hold. */
  hold(
    accountSid: string,
    sid: string,
    reason: string | null,
    who: Actor,
  ): Promise<RecordingKeeping | undefined>;
  /**
   * Deletes row, documents, files, objects and key.
   *
   * @throws `RecordingHeldError`, `RecordingInProgressError`, and what the disk or the object storage throws: then it
   *   is gone for everybody already, and what is left of it is removed as soon as that is possible
   */
  remove(accountSid: string, sid: string, who: Actor): Promise<boolean>;
  /** Says in the audit trail what somebody is about to do; durable when it resolves. */
  note(accountSid: string, sid: string, action: AuditAction, who: Actor, detail?: string): Promise<void>;
  /** Newest first, also of recordings that are gone. */
  audit(accountSid: string, sid: string, page: Page): Promise<readonly AuditEntry[]>;
  /** What sources said they sent, held against what there is. */
  reconcile(
    accountSid: string,
    range: { readonly from: number; readonly to: number },
  ): Promise<Reconciliation>;
  retentionRules(accountSid: string): Promise<readonly RetentionRule[]>;
  addRetentionRule(rule: Omit<RetentionRule, "sid" | "dateCreated">): Promise<RetentionRule>;
  deleteRetentionRule(accountSid: string, sid: string): Promise<boolean>;
}

export interface ArchiveOptions {
  readonly store: RecordingStore;
  readonly keeping: KeepingStore;
  readonly files: RecordingFiles;
  /** Moves recordings to object storage; undefined: they stay. */
  readonly mover?: Mover | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly alert: (level: Alert["level"], errorCode: number, sid: string | undefined, text: string) => void;
  /** Whether a recorder's URI leads to this node. */
  readonly isOwnRecorder: (uri: string) => boolean;
  /** Of recordings that no rule is for; 0: for ever. */
  readonly retentionDays: number;
  /** How long the audit trail of deleted recordings is kept. */
  readonly auditDays: number;
}

/** What becomes of recordings after their end. */
export class Archive implements RecordingArchive {
  readonly #options: ArchiveOptions;
  readonly #sweeper: Sweeper;
  readonly #reconciler: Reconciler;
  /** Deletions whose trouble has been told. */
  readonly #told = new Set<string>();

  constructor(options: ArchiveOptions) {
    this.#options = options;
    this.#reconciler = new Reconciler({ ...options, now: () => options.clock.wallNow() });
    this.#sweeper = new Sweeper(options, (record) => this.#expire(record));
  }

  /** Finishes what a dead process left, and looks after retention from now on, both without being waited for. */
  async start(): Promise<void> {
    await this.#options.mover?.start();
    this.#sweeper.start(() => this.#finishDeletions());
  }

  async stop(): Promise<void> {
    await this.#sweeper.stop();
    await this.#options.mover?.stop();
  }

  /** A recording has ended. */
  ended(): void {
    this.#options.mover?.look();
  }

  async keeping(sids: readonly string[]): Promise<ReadonlyMap<string, RecordingKeeping>> {
    const rows = await this.#options.keeping.keeping(sids);
    return new Map(rows.map((row) => [row.recordingSid, row]));
  }

  async hold(
    accountSid: string,
    sid: string,
    reason: string | null,
    who: Actor,
  ): Promise<RecordingKeeping | undefined> {
    const { keeping, clock } = this.#options;
    if ((await this.#find(accountSid, sid)) === undefined) return undefined;
    const since = clock.wallNow();
    await this.note(accountSid, sid, reason === null ? "released" : "held", who, reason ?? undefined);
    if (!(await keeping.hold(sid, reason === null ? null : { reason, since }))) return undefined;
    return (await keeping.keeping([sid]))[0];
  }

  async remove(accountSid: string, sid: string, who: Actor): Promise<boolean> {
    const record = await this.#find(accountSid, sid);
    if (record === undefined) return false;
    return this.#remove(record, "deleted", who);
  }

  note(accountSid: string, sid: string, action: AuditAction, who: Actor, detail?: string): Promise<void> {
    const { keeping, clock } = this.#options;
    const entry = { accountSid, recordingSid: sid, action, time: clock.wallNow(), detail: detail ?? null };
    return keeping.addAudit({ ...entry, ...who });
  }

  audit(accountSid: string, sid: string, page: Page): Promise<readonly AuditEntry[]> {
    return this.#options.keeping.audit(accountSid, sid, page);
  }

  reconcile(
    accountSid: string,
    range: { readonly from: number; readonly to: number },
  ): Promise<Reconciliation> {
    return this.#reconciler.reconcile(accountSid, range);
  }

  retentionRules(accountSid: string): Promise<readonly RetentionRule[]> {
    return this.#options.keeping.retentionRules(accountSid);
  }

  async addRetentionRule(rule: Omit<RetentionRule, "sid" | "dateCreated">): Promise<RetentionRule> {
    const { keeping, clock } = this.#options;
    const added = await keeping.addRetentionRule({ ...rule, dateCreated: clock.wallNow() });
    this.#sweeper.look();
    return added;
  }

  async deleteRetentionRule(accountSid: string, sid: string): Promise<boolean> {
    const isDeleted = await this.#options.keeping.deleteRetentionRule(accountSid, sid);
    if (isDeleted) this.#sweeper.look();
    return isDeleted;
  }

  async #expire(record: RecordingRecord): Promise<void> {
    await this.#remove(record, "retention-deleted", { actor: "retention", address: null });
    this.#options.log.info({ recordingSid: record.sid }, "a recording was deleted: its time has come");
  }

  async #remove(record: RecordingRecord, action: AuditAction, who: Actor): Promise<boolean> {
    const { keeping, clock, files } = this.#options;
    const { sid, accountSid } = record;
    if (record.status === "in-progress") throw new RecordingInProgressError(`${sid} is in progress`);
    const time = clock.wallNow();
    const detail = `${record.status}, ${record.tracks.length} tracks, started ${new Date(record.startTime).toISOString()}`;
    const entry = { accountSid, recordingSid: sid, action, time, detail, ...who };
    if (!(await keeping.beginDeletion(entry))) {
      const [found] = await keeping.keeping([sid]);
      if (found?.legalHold) throw new RecordingHeldError(`${sid} is held: ${found.legalHold.reason}`);
      return false;
    }
    files.forgetKey(sid);
    await this.#finishDeletion(sid);
    return true;
  }

  /** Removes whatever there may be of it, looks whether it is gone, and forgets the row last. */
  async #finishDeletion(sid: string): Promise<void> {
    const { mover } = this.#options;
    const finish = () => this.#wipe(sid);
    await (mover === undefined ? finish() : mover.exclusively(sid, finish));
  }

  async #wipe(sid: string): Promise<void> {
    const { files, keeping, store } = this.#options;
    const { objects } = files;
    const stored = await keeping.storedFiles(sid);
    const progress = await keeping.uploadProgress(sid);
    const local = await files.local(sid);
    // An upload that was cut off may have left an object that no row names yet.
    const begun = objects === undefined ? [] : local.map(({ file }) => `${sid}/${file}`);
    const named = [...new Set([...stored.map(({ object }) => object), ...begun])];
    for (const [file, { uploadId }] of Object.entries(progress)) {
      await objects?.abortUpload(`${sid}/${file}`, uploadId);
    }
    await files.remove(sid, named);
    const left = await files.leftOf(sid, named);
    if (left.length > 0) throw new Error(`of ${sid} there is still ${left.join(", ")}`);
    await store.deleteRecording(sid);
  }

  async #finishDeletions(): Promise<void> {
    const { keeping, log, alert } = this.#options;
    for (const sid of await keeping.deletions()) {
      try {
        await this.#finishDeletion(sid);
        this.#told.delete(sid);
      } catch (error) {
        log.error({ err: error, recordingSid: sid }, "a recording could not be deleted completely");
        // Tried again every few minutes, told once.
        if (this.#told.has(sid)) continue;
        this.#told.add(sid);
        const reason = error instanceof Error ? error.message : String(error);
        alert("error", 98021, sid, `the recording is not deleted completely yet: ${reason}`);
      }
    }
  }

  async #find(accountSid: string, sid: string): Promise<RecordingRecord | undefined> {
    const row = await this.#options.store.findRecording(sid);
    return row?.accountSid === accountSid ? row : undefined;
  }
}
