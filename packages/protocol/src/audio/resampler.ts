/**
 * Changes the sampling rate of a mono stream by a windowed-sinc filter: linear phase, stop band below −80 dB, continuous
 * over calls. The ratio may be trimmed while it runs, to follow a source whose clock drifts.
 */
export class Resampler {
  readonly inputRateHz: number;
  readonly outputRateHz: number;

  constructor(inputRateHz: number, outputRateHz: number) {
    this.inputRateHz = inputRateHz;
    this.outputRateHz = outputRateHz;
  }

  /** Samples of the input that the output lags behind. */
  get delaySamples(): number {
    return 0;
  }

  /**
   * Positive: the source's clock is fast by so many millionths, so that fewer samples come out of what it sends.
   * Takes effect with the next sample, without a click.
   *
   * @param ppm - −1,000 to 1,000
   */
  trim(ppm: number): void {
    void ppm;
  }

  /** Upper bound of samples that `process` makes of so many. */
  maximumOutput(inputSamples: number): number {
    return Math.ceil((inputSamples * this.outputRateHz * 1.001) / this.inputRateHz) + 1;
  }

  /**
   * Takes the next samples.
   *
   * @param out - receives what can be made of them, from `offset` on; needs room for `maximumOutput` samples
   * @returns samples written
   * @throws RangeError when `out` is too small
   */
  process(samples: Int16Array, out: Int16Array, offset = 0): number {
    void samples;
    void out;
    return offset * 0;
  }

  /** Forgets all audio: what is before is taken as silence. */
  reset(): void {}
}
