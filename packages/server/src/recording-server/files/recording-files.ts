import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { KeepingStore } from "../archive/ports.ts";
import { ObjectStoreError, RecordingDamagedError } from "../errors.ts";
import type { RecordingRecord } from "../ports.ts";
import { openLocalSource } from "./byte-source.ts";
import { type FileReader, readerOf } from "./file-reader.ts";
import { openObjectSource } from "./object-source.ts";
import type { ObjectStore } from "./object-store.ts";

/** Keys at hand; the others are asked of the database. */
const KEPT_KEYS = 4_096;

export interface RecordingFilesOptions {
  /** Holds a folder for each recording. */
  readonly folder: string;
  readonly keeping: Pick<KeepingStore, "saveKey" | "findKey" | "storedFiles">;
  /** New recordings get a key each. */
  readonly isSealing?: boolean;
  /** Where ended recordings go; undefined: they stay. */
  readonly objects?: ObjectStore | undefined;
}

/** What a recording says of itself when its files may be less than whole. */
const EXCUSES: ReadonlySet<string> = new Set(["WRITE_FAILED", "WRITER_LOST", "PROCESS_DIED"]);

/** Plain files below a folder, and nothing but that. */
export function plainFiles(folder: string): RecordingFiles {
  const keeping = { saveKey: async () => {}, findKey: async () => undefined, storedFiles: async () => [] };
  return new RecordingFiles({ folder, keeping });
}

/** The files of all recordings, on the disk or in object storage, opened with their keys. */
export class RecordingFiles {
  readonly folder: string;
  readonly objects: ObjectStore | undefined;
  readonly #keeping: RecordingFilesOptions["keeping"];
  readonly #isSealing: boolean;
  readonly #keys = new Map<string, KeyObject | undefined>();

  constructor({ folder, keeping, objects, isSealing = false }: RecordingFilesOptions) {
    this.folder = folder;
    this.objects = objects;
    this.#keeping = keeping;
    this.#isSealing = isSealing;
  }

  /** Beside the recordings: what lies below their folders is theirs, and is moved and counted. */
  get derivedFolder(): string {
    return `${this.folder}-derived`;
  }

  folderOf(sid: string): string {
    return join(this.folder, sid);
  }

  /** A new recording's key, durable when it resolves; undefined: its files will be plain. */
  async createKey(sid: string): Promise<KeyObject | undefined> {
    if (!this.#isSealing) return undefined;
    const octets = randomBytes(32);
    await this.#keeping.saveKey(sid, octets);
    const key = createSecretKey(octets);
    this.#remember(sid, key);
    return key;
  }

  /** The recording's key; undefined when its files are plain. */
  async key(sid: string): Promise<KeyObject | undefined> {
    if (this.#keys.has(sid)) return this.#keys.get(sid);
    const octets = await this.#keeping.findKey(sid);
    const key = octets === undefined ? undefined : createSecretKey(octets);
    this.#remember(sid, key);
    return key;
  }

  #remember(sid: string, key: KeyObject | undefined): void {
    if (this.#keys.size >= KEPT_KEYS) this.#keys.delete(this.#keys.keys().next().value!);
    this.#keys.set(sid, key);
  }

  /** Of what is deleted: the key is not to be found here either. */
  forgetKey(sid: string): void {
    this.#keys.delete(sid);
  }

  /** @returns undefined when there is no such file */
  async open(sid: string, file: string): Promise<FileReader | undefined> {
    const key = await this.key(sid);
    const path = join(this.folder, sid, file);
    const local = await openLocalSource(path);
    if (local !== undefined) return readerOf(local, path, key);
    const stored = (await this.#keeping.storedFiles(sid)).find((each) => each.file === file);
    if (stored === undefined) return undefined;
    if (this.objects === undefined) {
      throw new ObjectStoreError(`${sid}/${file} is in object storage, and none is configured`);
    }
    return readerOf(openObjectSource(this.objects, stored.object, stored.octets), path, key);
  }

  /**
   * A file of a recording that is over, or is not: of one that is over it has to be whole.
   *
   * @returns undefined when nothing of the track was ever written
   * @throws `RecordingDamagedError` when it is cut short or gone although nothing on the recording says why
   */
  async openOf(
    record: Pick<RecordingRecord, "sid" | "status" | "tracks" | "warnings">,
    file: string,
  ): Promise<FileReader | undefined> {
    const { sid, status, tracks, warnings } = record;
    const reader = await this.open(sid, file);
    const isExcused = status === "in-progress" || warnings.some(({ code }) => EXCUSES.has(code));
    if (isExcused || reader?.isFinished === true) return reader;
    const track = tracks.find((each) => (each.detail?.files ?? [each.file]).includes(file));
    if (reader === undefined && (track?.durationMs ?? 0) === 0) return undefined;
    await reader?.close();
    const what = reader === undefined ? "is neither on the disk nor in object storage" : "is cut short";
    throw new RecordingDamagedError(`${file} of ${sid} ${what}`);
  }

  /** Recordings that have a folder on the disk. */
  async localSids(): Promise<readonly string[]> {
    const entries = await readdir(this.folder, { withFileTypes: true }).catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  }

  /** What lies on the disk of a recording; nothing when there is no folder. */
  async local(sid: string): Promise<readonly { readonly file: string; readonly octets: number }[]> {
    const entries = await readdir(this.folderOf(sid), { withFileTypes: true }).catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    });
    const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    const sizes = await Promise.all(files.map((file) => stat(join(this.folderOf(sid), file))));
    return files.sort().map((file, at) => ({ file, octets: sizes[at]!.size }));
  }

  /** Removes what is on the disk; what is not there is removed already. */
  async removeLocal(sid: string): Promise<void> {
    await rm(this.folderOf(sid), { recursive: true, force: true });
  }

  /** Removes everything, the objects named included. */
  async remove(sid: string, objects: readonly string[]): Promise<void> {
    this.#keys.delete(sid);
    await this.removeLocal(sid);
    // What was made of it for those who asked: see reading/derived-files.ts.
    await rm(join(this.derivedFolder, sid), { recursive: true, force: true });
    if (objects.length === 0) return;
    if (this.objects === undefined) {
      throw new ObjectStoreError(`files of ${sid} are in object storage, and none is configured`);
    }
    for (const object of objects) await this.objects.remove(object);
  }

  /** What is still there of what was removed, by name. */
  async leftOf(sid: string, objects: readonly string[]): Promise<readonly string[]> {
    const left = (await this.local(sid)).map(({ file }) => file);
    for (const object of objects) {
      if ((await this.objects?.head(object)) !== undefined) left.push(object);
    }
    return left;
  }
}
