/** Samples on both sides of a place that its value is made from. */
export const REACH = 16;
const TAPS = 2 * REACH;
const PHASES = 512;
/** Of the source's Nyquist frequency: what is above would come back as its mirror image. */
const CUTOFF = 0.94;
/** Kaiser window: stop band below −80 dB. */
const BETA = 8;

/** Filters for places between two samples, `PHASES` + 1 of them, one behind the other. */
const TABLE = makeTable();

/**
 * The value of a sampled signal at any place, by a windowed sinc: so audio is put onto another clock.
 *
 * @param samples - from `REACH` − 1 samples before the place to `REACH` behind it, at least
 * @param place - between the samples; 0 is the first of `samples`
 */
export function valueAt(samples: Int16Array, place: number): number {
  const whole = Math.floor(place);
  const phase = Math.round((place - whole) * PHASES) * TAPS;
  const first = whole - REACH + 1;
  let sum = 0;
  for (let tap = 0; tap < TAPS; tap++) sum += samples[first + tap]! * TABLE[phase + tap]!;
  return sum > 32_767 ? 32_767 : sum < -32_768 ? -32_768 : Math.round(sum);
}

function makeTable(): Float64Array {
  const table = new Float64Array((PHASES + 1) * TAPS);
  for (let phase = 0; phase <= PHASES; phase++) {
    let gain = 0;
    for (let tap = 0; tap < TAPS; tap++) {
      const distance = tap - REACH + 1 - phase / PHASES;
      const sinc = distance === 0 ? CUTOFF : Math.sin(Math.PI * CUTOFF * distance) / (Math.PI * distance);
      const edge = distance / REACH;
      const window = Math.abs(edge) >= 1 ? 0 : bessel(BETA * Math.sqrt(1 - edge * edge)) / bessel(BETA);
      table[phase * TAPS + tap] = sinc * window;
      gain += sinc * window;
    }
    // A constant stays what it is, whatever the phase.
    for (let tap = 0; tap < TAPS; tap++) table[phase * TAPS + tap]! /= gain;
  }
  return table;
}

/** Modified Bessel function of the first kind, order 0. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
