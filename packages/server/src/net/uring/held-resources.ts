import type { Kernel } from "./kernel.ts";

/** Ports of one thread, at most: places in the ring's table of files. */
export const MAX_PORTS = 16_384;
const MAX_MAPPINGS = 2;
/** Address low and high, length. */
const MAPPING_WORDS = 3;
const NONE = -1;

/**
 * What a thread holds of the system that its end does not give back: descriptors that the event loop knows nothing of,
 * and mapped rings. In shared memory, so that another thread can give it back when this one has died.
 */
export class HeldResources {
  readonly table: Int32Array<SharedArrayBuffer>;

  /** @param table - what another thread's `table` is */
  constructor(table?: Int32Array<SharedArrayBuffer>) {
    const words = 1 + MAX_PORTS + MAX_MAPPINGS * MAPPING_WORDS;
    this.table = table ?? new Int32Array(new SharedArrayBuffer(4 * words)).fill(NONE);
  }

  holdRing(
    descriptor: number,
    mappings: readonly { readonly address: bigint; readonly length: number }[],
  ): void {
    this.table[0] = descriptor;
    mappings.slice(0, MAX_MAPPINGS).forEach(({ address, length }, i) => {
      const at = 1 + MAX_PORTS + i * MAPPING_WORDS;
      this.table[at] = Number(BigInt.asIntN(32, address));
      this.table[at + 1] = Number(address >> 32n);
      this.table[at + 2] = length;
    });
  }

  /** @param descriptor - −1: none any more */
  holdPort(index: number, descriptor: number): void {
    this.table[1 + index] = descriptor;
  }

  forgetRing(): void {
    this.table[0] = NONE;
    this.table.fill(NONE, 1 + MAX_PORTS);
  }

  forgetPort(index: number): void {
    this.table[1 + index] = NONE;
  }

  /** Only when the thread is gone. */
  giveBack(kernel: Kernel): void {
    const { table } = this;
    for (let at = 0; at <= MAX_PORTS; at++) if (table[at] !== NONE) kernel.close(table[at]!);
    for (let at = 1 + MAX_PORTS; at < table.length; at += MAPPING_WORDS) {
      const [low, high, length] = [table[at]!, table[at + 1]!, table[at + 2]!];
      if (length !== NONE) kernel.unmap((BigInt(high) << 32n) | BigInt(low >>> 0), length);
    }
    table.fill(NONE);
  }
}
