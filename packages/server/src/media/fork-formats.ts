import { type AudioFormat, createAudioDecoder, createAudioEncoder } from "./codec/index.ts";
import { QueuedTranscoder, type TranscodeQueue } from "./transcode-queue.ts";
import { type TranscodedSink, Transcoder } from "./transcoder.ts";
import type { ForkConnection, ForkTranscoding, TranscodingStats } from "./types.ts";

/** What becomes of packets with one payload type of the leg. */
export interface ForkFormat {
  /** Towards the recorder. */
  readonly payloadType: number;
  readonly clockRateHz: number;
  /** Absent: the payload passes as it is. */
  readonly transcoder?: QueuedTranscoder;
  /** What makes two formats the same. */
  readonly key: string;
  readonly names?: { readonly from: string; readonly to: string };
}

const HIGHEST_OPUS_RATE_HZ = 48_000;
/** Of Opus: decoded and encoded at the rate of the other side where that is one of its own (RFC 6716 §2). */
const OPUS_RATES_HZ: readonly number[] = [8000, 12_000, 16_000, 24_000, HIGHEST_OPUS_RATE_HZ];

/** The formats of one fork by payload type of the leg, with their transcoders. */
export class ForkFormats {
  readonly #sink: TranscodedSink;
  readonly #queue: TranscodeQueue;
  #formats: readonly (ForkFormat | undefined)[] = [];

  constructor(sink: TranscodedSink, queue: TranscodeQueue) {
    this.#sink = sink;
    this.#queue = queue;
  }

  /** Undefined: nobody wants packets of that type. */
  at(payloadType: number): ForkFormat | undefined {
    return this.#formats[payloadType];
  }

  /** Takes over a connection; formats that are the same as before go on, with all that their transcoders remember. */
  use({ payloadTypes, clockRateHz, clockRatesHz, transcodings = [] }: ForkConnection): void {
    const before = new Map(this.#formats.flatMap((format) => (format ? [[format.key, format]] : [])));
    const formats: (ForkFormat | undefined)[] = Array.from({ length: 128 });
    for (const [from, payloadType] of payloadTypes) {
      const rate = clockRatesHz?.get(from) ?? clockRateHz;
      const key = `${from} ${payloadType} ${rate}`;
      formats[from & 0x7f] = before.get(key) ?? { payloadType, clockRateHz: rate, key };
    }
    for (const transcoding of transcodings) {
      const key = JSON.stringify(transcoding);
      formats[transcoding.from.payloadType & 0x7f] = before.get(key) ?? this.#transcoded(transcoding, key);
    }
    const kept = new Set(formats);
    for (const format of this.#formats) if (!kept.has(format)) format?.transcoder?.close();
    this.#formats = formats;
  }

  has(format: ForkFormat): boolean {
    return this.#formats.includes(format);
  }

  /** Nothing that went in before comes out after. */
  reset(): void {
    for (const format of this.#formats) format?.transcoder?.reset();
  }

  close(): void {
    for (const format of this.#formats) format?.transcoder?.close();
    this.#formats = [];
  }

  /** Of all transcoders together; undefined when there is none. */
  transcoding(active: ForkFormat | undefined): TranscodingStats | undefined {
    const all = this.#formats.flatMap((format) => (format?.transcoder ? [format] : []));
    const shown = active?.transcoder ? active : all[0];
    if (shown?.names === undefined) return undefined;
    const sum = { packets: 0, undecodable: 0, late: 0, lost: 0, concealedMs: 0 };
    for (const { transcoder } of all) {
      const counts = transcoder!.counts;
      for (const name of COUNTS) sum[name] += counts[name];
    }
    return { ...shown.names, isActive: active?.transcoder !== undefined, ...sum };
  }

  /** Undefined, so that its packets are not forwarded, when one of the codecs is none of ours. */
  #transcoded({ from, to, packetTimeMs }: ForkTranscoding, key: string): ForkFormat | undefined {
    const [sourceHz, targetHz] = ratesOf(from, to);
    const decoder = createAudioDecoder(from, { channels: 1, sampleRateHz: sourceHz });
    if (!decoder.ok) return undefined;
    const encoder = createAudioEncoder(to, { packetTimeMs: packetTimeMs ?? 20, sampleRateHz: targetHz });
    if (!encoder.ok || encoder.value.channels !== 1) {
      decoder.value.close();
      if (encoder.ok) encoder.value.close();
      return undefined;
    }
    return {
      payloadType: to.payloadType,
      clockRateHz: to.clockRateHz,
      transcoder: new QueuedTranscoder(new Transcoder(decoder.value, encoder.value, this.#sink), this.#queue),
      key,
      names: { from: from.name, to: to.name },
    };
  }
}

const COUNTS = ["packets", "undecodable", "late", "lost", "concealedMs"] as const;

/** Sampling rates of both sides: Opus takes the other's, so that nothing has to be resampled. */
function ratesOf(from: AudioFormat, to: AudioFormat): readonly [number, number] {
  const [source, target] = [ownRateHz(from), ownRateHz(to)];
  if (source === undefined && target === undefined) return [16_000, 16_000];
  const rate = source ?? target!;
  const opusRate = OPUS_RATES_HZ.includes(rate) ? rate : HIGHEST_OPUS_RATE_HZ;
  return [source ?? opusRate, target ?? opusRate];
}

/** Undefined for Opus, which has no rate of its own. */
function ownRateHz({ name, clockRateHz }: AudioFormat): number | undefined {
  const codec = name.toUpperCase();
  if (codec === "OPUS") return undefined;
  return codec === "G722" ? 16_000 : clockRateHz;
}
