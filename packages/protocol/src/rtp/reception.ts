import { timestampDelta } from "./serial.ts";

/** What `Reception.receive` made of a packet. */
export type ReceptionVerdict =
  /** Next in line, or after a gap. */
  | "in-order"
  /** Older than a packet that came before. */
  | "late"
  /** Seen already. */
  | "duplicate"
  /** The source is not trusted yet, or its sequence jumped: one more packet in sequence will tell. */
  | "probation"
  /** The second packet of a jumped sequence: the source has started over. */
  | "restart";

/** RFC 3550 appendix A.1. */
const MAX_DROPOUT = 3000;
const MAX_MISORDER = 100;
export const MIN_SEQUENTIAL = 2;
const SEQUENCE_MODULUS = 65_536;
/** No sequence number: a source that has none pending. */
const NONE = -1;
/** Packets behind the newest one for which duplicates are told from late ones: four words of bits. */
const HISTORY = 128;

/*
 * The cells of a reception. What every packet needs comes first, so that it lies in two or three lines of the
 * processor's caches.
 */
/** The one sequence number that `receiveNext` takes, or `NONE`. */
const NEXT = 0;
const SSRC = 1;
const LAST_TIMESTAMP = 2;
const LAST_TIMED_AT = 3;
const JITTER = 4;
const CLOCK_RATE_HZ = 5;
const PACKETS = 6;
const OCTETS = 7;
const LAST_PACKET_AT = 8;
const MAX_SEQUENCE = 9;
/** Four words. */
const SEEN = 10;
const BAD_SEQUENCE = 14;
const CYCLES = 15;
const FIRST_PACKET_AT = 16;
/** Extended; negative when a packet from before the first one came late and before a wrap. */
const BASE_SEQUENCE = 17;
const PROBATION = 18;
const EXPECTED_BEFORE_RESTART = 19;
const EXPECTED_PRIOR = 20;
const RECEIVED_PRIOR = 21;
const LATE = 22;
const DUPLICATES = 23;
const RESTARTS = 24;
/** How many numbers a `Reception` keeps. */
export const RECEPTION_CELLS = 25;

/**
 * What is known of one RTP source: the sequence validation of RFC 3550 appendix A.1, the loss counts of A.3 and the
 * jitter of A.8. `receive` allocates nothing.
 *
 * All of it is numbers in an array that the caller may provide: thousands of sources that take turns want to lie close
 * together, and `receiveNext` then deals with the ordinary packet without an object.
 */
export class Reception {
  readonly #cells: Float64Array;
  readonly #at: number;

  /**
   * @param minSequential - packets in sequence before the source is trusted: `MIN_SEQUENTIAL` for a stranger, 0 for
   *   a source that signalling told of
   * @param cells - where it keeps `RECEPTION_CELLS` numbers, from `at` on; they are its own until it is not used any more
   */
  constructor(
    ssrc: number,
    clockRateHz: number,
    minSequential = 0,
    cells: Float64Array = new Float64Array(RECEPTION_CELLS),
    at = 0,
  ) {
    this.#cells = cells;
    this.#at = at;
    cells.fill(0, at, at + RECEPTION_CELLS);
    cells[at + SSRC] = ssrc;
    cells[at + CLOCK_RATE_HZ] = clockRateHz;
    cells[at + PROBATION] = minSequential;
    for (const cell of [NEXT, BAD_SEQUENCE, LAST_TIMED_AT, FIRST_PACKET_AT, LAST_PACKET_AT]) {
      cells[at + cell] = NONE;
    }
  }

  get ssrc(): number {
    return this.#get(SSRC);
  }

  get clockRateHz(): number {
    return this.#get(CLOCK_RATE_HZ);
  }

  /** All packets counted, late ones and duplicates too (RFC 3550 §6.4.1). */
  get packets(): number {
    return this.#get(PACKETS);
  }

  /** Payload octets of the packets counted. */
  get octets(): number {
    return this.#get(OCTETS);
  }

  get late(): number {
    return this.#get(LATE);
  }

  get duplicates(): number {
    return this.#get(DUPLICATES);
  }

  /** Times at which the source started its sequence over. */
  get restarts(): number {
    return this.#get(RESTARTS);
  }

  /** Clock of the caller; −1 before the first packet counted. */
  get firstPacketAt(): number {
    return this.#get(FIRST_PACKET_AT);
  }

  get lastPacketAt(): number {
    return this.#get(LAST_PACKET_AT);
  }

