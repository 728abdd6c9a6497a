import { createDgramPacketIo } from "./dgram-packet-io.ts";
import type { PacketIo } from "./packet-io.ts";
import type { HeldResources } from "./uring/held-resources.ts";
import { type Kernel, openKernel } from "./uring/kernel.ts";
import { probeUring } from "./uring/probe.ts";
import { UringPacketIo } from "./uring/uring-packet-io.ts";

/** "auto": io_uring where it works, else `node:dgram`. */
export type PacketIoChoice = "auto" | "uring" | "dgram";

export interface PacketIoOptions {
  readonly choice: PacketIoChoice;
  /** SO_RCVBUF of each port; the system's default when absent. */
  readonly receiveBufferBytes?: number | undefined;
  /** Shared with a thread that gives it back when this one dies: `HeldResources.giveBack`. */
  readonly held?: HeldResources | undefined;
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
  const { choice, receiveBufferBytes, held } = options;
  const sockets = (): PacketIo =>
    createDgramPacketIo(receiveBufferBytes === undefined ? {} : { receiveBufferBytes });
  if (choice === "dgram") return { io: sockets() };
  if (typeof kernel === "string") return { io: sockets(), refusal: kernel };
  try {
    const { fixedFiles } = probeUring(kernel);
    return { io: new UringPacketIo(kernel, { receiveBufferBytes, held, fixedFiles }) };
  } catch (error) {
    return { io: sockets(), refusal: error instanceof Error ? error.message : String(error) };
  }
}

function wantedKernel({ choice }: PacketIoOptions): Kernel | string {
  return choice === "dgram" ? "not wanted" : openKernel();
}

/** Gives back what a thread that is gone held of the system. */
export function giveBack(held: HeldResources): void {
  const kernel = openKernel();
  if (typeof kernel !== "string") held.giveBack(kernel);
}
