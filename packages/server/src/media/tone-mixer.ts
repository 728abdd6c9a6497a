import { encodePcma, encodePcmu, PCMA_TO_LINEAR, PCMU_TO_LINEAR } from "@callfork/protocol/audio";
import type { LegCodec, MediaTone } from "./types.ts";

const SAMPLES_PER_MS = 8;
/** A sine of full scale is +3.14 dBm0 in µ-law (ITU-T G.711 table 2a). */
const FULL_SCALE_DBM0 = 3.14;
/** Rise and fall, so that the tone does not click. */
const RAMP_SAMPLES = 40;
const LOUDEST = 32_767;
/** 200 ms: more than any packet carries. */
const SCRATCH_SAMPLES = 1600;

/** How the samples of a packet are written. */
export type Law = "pcmu" | "pcma";

/** The law of a payload type, where it is G.711: only there samples can be added to. */
export function lawOf({ name, clockRateHz }: LegCodec): Law | undefined {
  const law = name.toLowerCase();
  return clockRateHz === 8000 && (law === "pcmu" || law === "pcma") ? law : undefined;
}

/**
 * A tone that is heard again and again in a stream, on top of what is said. Where it stands is told by the stream's own
 * timestamps, so that loss and reordering do not change it; sequence, timestamps and the rest of the packet stay.
 */
export class ToneMixer {
  readonly tone: MediaTone;
  readonly #burst: Int16Array;
  readonly #intervalSamples: number;
  readonly #scratch = new Int16Array(SCRATCH_SAMPLES);
  /** Timestamp of the first burst; −1 before the first packet. */
  #origin = -1;

  constructor(tone: MediaTone) {
    this.tone = tone;
    this.#burst = burstOf(tone);
    this.#intervalSamples = Math.max(this.#burst.length, Math.round(tone.intervalMs * SAMPLES_PER_MS));
  }

  /** Adds what of the tone falls into the payload from `start` to `end`, whose first sample is `timestamp`. */
  mix(bytes: Uint8Array, start: number, end: number, law: Law, timestamp: number): void {
    if (this.#origin < 0) this.#origin = timestamp;
    const behind = (timestamp - this.#origin) >>> 0;
    if (behind >= 0x8000_0000) return; // from before the first burst, reordered
    const at = behind % this.#intervalSamples;
    const count = Math.min(end - start, SCRATCH_SAMPLES);
    const burst = this.#burst;
    if (at >= burst.length && at + count <= this.#intervalSamples) return;
    const linear = law === "pcmu" ? PCMU_TO_LINEAR : PCMA_TO_LINEAR;
    const scratch = this.#scratch;
    for (let i = 0; i < count; i++) {
      const sample = linear[bytes[start + i]!]! + (burst[(at + i) % this.#intervalSamples] ?? 0);
      scratch[i] = Math.max(-LOUDEST, Math.min(LOUDEST, sample));
    }
    const mixed = scratch.subarray(0, count);
    const out = bytes.subarray(start, start + count);
    if (law === "pcmu") encodePcmu(mixed, out);
    else encodePcma(mixed, out);
  }
}

function burstOf({ frequencyHz, levelDbm0, durationMs }: MediaTone): Int16Array {
  const samples = new Int16Array(Math.round(durationMs * SAMPLES_PER_MS));
  const amplitude = LOUDEST * 10 ** ((levelDbm0 - FULL_SCALE_DBM0) / 20);
  const last = samples.length - 1;
  for (let i = 0; i < samples.length; i++) {
    const ramp = Math.min(1, i / RAMP_SAMPLES, (last - i) / RAMP_SAMPLES);
    samples[i] = Math.round(amplitude * ramp * Math.sin((2 * Math.PI * frequencyHz * i) / 8000));
  }
  return samples;
}

export const isSameTone = (a: MediaTone, b: MediaTone): boolean =>
  a.frequencyHz === b.frequencyHz &&
  a.levelDbm0 === b.levelDbm0 &&
  a.durationMs === b.durationMs &&
  a.intervalMs === b.intervalMs;
