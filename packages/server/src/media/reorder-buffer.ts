import { addToSequence, sequenceDelta } from "@callfork/protocol/rtp";

/** Packets that wait for one that is missing: 60 ms of speech. Then it counts as lost. */
const WAITING = 3;
/** A sequence number this far back is no straggler: the source has started over; so it has when it is far ahead. */
const MAX_MISORDER = 100;
/** Less far ahead, as many are missing (RFC 3550 appendix A.1). */
const MAX_DROPOUT = 3000;
/** Larger payloads are nothing that a codec of ours takes. */
export const MAX_PAYLOAD = 2048;

export interface InOrder {
  /** @param payload - valid during the call; empty: a packet that carries nothing for the consumer */
  onPayload(timestamp: number, payload: Uint8Array): void;
}

interface Slot {
  readonly bytes: Uint8Array;
  isUsed: boolean;
  sequence: number;
  timestamp: number;
  length: number;
}

/**
 * Puts the packets of one source in order: one that comes early waits until the missing ones are there, or until three
 * wait. No timer: what waits when the source falls silent goes on with its next packet, or by `flush`.
 */
export class ReorderBuffer {
  /** Packets that came after their place was given up. */
  late = 0;
  /** Sequence numbers that never came. */
  lost = 0;
  readonly #consumer: InOrder;
  readonly #slots: readonly Slot[];
  #next = -1;
  #waiting = 0;

  constructor(consumer: InOrder) {
    this.#consumer = consumer;
    this.#slots = Array.from({ length: WAITING }, () => ({
      bytes: new Uint8Array(MAX_PAYLOAD),
      isUsed: false,
      sequence: 0,
      timestamp: 0,
      length: 0,
    }));
  }

  /** @param payload - copied when it has to wait; not more than `MAX_PAYLOAD` octets */
  push(sequence: number, timestamp: number, payload: Uint8Array): void {
    const ahead = this.#next < 0 ? 0 : sequenceDelta(sequence, this.#next);
    if (ahead < 0 && ahead > -MAX_MISORDER) {
      this.late++;
      return;
    }
    if (ahead < 0 || ahead > MAX_MISORDER) {
      this.flush();
      const missing = sequenceDelta(sequence, this.#next);
      if (missing > 0 && missing < MAX_DROPOUT) this.lost += missing;
      this.#next = -1;
    } else if (ahead > 0 && this.#keep(sequence, timestamp, payload)) {
      if (this.#waiting === WAITING) this.#giveUp();
      return;
    } else if (ahead > 0) {
      return; // it waits already
    }
    this.#next = addToSequence(sequence, 1);
    this.#consumer.onPayload(timestamp, payload);
    this.#drain();
  }

  /** What waits goes on, without what is missing. */
  flush(): void {
    while (this.#waiting > 0) this.#giveUp();
  }

  /** Forgets everything. */
  reset(): void {
    for (const slot of this.#slots) slot.isUsed = false;
    this.#waiting = 0;
    this.#next = -1;
  }

  #keep(sequence: number, timestamp: number, payload: Uint8Array): boolean {
    let free: Slot | undefined;
    for (const slot of this.#slots) {
      if (!slot.isUsed) free ??= slot;
      else if (slot.sequence === sequence) return false;
    }
    if (free === undefined) return false;
    free.isUsed = true;
    free.sequence = sequence;
    free.timestamp = timestamp;
    free.length = payload.length;
    free.bytes.set(payload);
    this.#waiting++;
    return true;
  }

  /** Goes on with the first of those that wait. */
  #giveUp(): void {
    let ahead = Number.POSITIVE_INFINITY;
    for (const slot of this.#slots) {
      if (slot.isUsed) ahead = Math.min(ahead, sequenceDelta(slot.sequence, this.#next));
    }
    this.lost += ahead;
    this.#next = addToSequence(this.#next, ahead);
    this.#drain();
  }

  #drain(): void {
    for (let i = 0; this.#waiting > 0 && i < WAITING; i++) {
      const slot = this.#slots[i]!;
      if (!slot.isUsed || slot.sequence !== this.#next) continue;
      slot.isUsed = false;
      this.#waiting--;
      this.#next = addToSequence(this.#next, 1);
      this.#consumer.onPayload(slot.timestamp, slot.bytes.subarray(0, slot.length));
      i = -1; // from the beginning: the one that follows may lie before
    }
  }
}
