import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
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

/** How a track lies on the disk: G.711 as it came, in a WAV file that players read. */
export type TrackFormat = "mulaw" | "alaw";

const BUFFER_BYTES = 8_192;

/**
 * One track on the disk: a header of fixed size, then octets that are only appended. The sizes in the header are
 * written at close; a file that was never closed is repaired by its length (`repairTrackFile`).
 *
 * All calls are synchronous and may throw what the file system throws: it belongs into the writer's thread.
 */
export class TrackFile {
  readonly format: TrackFormat;
  readonly #descriptor: number;
  readonly #clockRateHz: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #buffered = 0;
  #written = 0;

  /** Makes the file; one that exists is an error. */
  constructor(path: string, format: TrackFormat, clockRateHz: number) {
    this.format = format;
    this.#clockRateHz = clockRateHz;
    this.#descriptor = openSync(path, "wx", 0o600);
    writeAll(this.#descriptor, header(format, clockRateHz, 0), 0);
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
    const at = wavHeaderBytes(this.format) + this.#written;
    writeAll(this.#descriptor, this.#buffer.subarray(0, this.#buffered), at);
    this.#written += this.#buffered;
    this.#buffered = 0;
  }

  /** Writes what is buffered and the header's sizes, and waits for the disk. The descriptor is closed in any case. */
  close(): void {
    try {
      this.flush();
      finish(this.#descriptor, this.format, this.#clockRateHz, this.#written);
      fdatasyncSync(this.#descriptor);
    } finally {
      closeSync(this.#descriptor);
    }
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
export function repairTrackFile(path: string): number | undefined {
  const descriptor = openSync(path, "r+");
  try {
    const { size } = fstatSync(descriptor);
    const start = new Uint8Array(wavHeaderBytes("mulaw"));
    readSync(descriptor, start, 0, start.length, 0);
    const info = parseWav(start, size);
    if (!info.ok || info.value.format === "pcm") return undefined;
    const { dataBytes, format, sampleRateHz } = info.value;
    finish(descriptor, format, sampleRateHz, dataBytes);
    fdatasyncSync(descriptor);
    return dataBytes;
  } finally {
    closeSync(descriptor);
  }
}

function header(format: TrackFormat, sampleRateHz: number, dataBytes: number): Uint8Array {
  return writeWavHeader({ channels: 1, sampleRateHz, bitsPerSample: 8, format, dataBytes });
}

function finish(descriptor: number, format: TrackFormat, clockRateHz: number, dataBytes: number): void {
  writeAll(descriptor, header(format, clockRateHz, dataBytes), 0);
  // RIFF chunks have even length; the pad octet is not part of the data.
  if (dataBytes % 2 === 1) writeAll(descriptor, new Uint8Array(1), wavHeaderBytes(format) + dataBytes);
}

function writeAll(descriptor: number, octets: Uint8Array, at: number): void {
  for (let done = 0; done < octets.length; ) {
    done += writeSync(descriptor, octets, done, octets.length - done, at + done);
  }
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
