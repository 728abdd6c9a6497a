import type { KeyObject } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openFile } from "../files/file-reader.ts";
import { createFile } from "../files/file-writer.ts";
import type { OpenRecordingFile } from "./recording-audio.ts";

/** Octets that go to the disk at once. */
const BATCH_BYTES = 64 * 1_024;
/** Files made at once; the others wait. */
const MAX_AT_ONCE = 2;

/** Files that are made of a recording when they are asked for the first time, and kept beside it. */
export class DerivedFiles {
  readonly #folder: string;
  readonly #making = new Map<string, Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #atOnce = 0;

  /** @param folder - holds a folder for each recording that has such files */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * @param make - writes the file, from its first octet to its last
   * @returns how it is opened
   */
  async get(
    recording: { readonly sid: string; readonly key: KeyObject | undefined },
    name: string,
    make: (write: (octets: Uint8Array) => void) => Promise<void>,
  ): Promise<OpenRecordingFile> {
    const { sid, key } = recording;
    const path = join(this.#folder, sid, name);
    if (!existsSync(path)) {
      let making = this.#making.get(path);
      if (making === undefined) {
        making = this.#make(path, key, make).finally(() => this.#making.delete(path));
        this.#making.set(path, making);
      }
      await making;
    }
    return () => openFile({ path, key });
  }

  async #make(
    path: string,
    key: KeyObject | undefined,
    make: (write: (octets: Uint8Array) => void) => Promise<void>,
  ): Promise<void> {
    if (this.#atOnce >= MAX_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#atOnce++;
    // The name is sealed with the file: it is made in a folder beside, under the name that it will have.
    const draft = join(dirname(path), `.${process.pid}-${Math.random().toString(36).slice(2)}`);
    try {
      await mkdir(draft, { recursive: true, mode: 0o700 });
      const place = { path: join(draft, path.slice(dirname(path).length + 1)), key };
      const file = createFile(place, new Uint8Array(0));
      try {
        let batch: Uint8Array[] = [];
        let octets = 0;
        const flush = (): void => {
          if (octets > 0) file.append(Buffer.concat(batch));
          batch = [];
          octets = 0;
        };
        await make((piece) => {
          batch.push(piece);
          octets += piece.length;
          if (octets >= BATCH_BYTES) flush();
        });
        flush();
      } catch (error) {
        file.abandon();
        throw error;
      }
      file.close();
      await rename(place.path, path);
    } finally {
      await rm(draft, { recursive: true, force: true });
      this.#atOnce--;
      this.#waiting.shift()?.();
    }
  }
}
