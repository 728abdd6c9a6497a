import {
  addToSequence,
  addToTimestamp,
  randomUint16,
  sequenceDelta,
  timestampDelta,
} from "@callfork/protocol/rtp";
import type { Random } from "@callfork/protocol/text";

/** What the source of an outgoing stream is called when it is ourselves. No SSRC is negative. */
const OURSELVES = -2;
const NOBODY = -1;

/** Beyond these the source has started over (RFC 3550 appendix A.1). */
const MAX_DROPOUT = 3000;
const MAX_MISORDER = 100;
/** A source whose timestamps run this far ahead of the clock, or backwards, has started over. */
const MAX_LEAD_MS = 5000;
/** How fast the reference for sender reports follows a source whose clock is slower than ours. */
const REFERENCE_DECAY = 1 / 128;

export interface OutgoingStreamOptions {
  readonly ssrc: number;
  readonly firstSequence: number;
  readonly firstTimestamp: number;
  readonly clockRateHz: number;
  /** Guards against sources whose timestamps jump although their sequence does not. */
  readonly followsClock: boolean;
}

/**
 * Random (RFC 3550 §5.1), and in the lower half, so that an SRTP receiver which misses the first packets cannot miss a
 * roll-over with them (RFC 3711 §3.3.1).
 */
export function firstSequence(random: Random): number {
  return randomUint16(random) & 0x7fff;
}

/*
 * The cells of a stream; what every packet needs comes first.
 */
/** The SSRC that feeds it. */
const SOURCE = 0;
const SEQUENCE_OFFSET = 1;
const TIMESTAMP_OFFSET = 2;
/** Of the newest packet sent. */
const NEWEST_SEQUENCE = 3;
const NEWEST_TIMESTAMP = 4;
/** Timestamp units between two packets, as seen last: what a continued stream goes on by at least. */
const PACKET_UNITS = 5;
/** At `REFERENCE_AT` the stream stood at `REFERENCE_TIMESTAMP`: the earliest packets tell (least delayed). */
const REFERENCE_TIMESTAMP = 6;
const REFERENCE_AT = 7;
const CLOCK_RATE_HZ = 8;
export const STREAM_PACKETS = 9;
const OCTETS = 10;
/** Monotonic milliseconds; −1 before the first packet. */
const LAST_SENT_AT = 11;
/** Of the packet that was mapped last. */
export const STREAM_SEQUENCE = 12;
export const STREAM_TIMESTAMP = 13;
export const STREAM_SSRC = 14;
/** Source sequence numbers of the run of packets held back last, and the offset before it. */
const SKIPPED_FROM = 15;
const SKIPPED_TO = 16;
const OFFSET_BEFORE_SKIPPED = 17;
const FIRST_SENT_AT = 18;
const PACKETS_BEFORE = 19;
const OCTETS_BEFORE = 20;
/** How many numbers an `OutgoingStream` keeps. */
export const STREAM_CELLS = 21;

/**
 * One RTP stream that we send: an SSRC, sequence and timestamp space of its own, whatever feeds it.
 *
 * While one source feeds it, numbers follow the source's by a fixed difference, so that its gaps, its order and its
 * timestamps stay true. When the source changes (another SSRC, the player, a jump) the sequence goes on without a gap
 * and the timestamp goes on by the time that has passed. Packets that are held back (`skip`) leave no gap either.
 *
 * Nothing is allocated for a packet: `map` and `next` leave their result in `sequence` and `timestamp`. All it knows is
 * numbers in an array that the caller may provide, so that streams lie close together; `mapNext` deals with the ordinary
 * packet without an object.
 */
export class OutgoingStream {
  readonly #cells: Float64Array;
  readonly #at: number;
  readonly #followsClock: boolean;

  /** @param cells - where it keeps `STREAM_CELLS` numbers, from `at` on */
  constructor(options: OutgoingStreamOptions, cells = new Float64Array(STREAM_CELLS), at = 0) {
    this.#cells = cells;
    this.#at = at;
    this.#followsClock = options.followsClock;
    cells.fill(0, at, at + STREAM_CELLS);
    for (const cell of [SOURCE, SKIPPED_FROM, SKIPPED_TO]) this.#set(cell, NOBODY);
    this.#set(FIRST_SENT_AT, -1);
    this.#set(LAST_SENT_AT, -1);
    this.#set(STREAM_SSRC, options.ssrc);
    this.#set(CLOCK_RATE_HZ, options.clockRateHz);
    this.#set(NEWEST_SEQUENCE, addToSequence(options.firstSequence, -1));
    this.#set(NEWEST_TIMESTAMP, options.firstTimestamp);
    this.#set(PACKET_UNITS, Math.round(options.clockRateHz / 50));
  }

