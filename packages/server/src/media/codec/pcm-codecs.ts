import {
  decodePcma,
  decodePcmu,
  encodePcma,
  encodePcmu,
  G722_DELAY_SAMPLES,
  G722_SAMPLE_RATE_HZ,
  G722Decoder,
  G722Encoder,
} from "@callfork/protocol/audio";
import type { AudioDecoder, AudioEncoder } from "./audio-codec.ts";

/** How one of the codecs without any state worth the name turns octets into samples. */
interface Waveform {
  readonly octetsPerSample: number;
  decode(payload: Uint8Array, out: Int16Array): void;
  encode(samples: Int16Array, out: Uint8Array, offset: number): void;
}

const PCMU: Waveform = { octetsPerSample: 1, decode: decodePcmu, encode: encodePcmu };
const PCMA: Waveform = { octetsPerSample: 1, decode: decodePcma, encode: encodePcma };
/** "Samples in network byte order" (RFC 3551 §4.5.11). */
const L16: Waveform = {
  octetsPerSample: 2,
  decode(payload, out) {
    const samples = payload.length >> 1;
    for (let i = 0; i < samples; i++) out[i] = (payload[2 * i]! << 8) | payload[2 * i + 1]!;
  },
  encode(samples, out, offset) {
    for (let i = 0; i < samples.length; i++) {
      out[offset + 2 * i] = samples[i]! >> 8;
      out[offset + 2 * i + 1] = samples[i]! & 0xff;
    }
  },
};

export const WAVEFORMS: ReadonlyMap<string, Waveform> = new Map([
  ["PCMU", PCMU],
  ["PCMA", PCMA],
  ["L16", L16],
]);

/** G.711 and L16: a number of octets a sample, and no memory. Losses are filled with silence. */
export class WaveformDecoder implements AudioDecoder {
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly unitsPerFrame = 1;
  readonly #waveform: Waveform;
  readonly #octetsPerFrame: number;

  constructor(waveform: Waveform, sampleRateHz: number, channels: number) {
    this.#waveform = waveform;
    this.sampleRateHz = sampleRateHz;
    this.channels = channels;
    this.#octetsPerFrame = waveform.octetsPerSample * channels;
  }

  decode(payload: Uint8Array, out: Int16Array): number {
    const frames = payload.length / this.#octetsPerFrame;
    if (!Number.isInteger(frames) || frames === 0 || frames * this.channels > out.length) return -1;
    this.#waveform.decode(payload, out);
    return frames;
  }

  conceal(frames: number, out: Int16Array): number {
    return fillWithSilence(frames, out, this.channels);
  }

  maximumFrames(payloadLength: number): number {
    return Math.floor(payloadLength / this.#octetsPerFrame);
  }

  reset(): void {}
  close(): void {}
}

export class WaveformEncoder implements AudioEncoder {
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly unitsPerFrame = 1;
  readonly packetFrames: number;
  readonly maximumPayload: number;
  readonly lookaheadFrames = 0;
  readonly #waveform: Waveform;

  constructor(waveform: Waveform, sampleRateHz: number, channels: number, packetTimeMs: number) {
    this.#waveform = waveform;
    this.sampleRateHz = sampleRateHz;
    this.channels = channels;
    this.packetFrames = Math.floor((sampleRateHz * packetTimeMs) / 1000);
    this.maximumPayload = this.packetFrames * channels * waveform.octetsPerSample;
  }

  encode(samples: Int16Array, out: Uint8Array, offset: number): number {
    this.#waveform.encode(samples, out, offset);
    return samples.length * this.#waveform.octetsPerSample;
  }

  reset(): void {}
  close(): void {}
}

/** G.722 at 64 kbit/s. Every octet decodes; losses are filled with silence, from which the predictor recovers. */
export class G722AudioDecoder implements AudioDecoder {
  readonly sampleRateHz = G722_SAMPLE_RATE_HZ;
  readonly channels = 1;
  /** A clock of 8000 Hz for audio at 16 kHz (RFC 3551 §4.5.2). */
  readonly unitsPerFrame = 0.5;
  readonly #decoder = new G722Decoder();

  decode(payload: Uint8Array, out: Int16Array): number {
    if (payload.length === 0 || 2 * payload.length > out.length) return -1;
    return this.#decoder.decode(payload, out);
  }

  conceal(frames: number, out: Int16Array): number {
    return fillWithSilence(frames, out, 1);
  }

  maximumFrames(payloadLength: number): number {
    return 2 * payloadLength;
  }

  reset(): void {
    this.#decoder.reset();
  }

  close(): void {}
}

export class G722AudioEncoder implements AudioEncoder {
  readonly sampleRateHz = G722_SAMPLE_RATE_HZ;
  readonly channels = 1;
  readonly unitsPerFrame = 0.5;
  readonly packetFrames: number;
  readonly maximumPayload: number;
  readonly lookaheadFrames = G722_DELAY_SAMPLES;
  readonly #encoder = new G722Encoder();

  constructor(packetTimeMs: number) {
    this.packetFrames = 2 * Math.floor((G722_SAMPLE_RATE_HZ * packetTimeMs) / 2000);
    this.maximumPayload = this.packetFrames / 2;
  }

  encode(samples: Int16Array, out: Uint8Array, offset: number): number {
    return this.#encoder.encode(samples, out, offset);
  }

  reset(): void {
    this.#encoder.reset();
  }

  close(): void {}
}

function fillWithSilence(frames: number, out: Int16Array, channels: number): number {
  const made = Math.min(frames, Math.floor(out.length / channels));
  out.fill(0, 0, made * channels);
  return made;
}
