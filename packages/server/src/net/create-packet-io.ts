import { createDgramPacketIo } from "./dgram-packet-io.ts";
import type { PacketIo } from "./packet-io.ts";

/** The fastest implementation that works on this machine. One for each thread. */
export function createPacketIo(): PacketIo {
  return createDgramPacketIo();
}
