/** Audio of one channel that can be read from anywhere: 16-bit samples at a fixed rate. */
export interface PcmSource {
  readonly sampleRateHz: number;
  /** Samples there are. Beyond them, and where nothing came, it is silent. */
  readonly samples: number;
  open(): Promise<PcmReader>;
}

/** A way through a source. What is read in order costs least. */
export interface PcmReader {
  /**
   * Fills `out` with the samples from `first` on. Where the source has none, before its beginning too, it is silent.
   *
   * @throws what the file layer throws
   */
  read(first: number, out: Int16Array): Promise<void>;
  close(): Promise<void>;
}
