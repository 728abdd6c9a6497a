import type { Millis } from "@callfork/protocol/text";
import { NO_TIME, type PacketBatch } from "../packet-io.ts";
import { PACKET_AT, SOURCE_AT } from "./receive-buffers.ts";
import { readSocketAddress, readSocketPort } from "./socket-address.ts";

/** Packets of one batch; when more came in one turn, there are more batches. */
export const BATCH_PACKETS = 512;

/** A batch whose packets lie where the kernel put them; what is known of a source lies in front of each. */
export class UringBatch implements PacketBatch {
  bytes: Uint8Array;
  view: DataView;
  count = 0;
  readonly offset = new Uint32Array(BATCH_PACKETS);
  readonly length = new Uint16Array(BATCH_PACKETS);
  readonly port = new Uint32Array(BATCH_PACKETS);
  readonly fromPeer = new Uint8Array(BATCH_PACKETS);
  receivedAt: Millis = NO_TIME;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  sourceAddress(index: number): string {
    return readSocketAddress(this.view, this.offset[index]! - PACKET_AT + SOURCE_AT);
  }

  sourcePort(index: number): number {
    return readSocketPort(this.view, this.offset[index]! - PACKET_AT + SOURCE_AT);
  }
}
