import type { AudioDecoder } from "./audio-codec.ts";

/** A decoder of several channels whose audio comes out as their mean. Opus does that by itself. */
export class MixedDownDecoder implements AudioDecoder {
  readonly sampleRateHz: number;
  readonly channels = 1;
  readonly unitsPerFrame: number;
  readonly #decoder: AudioDecoder;
  #samples = new Int16Array(0);

  constructor(decoder: AudioDecoder) {
    this.#decoder = decoder;
    this.sampleRateHz = decoder.sampleRateHz;
    this.unitsPerFrame = decoder.unitsPerFrame;
  }

  decode(payload: Uint8Array, out: Int16Array): number {
    const { channels } = this.#decoder;
    const most = this.#decoder.maximumFrames(payload.length);
    if (most > out.length) return -1;
    if (this.#samples.length < most * channels) this.#samples = new Int16Array(most * channels);
    const frames = this.#decoder.decode(payload, this.#samples);
    for (let i = 0; i < frames; i++) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) sum += this.#samples[i * channels + channel]!;
      out[i] = Math.round(sum / channels);
    }
    return frames;
  }

  conceal(frames: number, out: Int16Array): number {
    const made = Math.min(frames, out.length);
    out.fill(0, 0, made);
    return made;
  }

  maximumFrames(payloadLength: number): number {
    return this.#decoder.maximumFrames(payloadLength);
  }

  reset(): void {
    this.#decoder.reset();
  }

  close(): void {
    this.#decoder.close();
  }
}
