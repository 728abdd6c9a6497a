import { join } from "node:path";
import type { Clock, Timer } from "../../net/index.ts";
import type { Alert, Log } from "../../observe/index.ts";
import type { ObjectStore } from "../files/object-store.ts";
import type { RecordingFiles } from "../files/recording-files.ts";
import { type UploadProgress, uploadFile } from "../files/upload.ts";
import type { KeepingStore, StoredFile } from "./ports.ts";

/** How often the database is asked for recordings whose move is due, besides at each end of a recording. */
const LOOK_INTERVAL_MS = 15_000;
/** Recordings moved at once. */
const AT_ONCE = 2;
const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 3_600_000;
/** Failures after which somebody is told, and again each time they have doubled: the first after some minutes. */
const ALERT_AFTER = 5;
const PART_BYTES = 8 << 20;

export interface MoverOptions {
  readonly files: RecordingFiles;
  readonly objects: ObjectStore;
  readonly keeping: KeepingStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly alert: (level: Alert["level"], errorCode: number, sid: string | undefined, text: string) => void;
  /** Files larger than this go in parts of it. Default 8 MiB; S3 takes parts from 5 MiB on. */
  readonly partBytes?: number;
}

/**
 * Moves ended recordings to object storage. What is to be moved stands in the database, and so does how far an upload
 * has come: a crash loses nothing. The local files go when the objects were verified and the database says so.
 */
export class Mover {
  readonly #options: MoverOptions;
  readonly #moving = new Map<string, Promise<void>>();
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: MoverOptions) {
    this.#options = options;
  }

  /** Says at once when the storage cannot be used, and removes what a dead process had moved and not removed. */
  async start(): Promise<void> {
    const { objects, log, alert } = this.#options;
    objects.head("callfork").catch((error: unknown) => {
      log.error({ err: error }, "the object storage for recordings cannot be used");
      alert("error", 98020, undefined, error instanceof Error ? error.message : String(error));
    });
    await this.#removeMoved();
    this.look();
  }

  /** Ends after the requests that are under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#round;
    await Promise.all(this.#moving.values());
  }

  /** Something may be due. */
  look(): void {
    if (this.#isStopped || this.#round !== undefined) return;
    this.#timer?.cancel();
    this.#round = this.#moveDue()
      .catch((error: unknown) => this.#options.log.error({ err: error }, "recordings could not be moved"))
      .finally(() => {
        this.#round = undefined;
        if (this.#isStopped) return;
        this.#timer = this.#options.clock.setTimer(LOOK_INTERVAL_MS, () => this.look());
      });
  }

  /** Resolves when the recording is not being moved, and keeps it so until `job` is over. */
  async exclusively<T>(sid: string, job: () => Promise<T>): Promise<T> {
    while (this.#moving.has(sid)) await this.#moving.get(sid);
    const done = job();
    this.#hold(sid, done);
    return done;
  }

  async #removeMoved(): Promise<void> {
    const { files, keeping } = this.#options;
    const sids = await files.localSids();
    for (let at = 0; at < sids.length; at += 500) {
      for (const { recordingSid, place } of await keeping.keeping(sids.slice(at, at + 500))) {
        if (place === "objects") await files.removeLocal(recordingSid);
      }
    }
  }

  async #moveDue(): Promise<void> {
    const { keeping, clock } = this.#options;
    for (;;) {
      const due = await keeping.movable(clock.wallNow(), AT_ONCE);
      const free = due.filter(({ record }) => !this.#moving.has(record.sid));
      if (free.length === 0 || this.#isStopped) return;
      await Promise.all(
        free.map(({ record, attempts }) => {
          const done = this.#attempt(record.sid, attempts);
          this.#hold(record.sid, done);
          return done;
        }),
      );
    }
  }

  #hold(sid: string, done: Promise<unknown>): void {
    const quiet = done.then(
      () => undefined,
      () => undefined,
    );
    this.#moving.set(sid, quiet);
    void quiet.then(() => {
      if (this.#moving.get(sid) === quiet) this.#moving.delete(sid);
    });
  }

  async #attempt(sid: string, attempts: number): Promise<void> {
    const { keeping, clock, log, objects, files, alert } = this.#options;
    try {
      const stored = await this.#upload(sid);
      await keeping.moved(sid, stored);
      await files.removeLocal(sid);
      log.info({ recordingSid: sid, files: stored.length }, `a recording was moved to ${objects.name}`);
    } catch (error) {
      // What was uploaded so far is gone on with at the next start.
      if (this.#isStopped) return;
      const text = error instanceof Error ? error.message : String(error);
      const failures = attempts + 1;
      log.warn({ err: error, recordingSid: sid, failures }, "a recording could not be moved");
      await keeping.moveFailed(sid, text, clock.wallNow() + retryMs(failures));
      if (isWorthAnAlert(failures)) {
        alert("error", 98020, sid, `for ${failures} times the recording could not be moved: ${text}`);
      }
    }
  }

  async #upload(sid: string): Promise<readonly StoredFile[]> {
    const { files, objects, keeping, partBytes = PART_BYTES } = this.#options;
    let progress: Readonly<Record<string, UploadProgress>> = await keeping.uploadProgress(sid);
    const stored: StoredFile[] = [];
    for (const { file } of await files.local(sid)) {
      const object = `${sid}/${file}`;
      const { octets, sha256 } = await uploadFile({
        objects,
        object,
        path: join(files.folderOf(sid), file),
        partBytes,
        progress: progress[file],
        saveProgress: async (upload) => {
          const { [file]: _, ...others } = progress;
          progress = upload === undefined ? others : { ...others, [file]: upload };
          await keeping.saveUploadProgress(sid, progress);
          if (this.#isStopped) throw new Error("the node stops");
        },
      });
      stored.push({ file, octets, sha256, object });
    }
    return stored;
  }
}

/** Twice as long each time, up to an hour. */
export function retryMs(failures: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20));
}

const isWorthAnAlert = (failures: number): boolean =>
  failures >= ALERT_AFTER && Number.isInteger(Math.log2(failures / ALERT_AFTER));