  get clockRateHz(): number {
    return this.#get(CLOCK_RATE_HZ);
  }

  /** Of the packet that was mapped last. */
  get sequence(): number {
    return this.#get(STREAM_SEQUENCE);
  }

  get timestamp(): number {
    return this.#get(STREAM_TIMESTAMP);
  }

  get packets(): number {
    return this.#get(STREAM_PACKETS);
  }

  get octets(): number {
    return this.#get(OCTETS);
  }

  /** Monotonic milliseconds; −1 before the first packet. */
  get firstSentAt(): number {
    return this.#get(FIRST_SENT_AT);
  }

  get lastSentAt(): number {
    return this.#get(LAST_SENT_AT);
  }

  /** Another codec from the next packet on, which goes on by the time that has passed: the source's clock is another. */
  changeClockRate(clockRateHz: number): void {
    if (clockRateHz === this.clockRateHz) return;
    this.#set(CLOCK_RATE_HZ, clockRateHz);
    this.#set(PACKET_UNITS, Math.round(clockRateHz / 50));
    this.restart();
  }

  /** The next packet goes on by the time that has passed, whatever its own timestamp is. */
  restart(): void {
    this.#set(SOURCE, NOBODY);
  }

  get ssrc(): number {
    return this.#get(STREAM_SSRC);
  }

  /** Another SSRC from the next packet on; what it has sent is counted from zero (RFC 3550 §6.4.1). */
  changeSsrc(ssrc: number): void {
    this.#set(STREAM_SSRC, ssrc);
    this.#set(PACKETS_BEFORE, this.packets);
    this.#set(OCTETS_BEFORE, this.octets);
  }

  /** Packets and payload octets sent with the present SSRC, for its sender reports. */
  get packetsOfSsrc(): number {
    return this.packets - this.#get(PACKETS_BEFORE);
  }

  get octetsOfSsrc(): number {
    return this.octets - this.#get(OCTETS_BEFORE);
  }

