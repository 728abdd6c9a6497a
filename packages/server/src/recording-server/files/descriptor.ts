import { readSync, writeSync } from "node:fs";

/** Writes all octets at `at`; a disk that takes only some of them throws in the end. */
export function writeWhole(descriptor: number, octets: Uint8Array, at: number): void {
  for (let done = 0; done < octets.length; ) {
    done += writeSync(descriptor, octets, done, octets.length - done, at + done);
  }
}

/** Octets from `at` on, as many as there are up to `length`. */
export function readUpTo(descriptor: number, at: number, length: number): Uint8Array {
  const octets = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = readSync(descriptor, octets, done, length - done, at + done);
    if (count === 0) break;
    done += count;
  }
  return octets.subarray(0, done);
}