  /**
   * Takes one packet of this source.
   *
   * @param at - monotonic milliseconds (fractions count), only compared with earlier ones
   * @param payloadOctets - for the octet count; headers are not part of it
   * @param timed - false for packets whose timestamp is not their sampling instant: all packets of one telephone
   *   event carry that of its start (RFC 4733 §2.2.1), which says nothing about jitter
   */
  receive(
    sequenceNumber: number,
    rtpTimestamp: number,
    at: number,
    payloadOctets: number,
    timed = true,
  ): ReceptionVerdict {
    const verdict = this.#judge(sequenceNumber);
    const cells = this.#cells;
    const base = this.#at;
    if (verdict === "probation") return verdict;
    if (timed && verdict !== "late" && verdict !== "duplicate") {
      if (verdict === "in-order" && this.#get(LAST_TIMED_AT) >= 0)
        updateJitter(cells, base, rtpTimestamp, at);
      cells[base + LAST_TIMESTAMP] = rtpTimestamp;
      cells[base + LAST_TIMED_AT] = at;
    }
    if (this.firstPacketAt < 0) cells[base + FIRST_PACKET_AT] = at;
    cells[base + LAST_PACKET_AT] = at;
    cells[base + PACKETS]!++;
    cells[base + OCTETS]! += payloadOctets;
    // A wrap is for `receive`, and so is what comes while a jump of the sequence is in doubt.
    const max = this.#get(MAX_SEQUENCE);
    const isPlain = this.#get(LAST_TIMED_AT) >= 0 && max < SEQUENCE_MODULUS - 1;
    cells[base + NEXT] = isPlain ? max + 1 : NONE;
    return verdict;
  }

  /** Cycles in the high 16 bits, as report blocks carry it. */
  get extendedHighestSequence(): number {
    return (this.#get(CYCLES) + this.#get(MAX_SEQUENCE)) >>> 0;
  }

  /** Newest sequence number minus first plus one; spans restarts. */
  get expected(): number {
    return this.#get(EXPECTED_BEFORE_RESTART) + this.#expectedSinceStart();
  }

  /** Packets that never came: duplicates do not make up for them. */
  get lost(): number {
    return Math.max(0, this.expected - (this.packets - this.duplicates));
  }

  /** In timestamp units (RFC 3550 appendix A.8). */
  get jitter(): number {
    return this.#get(JITTER);
  }

  get jitterMs(): number {
    return (this.jitter * 1000) / this.clockRateHz;
  }

  /** RFC 3550 §6.4.1 "cumulative number of packets lost": duplicates lower it, 24 bits with sign. */
  get cumulativeLost(): number {
    return Math.max(-0x800000, Math.min(0x7fffff, this.expected - this.packets));
  }

  /**
   * The loss since the last call in 1/256, 0 when duplicates outweigh it (RFC 3550 appendix A.3). To be called once
   * for each report sent.
   */
  takeFractionLost(): number {
    const expected = this.expected;
    const expectedInterval = expected - this.#get(EXPECTED_PRIOR);
    const lostInterval = expectedInterval - (this.packets - this.#get(RECEIVED_PRIOR));
    this.#set(EXPECTED_PRIOR, expected);
    this.#set(RECEIVED_PRIOR, this.packets);
    if (expectedInterval <= 0 || lostInterval <= 0) return 0;
    return Math.min(255, Math.floor((lostInterval * 256) / expectedInterval));
  }

  #judge(sequenceNumber: number): ReceptionVerdict {
    if (this.#get(PROBATION) > 0) return this.#passesProbation(sequenceNumber) ? "in-order" : "probation";
    if (this.firstPacketAt >= 0) return this.#follow(sequenceNumber);
    this.#start(sequenceNumber);
    return "in-order";
  }

  #passesProbation(sequenceNumber: number): boolean {
    const next = this.#get(BAD_SEQUENCE) === sequenceNumber;
    this.#set(BAD_SEQUENCE, (sequenceNumber + 1) & 0xffff);
    const left = next ? this.#get(PROBATION) - 1 : MIN_SEQUENTIAL - 1;
    this.#set(PROBATION, left);
    if (left > 0) return false;
    this.#start(sequenceNumber);
    return true;
  }

  #follow(sequenceNumber: number): ReceptionVerdict {
    const max = this.#get(MAX_SEQUENCE);
    const ahead = (sequenceNumber - max) & 0xffff;
    if (ahead === 0) return this.#again(sequenceNumber);
    if (ahead < MAX_DROPOUT) {
      if (sequenceNumber < max) this.#set(CYCLES, this.#get(CYCLES) + SEQUENCE_MODULUS);
      this.#forget(ahead);
      this.#set(MAX_SEQUENCE, sequenceNumber);
      markSeen(this.#cells, this.#at, sequenceNumber);
      this.#set(BAD_SEQUENCE, NONE);
      return "in-order";
    }
    if (ahead <= SEQUENCE_MODULUS - MAX_MISORDER) {
      if (sequenceNumber !== this.#get(BAD_SEQUENCE)) {
        this.#set(BAD_SEQUENCE, (sequenceNumber + 1) & 0xffff);
        this.#set(NEXT, NONE);
        return "probation";
      }
      // "Two sequential packets -- assume that the other side restarted without telling us" (appendix A.1).
      this.#set(EXPECTED_BEFORE_RESTART, this.expected);
      this.#start(sequenceNumber);
      this.#set(RESTARTS, this.restarts + 1);
      return "restart";
    }
    if (this.#isSeen(sequenceNumber)) return this.#again(sequenceNumber);
    // Older than the first packet that was counted: the range that is expected grows by it.
    const extended = this.#get(CYCLES) + max - (SEQUENCE_MODULUS - ahead);
    if (extended < this.#get(BASE_SEQUENCE)) this.#set(BASE_SEQUENCE, extended);
    markSeen(this.#cells, this.#at, sequenceNumber);
    this.#set(LATE, this.late + 1);
    return "late";
  }

  #again(sequenceNumber: number): ReceptionVerdict {
    markSeen(this.#cells, this.#at, sequenceNumber);
    this.#set(DUPLICATES, this.duplicates + 1);
    return "duplicate";
  }

  #start(sequenceNumber: number): void {
    this.#set(BASE_SEQUENCE, sequenceNumber);
    this.#set(MAX_SEQUENCE, sequenceNumber);
    this.#set(CYCLES, 0);
    this.#set(BAD_SEQUENCE, NONE);
    this.#forget(HISTORY);
    markSeen(this.#cells, this.#at, sequenceNumber);
  }

  #isSeen(sequenceNumber: number): boolean {
    const word = this.#get(SEEN + ((sequenceNumber >> 5) & 3));
    return (word & (1 << (sequenceNumber & 31))) !== 0;
  }

  #forget(ahead: number): void {
    const seen = this.#at + SEEN;
    if (ahead >= HISTORY) {
      this.#cells.fill(0, seen, seen + HISTORY / 32);
      return;
    }
    const max = this.#get(MAX_SEQUENCE);
    for (let i = 1; i <= ahead; i++) {
      const sequence = max + i;
      this.#cells[seen + ((sequence >> 5) & 3)]! &= ~(1 << (sequence & 31));
    }
  }

  #expectedSinceStart(): number {
    if (this.firstPacketAt < 0) return 0;
    return this.#get(CYCLES) + this.#get(MAX_SEQUENCE) - this.#get(BASE_SEQUENCE) + 1;
  }

  #get(cell: number): number {
    return this.#cells[this.#at + cell]!;
  }

  #set(cell: number, value: number): void {
    this.#cells[this.#at + cell] = value;
  }
}

