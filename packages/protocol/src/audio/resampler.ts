/** Zero crossings of the filter on either side of its middle: transition 17 % of the lower rate's band. */
const CROSSINGS = 32;
/** −6 dB point as part of the lower rate's band: at 8 kHz, flat up to 3.4 kHz and down by 80 dB at 4.1 kHz. */
const CUTOFF = 0.9375;
/** Of the Kaiser window: stop band −85 dB. */
const KAISER_BETA = 8.5;
/** Rows of the filter table between two input samples, for a filter that is not stretched. Holds 44.1 kHz too: 3 · 160. */
const PHASES = 480;
/** A position this close to a row of the table is on it. */
const ON_PHASE = 1e-6;
const MAXIMUM_TRIM_PPM = 1000;
const MAXIMUM_RATIO = 24;

interface Filter {
  /** Input samples that go into one output sample. */
  readonly taps: number;
  readonly phases: number;
  /** `phases + 1` rows of `taps`. */
  readonly rows: Float64Array;
}

/**
 * Changes the sampling rate of a mono stream by a windowed-sinc filter: linear phase, stop band below −80 dB, continuous
 * over calls. The ratio may be trimmed while it runs, to follow a source whose clock drifts.
 */
export class Resampler {
  readonly inputRateHz: number;
  readonly outputRateHz: number;
  readonly #filter: Filter;
  readonly #untrimmedStep: number;
  /** Input samples from one output sample to the next. */
  #step: number;
  /** Samples that are still needed, `#kept` of them, and room for new ones. */
  #buffer: Float64Array;
  #kept: number;
  /** Where in the buffer the filter lies for the next output sample, with fraction. */
  #position = 0;

  /** @throws RangeError when the rates are not positive, or further apart than 24 to 1 */
  constructor(inputRateHz: number, outputRateHz: number) {
    const ratio = inputRateHz / outputRateHz;
    if (!(ratio >= 1 / MAXIMUM_RATIO && ratio <= MAXIMUM_RATIO)) {
      throw new RangeError(`no way from ${inputRateHz} Hz to ${outputRateHz} Hz`);
    }
    this.inputRateHz = inputRateHz;
    this.outputRateHz = outputRateHz;
    this.#filter = filterFor(Math.max(1, ratio));
    this.#untrimmedStep = ratio;
    this.#step = ratio;
    this.#kept = this.#filter.taps - 1;
    this.#buffer = new Float64Array(this.#kept + Math.ceil(inputRateHz / 50));
  }

  /** Samples of the input that the output lags behind. */
  get delaySamples(): number {
    return this.#filter.taps / 2;
  }

  /**
   * Positive: the source's clock is fast by so many millionths, so that fewer samples come out of what it sends.
   * Takes effect with the next sample, without a click.
   *
   * @param ppm - −1,000 to 1,000; what is beyond is taken as that
   */
  trim(ppm: number): void {
    const bounded = Math.max(-MAXIMUM_TRIM_PPM, Math.min(MAXIMUM_TRIM_PPM, ppm));
    this.#step = this.#untrimmedStep * (1 + bounded / 1e6);
  }

