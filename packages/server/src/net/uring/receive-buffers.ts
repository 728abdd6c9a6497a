import { MAX_PACKET_BYTES } from "../packet-io.ts";
import { BUF_BYTES, BUF_RING_TAIL, RECVMSG_OUT_BYTES } from "./abi.ts";
import type { Address, Kernel } from "./kernel.ts";
import type { Ring } from "./ring.ts";
import { SOCKADDR_BYTES } from "./socket-address.ts";

/** Where in a buffer the kernel writes the sender's address, and where the packet begins. */
export const SOURCE_AT = RECVMSG_OUT_BYTES;
export const PACKET_AT = RECVMSG_OUT_BYTES + SOCKADDR_BYTES;

const BUFFER_BYTES = PACKET_AT + MAX_PACKET_BYTES;
/** An odd number of cache lines: neighbours do not fall on the same ones. */
export const BUFFER_STRIDE = 33 * 64;
const PAGE = 4096;
const GROUP = 1;

/**
 * The buffers that the kernel puts packets into, and the ring by which it gets them back.
 *
 *    0       16               48                         2096  2112
 *    | lengths | sender's address | packet …              | –    |
 */
export class ReceiveBuffers {
  readonly group = GROUP;
  /** How many are taken out before the first has to be given back. */
  readonly count: number;
  readonly #base: Address;
  readonly #ring: DataView;
  readonly #mask: number;
  #tail = 0;

  /**
   * @param base - of `count` × `BUFFER_STRIDE` octets
   * @throws SystemCallError
   */
  constructor(kernel: Kernel, ring: Ring, base: Address, count: number) {
    this.count = count;
    this.#base = base;
    this.#mask = count - 1;
    const room = new ArrayBuffer(count * BUF_BYTES + PAGE);
    const misaligned = kernel.addressOf(room) % PAGE;
    const start = misaligned === 0 ? 0 : PAGE - misaligned;
    this.#ring = new DataView(room, start, count * BUF_BYTES);
    ring.registerBuffers(kernel.addressOf(room) + start, count, GROUP);
    for (let buffer = 0; buffer < count; buffer++) this.giveBack(buffer);
    this.publish();
  }

  /** The kernel may use it again, once `publish` is called. */
  giveBack(buffer: number): void {
    const at = (this.#tail & this.#mask) * BUF_BYTES;
    const address = this.#base + buffer * BUFFER_STRIDE;
    const ring = this.#ring;
    ring.setUint32(at, address, true);
    ring.setUint32(at + 4, address / 0x1_0000_0000, true);
    ring.setUint32(at + 8, BUFFER_BYTES, true);
    ring.setUint16(at + 12, buffer, true);
    this.#tail = (this.#tail + 1) & 0xffff;
  }

  publish(): void {
    this.#ring.setUint16(BUF_RING_TAIL, this.#tail, true);
  }
}
