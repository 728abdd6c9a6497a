import { type G722Mode, HighBand, LowBand } from "./g722-band.ts";
import { QMF_TAPS } from "./g722-tables.ts";

/**
 * G.722 (ITU-T Recommendation, 09/2012): audio up to 7 kHz, sampled at 16 kHz, in 64 kbit/s. A quadrature mirror filter
 * halves the band; each half is coded by ADPCM at 8 kHz; an octet holds a sample of either, so it stands for two samples
 * of audio:
 *
 *      7   6   5   4   3   2   1   0
 *    +-------+-----------------------+
 *    | upper |      lower band       |    most significant bit first (RFC 3551 §4.5.2)
 *    +-------+-----------------------+
 *
 * In RTP its clock is 8000 Hz, "because that value was erroneously assigned in RFC 1890": a timestamp unit is an octet.
 */
export const G722_SAMPLE_RATE_HZ = 16_000;

/** Samples of audio that the filters of encoder and decoder delay it by, together. */
export const G722_DELAY_SAMPLES = 22;

const TAPS = 2 * QMF_TAPS.length;

/** The last 24 samples, written twice, so that they always lie in a row: no copy a sample. */
class FilterWindow {
  readonly samples = new Int32Array(2 * TAPS);
  /** Where the oldest one lies. */
  start = 0;

  push(first: number, second: number): void {
    const { samples, start } = this;
    samples[start] = samples[start + TAPS] = first;
    samples[start + 1] = samples[start + TAPS + 1] = second;
    this.start = start + 2 === TAPS ? 0 : start + 2;
  }

  reset(): void {
    this.samples.fill(0);
    this.start = 0;
  }
}

/** One stream's encoder, 64 kbit/s (mode 1). Nothing is allocated for a packet. */
export class G722Encoder {
  readonly #window = new FilterWindow();
  readonly #low = new LowBand();
  readonly #high = new HighBand();

  /**
   * @param samples - 16-bit linear at 16 kHz, an even number of them
   * @param out - receives half as many octets from `offset` on
   * @returns number of octets written
   * @throws RangeError when `out` is too small, or the number of samples is odd
   */
  encode(samples: Int16Array, out: Uint8Array, offset = 0): number {
    const octets = samples.length / 2;
    if (!Number.isInteger(octets)) throw new RangeError("an octet of G.722 holds two samples");
    if (offset < 0 || offset + octets > out.length) throw new RangeError("no room for the codes");
    const window = this.#window;
    const x = window.samples;
    for (let n = 0; n < octets; n++) {
      window.push(samples[2 * n]!, samples[2 * n + 1]!);
      let odd = 0;
      let even = 0;
      for (let i = 0, at = window.start; i < QMF_TAPS.length; i++, at += 2) {
        odd += x[at]! * QMF_TAPS[i]!;
        even += x[at + 1]! * QMF_TAPS[QMF_TAPS.length - 1 - i]!;
      }
      const low = this.#low.encode((even + odd) >> 14);
      const high = this.#high.encode((even - odd) >> 14);
      out[offset + n] = (high << 6) | low;
    }
    return octets;
  }

  reset(): void {
    this.#window.reset();
    this.#low.reset();
    this.#high.reset();
  }
}

/** One stream's decoder. Nothing is allocated for a packet; every octet is a valid code. */
export class G722Decoder {
  readonly #mode: G722Mode;
  readonly #window = new FilterWindow();
  readonly #low = new LowBand();
  readonly #high = new HighBand();

  /** @param mode - 1: 64 kbit/s, the only one in RTP; 2 and 3: the lowest one or two bits are somebody else's data */
  constructor(mode: G722Mode = 1) {
    this.#mode = mode;
  }

  /**
   * @param out - receives two samples an octet from `offset` on
   * @returns number of samples written
   * @throws RangeError when `out` is too small
   */
  decode(payload: Uint8Array, out: Int16Array, offset = 0): number {
    const octets = payload.length;
    if (offset < 0 || offset + 2 * octets > out.length) throw new RangeError("no room for the samples");
    const window = this.#window;
    const x = window.samples;
    for (let n = 0; n < octets; n++) {
      const octet = payload[n]!;
      const low = this.#low.decode(octet & 0x3f, this.#mode);
      const high = this.#high.decode(octet >> 6);
      window.push(low + high, low - high);
      let first = 0;
      let second = 0;
      for (let i = 0, at = window.start; i < QMF_TAPS.length; i++, at += 2) {
        second += x[at]! * QMF_TAPS[i]!;
        first += x[at + 1]! * QMF_TAPS[QMF_TAPS.length - 1 - i]!;
      }
      out[offset + 2 * n] = saturate(first >> 11);
      out[offset + 2 * n + 1] = saturate(second >> 11);
    }
    return 2 * octets;
  }

  reset(): void {
    this.#window.reset();
    this.#low.reset();
    this.#high.reset();
  }
}

function saturate(value: number): number {
  return Math.max(-32_768, Math.min(32_767, value));
}
