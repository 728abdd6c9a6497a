/** Length of the low-pass; odd, so that its delay is a whole number of samples. */
const TAPS = 63;
const DELAY = (TAPS - 1) / 2;
/** −6 dB point as part of the 16 kHz rate: 3.6 kHz keeps speech up to 3.2 kHz and is down by 50 dB at 4.1 kHz. */
const CUTOFF = 3600 / 16_000;

/**
 * Windowed-sinc low-pass (Blackman–Harris would cost width; Hamming: stop band −53 dB, transition 3.3 / TAPS of the
 * rate, here 0.84 kHz), scaled to unity gain for a constant signal.
 */
const LOW_PASS: Float64Array = lowPass();

/**
 * Halves the rate of mono audio, 16 kHz to 8 kHz: low-pass, then every second sample. The delay of the filter is taken
 * out, and beyond both ends the audio is taken as silent.
 *
 * @returns a new array with half as many samples (rounded up), the caller's
 */
export function decimateByTwo(samples: Int16Array): Int16Array {
  const out = new Int16Array(Math.ceil(samples.length / 2));
  for (let i = 0; i < out.length; i++) {
    const centre = 2 * i;
    const first = Math.max(centre - DELAY, 0);
    const last = Math.min(centre + DELAY, samples.length - 1);
    let sum = 0;
    for (let j = first; j <= last; j++) sum += samples[j]! * LOW_PASS[j - centre + DELAY]!;
    out[i] = Math.max(-32_768, Math.min(32_767, Math.round(sum)));
  }
  return out;
}

/** Mean of all channels: interleaved audio to mono. A last incomplete block is dropped. */
export function mixDown(samples: Int16Array, channels: number): Int16Array {
  if (channels === 1) return samples.slice();
  const out = new Int16Array(Math.floor(samples.length / channels));
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += samples[i * channels + channel]!;
    out[i] = Math.round(sum / channels);
  }
  return out;
}

function lowPass(): Float64Array {
  const taps = Float64Array.from({ length: TAPS }, (_, i) => {
    const t = i - DELAY;
    const sinc = t === 0 ? 2 * CUTOFF : Math.sin(2 * Math.PI * CUTOFF * t) / (Math.PI * t);
    return sinc * (0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (TAPS - 1)));
  });
  const gain = taps.reduce((sum, tap) => sum + tap, 0);
  return taps.map((tap) => tap / gain);
}
