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

/**
 * Reads a batch that came over a receiver's sink port.
 *
 * One sink port may serve many receivers; packets of one receiver come in order of arrival. Post anything back on the
 * port for each batch read (`receiveBatches` does): the media worker holds back, drops and counts when too many
 * batches are unread.
 */
export function* readReceivedBatch(_buffer: ArrayBuffer): Iterable<ReceivedPacket> {
  yield* [];
}
