import type { AudioDecoder } from "./audio-codec.ts";
import { opusPacketUnits } from "./opus-packet.ts";
import { OPUS_CTL, OPUS_MAXIMUM_PAYLOAD, type OpusLibrary } from "./opus-wasm.ts";

const UNITS_PER_SECOND = 400; // of 2.5 ms
const NO_DATA = 0;

export const OPUS_RATES_HZ: readonly number[] = [8000, 12_000, 16_000, 24_000, 48_000];

/** Opus (RFC 6716, RTP payload of RFC 7587) by libopus, at the rate that is asked for: the decoder needs no resampler. */
export class OpusDecoder implements AudioDecoder {
  readonly sampleRateHz: number;
  readonly channels: 1 | 2;
  /** The RTP clock is 48 kHz whatever the audio is (RFC 7587 §4.1). */
  readonly unitsPerFrame: number;
  readonly #library: OpusLibrary;
  readonly #state: number;
  readonly #framesPerUnit: number;
  readonly #maximumFrames: number;

  /** @throws Error when the library has no memory left */
  constructor(library: OpusLibrary, sampleRateHz: number, channels: 1 | 2) {
    const { calls } = library;
    this.#library = library;
    this.sampleRateHz = sampleRateHz;
    this.channels = channels;
    this.unitsPerFrame = 48_000 / sampleRateHz;
    this.#framesPerUnit = sampleRateHz / UNITS_PER_SECOND;
    this.#maximumFrames = 48 * this.#framesPerUnit;
    this.#state = calls.malloc(calls.opus_decoder_get_size(channels));
    if (this.#state === 0) throw new Error("no memory for another Opus decoder");
    calls.opus_decoder_init(this.#state, sampleRateHz, channels);
  }

  decode(payload: Uint8Array, out: Int16Array): number {
    const units = opusPacketUnits(payload);
    if (units < 0 || payload.length > OPUS_MAXIMUM_PAYLOAD) return -1;
    if (units * this.#framesPerUnit * this.channels > out.length) return -1;
    const { payload: area, payloadPointer } = this.#library;
    area.set(payload);
    const frames = this.#call(payloadPointer, payload.length, this.#maximumFrames, 0);
    return frames < 0 ? -1 : this.#copy(frames, out, 0);
  }

  /** What is missing is extrapolated, fading; the last of it is taken from the next packet's FEC where there is one. */
  conceal(frames: number, out: Int16Array, next?: Uint8Array): number {
    const wanted = Math.min(frames, Math.floor(out.length / this.channels));
    let made = 0;
    if (next !== undefined && next.length <= OPUS_MAXIMUM_PAYLOAD && opusPacketUnits(next) > 0) {
      const whole = wanted - (wanted % this.#framesPerUnit);
      const last = Math.min(whole, opusPacketUnits(next) * this.#framesPerUnit);
      made = this.#extrapolate(wanted - last, out, 0);
      const { payload: area, payloadPointer } = this.#library;
      area.set(next);
      const recovered = last === 0 ? 0 : this.#call(payloadPointer, next.length, last, 1);
      if (recovered > 0) made += this.#copy(recovered, out, made);
    }
    return made + this.#extrapolate(wanted - made, out, made);
  }

  maximumFrames(): number {
    return this.#maximumFrames;
  }

  reset(): void {
    this.#library.calls.opus_decoder_ctl_set(this.#state, OPUS_CTL.resetState, 0);
  }

  close(): void {
    this.#library.calls.free(this.#state);
  }

  /** libopus makes whole units of 2.5 ms; what is left over is silence. */
  #extrapolate(frames: number, out: Int16Array, from: number): number {
    let made = 0;
    while (frames - made >= this.#framesPerUnit) {
      const left = frames - made;
      const some = Math.min(this.#maximumFrames, left - (left % this.#framesPerUnit));
      const got = this.#call(NO_DATA, 0, some, 0);
      if (got <= 0) break;
      made += this.#copy(got, out, from + made);
    }
    out.fill(0, (from + made) * this.channels, (from + frames) * this.channels);
    return frames;
  }

  /** @returns frames, or a negative number: libopus does not take it */
  #call(pointer: number, length: number, frames: number, decodeFec: 0 | 1): number {
    const { calls, samplesPointer } = this.#library;
    const stack = calls.stackSave();
    try {
      return calls.opus_decode(this.#state, pointer, length, samplesPointer, frames, decodeFec);
    } catch {
      // A trap of the instance: an assertion of libopus. Its state may be half changed.
      calls.stackRestore(stack);
      calls.opus_decoder_init(this.#state, this.sampleRateHz, this.channels);
      return -1;
    }
  }

  #copy(frames: number, out: Int16Array, from: number): number {
    const samples = this.#library.samples;
    const length = frames * this.channels;
    const at = from * this.channels;
    for (let i = 0; i < length; i++) out[at + i] = samples[i]!;
    return frames;
  }
}
