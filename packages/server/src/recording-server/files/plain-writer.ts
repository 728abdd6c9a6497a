import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync } from "node:fs";
import { readUpTo, writeWhole } from "./descriptor.ts";
import type { FileWriter } from "./file-writer.ts";

/** A file that lies on the disk as it is. */
export class PlainFileWriter implements FileWriter {
  readonly #descriptor: number;
  #header: Uint8Array;
  #size: number;

  static create(path: string, header: Uint8Array): PlainFileWriter {
    const writer = new PlainFileWriter(openSync(path, "wx", 0o600), header, 0);
    writer.append(header);
    return writer;
  }

  static reopen(path: string, headerBytes: number): PlainFileWriter | undefined {
    const descriptor = openSync(path, "r+");
    const { size } = fstatSync(descriptor);
    const header = readUpTo(descriptor, 0, headerBytes);
    if (header.length < headerBytes) {
      closeSync(descriptor);
      return undefined;
    }
    return new PlainFileWriter(descriptor, header, size);
  }

  private constructor(descriptor: number, header: Uint8Array, size: number) {
    this.#descriptor = descriptor;
    this.#header = header.slice();
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  get header(): Uint8Array {
    return this.#header.slice();
  }

  append(octets: Uint8Array): void {
    const at = this.#size;
    try {
      writeWhole(this.#descriptor, octets, at);
    } catch (error) {
      ftruncateSync(this.#descriptor, at);
      throw error;
    }
    this.#size += octets.length;
  }

  setHeader(octets: Uint8Array): void {
    if (octets.length !== this.#header.length) throw new RangeError("a header keeps its length");
    writeWhole(this.#descriptor, octets, 0);
    this.#header = octets.slice();
  }

  sync(): void {
    fdatasyncSync(this.#descriptor);
  }

  close(): void {
    try {
      this.sync();
    } finally {
      closeSync(this.#descriptor);
    }
  }

  abandon(): void {
    closeSync(this.#descriptor);
  }
}