/** Is this packet the next in line of that source? Of the `Reception` that keeps its numbers in `cells`, from `at` on. */
export function isNextReceived(
  cells: Float64Array,
  at: number,
  ssrc: number,
  sequenceNumber: number,
): boolean {
  return cells[at + NEXT] === sequenceNumber && cells[at + SSRC] === ssrc;
}

/**
 * Takes the packet if it is the next in line of the source whose `Reception` keeps its numbers in `cells`, from `at` on:
 * what `receive` would do with it. False: nothing was done, `receive` has to look at it.
 */
export function receiveNext(
  cells: Float64Array,
  at: number,
  ssrc: number,
  sequenceNumber: number,
  rtpTimestamp: number,
  now: number,
  payloadOctets: number,
): boolean {
  if (!isNextReceived(cells, at, ssrc, sequenceNumber)) return false;
  updateJitter(cells, at, rtpTimestamp, now);
  cells[at + LAST_TIMESTAMP] = rtpTimestamp;
  cells[at + LAST_TIMED_AT] = now;
  cells[at + LAST_PACKET_AT] = now;
  cells[at + PACKETS]!++;
  cells[at + OCTETS]! += payloadOctets;
  markSeen(cells, at, sequenceNumber);
  cells[at + BAD_SEQUENCE] = NONE;
  cells[at + MAX_SEQUENCE] = sequenceNumber;
  cells[at + NEXT] = sequenceNumber < SEQUENCE_MODULUS - 1 ? sequenceNumber + 1 : NONE;
  return true;
}

/** Whether or not the packet a history ago has left its mark in the same place. */
function markSeen(cells: Float64Array, at: number, sequenceNumber: number): void {
  cells[at + SEEN + ((sequenceNumber >> 5) & 3)]! |= 1 << (sequenceNumber & 31);
}

function updateJitter(cells: Float64Array, at: number, rtpTimestamp: number, now: number): void {
  const elapsed = ((now - cells[at + LAST_TIMED_AT]!) * cells[at + CLOCK_RATE_HZ]!) / 1000;
  const difference = Math.abs(elapsed - timestampDelta(rtpTimestamp, cells[at + LAST_TIMESTAMP]!));
  cells[at + JITTER]! += (difference - cells[at + JITTER]!) / 16;
}