  /** What a packet lasts. */
  get packetTimeMs(): number {
    return (this.#get(PACKET_UNITS) * 1000) / this.clockRateHz;
  }

  get started(): boolean {
    return this.firstSentAt >= 0;
  }

  /** The SSRC that feeds it; undefined when that is ourselves or nobody yet. */
  get sourceSsrc(): number | undefined {
    return this.#get(SOURCE) >= 0 ? this.#get(SOURCE) : undefined;
  }

  /** Finds the numbers of a packet that is passed on from `sourceSsrc`. */
  map(sourceSsrc: number, sequence: number, timestamp: number, now: number): void {
    if (sourceSsrc !== this.#get(SOURCE)) this.#anchor(sourceSsrc, sequence, timestamp, now);
    let mapped = addToSequence(sequence, this.#offsetFor(sequence));
    let ahead = sequenceDelta(mapped, this.#get(NEWEST_SEQUENCE));
    if (this.#hasJumped(ahead, timestamp, now)) {
      this.#anchor(sourceSsrc, sequence, timestamp, now);
      mapped = addToSequence(sequence, this.#get(SEQUENCE_OFFSET));
      ahead = 1;
    }
    this.#set(STREAM_SEQUENCE, mapped);
    this.#set(STREAM_TIMESTAMP, addToTimestamp(timestamp, this.#get(TIMESTAMP_OFFSET)));
    if (ahead <= 0) return;
    this.#advance(ahead, now);
    if (this.#get(SKIPPED_TO) !== NOBODY && sequenceDelta(sequence, this.#get(SKIPPED_TO)) > MAX_MISORDER) {
      this.#forgetSkipped();
    }
  }

  /** A packet of the source that is not passed on: the next one takes its sequence number. */
  skip(sourceSsrc: number, sequence: number): void {
    if (sourceSsrc !== this.#get(SOURCE)) return;
    const ahead = sequenceDelta(
      addToSequence(sequence, this.#get(SEQUENCE_OFFSET)),
      this.#get(NEWEST_SEQUENCE),
    );
    // Overtaken: its number is gone.
    if (ahead <= 0 || ahead >= MAX_DROPOUT) return;
    const again = this.#get(SKIPPED_TO) !== NOBODY && sequenceDelta(sequence, this.#get(SKIPPED_TO)) <= 0;
    if (again) return;
    if (this.#get(SKIPPED_TO) === NOBODY || sequence !== addToSequence(this.#get(SKIPPED_TO), 1)) {
      this.#set(SKIPPED_FROM, sequence);
      this.#set(OFFSET_BEFORE_SKIPPED, this.#get(SEQUENCE_OFFSET));
    }
    this.#set(SKIPPED_TO, sequence);
    this.#set(SEQUENCE_OFFSET, addToSequence(this.#get(SEQUENCE_OFFSET), -1));
  }

  /**
   * Finds the numbers of a packet of our own, of `units`, that follows the last one at once, or after a pause.
   *
   * @param skippedUnits - silence between the last one and this, where we are the source of both
   * @returns whether it is the first one of ours: a talkspurt begins
   */
  next(units: number, now: number, skippedUnits = 0): boolean {
    const first = this.#get(SOURCE) !== OURSELVES;
    if (first) {
      this.#set(STREAM_TIMESTAMP, this.#continuedTimestamp(now));
      this.#set(SOURCE, OURSELVES);
      this.#setReference(this.timestamp, now);
    } else {
      this.#set(STREAM_TIMESTAMP, addToTimestamp(this.#get(NEWEST_TIMESTAMP), units + skippedUnits));
    }
    this.#set(STREAM_SEQUENCE, addToSequence(this.#get(NEWEST_SEQUENCE), 1));
    this.#advance(1, now);
    this.#set(PACKET_UNITS, units);
    return first;
  }

  /** Counts the packet whose numbers were found last. */
  count(payloadOctets: number, now: number): void {
    this.#set(STREAM_PACKETS, this.#get(STREAM_PACKETS) + 1);
    this.#set(OCTETS, this.#get(OCTETS) + payloadOctets);
    if (this.firstSentAt < 0) this.#set(FIRST_SENT_AT, now);
    this.#set(LAST_SENT_AT, now);
  }

  /** Where the stream stands at `now`, for a sender report (RFC 3550 §6.4.1). */
  timestampAt(now: number): number {
    const units = Math.round(((now - this.#get(REFERENCE_AT)) * this.clockRateHz) / 1000);
    return addToTimestamp(this.#get(REFERENCE_TIMESTAMP), units);
  }

  /** What to add to a timestamp of the source that feeds it. */
  get timestampOffset(): number {
    return this.#get(TIMESTAMP_OFFSET);
  }

  /** What to add to a sequence number of the source that feeds it. */
  get sequenceOffset(): number {
    return this.#get(SEQUENCE_OFFSET);
  }

  #offsetFor(sequence: number): number {
    if (this.#get(SKIPPED_FROM) === NOBODY) return this.#get(SEQUENCE_OFFSET);
    const behind = sequenceDelta(this.#get(SKIPPED_FROM), sequence);
    // A straggler from before the packets held back keeps the number it would have had.
    return behind > 0 && behind <= MAX_MISORDER
      ? this.#get(OFFSET_BEFORE_SKIPPED)
      : this.#get(SEQUENCE_OFFSET);
  }

  #hasJumped(ahead: number, timestamp: number, now: number): boolean {
    if (ahead >= MAX_DROPOUT || ahead <= -MAX_MISORDER) return true;
    if (!this.#followsClock || ahead <= 0 || !this.started) return false;
    const mapped = addToTimestamp(timestamp, this.#get(TIMESTAMP_OFFSET));
    const units = timestampDelta(mapped, this.#get(NEWEST_TIMESTAMP));
    if (units < 0) return true;
    const elapsedMs = now - this.lastSentAt;
    return (units * 1000) / this.clockRateHz - elapsedMs > MAX_LEAD_MS;
  }

  #anchor(sourceSsrc: number, sequence: number, timestamp: number, now: number): void {
    const continued = this.#continuedTimestamp(now);
    this.#set(SOURCE, sourceSsrc);
    this.#set(SEQUENCE_OFFSET, sequenceDelta(addToSequence(this.#get(NEWEST_SEQUENCE), 1), sequence));
    this.#set(TIMESTAMP_OFFSET, timestampDelta(continued, timestamp));
    this.#forgetSkipped();
    this.#setReference(continued, now);
  }

  /** The time that has passed, in whole packets, so that what was cut off and what follows neither overlap nor part. */
  #continuedTimestamp(now: number): number {
    if (!this.started) return this.#get(NEWEST_TIMESTAMP);
    const elapsedUnits = ((now - this.lastSentAt) * this.clockRateHz) / 1000;
    const packets = Math.max(1, Math.round(elapsedUnits / this.#get(PACKET_UNITS)));
    return addToTimestamp(this.#get(NEWEST_TIMESTAMP), packets * this.#get(PACKET_UNITS));
  }

  #advance(ahead: number, now: number): void {
    if (ahead === 1 && this.started) {
      const units = timestampDelta(this.timestamp, this.#get(NEWEST_TIMESTAMP));
      // Up to 60 ms: longer steps are silence, not packet time.
      if (units > 0 && units * 50 <= this.clockRateHz * 3) this.#set(PACKET_UNITS, units);
    }
    this.#set(NEWEST_SEQUENCE, this.sequence);
    this.#set(NEWEST_TIMESTAMP, this.timestamp);
    follow(this.#cells, this.#at, this.timestamp, now);
  }

  /** Long ago: no straggler comes from before it, and the numbers come round again. */
  #forgetSkipped(): void {
    this.#set(SKIPPED_FROM, NOBODY);
    this.#set(SKIPPED_TO, NOBODY);
  }

  #setReference(timestamp: number, now: number): void {
    this.#set(REFERENCE_TIMESTAMP, timestamp);
    this.#set(REFERENCE_AT, now);
  }

  #get(cell: number): number {
    return this.#cells[this.#at + cell]!;
  }

  #set(cell: number, value: number): void {
    this.#cells[this.#at + cell] = value;
  }
}

/**
 * Is this the packet that follows the last one of the same source at once, in the usual time, so that `mapNext` may take
 * it? Of the stream that keeps its numbers in `cells`, from `at` on.
 */
export function isNext(
  cells: Float64Array,
  at: number,
  sourceSsrc: number,
  sequence: number,
  timestamp: number,
): boolean {
  if (cells[at + SOURCE] !== sourceSsrc || cells[at + SKIPPED_TO] !== NOBODY) return false;
  const mapped = addToSequence(sequence, cells[at + SEQUENCE_OFFSET]!);
  if (mapped !== addToSequence(cells[at + NEWEST_SEQUENCE]!, 1)) return false;
  const mappedTimestamp = addToTimestamp(timestamp, cells[at + TIMESTAMP_OFFSET]!);
  const units = timestampDelta(mappedTimestamp, cells[at + NEWEST_TIMESTAMP]!);
  return units === cells[at + PACKET_UNITS] && cells[at + LAST_SENT_AT]! >= 0;
}

/** What `map` does with a packet for which `isNext` said yes. The result is in the `STREAM_` cells. */
export function mapNext(cells: Float64Array, at: number, now: number): void {
  const sequence = addToSequence(cells[at + NEWEST_SEQUENCE]!, 1);
  const timestamp = addToTimestamp(cells[at + NEWEST_TIMESTAMP]!, cells[at + PACKET_UNITS]!);
  cells[at + STREAM_SEQUENCE] = sequence;
  cells[at + STREAM_TIMESTAMP] = timestamp;
  cells[at + NEWEST_SEQUENCE] = sequence;
  cells[at + NEWEST_TIMESTAMP] = timestamp;
  follow(cells, at, timestamp, now);
}

/** What `count` does with it. */
export function countNext(cells: Float64Array, at: number, now: number, payloadOctets: number): void {
  cells[at + STREAM_PACKETS]!++;
  cells[at + OCTETS]! += payloadOctets;
  cells[at + LAST_SENT_AT] = now;
}

/** The reference for sender reports. */
function follow(cells: Float64Array, at: number, timestamp: number, now: number): void {
  const units = timestampDelta(timestamp, cells[at + REFERENCE_TIMESTAMP]!);
  const expectedAt = cells[at + REFERENCE_AT]! + (units * 1000) / cells[at + CLOCK_RATE_HZ]!;
  const lateMs = now - expectedAt;
  cells[at + REFERENCE_TIMESTAMP] = timestamp;
  cells[at + REFERENCE_AT] = lateMs <= 0 ? now : expectedAt + lateMs * REFERENCE_DECAY;
}
