import { decodePcma, decodePcmu } from "./g711.ts";

export type WavFormat = "pcm" | "mulaw" | "alaw";

export interface WavHeaderOptions {
  readonly channels: number;
  readonly sampleRateHz: number;
  /** 16 for pcm (8 is unsigned), 8 for mulaw and alaw. */
  readonly bitsPerSample: number;
  readonly format: WavFormat;
  /** Octets of audio that follow the header. When odd, one zero octet has to follow them. */
  readonly dataBytes: number;
}

const FORMAT_TAGS = { pcm: 1, alaw: 6, mulaw: 7 } as const satisfies Record<WavFormat, number>;
const WAVE_FORMAT_EXTENSIBLE = 0xfffe;

/** Octets of the header: 44 for pcm; 58 for others, which carry a longer `fmt ` and a `fact` chunk. */
export function wavHeaderBytes(format: WavFormat): 44 | 58 {
  return format === "pcm" ? 44 : 58;
}

/** The most audio a WAV file can hold: its sizes have 32 bits, and 0xFFFFFFFF means "not known". */
export function maxWavDataBytes(format: WavFormat): number {
  return 0xffff_fffe - wavHeaderBytes(format) + 8 - 1;
}

/**
 * The header of a WAV file (RIFF, IBM and Microsoft 1991; non-PCM by the rules of 1994: `cbSize` and `fact`).
 *
 * @returns 44 or 58 octets, the caller's
 * @throws RangeError for more than `maxWavDataBytes` (split the file), and for numbers that fit no field
 */
export function writeWavHeader(options: WavHeaderOptions): Uint8Array {
  const { channels, sampleRateHz, bitsPerSample, format, dataBytes } = options;
  if (!isWhole(dataBytes, 0, maxWavDataBytes(format))) {
    throw new RangeError(
      `a WAV file holds at most ${maxWavDataBytes(format)} octets of audio, not ${dataBytes}`,
    );
  }
  const expectedBits = format === "pcm" ? [8, 16, 24, 32] : [8];
  if (
    !isWhole(channels, 1, 256) ||
    !isWhole(sampleRateHz, 1, 1_000_000) ||
    !expectedBits.includes(bitsPerSample)
  ) {
    throw new RangeError(
      `no WAV has ${channels} channels, ${sampleRateHz} Hz, ${bitsPerSample} bits ${format}`,
    );
  }
  const blockBytes = (channels * bitsPerSample) / 8;
  const header = new Uint8Array(wavHeaderBytes(format));
  const writer = new ChunkWriter(header);
  writer
    .tag("RIFF")
    .u32(header.length - 8 + dataBytes + (dataBytes % 2))
    .tag("WAVE");
  writer.tag("fmt ").u32(format === "pcm" ? 16 : 18);
  writer
    .u16(FORMAT_TAGS[format])
    .u16(channels)
    .u32(sampleRateHz)
    .u32(sampleRateHz * blockBytes);
  writer.u16(blockBytes).u16(bitsPerSample);
  if (format !== "pcm")
    writer
      .u16(0)
      .tag("fact")
      .u32(4)
      .u32(Math.floor(dataBytes / blockBytes));
  writer.tag("data").u32(dataBytes);
  return header;
}

export interface WavInfo {
  readonly format: WavFormat;
  readonly channels: number;
  readonly sampleRateHz: number;
  readonly bitsPerSample: number;
  /** Where the audio starts in the file. */
  readonly dataOffset: number;
  /** Octets of audio that are there: whole blocks only. */
  readonly dataBytes: number;
  /** The header announced more audio than there is, or did not know: the writer was cut off. */
  readonly truncated: boolean;
}

export type WavErrorCode =
  | "WAV_NOT_RIFF"
  | "WAV_BAD_CHUNK"
  | "WAV_NO_FORMAT"
  | "WAV_NO_DATA"
  | "WAV_UNSUPPORTED";

export interface WavError {
  readonly code: WavErrorCode;
  readonly message: string;
}

/** Same shape as the Result of the text room, which this room does not use. */
export type WavResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: WavError };

/**
 * Reads the header of a WAV file.
 *
 * Other chunks, their padding and `WAVE_FORMAT_EXTENSIBLE` are understood. A data size of 0 at the end of the headers,
 * of 0xFFFFFFFF, or beyond the end of the file is taken as a recording that was cut off: all that follows is audio.
 *
 * @param bytes - the file, or its first part together with `fileBytes`
 * @param fileBytes - length of the whole file when `bytes` holds only its start
 */
