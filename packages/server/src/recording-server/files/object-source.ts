import type { ByteSource } from "./byte-source.ts";
import type { ObjectStore } from "./object-store.ts";

/** Fetched at a time: readers ask for little pieces one after the other. */
const BLOCK_BYTES = 1 << 20;
/** Blocks that are kept: the index at the end, and where the reader is. */
const KEPT_BLOCKS = 3;

/** An object as octets that can be read from any place. */
export function openObjectSource(objects: ObjectStore, object: string, size: number): ByteSource {
  const blocks = new Map<number, Promise<Uint8Array>>();
  const block = (index: number): Promise<Uint8Array> => {
    const known = blocks.get(index);
    if (known !== undefined) return known;
    const start = index * BLOCK_BYTES;
    const fetched = objects.read(object, start, Math.min(BLOCK_BYTES, size - start));
    blocks.set(index, fetched);
    fetched.catch(() => blocks.delete(index));
    if (blocks.size > KEPT_BLOCKS) blocks.delete(blocks.keys().next().value!);
    return fetched;
  };
  return {
    name: `${objects.name}/${object}`,
    size,
    read: async (at, length) => {
      const end = Math.min(at + length, size);
      const octets = new Uint8Array(Math.max(0, end - at));
      for (let from = at; from < end; ) {
        const index = Math.floor(from / BLOCK_BYTES);
        const start = index * BLOCK_BYTES;
        const part = (await block(index)).subarray(from - start, end - start);
        octets.set(part, from - at);
        from += part.length;
      }
      return octets;
    },
    close: async () => blocks.clear(),
  };
}
