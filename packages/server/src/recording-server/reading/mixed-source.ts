import type { PcmReader, PcmSource } from "./pcm-source.ts";

/** Several sources of one rate as one: their sum, which is cut off where it is too loud. One source stays as it is. */
export function mixedSource(sources: readonly PcmSource[], sampleRateHz: number): PcmSource {
  const [only] = sources;
  if (sources.length === 1 && only !== undefined) return only;
  return {
    sampleRateHz,
    samples: Math.max(0, ...sources.map(({ samples }) => samples)),
    open: async () => {
      const readers: PcmReader[] = [];
      try {
        for (const source of sources) readers.push(await source.open());
      } catch (error) {
        for (const reader of readers) await reader.close();
        throw error;
      }
      return new Mixed(readers);
    },
  };
}

class Mixed implements PcmReader {
  readonly #readers: readonly PcmReader[];
  #one = new Int16Array(0);

  constructor(readers: readonly PcmReader[]) {
    this.#readers = readers;
  }

  async read(first: number, out: Int16Array): Promise<void> {
    out.fill(0);
    if (this.#one.length < out.length) this.#one = new Int16Array(out.length);
    const one = this.#one.subarray(0, out.length);
    for (const reader of this.#readers) {
      await reader.read(first, one);
      for (let at = 0; at < out.length; at++) {
        const sum = out[at]! + one[at]!;
        out[at] = Math.max(-32_768, Math.min(32_767, sum));
      }
    }
  }

  async close(): Promise<void> {
    for (const reader of this.#readers) await reader.close();
  }
}
