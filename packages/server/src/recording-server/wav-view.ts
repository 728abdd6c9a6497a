import { Readable } from "node:stream";
import { maxWavDataBytes, wavHeaderBytes, writeWavHeader } from "@callfork/protocol/audio";
import type { MediaFile } from "./ports.ts";
import type { PcmReader, PcmSource } from "./reading/pcm-source.ts";

/** Frames made at a time. */
const CHUNK_FRAMES = 8_192;
const HEADER_BYTES = wavHeaderBytes("pcm");

/**
 * A WAV file of 16-bit samples that exists only while it is read: one channel a source, decoded on the way, silent
 * where a track has nothing. A range costs what it asks for.
 *
 * @param channels - all at `sampleRateHz`
 */
export function wavView(channels: readonly PcmSource[], sampleRateHz: number): MediaFile {
  const frameBytes = 2 * channels.length;
  const longest = Math.max(0, ...channels.map(({ samples }) => samples));
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
  channels: readonly PcmSource[],
  header: Uint8Array,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  if (start < HEADER_BYTES && start <= end) yield header.subarray(start, Math.min(end + 1, HEADER_BYTES));
  if (end < HEADER_BYTES) return;
  const frameBytes = 2 * channels.length;
  const first = Math.max(start - HEADER_BYTES, 0);
  const last = end - HEADER_BYTES;
  const readers: PcmReader[] = [];
  try {
    for (const channel of channels) readers.push(await channel.open());
    for (let at = first; at <= last; ) {
      const frame = Math.floor(at / frameBytes);
      const frames = Math.min(CHUNK_FRAMES, Math.floor(last / frameBytes) + 1 - frame);
      const chunk = new Uint8Array(frames * frameBytes);
      const view = new DataView(chunk.buffer);
      const samples = new Int16Array(frames);
      for (const [channel, reader] of readers.entries()) {
        await reader.read(frame, samples);
        let place = 2 * channel;
        for (const sample of samples) {
          view.setInt16(place, sample, true);
          place += frameBytes;
        }
      }
      const from = at - frame * frameBytes;
      const to = Math.min(chunk.length, last + 1 - frame * frameBytes);
      yield chunk.subarray(from, to);
      at += to - from;
    }
  } finally {
    for (const reader of readers) await reader.close();
  }
}