  /** Upper bound of samples that `process` makes of so many. */
  maximumOutput(inputSamples: number): number {
    return Math.ceil((inputSamples * (1 + MAXIMUM_TRIM_PPM / 1e6)) / this.#untrimmedStep) + 1;
  }

  /**
   * Takes the next samples. Without trim, as many come out as the ratio says whenever that is a whole number.
   *
   * @param out - receives what can be made of them, from `offset` on; needs room for `maximumOutput` samples
   * @returns samples written
   * @throws RangeError when `out` is too small
   */
  process(samples: Int16Array, out: Int16Array, offset = 0): number {
    if (offset < 0 || offset + this.maximumOutput(samples.length) > out.length) {
      throw new RangeError("no room for the samples");
    }
    const available = this.#take(samples);
    const last = available - this.#filter.taps;
    let position = this.#position;
    let written = 0;
    for (; Math.floor(position + ON_PHASE) <= last; position += this.#step) {
      // Without trim the position is on a row most of the time, and is kept from wandering off.
      const rounded = Math.round(position * this.#filter.phases) / this.#filter.phases;
      if (Math.abs(rounded - position) < ON_PHASE && this.#step === this.#untrimmedStep) position = rounded;
      out[offset + written] = this.#sampleAt(position);
      written++;
    }
    const done = Math.min(Math.floor(position), available);
    this.#buffer.copyWithin(0, done, available);
    this.#kept = available - done;
    this.#position = position - done;
    return written;
  }

  /** Forgets all audio: what is before is taken as silence. */
  reset(): void {
    this.#kept = this.#filter.taps - 1;
    this.#buffer.fill(0, 0, this.#kept);
    this.#position = 0;
  }

  #take(samples: Int16Array): number {
    const available = this.#kept + samples.length;
    if (available > this.#buffer.length) {
      const larger = new Float64Array(available);
      larger.set(this.#buffer.subarray(0, this.#kept));
      this.#buffer = larger;
    }
    this.#buffer.set(samples, this.#kept);
    return available;
  }

  #sampleAt(position: number): number {
    const { taps, phases, rows } = this.#filter;
    const first = Math.floor(position);
    const phase = (position - first) * phases;
    const row = Math.floor(phase);
    const between = phase - row;
    let sum = dot(this.#buffer, first, rows, row * taps, taps);
    if (between !== 0) sum += between * (dot(this.#buffer, first, rows, (row + 1) * taps, taps) - sum);
    return Math.max(-32_768, Math.min(32_767, Math.round(sum)));
  }
}

/** Four sums, so that no addition waits for the one before. `length` is a multiple of four. */
function dot(samples: Float64Array, from: number, taps: Float64Array, at: number, length: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < length; i += 4) {
    a += samples[from + i]! * taps[at + i]!;
    b += samples[from + i + 1]! * taps[at + i + 1]!;
    c += samples[from + i + 2]! * taps[at + i + 2]!;
    d += samples[from + i + 3]! * taps[at + i + 3]!;
  }
  return a + b + (c + d);
}

/** Filters by how far they are stretched; few pairs of rates are in use. */
const FILTERS = new Map<number, Filter>();
const MAXIMUM_FILTERS = 16;

function filterFor(stretch: number): Filter {
  const known = FILTERS.get(stretch);
  if (known !== undefined) return known;
  const filter = createFilter(stretch);
  if (FILTERS.size >= MAXIMUM_FILTERS) FILTERS.clear();
  FILTERS.set(stretch, filter);
  return filter;
}

/** @param stretch - input rate to output rate where that is more than 1: then the filter keeps below the output's band */
function createFilter(stretch: number): Filter {
  const half = 2 * Math.ceil((CROSSINGS * stretch) / 2);
  const taps = 2 * half; // a multiple of four
  // A stretched filter changes slowly from one input sample to the next, and needs fewer rows.
  const phases = Math.ceil(PHASES / Math.ceil(stretch));
  const rows = new Float64Array((phases + 1) * taps);
  for (let row = 0; row <= phases; row++) {
    let gain = 0;
    for (let i = 0; i < taps; i++) {
      const value = kernel((i - (half - 1) - row / phases) / stretch);
      rows[row * taps + i] = value;
      gain += value;
    }
    for (let i = 0; i < taps; i++) rows[row * taps + i]! /= gain;
  }
  return { taps, phases, rows };
}

/** @param t - in samples of the lower rate; 0 is the middle */
function kernel(t: number): number {
  const x = Math.PI * CUTOFF * t;
  const sinc = t === 0 ? 1 : Math.sin(x) / x;
  const window = 1 - (t / CROSSINGS) ** 2;
  return window <= 0 ? 0 : (sinc * bessel0(KAISER_BETA * Math.sqrt(window))) / bessel0(KAISER_BETA);
}

/** Modified Bessel function of the first kind, order 0. */
function bessel0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
