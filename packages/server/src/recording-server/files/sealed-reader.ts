import type { KeyObject } from "node:crypto";
import { RecordingDamagedError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import type { FileReader } from "./file-reader.ts";
import {
  FRAME_OVERHEAD_BYTES,
  fileKey,
  openFrame,
  PREAMBLE_BYTES,
  readEnd,
  readFrameHead,
  readPreamble,
  readTrailer,
  TRAILER_BYTES,
} from "./sealed-format.ts";

/** Octets fetched at a time when a range spans several frames: bounds memory, and requests to object storage. */
const READ_BYTES = 1 << 20;

/** Where the frames of a file are, and what was in its header. */
interface Frames {
  readonly header: Uint8Array;
  /** Octets of each data frame. */
  readonly dataLengths: readonly number[];
  readonly isFinished: boolean;
}

/** @returns undefined when not even the header is there yet */
export async function openSealed(
  source: ByteSource,
  path: string,
  recordingKey: KeyObject,
): Promise<FileReader | undefined> {
  const preamble = await source.read(0, PREAMBLE_BYTES);
  if (preamble.length < PREAMBLE_BYTES) return undefined;
  const headerBytes = readPreamble(preamble);
  if (headerBytes === undefined) throw new RecordingDamagedError(`${source.name} is not sealed as we seal`);
  const key = fileKey(recordingKey, preamble, path);
  const frames = (await finishedFrames(source, key)) ?? (await foundFrames(source, key, headerBytes));
  return frames && new SealedReader(source, key, frames);
}

/** As the end frame tells. */
async function finishedFrames(source: ByteSource, key: KeyObject): Promise<Frames | undefined> {
  const endsAt = source.size - TRAILER_BYTES;
  const position = readTrailer(await source.read(Math.max(0, endsAt), TRAILER_BYTES));
  if (position === undefined || position < PREAMBLE_BYTES || position >= endsAt) return undefined;
  const frame = await source.read(position, endsAt - position);
  const head = readFrameHead(frame);
  const isWhole = head?.type === "end" && head.length + FRAME_OVERHEAD_BYTES === frame.length;
  const octets = isWhole ? openFrame(key, frame, position) : undefined;
  if (octets === undefined) throw damaged(source, position);
  return { ...readEnd(octets), isFinished: true };
}

/** By going from frame to frame: of a file that is being written, or whose writer died. */
async function foundFrames(
  source: ByteSource,
  key: KeyObject,
  headerBytes: number,
): Promise<Frames | undefined> {
  const first = await source.read(PREAMBLE_BYTES, FRAME_OVERHEAD_BYTES + headerBytes);
  if (first.length < FRAME_OVERHEAD_BYTES + headerBytes) return undefined;
  const header = openFrame(key, first, PREAMBLE_BYTES);
  if (header === undefined) throw damaged(source, PREAMBLE_BYTES);
  const dataLengths: number[] = [];
  for (let position = PREAMBLE_BYTES + first.length; position < source.size; ) {
    const head = readFrameHead(await source.read(position, 4));
    if (head?.type !== "data") break;
    position += FRAME_OVERHEAD_BYTES + head.length;
    if (position > source.size) break;
    dataLengths.push(head.length);
  }
  return { header, dataLengths, isFinished: false };
}

class SealedReader implements FileReader {
  readonly name: string;
  readonly size: number;
  readonly isFinished: boolean;
  readonly #source: ByteSource;
  readonly #key: KeyObject;
  readonly #header: Uint8Array;
  readonly #dataLengths: readonly number[];
  /** Where the data of each frame starts in the file as it was written, and one more: where it ends. */
  readonly #starts: Float64Array;
  #last: { readonly frame: number; readonly octets: Uint8Array } | undefined;

  constructor(source: ByteSource, key: KeyObject, { header, dataLengths, isFinished }: Frames) {
    this.name = source.name;
    this.isFinished = isFinished;
    this.#source = source;
    this.#key = key;
    this.#header = header;
    this.#dataLengths = dataLengths;
    this.#starts = new Float64Array(dataLengths.length + 1);
    let start = header.length;
    for (const [frame, length] of dataLengths.entries()) {
      this.#starts[frame] = start;
      start += length;
    }
    this.#starts[dataLengths.length] = start;
    this.size = start;
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    const end = Math.min(at + length, this.size);
    const octets = new Uint8Array(Math.max(0, end - at));
    if (at < this.#header.length) octets.set(this.#header.subarray(at, Math.min(end, this.#header.length)));
    let frame = this.#frameAt(Math.max(at, this.#header.length));
    while (frame < this.#dataLengths.length && this.#starts[frame]! < end) {
      for (const data of await this.#dataFrom(frame, end)) {
        const start = this.#starts[frame]!;
        const from = Math.max(at, start);
        const to = Math.min(end, start + data.length);
        if (to > from) octets.set(data.subarray(from - start, to - start), from - at);
        frame++;
      }
    }
    return octets;
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  /** The frame that has octet `at`, by halving. */
  #frameAt(at: number): number {
    let [low, high] = [0, this.#dataLengths.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle + 1]! <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Position of a frame in the sealed file: every frame before it adds its own overhead. */
  #positionOf(frame: number): number {
    return PREAMBLE_BYTES + FRAME_OVERHEAD_BYTES * (frame + 1) + this.#starts[frame]!;
  }

  /** What is in the frames from `first` on, up to octet `end` or as many as are fetched at once. */
  async #dataFrom(first: number, end: number): Promise<readonly Uint8Array[]> {
    if (this.#last?.frame === first) return [this.#last.octets];
    const position = this.#positionOf(first);
    let last = first;
    while (
      last + 1 < this.#dataLengths.length &&
      this.#starts[last + 1]! < end &&
      this.#positionOf(last + 2) - position <= READ_BYTES
    )
      last++;
    const sealed = await this.#source.read(position, this.#positionOf(last + 1) - position);
    const opened: Uint8Array[] = [];
    for (let frame = first; frame <= last; frame++) {
      const from = this.#positionOf(frame) - position;
      const length = FRAME_OVERHEAD_BYTES + this.#dataLengths[frame]!;
      const whole = sealed.subarray(from, from + length);
      const head = readFrameHead(whole);
      const isWhole = head?.type === "data" && head.length + FRAME_OVERHEAD_BYTES === whole.length;
      const octets = isWhole ? openFrame(this.#key, whole, position + from) : undefined;
      if (octets === undefined) throw damaged(this.#source, position + from);
      opened.push(octets);
      this.#last = { frame, octets };
    }
    return opened;
  }
}

function damaged({ name }: ByteSource, position: number): RecordingDamagedError {
  return new RecordingDamagedError(`${name} was changed, or is not this recording's: octet ${position}`);
}
