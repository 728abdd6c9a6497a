import { type AudioDecoder, createAudioDecoder } from "../../media/index.ts";
import type { FileReader } from "../files/file-reader.ts";
import type { PayloadFormat } from "../tracks/payload-format.ts";
import { type Mark, type PayloadIndex, readPayloadIndex } from "../tracks/payload-index.ts";
import { RECORD_HEAD_BYTES, type RecordHead, readRecordHead } from "../tracks/payload-records.ts";
import type { OpenFile } from "./g711-source.ts";
import type { PcmReader, PcmSource } from "./pcm-source.ts";

/** A decoder that begins in the middle needs so much before it says what it would have said (RFC 6716 §4.5: 80 ms). */
const PREROLL_MS = 100;
/** Octets read at a time. */
const CHUNK_BYTES = 65_536;
/** A gap that is shorter is filled in by the decoder: packets that were lost, not a pause. */
const CONCEALED_MS = 60;

/** Payloads of a file whose codec we do not decode, for those who can. */
export interface ForeignAudio {
  readonly format: PayloadFormat;
  readonly index: PayloadIndex;
}

/** What can be heard of a payload file: a source for each codec in it, all on the track's timeline. */
export interface PayloadAudio {
  readonly sources: readonly PcmSource[];
  readonly foreign: readonly ForeignAudio[];
  readonly index: PayloadIndex;
}

/** @returns undefined when there is no such file */
export async function payloadAudio(open: OpenFile): Promise<PayloadAudio | undefined> {
  const index = await readPayloadIndex(open);
  if (index === undefined) return undefined;
  const sources: PcmSource[] = [];
  const foreign: ForeignAudio[] = [];
  for (const format of index.formats) {
    const made = createAudioDecoder(audioFormat(format), { channels: 1 });
    if (!made.ok) {
      foreign.push({ format, index });
      continue;
    }
    const { sampleRateHz } = made.value;
    made.value.close();
    sources.push({
      sampleRateHz,
      samples: Math.round((index.durationTicks * sampleRateHz) / index.header.clockRateHz),
      open: async () => {
        const file = await open();
        if (file === undefined) throw new Error("a track's file went while it was read");
        return new PayloadReader(file, index, format, sampleRateHz);
      },
    });
  }
  return { sources, foreign, index };
}

export function audioFormat({ codec, clockRateHz, channels, fmtp }: PayloadFormat) {
  return { name: codec, clockRateHz, channels, ...(fmtp !== undefined && { fmtp }) };
}

/** Decodes the payloads of one format on the way. */
class PayloadReader implements PcmReader {
  readonly #file: FileReader;
  readonly #index: PayloadIndex;
  readonly #format: PayloadFormat;
  readonly #rateHz: number;
  readonly #decoder: AudioDecoder;
  #chunk: Uint8Array = new Uint8Array(0);
  /** Where the chunk begins in the file, and where in it the next record. */
  #chunkAt = 0;
  #at = 0;
  /** What was decoded last, and where it lies. */
  #block: Int16Array = new Int16Array(0);
  #blockFirst = 0;
  #blockLength = 0;
  /** Describes payload types at the place that is read. */
  #formats: ReadonlyMap<number, PayloadFormat> = new Map();
  #isAtEnd = true;

  constructor(file: FileReader, index: PayloadIndex, format: PayloadFormat, rateHz: number) {
    this.#file = file;
    this.#index = index;
    this.#format = format;
    this.#rateHz = rateHz;
    const made = createAudioDecoder(audioFormat(format), { channels: 1 });
    if (!made.ok) throw new Error(made.error.message);
    this.#decoder = made.value;
  }

  async read(first: number, out: Int16Array): Promise<void> {
    out.fill(0);
    const end = first + out.length;
    if (
      first < this.#blockFirst ||
      first > this.#blockFirst + this.#blockLength + this.#rateHz ||
      this.#isAtEnd
    )
      this.#seek(first);
    for (;;) {
      const from = Math.max(first, this.#blockFirst);
      const to = Math.min(end, this.#blockFirst + this.#blockLength);
      if (to > from) {
        out.set(this.#block.subarray(from - this.#blockFirst, to - this.#blockFirst), from - first);
      }
      if (this.#blockFirst + this.#blockLength >= end) return;
      if (!(await this.#next())) return;
    }
  }

  async close(): Promise<void> {
    this.#decoder.close();
    await this.#file.close();
  }

  #seek(sample: number): void {
    const ticks = ((sample / this.#rateHz) * 1_000 - PREROLL_MS) * (this.#index.header.clockRateHz / 1_000);
    const { marks } = this.#index;
    let mark: Mark | undefined = marks[0];
    for (const each of marks) if (each.position <= ticks) mark = each;
    this.#decoder.reset();
    this.#blockLength = 0;
    this.#isAtEnd = mark === undefined;
    if (mark === undefined) return;
    this.#blockFirst = this.#sampleOf(mark.position);
    this.#formats = mark.formats;
    this.#chunk = new Uint8Array(0);
    this.#chunkAt = mark.at;
    this.#at = 0;
  }

  /** Decodes the next payload of the format into the block. @returns false at the end */
  async #next(): Promise<boolean> {
    for (;;) {
      const head = readRecordHead(this.#chunk, this.#at);
      if (head === undefined || this.#at + RECORD_HEAD_BYTES + head.bodyLength > this.#chunk.length) {
        if (await this.#fetch()) continue;
        this.#isAtEnd = true;
        return false;
      }
      const bodyAt = this.#at + RECORD_HEAD_BYTES;
      const body = this.#chunk.subarray(bodyAt, bodyAt + head.bodyLength);
      this.#at = bodyAt + head.bodyLength;
      if (head.kind === "format") {
        const known = this.#index.formats.filter(({ payloadType }) => payloadType === head.payloadType);
        const text = new TextDecoder().decode(body);
        const one = known.find((each) => text.includes(`"codec":${JSON.stringify(each.codec)}`)) ?? known[0];
        if (one !== undefined) this.#formats = new Map(this.#formats).set(head.payloadType, one);
      } else if (this.#formats.get(head.payloadType)?.codec === this.#format.codec) {
        this.#decode(head, body);
        return true;
      }
    }
  }

  #decode(head: RecordHead, body: Uint8Array): void {
    const first = this.#sampleOf(head.position);
    const end = this.#blockFirst + this.#blockLength;
    const gap = first - end;
    const room = this.#decoder.maximumFrames(body.length);
    const concealed =
      gap > 0 && gap <= (CONCEALED_MS * this.#rateHz) / 1_000 && this.#blockLength > 0 ? gap : 0;
    if (this.#block.length < room + concealed) this.#block = new Int16Array(room + concealed);
    let filled = 0;
    if (concealed > 0) {
      filled = this.#decoder.conceal(concealed, this.#block.subarray(0, concealed), body);
      this.#block.fill(0, filled, concealed);
      filled = concealed;
    }
    const frames = Math.max(0, this.#decoder.decode(body, this.#block.subarray(filled)));
    this.#blockFirst = first - filled;
    this.#blockLength = filled + frames;
  }

  async #fetch(): Promise<boolean> {
    const at = this.#chunkAt + this.#at;
    const chunk = await this.#file.read(at, CHUNK_BYTES + RECORD_HEAD_BYTES);
    const grew = chunk.length > this.#chunk.length - this.#at;
    this.#chunk = chunk;
    this.#chunkAt = at;
    this.#at = 0;
    return grew;
  }

  #sampleOf(position: number): number {
    return Math.round((position * this.#rateHz) / this.#index.header.clockRateHz);
  }
}