export function parseWav(bytes: Uint8Array, fileBytes: number = bytes.length): WavResult<WavInfo> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || tagAt(view, 0) !== "RIFF" || tagAt(view, 8) !== "WAVE") {
    return fail("WAV_NOT_RIFF", "no RIFF/WAVE header");
  }
  let format: Omit<WavInfo, "dataOffset" | "dataBytes" | "truncated"> | undefined;
  let offset = 12;
  while (offset + 8 <= bytes.length) {
    const tag = tagAt(view, offset);
    const size = view.getUint32(offset + 4, true);
    const body = offset + 8;
    if (tag === "data") {
      if (!format) return fail("WAV_NO_FORMAT", "no fmt chunk before the audio");
      return { ok: true, value: { ...format, ...audioExtent(format, body, size, fileBytes) } };
    }
    if (tag === "fmt ") {
      if (size < 16 || body + size > bytes.length) return fail("WAV_BAD_CHUNK", "the fmt chunk is cut short");
      format = readFormat(view, body, size);
      if (!format) return fail("WAV_UNSUPPORTED", "neither 8 or 16 bit PCM nor mu-law nor A-law");
    }
    offset = body + size + (size % 2);
  }
  return fail("WAV_NO_DATA", "no data chunk");
}

/**
 * All audio of a WAV file as 16-bit samples, interleaved when there are several channels.
 *
 * @param bytes - the whole file
 * @param info - as `parseWav` gave it; default: parsed here
 * @returns a new array, the caller's
 */
export function pcmOf(bytes: Uint8Array, info?: WavInfo): WavResult<Int16Array> {
  const parsed = info ? ({ ok: true, value: info } as const) : parseWav(bytes);
  if (!parsed.ok) return parsed;
  const { format, bitsPerSample, dataOffset, dataBytes } = parsed.value;
  const data = bytes.subarray(dataOffset, dataOffset + dataBytes);
  const samples = new Int16Array(Math.floor((data.length * 8) / bitsPerSample));
  if (format === "mulaw") decodePcmu(data, samples);
  else if (format === "alaw") decodePcma(data, samples);
  else if (bitsPerSample === 8) for (let i = 0; i < samples.length; i++) samples[i] = (data[i]! - 128) << 8;
  else {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(2 * i, true);
  }
  return { ok: true, value: samples };
}

function readFormat(
  view: DataView,
  body: number,
  size: number,
): Omit<WavInfo, "dataOffset" | "dataBytes" | "truncated"> | undefined {
  const outer = view.getUint16(body, true);
  // EXTENSIBLE keeps the real tag in the first two octets of the sub-format GUID.
  const tag = outer === WAVE_FORMAT_EXTENSIBLE && size >= 40 ? view.getUint16(body + 24, true) : outer;
  const channels = view.getUint16(body + 2, true);
  const sampleRateHz = view.getUint32(body + 4, true);
  const bitsPerSample = view.getUint16(body + 14, true);
  const format = (Object.keys(FORMAT_TAGS) as WavFormat[]).find((name) => FORMAT_TAGS[name] === tag);
  const bits = format === "pcm" ? [8, 16] : [8];
  if (!format || channels === 0 || sampleRateHz === 0 || !bits.includes(bitsPerSample)) return undefined;
  return { format, channels, sampleRateHz, bitsPerSample };
}

function audioExtent(
  { channels, bitsPerSample }: Pick<WavInfo, "channels" | "bitsPerSample">,
  dataOffset: number,
  size: number,
  fileBytes: number,
): Pick<WavInfo, "dataOffset" | "dataBytes" | "truncated"> {
  const present = Math.max(fileBytes - dataOffset, 0);
  const truncated = size > present || (size === 0 && present > 0);
  const length = truncated ? present : size;
  return { dataOffset, dataBytes: length - (length % ((channels * bitsPerSample) / 8)), truncated };
}

class ChunkWriter {
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  tag(text: string): this {
    for (let i = 0; i < 4; i++) this.#view.setUint8(this.#offset++, text.charCodeAt(i));
    return this;
  }

  u16(value: number): this {
    this.#view.setUint16(this.#offset, value, true);
    this.#offset += 2;
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#offset, value, true);
    this.#offset += 4;
    return this;
  }
}

function tagAt(view: DataView, offset: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(offset + i)));
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function fail(code: WavErrorCode, message: string): { readonly ok: false; readonly error: WavError } {
  return { ok: false, error: { code, message } };
}
