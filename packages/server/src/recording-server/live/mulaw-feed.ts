import { encodePcmu, PCMU_SILENCE, Resampler } from "@callfork/protocol/audio";
import { type AudioDecoder, type AudioFormat, createAudioDecoder } from "../../media/index.ts";

const RATE_HZ = 8_000;
/** 20 ms, what consumers are used to. */
const CHUNK_BYTES = 160;
/** A longer silence is not sent: the timestamp of what follows tells it. */
const LONGEST_SENT_SILENCE_MS = 1_000;

interface Converter {
  readonly format: AudioFormat;
  readonly decoder: AudioDecoder;
  readonly resampler: Resampler | undefined;
  decoded: Int16Array;
  resampled: Int16Array;
  encoded: Uint8Array;
}

/** One track's audio as 20 ms chunks of mu-law at 8 kHz, whatever its codec is. PCMU passes as it came. */
export class MulawFeed {
  /** Payloads that no decoder made audio of. */
  undecoded = 0;
  readonly #onChunk: (timestampMs: number, chunk: Uint8Array) => void;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  #filled = 0;
  /** Of the chunk's first sample. */
  #timestampMs: number;
  #converter: Converter | undefined;

  /**
   * @param startMs - timestamp of the first sample
   * @param onChunk - the chunk is the feed's own and is overwritten afterwards
   */
  constructor(startMs: number, onChunk: (timestampMs: number, chunk: Uint8Array) => void) {
    this.#timestampMs = startMs;
    this.#onChunk = onChunk;
  }

  audio(payload: Uint8Array, format: AudioFormat): void {
    if (format.name.toUpperCase() === "PCMU" && format.clockRateHz === RATE_HZ) this.#push(payload);
    else this.#convert(payload, format);
  }

  silence(durationMs: number): void {
    if (durationMs <= LONGEST_SENT_SILENCE_MS) {
      this.#push(new Uint8Array(Math.round((durationMs * RATE_HZ) / 1_000)).fill(PCMU_SILENCE));
      return;
    }
    this.#flush();
    this.#timestampMs += durationMs;
  }

  close(): void {
    this.#flush();
    this.#converter?.decoder.close();
    this.#converter = undefined;
  }

  #convert(payload: Uint8Array, format: AudioFormat): void {
    const converter = this.#converterFor(format);
    if (converter === undefined) {
      this.undecoded++;
      return;
    }
    const { decoder, resampler } = converter;
    const room = decoder.maximumFrames(payload.length);
    if (converter.decoded.length < room) converter.decoded = new Int16Array(room);
    const frames = decoder.decode(payload, converter.decoded);
    if (frames < 0) {
      this.undecoded++;
      return;
    }
    let samples = converter.decoded.subarray(0, frames);
    if (resampler !== undefined) {
      const most = resampler.maximumOutput(frames);
      if (converter.resampled.length < most) converter.resampled = new Int16Array(most);
      samples = converter.resampled.subarray(0, resampler.process(samples, converter.resampled));
    }
    if (converter.encoded.length < samples.length) converter.encoded = new Uint8Array(samples.length);
    encodePcmu(samples, converter.encoded);
    this.#push(converter.encoded.subarray(0, samples.length));
  }

  #converterFor(format: AudioFormat): Converter | undefined {
    const { format: known } = this.#converter ?? {};
    if (known === format || (known?.name === format.name && known.clockRateHz === format.clockRateHz))
      return this.#converter;
    this.#converter?.decoder.close();
    this.#converter = undefined;
    const made = createAudioDecoder(format, { channels: 1 });
    if (!made.ok) return undefined;
    const decoder = made.value;
    const resampler =
      decoder.sampleRateHz === RATE_HZ ? undefined : new Resampler(decoder.sampleRateHz, RATE_HZ);
    this.#converter = {
      format,
      decoder,
      resampler,
      decoded: new Int16Array(0),
      resampled: new Int16Array(0),
      encoded: new Uint8Array(0),
    };
    return this.#converter;
  }

  #push(mulaw: Uint8Array): void {
    for (let at = 0; at < mulaw.length; ) {
      const count = Math.min(CHUNK_BYTES - this.#filled, mulaw.length - at);
      this.#chunk.set(mulaw.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled === CHUNK_BYTES) this.#flush();
    }
  }

  #flush(): void {
    if (this.#filled === 0) return;
    const chunk = this.#chunk.subarray(0, this.#filled);
    const timestampMs = this.#timestampMs;
    this.#timestampMs += (this.#filled * 1_000) / RATE_HZ;
    this.#filled = 0;
    this.#onChunk(timestampMs, chunk);
  }
}
