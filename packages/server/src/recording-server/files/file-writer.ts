import type { KeyObject } from "node:crypto";
import { PlainFileWriter } from "./plain-writer.ts";
import { SealedFileWriter } from "./sealed-writer.ts";

/** Where a file of a recording lies, and how. Can be posted to another thread: a `KeyObject` is cloned, not spelt out. */
export interface FilePlace {
  readonly path: string;
  /** The recording's key, 32 octets: the file is sealed with it. Undefined: the file is plain. */
  readonly key?: KeyObject | undefined;
}

/**
 * One file of a recording while it is written: a header of a size that never changes, then octets that are only appended.
 *
 * All calls are synchronous and may throw what the file system throws: it belongs into the writer's thread. What was
 * appended survives the process when the call returns, and the machine when `sync` or `close` returns.
 */
export interface FileWriter {
  /** Octets of header and of what was appended. */
  readonly size: number;
  /** The header as it stands; the caller's copy. */
  readonly header: Uint8Array;
  /** One write to the disk: batch what is small. All of it is written, or, when this throws, nothing. */
  append(octets: Uint8Array): void;
  /** Another header of the same length; on the disk at `close` at the latest. */
  setHeader(octets: Uint8Array): void;
  /** Waits for the disk. */
  sync(): void;
  /** Finishes the file and waits for the disk. The descriptor is closed in any case. */
  close(): void;
  /** Closes the descriptor of a file that cannot be finished: what is in it is found by `reopenFile`. */
  abandon(): void;
}

/** Makes the file, with mode 0600; one that exists is an error. The header may be empty. */
export function createFile({ path, key }: FilePlace, header: Uint8Array): FileWriter {
  return key === undefined
    ? PlainFileWriter.create(path, header)
    : SealedFileWriter.create(path, key, header);
}

/**
 * Opens a file whose writer died. What was cut short at its end is cut off; all the rest is there, authenticated when
 * the file is sealed. Go on writing, or set the header and close it. A file that was finished can be reopened too.
 *
 * @param headerBytes - length of its header
 * @returns undefined when not even the header is whole
 * @throws `RecordingDamagedError` when a sealed file is not what was written, or is another recording's
 */
export function reopenFile({ path, key }: FilePlace, headerBytes: number): FileWriter | undefined {
  return key === undefined
    ? PlainFileWriter.reopen(path, headerBytes)
    : SealedFileWriter.reopen(path, key, headerBytes);
}
