import { Readable } from "node:stream";
import { inChannelOrder } from "../channel-order.ts";
import type { FileReader } from "../files/file-reader.ts";
import type { MediaFile, RecordingRecord, TrackRecord } from "../ports.ts";
import { alignedSource } from "./aligned-source.ts";
import { g711Source } from "./g711-source.ts";
import { mixedSource } from "./mixed-source.ts";
import { type ForeignAudio, payloadAudio } from "./payload-source.ts";
import type { PcmSource } from "./pcm-source.ts";
import { TRUE_CLOCK, trackClocks } from "./track-clock.ts";

/** Opens a file of one recording; undefined when there is none. Whoever asks closes it. */
export type OpenRecordingFile = (file: string) => Promise<FileReader | undefined>;

/** How the files of one recording are read. */
export interface OpenAudio {
  readonly open: OpenRecordingFile;
  /** Makes audio of payloads whose codec we do not know; undefined when nothing does. */
  readonly foreign: (file: string, audio: ForeignAudio) => Promise<PcmSource | undefined>;
}

/** What can be heard. */
export interface Audible {
  readonly channels: readonly PcmSource[];
  /** Of each channel. */
  readonly sampleRateHz: number;
  /** The highest that was recorded. */
  readonly inputSampleRateHz: number;
  /** Codecs of which nothing can be heard. */
  readonly unheard: readonly string[];
}

/** What one track is made of: sources on its own timeline, each at its own rate. */
interface TrackAudio {
  readonly sources: readonly PcmSource[];
  readonly unheard: readonly string[];
}

/**
 * All audio tracks on one timeline, a channel each, or all of them in one.
 *
 * @param rateFor - the rate to be given out, by the highest that was recorded
 */
export async function audioOfRecording(
  record: RecordingRecord,
  files: OpenAudio,
  { isMixed, rateFor }: { readonly isMixed: boolean; readonly rateFor: (rateHz: number) => number },
): Promise<Audible> {
  const tracks = inChannelOrder(record.tracks.filter(({ detail }) => detail?.kind !== "video"));
  const clocks = trackClocks(tracks);
  const audio = await Promise.all(tracks.map((track) => audioOf(track, files)));
  const inputSampleRateHz = highestRate(audio);
  const sampleRateHz = rateFor(inputSampleRateHz);
  const channels = audio.map(({ sources }, at) => {
    const place = { sampleRateHz, startSeconds: tracks[at]!.startOffsetMs / 1_000, clock: clocks[at]! };
    return mixedSource(
      sources.map((source) => alignedSource(source, place)),
      sampleRateHz,
    );
  });
  return {
    channels: isMixed || channels.length === 0 ? [mixedSource(channels, sampleRateHz)] : channels,
    sampleRateHz,
    inputSampleRateHz,
    unheard: audio.flatMap(({ unheard }) => unheard),
  };
}

/** One track as it is, sample for sample: on its sender's clock. */
export async function audioOfTrack(
  track: TrackRecord,
  files: OpenAudio,
  rateFor: (rateHz: number) => number,
): Promise<Audible> {
  const audio = await audioOf(track, files);
  const inputSampleRateHz = highestRate([audio]);
  const sampleRateHz = rateFor(inputSampleRateHz);
  const place = { sampleRateHz, startSeconds: 0, clock: TRUE_CLOCK };
  const sources = audio.sources.map((source) => alignedSource(source, place));
  const channels = [mixedSource(sources, sampleRateHz)];
  return { channels, sampleRateHz, inputSampleRateHz, unheard: audio.unheard };
}

async function audioOf(track: TrackRecord, { open, foreign }: OpenAudio): Promise<TrackAudio> {
  const sources: PcmSource[] = [];
  const unheard: string[] = [];
  for (const file of track.detail?.files ?? [track.file]) {
    if (file.endsWith(".wav")) {
      const source = await g711Source(() => open(file));
      if (source !== undefined) sources.push(source);
    } else if (file.endsWith(".cfp")) {
      const audio = await payloadAudio(() => open(file));
      sources.push(...(audio?.sources ?? []));
      for (const unknown of audio?.foreign ?? []) {
        const source = await foreign(file, unknown);
        if (source === undefined) unheard.push(unknown.format.codec);
        else sources.push(source);
      }
    }
  }
  return { sources, unheard };
}

/** A file of a recording as it was written. */
export async function keptFile(
  file: string,
  contentType: string,
  open: OpenRecordingFile,
): Promise<MediaFile | undefined> {
  const first = await open(file);
  if (first === undefined) return undefined;
  const length = first.size;
  await first.close();
  return {
    contentType,
    length,
    open: (start, end) =>
      Readable.from(octetsOf(file, open, start, Math.min(end, length - 1)), { objectMode: false }),
  };
}

const CHUNK_BYTES = 256 * 1_024;

async function* octetsOf(
  file: string,
  open: OpenRecordingFile,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  const reader = await open(file);
  if (reader === undefined) throw new Error(`${file} went while it was read`);
  try {
    for (let at = start; at <= end; ) {
      const octets = await reader.read(at, Math.min(CHUNK_BYTES, end + 1 - at));
      if (octets.length === 0) throw new Error(`${file} became shorter while it was read`);
      yield octets;
      at += octets.length;
    }
  } finally {
    await reader.close();
  }
}

/** The lowest rate that loses nothing; 8 kHz for what has no audio. */
function highestRate(audio: readonly TrackAudio[]): number {
  return Math.max(8_000, ...audio.flatMap(({ sources }) => sources.map(({ sampleRateHz }) => sampleRateHz)));
}
