import type { KeyObject } from "node:crypto";
import { RecordingDamagedError } from "../errors.ts";
import { type ByteSource, openLocalSource } from "./byte-source.ts";
import type { FilePlace } from "./file-writer.ts";
import { isSealed, MAGIC } from "./sealed-format.ts";
import { openSealed } from "./sealed-reader.ts";

/** One file of a recording as it was written: header, then what was appended. */
export interface FileReader {
  /** For messages. */
  readonly name: string;
  /** Octets; of a file that is being written, when it was opened. */
  readonly size: number;
  /** Whether its writer finished it. A plain file cannot tell: true. */
  readonly isFinished: boolean;
  /**
   * Octets from `at` on, `length` of them or those up to the end. The caller's.
   *
   * @throws `RecordingDamagedError` when they are not what was written
   */
  read(at: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Opens a file on the disk. @returns undefined when there is none, or it has no whole header yet */
export async function openFile({ path, key }: FilePlace): Promise<FileReader | undefined> {
  const source = await openLocalSource(path);
  return source && readerOf(source, path, key);
}

/**
 * The file in a source.
 *
 * @param path - what it was written as: the name is sealed with it
 * @throws `RecordingDamagedError` when it is not what was written, or a key is there and the file is not sealed
 */
export async function readerOf(
  source: ByteSource,
  path: string,
  key: KeyObject | undefined,
): Promise<FileReader | undefined> {
  try {
    const start = await source.read(0, MAGIC.length);
    if (key !== undefined) {
      const reader = await openSealed(source, path, key);
      if (reader === undefined) await source.close();
      return reader;
    }
    if (start.length === MAGIC.length && isSealed(start))
      throw new RecordingDamagedError(`${source.name} is sealed, and its recording has no key`);
    return {
      name: source.name,
      size: source.size,
      isFinished: true,
      read: (at, length) => source.read(at, Math.max(0, Math.min(length, source.size - at))),
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}
