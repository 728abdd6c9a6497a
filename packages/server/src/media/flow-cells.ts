/** Cells of a block. */
export const BLOCK_CELLS = 40;
/** More than a worker can have ports for: blocks whose memory nobody has touched take none. */
const BLOCKS = 65_536;

/**
 * The numbers that change with every packet of a worker's streams, in one array: a block for each direction of a leg
 * and for each fork. Hundreds of calls take turns; what lies in blocks takes a dozen lines of the processor's caches a
 * packet, where objects with fields of their own take four times as many.
 *
 * Who takes a block says what its cells mean.
 */
export class FlowCells {
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly #free: number[] = [];
  readonly #blocks: number;
  #next = 0;

  constructor(blocks = BLOCKS) {
    this.#blocks = blocks;
    this.numbers = new Float64Array(blocks * BLOCK_CELLS);
  }

  /** @returns where a block begins; its cells hold what they held before */
  take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#next === this.#blocks) throw new RangeError("more streams than a media worker has room for");
    return this.#next++ * BLOCK_CELLS;
  }

  release(at: number): void {
    this.#free.push(at);
  }
}
