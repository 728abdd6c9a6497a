import { open } from "node:fs/promises";

/** Octets that lie somewhere and can be read from any place. */
export interface ByteSource {
  /** For messages. */
  readonly name: string;
  /** How many there are; of a file that is being written, when it was opened. */
  readonly size: number;
  /** As many as there are up to `length`. The caller's. */
  read(at: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** @returns undefined when there is no such file */
export async function openLocalSource(path: string): Promise<ByteSource | undefined> {
  const file = await open(path, "r").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  const { size } = await file.stat();
  return {
    name: path,
    size,
    read: async (at, length) => {
      const octets = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await file.read(octets, done, length - done, at + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return octets.subarray(0, done);
    },
    close: () => file.close(),
  };
}
