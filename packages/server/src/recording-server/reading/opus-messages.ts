/** What the main thread asks of the thread that encodes. */
export type OpusCommand =
  | {
      readonly kind: "begin";
      readonly job: number;
      readonly channels: number;
      /** One of those that Opus knows. */
      readonly sampleRateHz: number;
      readonly inputSampleRateHz: number;
      /** Of one channel. */
      readonly bitrate: number;
      readonly serialNumber: number;
      readonly comments: readonly string[];
    }
  /** Samples of each channel, as many of one as of the others; transferred. */
  | { readonly kind: "audio"; readonly job: number; readonly channels: readonly Int16Array[] }
  | { readonly kind: "end"; readonly job: number };

/** The answer to each of them. */
export type OpusAnswer =
  | { readonly job: number; readonly octets: Uint8Array }
  | { readonly job: number; readonly error: string };
