import { createDgramPacketIo } from "./dgram-packet-io.ts";
import type { PacketIo } from "./packet-io.ts";
import { type Kernel, openKernel } from "./uring/kernel.ts";
import { probeUring } from "./uring/probe.ts";
import { UringPacketIo } from "./uring/uring-packet-io.ts";

/** "auto": io_uring where it works, else `node:dgram`. */
export type PacketIoChoice = "auto" | "uring" | "dgram";

export interface PacketIoOptions {
  readonly choice: PacketIoChoice;
  /** SO_RCVBUF of each port; the system's default when absent. */
  readonly receiveBufferBytes?: number | undefined;
  /**
   * Descriptors that this thread holds outside of the event loop, −1 where there is none. Shared memory, so that
   * another thread can close them when this one dies: `closeDescriptors`.
   */
  readonly descriptors?: Int32Array | undefined;
}

export interface ChosenPacketIo {
  readonly io: PacketIo;
  /** Why it is not io_uring, where that was wanted. */
  readonly refusal?: string;
}

/**
 * The fastest implementation that works on this machine. One for each thread.
 *
 * @param kernel - for tests
 */
export function createPacketIo(options: PacketIoOptions, kernel = wantedKernel(options)): ChosenPacketIo {
  const { choice, receiveBufferBytes, descriptors } = options;
  const sockets = (): PacketIo =>
    createDgramPacketIo(receiveBufferBytes === undefined ? {} : { receiveBufferBytes });
  if (choice === "dgram") return { io: sockets() };
  if (typeof kernel === "string") return { io: sockets(), refusal: kernel };
  try {
    const { fixedFiles } = probeUring(kernel);
    return { io: new UringPacketIo(kernel, { receiveBufferBytes, descriptors, fixedFiles }) };
  } catch (error) {
    return { io: sockets(), refusal: error instanceof Error ? error.message : String(error) };
  }
}

function wantedKernel({ choice }: PacketIoOptions): Kernel | string {
  return choice === "dgram" ? "not wanted" : openKernel();
}

/** Closes what a thread that is gone held open. */
export function closeDescriptors(descriptors: Int32Array): void {
  const kernel = openKernel();
  if (typeof kernel === "string") return;
  for (const [at, descriptor] of descriptors.entries()) {
    if (descriptor < 0) continue;
    descriptors[at] = -1;
    kernel.close(descriptor);
  }
}

/** Room for all descriptors of a thread. */
export function newDescriptors(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4 * (MAX_DESCRIPTORS + 1))).fill(-1);
}

const MAX_DESCRIPTORS = 16_384;
