import {
  ANTILOGARITHMS,
  HIGH_MULTIPLIERS,
  LOW_MULTIPLIERS,
  Q2_LEVEL,
  Q6_LEVELS,
  QM2,
  QM4,
  QM5,
  QM6,
} from "./g722-tables.ts";

/** Taps of the zero section of the predictor. */
const ZEROS = 6;

/** How many bits of an octet are the lower band's: the modes of operation (G.722 table 1). */
export type G722Mode = 1 | 2 | 3;

/**
 * One sub-band's adaptive predictor and scale factor, the part that encoder and decoder have in common: both feed it
 * the quantized difference only, so that they stay alike as long as no code word is lost (G.722 §3.4 to §3.6, §6.2).
 */
abstract class SubBand {
  /** The prediction of the next sample. */
  protected prediction = 0;
  /** Scale factor of the quantizer. */
  protected scale: number;
  readonly #firstScale: number;
  readonly #shift: number;
  readonly #maximumLogScale: number;
  #logScale = 0;
  /** Coefficients of the pole section, and the last reconstructed sample. */
  #a1 = 0;
  #a2 = 0;
  #r1 = 0;
  /** Partially reconstructed signal, the last two. */
  #p1 = 0;
  #p2 = 0;
  /** The zero section's part of the prediction, its coefficients and last differences. */
  #sz = 0;
  readonly #b = new Int32Array(ZEROS);
  readonly #d = new Int32Array(ZEROS);

  protected constructor(firstScale: number, shift: number, maximumLogScale: number) {
    this.#firstScale = firstScale;
    this.scale = firstScale;
    this.#shift = shift;
    this.#maximumLogScale = maximumLogScale;
  }

  reset(): void {
    this.prediction = this.#logScale = this.#sz = 0;
    this.#a1 = this.#a2 = this.#r1 = this.#p1 = this.#p2 = 0;
    this.#b.fill(0);
    this.#d.fill(0);
    this.scale = this.#firstScale;
  }

  /** Blocks 3L and 3H: the scale factor follows the size of the code words, in logarithms. */
  protected adaptScale(multiplier: number): void {
    const log = Math.min(Math.max(((this.#logScale * 127) >> 7) + multiplier, 0), this.#maximumLogScale);
    this.#logScale = log;
    const antilogarithm = ANTILOGARITHMS[(log >> 6) & 31]!;
    const shift = this.#shift - (log >> 11);
    this.scale = (shift < 0 ? antilogarithm << -shift : antilogarithm >> shift) << 2;
  }

  /** Blocks 4L and 4H: reconstructs the sample, adapts all coefficients, predicts the next. */
  protected adaptPredictor(difference: number): void {
    const r0 = saturate(this.prediction + difference);
    const p0 = saturate(this.#sz + difference);
    this.#adaptPoles(p0);
    this.#sz = this.#adaptZeros(difference);
    const pole1 = (this.#a1 * saturate(2 * r0)) >> 15;
    const pole2 = (this.#a2 * saturate(2 * this.#r1)) >> 15;
    this.#r1 = r0;
    this.#p2 = this.#p1;
    this.#p1 = p0;
    this.prediction = saturate(saturate(pole1 + pole2) + this.#sz);
  }

  /** UPPOL2 and UPPOL1: leakage 127/128 and 255/256, kept within the triangle in which the filter is stable. */
  #adaptPoles(p0: number): void {
    const sameAsFirst = p0 >> 15 === this.#p1 >> 15;
    const sameAsSecond = p0 >> 15 === this.#p2 >> 15;
    const first = saturate(4 * this.#a1);
    const second = (saturate(sameAsFirst ? -first : first) >> 7) + (sameAsSecond ? 128 : -128);
    const a2 = clamp(second + ((this.#a2 * 32_512) >> 15), 12_288);
    const a1 = saturate((sameAsFirst ? 192 : -192) + ((this.#a1 * 32_640) >> 15));
    this.#a2 = a2;
    this.#a1 = clamp(a1, 15_360 - a2);
  }

  /** UPZERO, DELAYA and FILTEZ: gradient steps of 128 with leakage 255/256. */
  #adaptZeros(difference: number): number {
    const b = this.#b;
    const d = this.#d;
    const step = difference === 0 ? 0 : 128;
    const sign = difference >> 15;
    let sum = 0;
    for (let i = ZEROS - 1; i >= 0; i--) {
      const leaked = (b[i]! * 32_640) >> 15;
      const coefficient = saturate(leaked + (d[i]! >> 15 === sign ? step : -step));
      const delayed = i === 0 ? difference : d[i - 1]!;
      b[i] = coefficient;
      d[i] = delayed;
      sum = saturate(sum + ((coefficient * saturate(2 * delayed)) >> 15));
    }
    return sum;
  }
}

/** 0 to 4 kHz: six bits a sample, of which the predictor uses the upper four. */
export class LowBand extends SubBand {
  constructor() {
    super(32, 8, 18_432);
  }

  /** @returns the 6-bit code word */
  encode(sample: number): number {
    const error = saturate(sample - this.prediction);
    const magnitude = error < 0 ? ~error : error;
    const code = lowCode(intervalOf(magnitude, this.scale), error < 0);
    this.#adapt(code >> 2);
    return code;
  }

  /** @param code - six bits; `mode` 2 and 3 take the upper five or four for audio */
  decode(code: number, mode: G722Mode): number {
    const inverse = mode === 1 ? QM6[code]! : mode === 2 ? QM5[code >> 1]! : QM4[code >> 2]!;
    const sample = clampBand(this.prediction + ((this.scale * inverse) >> 15));
    this.#adapt(code >> 2);
    return sample;
  }

  #adapt(code: number): void {
    const difference = (this.scale * QM4[code]!) >> 15;
    this.adaptScale(LOW_MULTIPLIERS[code]!);
    this.adaptPredictor(difference);
  }
}

/** 4 to 8 kHz: two bits a sample. */
export class HighBand extends SubBand {
  constructor() {
    super(8, 10, 22_528);
  }

  /** @returns the 2-bit code word */
  encode(sample: number): number {
    const error = saturate(sample - this.prediction);
    const magnitude = error < 0 ? ~error : error;
    const isLarge = magnitude >= (Q2_LEVEL * this.scale) >> 12;
    const code = (error < 0 ? 0 : 2) + (isLarge ? 0 : 1);
    this.#adapt(code);
    return code;
  }

  decode(code: number): number {
    const sample = clampBand(this.prediction + ((this.scale * QM2[code]!) >> 15));
    this.#adapt(code);
    return sample;
  }

  #adapt(code: number): void {
    const difference = (this.scale * QM2[code]!) >> 15;
    this.adaptScale(HIGH_MULTIPLIERS[code]!);
    this.adaptPredictor(difference);
  }
}

/** Which of the 30 intervals between decision levels a magnitude is in, 1 to 30. */
function intervalOf(magnitude: number, scale: number): number {
  let low = 1;
  let high = Q6_LEVELS.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (magnitude < (Q6_LEVELS[middle]! * scale) >> 12) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Interval 1 … 30 and sign to code word (table 14): 61 down to 32 are positive, 63, 62 and 31 down to 4 negative, and
 * 0 to 3 are never sent.
 */
function lowCode(level: number, isNegative: boolean): number {
  if (!isNegative) return 62 - level;
  return level <= 2 ? 64 - level : 34 - level;
}

function saturate(value: number): number {
  return Math.max(-32_768, Math.min(32_767, value));
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}

/** LIMIT of blocks 5L and 5H. */
function clampBand(value: number): number {
  return Math.max(-16_384, Math.min(16_383, value));
}
