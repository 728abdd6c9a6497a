import type { RingbackTone } from "./options.ts";

interface Cadence {
  readonly frequenciesHz: readonly number[];
  readonly onSeconds: number;
  readonly offSeconds: number;
}

/** ITU-T E.180 supplement 2: North America, and what most European networks play. */
const CADENCES: Readonly<Record<RingbackTone, Cadence>> = {
  us: { frequenciesHz: [440, 480], onSeconds: 2, offSeconds: 4 },
  eu: { frequenciesHz: [425], onSeconds: 1, offSeconds: 4 },
};

const SAMPLE_RATE_HZ = 8000;
/** −19 dBm0 for all frequencies together: inside E.180's −15 to −20. */
const AMPLITUDE = 0.0794 * 32_768 * Math.SQRT2;
/** Rise and fall, so that the tone does not click. */
const RAMP_SAMPLES = 80;

/** One turn of the ringing tone, linear PCM at 8 kHz, to be played in a loop. */
export function ringbackTone(kind: RingbackTone): Int16Array {
  const { frequenciesHz, onSeconds, offSeconds } = CADENCES[kind];
  const on = onSeconds * SAMPLE_RATE_HZ;
  const samples = new Int16Array(on + offSeconds * SAMPLE_RATE_HZ);
  const amplitude = AMPLITUDE / Math.sqrt(frequenciesHz.length);
  for (let i = 0; i < on; i++) {
    const ramp = Math.min(1, i / RAMP_SAMPLES, (on - 1 - i) / RAMP_SAMPLES);
    let value = 0;
    for (const frequency of frequenciesHz) value += Math.sin((2 * Math.PI * frequency * i) / SAMPLE_RATE_HZ);
    samples[i] = Math.round(value * amplitude * ramp);
  }
  return samples;
}
