import { REACH, valueAt } from "./interpolate.ts";
import type { PcmReader, PcmSource } from "./pcm-source.ts";
import type { TrackClock } from "./track-clock.ts";

/** A source in its place among others. */
export interface Placement {
  readonly sampleRateHz: number;
  /** Seconds from the recording's start to the source's first sample. */
  readonly startSeconds: number;
  readonly clock: TrackClock;
}

/** A source at another rate, later, and on another clock. What needs none of it is given out sample for sample. */
export function alignedSource(source: PcmSource, place: Placement): PcmSource {
  const { sampleRateHz, startSeconds, clock } = place;
  const isSame = clock.isTrue && source.sampleRateHz === sampleRateHz;
  const offset = Math.round(startSeconds * sampleRateHz);
  const end = startSeconds + clock.trueSeconds(source.samples / source.sampleRateHz);
  return {
    sampleRateHz,
    samples: isSame ? offset + source.samples : Math.max(0, Math.round(end * sampleRateHz)),
    open: async () => {
      const reader = await source.open();
      return isSame ? new Shifted(reader, offset) : new Resampled(reader, source.sampleRateHz, place);
    },
  };
}

class Shifted implements PcmReader {
  readonly #reader: PcmReader;
  readonly #offset: number;

  constructor(reader: PcmReader, offset: number) {
    this.#reader = reader;
    this.#offset = offset;
  }

  read(first: number, out: Int16Array): Promise<void> {
    return this.#reader.read(first - this.#offset, out);
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}

class Resampled implements PcmReader {
  readonly #reader: PcmReader;
  readonly #sourceRateHz: number;
  readonly #place: Placement;
  #window = new Int16Array(0);

  constructor(reader: PcmReader, sourceRateHz: number, place: Placement) {
    this.#reader = reader;
    this.#sourceRateHz = sourceRateHz;
    this.#place = place;
  }

  async read(first: number, out: Int16Array): Promise<void> {
    const from = Math.floor(this.#placeOf(first)) - REACH;
    const to = Math.ceil(this.#placeOf(first + out.length)) + REACH + 1;
    if (this.#window.length < to - from) this.#window = new Int16Array(to - from);
    const window = this.#window.subarray(0, to - from);
    await this.#reader.read(from, window);
    for (let at = 0; at < out.length; at++) out[at] = valueAt(window, this.#placeOf(first + at) - from);
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  /** Where in the source a sample of ours lies. */
  #placeOf(sample: number): number {
    const { sampleRateHz, startSeconds, clock } = this.#place;
    return clock.ownSeconds(sample / sampleRateHz - startSeconds) * this.#sourceRateHz;
  }
}
