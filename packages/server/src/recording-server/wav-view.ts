import { Readable } from "node:stream";
import {
  maxWavDataBytes,
  PCMA_TO_LINEAR,
  PCMU_TO_LINEAR,
  parseWav,
  wavHeaderBytes,
  writeWavHeader,
} from "@callfork/protocol/audio";
import type { FileReader } from "./files/file-reader.ts";
import type { MediaFile } from "./ports.ts";

/** Opens a track's file; undefined when there is none. Whoever asks closes it. */
export type OpenFile = () => Promise<FileReader | undefined>;

/** One track file as a channel. */
export interface Channel {
  readonly open: OpenFile;
  /** Frames of silence before its first sample. */
  readonly offset: number;
  /** Samples that were there when it was opened. */
  readonly samples: number;
  /** Where they start in the file. */
  readonly dataOffset: number;
  /** Linear value of each of the 256 codes. */
  readonly table: Int16Array;
}

/** Frames decoded at a time. */
const CHUNK_FRAMES = 8_192;
const HEADER_BYTES = wavHeaderBytes("pcm");

/** Looks at a track file; one that is still being written has the samples that are in it now, a missing one none. */
export async function openChannel(open: OpenFile, offset: number): Promise<Channel> {
  const none: Channel = { open, offset: 0, samples: 0, dataOffset: 0, table: PCMU_TO_LINEAR };
  const file = await open();
  if (file === undefined) return none; // no packet ever came
  try {
    const info = parseWav(await file.read(0, wavHeaderBytes("mulaw")), file.size);
    if (!info.ok) return none;
    const { dataBytes: samples, dataOffset, format } = info.value;
    return { open, offset, samples, dataOffset, table: format === "alaw" ? PCMA_TO_LINEAR : PCMU_TO_LINEAR };
  } finally {
    await file.close();
  }
}

/**
 * A WAV file of 16-bit samples that exists only while it is read: one channel each, decoded from G.711, silent where
 * a track has nothing. A range costs what it asks for.
 */
export function wavView(channels: readonly Channel[], sampleRateHz: number): MediaFile {
  const frameBytes = 2 * channels.length;
  const longest = Math.max(0, ...channels.map(({ offset, samples }) => offset + samples));
  // A WAV file ends at 4 GiB: 37 hours of one channel at 8 kHz.
  const frames = Math.min(longest, Math.floor(maxWavDataBytes("pcm") / frameBytes));
  const dataBytes = frames * frameBytes;
  const header = writeWavHeader({
    channels: channels.length,
    sampleRateHz,
    bitsPerSample: 16,
    format: "pcm",
    dataBytes,
  });
  const length = HEADER_BYTES + dataBytes;
  return {
    contentType: "audio/wav",
    length,
    open: (start, end) =>
      Readable.from(octets(channels, header, Math.max(start, 0), Math.min(end, length - 1)), {
        objectMode: false,
      }),
  };
}

async function* octets(
  channels: readonly Channel[],
  header: Uint8Array,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  if (start < HEADER_BYTES && start <= end) yield header.subarray(start, Math.min(end + 1, HEADER_BYTES));
  if (end < HEADER_BYTES) return;
  const frameBytes = 2 * channels.length;
  const first = Math.max(start - HEADER_BYTES, 0);
  const last = end - HEADER_BYTES;
  const files: (FileReader | undefined)[] = [];
  try {
    for (const channel of channels) {
      files.push(channel.samples === 0 ? undefined : await channel.open());
    }
    for (let at = first; at <= last; ) {
      const frame = Math.floor(at / frameBytes);
      const frames = Math.min(CHUNK_FRAMES, Math.floor(last / frameBytes) + 1 - frame);
      const chunk = new Uint8Array(frames * frameBytes);
      for (const [index, channel] of channels.entries()) {
        const file = files[index];
        if (file !== undefined) await decodeInto(chunk, file, channel, frame, frames, 2 * index, frameBytes);
      }
      const from = at - frame * frameBytes;
      const to = Math.min(chunk.length, last + 1 - frame * frameBytes);
      yield chunk.subarray(from, to);
      at += to - from;
    }
  } finally {
    for (const file of files) await file?.close();
  }
}

/** Writes what one channel has of `frames` frames from `frame` on; the rest stays zero, which is silence. */
async function decodeInto(
  chunk: Uint8Array,
  file: FileReader,
  channel: Channel,
  frame: number,
  frames: number,
  byteOffset: number,
  frameBytes: number,
): Promise<void> {
  const from = Math.max(frame, channel.offset);
  const to = Math.min(frame + frames, channel.offset + channel.samples);
  if (to <= from) return;
  const codes = await file.read(channel.dataOffset + from - channel.offset, to - from);
  if (codes.length < to - from) throw new Error(`${file.name} became shorter while it was read`);
  const view = new DataView(chunk.buffer);
  let at = (from - frame) * frameBytes + byteOffset;
  for (const code of codes) {
    view.setInt16(at, channel.table[code]!, true);
    at += frameBytes;
  }
}
