import type { KeyObject } from "node:crypto";
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync } from "node:fs";
import { RecordingDamagedError } from "../errors.ts";
import { readUpTo, writeWhole } from "./descriptor.ts";
import type { FileWriter } from "./file-writer.ts";
import {
  endOctets,
  FRAME_OVERHEAD_BYTES,
  fileKey,
  MAX_DATA_BYTES,
  openFrame,
  PREAMBLE_BYTES,
  readEnd,
  readFrameHead,
  readPreamble,
  sealFrame,
  writePreamble,
  writeTrailer,
} from "./sealed-format.ts";

/** A file that is sealed frame by frame as it is written; `sealed-format.ts` draws it. */
export class SealedFileWriter implements FileWriter {
  readonly #descriptor: number;
  readonly #key: KeyObject;
  #header: Uint8Array;
  readonly #dataLengths: number[];
  #dataBytes: number;
  /** Where the next frame goes. */
  #end: number;

  static create(path: string, recordingKey: KeyObject, header: Uint8Array): SealedFileWriter {
    const preamble = writePreamble(header.length);
    const key = fileKey(recordingKey, preamble, path);
    const descriptor = openSync(path, "wx", 0o600);
    const start = Buffer.concat([preamble, sealFrame(key, "header", PREAMBLE_BYTES, header)]);
    writeWhole(descriptor, start, 0);
    return new SealedFileWriter(descriptor, key, header, [], start.length);
  }

  static reopen(path: string, recordingKey: KeyObject, headerBytes: number): SealedFileWriter | undefined {
    const descriptor = openSync(path, "r+");
    try {
      const preamble = readUpTo(descriptor, 0, PREAMBLE_BYTES);
      if (preamble.length === PREAMBLE_BYTES && readPreamble(preamble) === undefined)
        throw new RecordingDamagedError(`${path} is not sealed as we seal`);
      const { size } = fstatSync(descriptor);
      if (size < PREAMBLE_BYTES + FRAME_OVERHEAD_BYTES + headerBytes) {
        closeSync(descriptor);
        return undefined;
      }
      const key = fileKey(recordingKey, preamble, path);
      const found = readFrames(descriptor, key, size);
      if (found.header?.length !== headerBytes)
        throw new RecordingDamagedError(`${path} does not open with its recording's key`);
      ftruncateSync(descriptor, found.end);
      return new SealedFileWriter(descriptor, key, found.header, found.dataLengths, found.end);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  private constructor(
    descriptor: number,
    key: KeyObject,
    header: Uint8Array,
    dataLengths: number[],
    end: number,
  ) {
    this.#descriptor = descriptor;
    this.#key = key;
    this.#header = header.slice();
    this.#dataLengths = dataLengths;
    this.#dataBytes = dataLengths.reduce((sum, length) => sum + length, 0);
    this.#end = end;
  }

  get size(): number {
    return this.#header.length + this.#dataBytes;
  }

  get header(): Uint8Array {
    return this.#header.slice();
  }

  append(octets: Uint8Array): void {
    const frames: Uint8Array[] = [];
    const lengths: number[] = [];
    let end = this.#end;
    for (let taken = 0; taken < octets.length; taken += MAX_DATA_BYTES) {
      const part = octets.subarray(taken, taken + MAX_DATA_BYTES);
      const frame = sealFrame(this.#key, "data", end, part);
      frames.push(frame);
      lengths.push(part.length);
      end += frame.length;
    }
    this.#write(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
    this.#dataLengths.push(...lengths);
    this.#dataBytes += octets.length;
    this.#end = end;
  }

  setHeader(octets: Uint8Array): void {
    if (octets.length !== this.#header.length) throw new RangeError("a header keeps its length");
    this.#header = octets.slice();
  }

  sync(): void {
    fdatasyncSync(this.#descriptor);
  }

  close(): void {
    try {
      const end = sealFrame(this.#key, "end", this.#end, endOctets(this.#header, this.#dataLengths));
      this.#write(Buffer.concat([end, writeTrailer(this.#end)]));
      this.sync();
    } finally {
      closeSync(this.#descriptor);
    }
  }

  abandon(): void {
    closeSync(this.#descriptor);
  }

  #write(octets: Uint8Array): void {
    try {
      writeWhole(this.#descriptor, octets, this.#end);
    } catch (error) {
      ftruncateSync(this.#descriptor, this.#end);
      throw error;
    }
  }
}

/** Every whole frame from the first on that is what was sealed there; `end` is where the last of them ends. */
function readFrames(
  descriptor: number,
  key: KeyObject,
  size: number,
): { readonly header: Uint8Array | undefined; readonly dataLengths: number[]; readonly end: number } {
  let header: Uint8Array | undefined;
  const dataLengths: number[] = [];
  let position = PREAMBLE_BYTES;
  while (position < size) {
    const head = readFrameHead(readUpTo(descriptor, position, 4));
    if (head === undefined || position + FRAME_OVERHEAD_BYTES + head.length > size) break;
    const frame = readUpTo(descriptor, position, FRAME_OVERHEAD_BYTES + head.length);
    const octets = openFrame(key, frame, position);
    if (octets === undefined) {
      // The last thing that was written may be cut short. With whole frames behind it, it is no accident of a crash.
      if (opensAnyAfter(descriptor, key, position + frame.length, size))
        throw new RecordingDamagedError(`a frame at octet ${position} was changed`);
      break;
    }
    if (head.type === "end") {
      // It was finished: the frame that says so is written anew at the next close.
      header = readEnd(octets).header;
      break;
    }
    if (head.type === "header") header = octets;
    else dataLengths.push(octets.length);
    position += frame.length;
  }
  return { header, dataLengths, end: position };
}

function opensAnyAfter(descriptor: number, key: KeyObject, first: number, size: number): boolean {
  for (let position = first; position < size; ) {
    const head = readFrameHead(readUpTo(descriptor, position, 4));
    if (head === undefined || position + FRAME_OVERHEAD_BYTES + head.length > size) return false;
    const frame = readUpTo(descriptor, position, FRAME_OVERHEAD_BYTES + head.length);
    if (openFrame(key, frame, position) !== undefined) return true;
    position += frame.length;
  }
  return false;
}
