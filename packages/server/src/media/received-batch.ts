import type { MediaId } from "./types.ts";

/** One packet as a receiver's sink gets it. */
export interface ReceivedPacket {
  /** The receiver it came to. */
  readonly receiver: MediaId;
  /** "rtcp": a whole compound packet; sender reports in it align tracks (RFC 3550 §6.4.1). */
  readonly kind: "rtp" | "rtcp";
  /** Epoch milliseconds with fraction, from one monotonic clock. */
  readonly arrivalTime: number;
  /** The whole packet: a view into the batch's buffer, valid as long as that is kept. */
  readonly bytes: Uint8Array;
}

/*
 * A batch is a run of records; each is a head of 16 octets and the packet, filled up to a multiple of eight. A head
 * whose length is 0xffff ends the batch early. Byte order is the machine's: batches never leave the process.
 *
 *    0        4        6      7      8                16
 *    | receiver | length | kind | –  | arrival (float64) | packet …
 */
export const RECORD_HEAD_BYTES = 16;
export const END_OF_BATCH = 0xffff;
export const KIND_RTP = 0;
export const KIND_RTCP = 1;

/** What a packet of that length takes up in a batch. */
export function recordLength(packetLength: number): number {
  return RECORD_HEAD_BYTES + ((packetLength + 7) & ~7);
}

/**
 * Reads a batch that came over a receiver's sink port.
 *
 * One sink port may serve many receivers; packets of one receiver come in order of arrival. For each batch read, post
 * anything back on the port: when too many are unread, the media worker drops packets of that sink and counts them.
 *
 * @param visit - gets a view of each packet, valid as long as the buffer is kept
 */
export function visitReceivedBatch(
  buffer: ArrayBuffer,
  visit: (receiver: MediaId, isRtcp: boolean, bytes: Uint8Array, arrivalTime: number) => void,
): void {
  const view = new DataView(buffer);
  let at = 0;
  while (at + RECORD_HEAD_BYTES <= buffer.byteLength) {
    const length = view.getUint16(at + 4, true);
    if (length === END_OF_BATCH || at + RECORD_HEAD_BYTES + length > buffer.byteLength) return;
    const bytes = new Uint8Array(buffer, at + RECORD_HEAD_BYTES, length);
    visit(
      view.getUint32(at, true),
      view.getUint8(at + 6) === KIND_RTCP,
      bytes,
      view.getFloat64(at + 8, true),
    );
    at += recordLength(length);
  }
}

/** The same as a list. */
export function readReceivedBatch(buffer: ArrayBuffer): ReceivedPacket[] {
  const packets: ReceivedPacket[] = [];
  visitReceivedBatch(buffer, (receiver, isRtcp, bytes, arrivalTime) => {
    packets.push({ receiver, kind: isRtcp ? "rtcp" : "rtp", arrivalTime, bytes });
  });
  return packets;
}
