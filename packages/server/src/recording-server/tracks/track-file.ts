import {
  decodePcma,
  decodePcmu,
  encodePcma,
  encodePcmu,
  maxWavDataBytes,
  PCMA_SILENCE,
  PCMU_SILENCE,
  parseWav,
  wavHeaderBytes,
  writeWavHeader,
} from "@callfork/protocol/audio";
import { createFile, type FilePlace, type FileWriter, reopenFile } from "../files/file-writer.ts";

/** How G.711 lies on the disk: as it came, in a WAV file that players read. */
export type TrackFormat = "mulaw" | "alaw";

const BUFFER_BYTES = 8_192;

/**
 * G.711 of one track on the disk: a header of fixed size, then octets that are only appended. The sizes in the header
 * are written at close; a file that was never closed is repaired by its length (`repairTrackFile`).
 *
 * All calls are synchronous and may throw what the file system throws: it belongs into the writer's thread.
 */
export class TrackFile {
  readonly format: TrackFormat;
  readonly #file: FileWriter;
  readonly #clockRateHz: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #buffered = 0;
  #written = 0;

  /** Makes the file; one that exists is an error. */
  constructor(place: FilePlace, format: TrackFormat, clockRateHz: number) {
    this.format = format;
    this.#clockRateHz = clockRateHz;
    this.#file = createFile(place, header(format, clockRateHz, 0));
  }

  /** Octets of audio so far, those in the buffer included. */
  get dataBytes(): number {
    return this.#written + this.#buffered;
  }

  /** Appends G.711 octets; those of the other law are converted, sample by sample. */
  append(payload: Uint8Array, format: TrackFormat): void {
    this.#put(format === this.format ? payload : convert(payload, format));
  }

  silence(samples: number): void {
    const chunk = new Uint8Array(Math.min(samples, BUFFER_BYTES)).fill(
      this.format === "mulaw" ? PCMU_SILENCE : PCMA_SILENCE,
    );
    for (let left = samples; left > 0; left -= chunk.length) this.#put(chunk.subarray(0, left));
  }

  flush(): void {
    if (this.#buffered === 0) return;
    this.#file.append(this.#buffer.subarray(0, this.#buffered));
    this.#written += this.#buffered;
    this.#buffered = 0;
  }

  /** Writes what is buffered and the header's sizes, and waits for the disk. The file is closed in any case. */
  close(): void {
    try {
      this.flush();
      finish(this.#file, this.format, this.#clockRateHz, this.#written);
    } catch (error) {
      this.#file.abandon();
      throw error;
    }
    this.#file.close();
  }

  /** The disk refuses: what is in the file is found by `repairTrackFile`. */
  abandon(): void {
    this.#file.abandon();
  }

  #put(octets: Uint8Array): void {
    if (this.dataBytes + octets.length > maxWavDataBytes(this.format)) {
      throw new RangeError("a track is limited to 4 GiB, six days of G.711");
    }
    for (let taken = 0; taken < octets.length; ) {
      const room = BUFFER_BYTES - this.#buffered;
      const part = octets.subarray(taken, taken + room);
      this.#buffer.set(part, this.#buffered);
      this.#buffered += part.length;
      taken += part.length;
      if (this.#buffered === BUFFER_BYTES) this.flush();
    }
  }
}

/**
 * Sets the sizes in the header of a file that was not closed, by what is in it.
 *
 * @returns octets of audio; undefined when the file holds no whole header
 */
export function repairTrackFile(place: FilePlace): number | undefined {
  const file = reopenFile(place, wavHeaderBytes("mulaw"));
  if (file === undefined) return undefined;
  try {
    const info = parseWav(file.header, file.size);
    if (!info.ok || info.value.format === "pcm") {
      file.abandon();
      return undefined;
    }
    const { dataBytes, format, sampleRateHz } = info.value;
    if (info.value.truncated) finish(file, format, sampleRateHz, dataBytes);
    file.close();
    return dataBytes;
  } catch (error) {
    file.abandon();
    throw error;
  }
}

function header(format: TrackFormat, sampleRateHz: number, dataBytes: number): Uint8Array {
  return writeWavHeader({ channels: 1, sampleRateHz, bitsPerSample: 8, format, dataBytes });
}

function finish(file: FileWriter, format: TrackFormat, clockRateHz: number, dataBytes: number): void {
  file.setHeader(header(format, clockRateHz, dataBytes));
  // RIFF chunks have even length; the pad octet is not part of the data.
  if (dataBytes % 2 === 1 && file.size === wavHeaderBytes(format) + dataBytes) file.append(new Uint8Array(1));
}

function convert(payload: Uint8Array, from: TrackFormat): Uint8Array {
  const linear = new Int16Array(payload.length);
  const converted = new Uint8Array(payload.length);
  if (from === "mulaw") {
    decodePcmu(payload, linear);
    encodePcma(linear, converted);
  } else {
    decodePcma(payload, linear);
    encodePcmu(linear, converted);
  }
  return converted;
}
