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

/**
 * One RTP stream that we send: an SSRC, sequence and timestamp space of its own, whatever feeds it.
 *
 * While one source feeds it, numbers follow the source's by a fixed difference, so that its gaps, its order and its
 * timestamps stay true. When the source changes (another SSRC, the player, a jump) the sequence goes on without a gap
 * and the timestamp goes on by the time that has passed. Packets that are held back (`skip`) leave no gap either.
 *
 * Nothing is allocated for a packet: `map` and `next` leave their result in `sequence` and `timestamp`.
 */
export class OutgoingStream {
  clockRateHz: number;
  /** Of the packet that was mapped last. */
  sequence = 0;
  timestamp = 0;
  packets = 0;
  octets = 0;
  /** Monotonic milliseconds; −1 before the first packet. */
  firstSentAt = -1;
  lastSentAt = -1;

  #ssrc: number;
  #packetsBefore = 0;
  #octetsBefore = 0;
  #source = NOBODY;
  #sequenceOffset = 0;
  #timestampOffset = 0;
  /** The newest packet sent. */
  #newestSequence: number;
  #newestTimestamp: number;
  /** Timestamp units between two packets, as seen last: what a continued stream goes on by at least. */
  #packetUnits: number;
  /** Source sequence numbers of the run of packets held back last, and the offset before it. */
  #skippedFrom = NOBODY;
  #skippedTo = NOBODY;
  #offsetBeforeSkipped = 0;
  /** At `#referenceAt` the stream stood at `#referenceTimestamp`: the earliest packets tell (least delayed). */
  #referenceTimestamp = 0;
  #referenceAt = 0;
  readonly #followsClock: boolean;

  constructor(options: OutgoingStreamOptions) {
    this.#ssrc = options.ssrc;
    this.clockRateHz = options.clockRateHz;
    this.#followsClock = options.followsClock;
    this.#newestSequence = addToSequence(options.firstSequence, -1);
    this.#newestTimestamp = options.firstTimestamp;
    this.#packetUnits = Math.round(options.clockRateHz / 50);
  }

  /** Another codec from the next packet on, which goes on by the time that has passed: the source's clock is another. */
  changeClockRate(clockRateHz: number): void {
    if (clockRateHz === this.clockRateHz) return;
    this.clockRateHz = clockRateHz;
    this.#packetUnits = Math.round(clockRateHz / 50);
    this.restart();
  }

  /** The next packet goes on by the time that has passed, whatever its own timestamp is. */
  restart(): void {
    this.#source = NOBODY;
  }

  get ssrc(): number {
    return this.#ssrc;
  }

  /** Another SSRC from the next packet on; what it has sent is counted from zero (RFC 3550 §6.4.1). */
  changeSsrc(ssrc: number): void {
    this.#ssrc = ssrc;
    this.#packetsBefore = this.packets;
    this.#octetsBefore = this.octets;
  }

  /** Packets and payload octets sent with the present SSRC, for its sender reports. */
  get packetsOfSsrc(): number {
    return this.packets - this.#packetsBefore;
  }

  get octetsOfSsrc(): number {
    return this.octets - this.#octetsBefore;
  }

  /** What a packet lasts. */
  get packetTimeMs(): number {
    return (this.#packetUnits * 1000) / this.clockRateHz;
  }

  get started(): boolean {
    return this.firstSentAt >= 0;
  }

  /** The SSRC that feeds it; undefined when that is ourselves or nobody yet. */
  get sourceSsrc(): number | undefined {
    return this.#source >= 0 ? this.#source : undefined;
  }

  /** Finds the numbers of a packet that is passed on from `sourceSsrc`. */
  map(sourceSsrc: number, sequence: number, timestamp: number, now: number): void {
    if (sourceSsrc !== this.#source) this.#anchor(sourceSsrc, sequence, timestamp, now);
    let mapped = addToSequence(sequence, this.#offsetFor(sequence));
    let ahead = sequenceDelta(mapped, this.#newestSequence);
    if (this.#hasJumped(ahead, timestamp, now)) {
      this.#anchor(sourceSsrc, sequence, timestamp, now);
      mapped = addToSequence(sequence, this.#sequenceOffset);
      ahead = 1;
    }
    this.sequence = mapped;
    this.timestamp = addToTimestamp(timestamp, this.#timestampOffset);
    if (ahead <= 0) return;
    this.#advance(ahead, now);
    if (this.#skippedTo !== NOBODY && sequenceDelta(sequence, this.#skippedTo) > MAX_MISORDER) {
      this.#forgetSkipped();
    }
  }

  /** A packet of the source that is not passed on: the next one takes its sequence number. */
  skip(sourceSsrc: number, sequence: number): void {
    if (sourceSsrc !== this.#source) return;
    const ahead = sequenceDelta(addToSequence(sequence, this.#sequenceOffset), this.#newestSequence);
    // Overtaken: its number is gone.
    if (ahead <= 0 || ahead >= MAX_DROPOUT) return;
    const again = this.#skippedTo !== NOBODY && sequenceDelta(sequence, this.#skippedTo) <= 0;
    if (again) return;
    if (this.#skippedTo === NOBODY || sequence !== addToSequence(this.#skippedTo, 1)) {
      this.#skippedFrom = sequence;
      this.#offsetBeforeSkipped = this.#sequenceOffset;
    }
    this.#skippedTo = sequence;
    this.#sequenceOffset = addToSequence(this.#sequenceOffset, -1);
  }

  /**
   * Finds the numbers of a packet of our own, of `units`, that follows the last one at once, or after a pause.
   *
   * @param skippedUnits - silence between the last one and this, where we are the source of both
   * @returns whether it is the first one of ours: a talkspurt begins
   */
  next(units: number, now: number, skippedUnits = 0): boolean {
    const first = this.#source !== OURSELVES;
    if (first) {
      this.timestamp = this.#continuedTimestamp(now);
      this.#source = OURSELVES;
      this.#setReference(this.timestamp, now);
    } else {
      this.timestamp = addToTimestamp(this.#newestTimestamp, units + skippedUnits);
    }
    this.sequence = addToSequence(this.#newestSequence, 1);
    this.#advance(1, now);
    this.#packetUnits = units;
    return first;
  }

  /** Counts the packet whose numbers were found last. */
  count(payloadOctets: number, now: number): void {
    this.packets++;
    this.octets += payloadOctets;
    if (this.firstSentAt < 0) this.firstSentAt = now;
    this.lastSentAt = now;
  }

  /** Where the stream stands at `now`, for a sender report (RFC 3550 §6.4.1). */
  timestampAt(now: number): number {
    const units = Math.round(((now - this.#referenceAt) * this.clockRateHz) / 1000);
    return addToTimestamp(this.#referenceTimestamp, units);
  }

  /** What to add to a timestamp of the source that feeds it. */
  get timestampOffset(): number {
    return this.#timestampOffset;
  }

  /** What to add to a sequence number of the source that feeds it. */
  get sequenceOffset(): number {
    return this.#sequenceOffset;
  }

  #offsetFor(sequence: number): number {
    if (this.#skippedFrom === NOBODY) return this.#sequenceOffset;
    const behind = sequenceDelta(this.#skippedFrom, sequence);
    // A straggler from before the packets held back keeps the number it would have had.
    return behind > 0 && behind <= MAX_MISORDER ? this.#offsetBeforeSkipped : this.#sequenceOffset;
  }

  #hasJumped(ahead: number, timestamp: number, now: number): boolean {
    if (ahead >= MAX_DROPOUT || ahead <= -MAX_MISORDER) return true;
    if (!this.#followsClock || ahead <= 0 || !this.started) return false;
    const mapped = addToTimestamp(timestamp, this.#timestampOffset);
    const units = timestampDelta(mapped, this.#newestTimestamp);
    if (units < 0) return true;
    const elapsedMs = now - this.lastSentAt;
    return (units * 1000) / this.clockRateHz - elapsedMs > MAX_LEAD_MS;
  }

  #anchor(sourceSsrc: number, sequence: number, timestamp: number, now: number): void {
    const continued = this.#continuedTimestamp(now);
    this.#source = sourceSsrc;
    this.#sequenceOffset = sequenceDelta(addToSequence(this.#newestSequence, 1), sequence);
    this.#timestampOffset = timestampDelta(continued, timestamp);
    this.#forgetSkipped();
    this.#setReference(continued, now);
  }

  /** The time that has passed, in whole packets, so that what was cut off and what follows neither overlap nor part. */
  #continuedTimestamp(now: number): number {
    if (!this.started) return this.#newestTimestamp;
    const elapsedUnits = ((now - this.lastSentAt) * this.clockRateHz) / 1000;
    const packets = Math.max(1, Math.round(elapsedUnits / this.#packetUnits));
    return addToTimestamp(this.#newestTimestamp, packets * this.#packetUnits);
  }

  #advance(ahead: number, now: number): void {
    if (ahead === 1 && this.started) {
      const units = timestampDelta(this.timestamp, this.#newestTimestamp);
      // Up to 60 ms: longer steps are silence, not packet time.
      if (units > 0 && units * 50 <= this.clockRateHz * 3) this.#packetUnits = units;
    }
    this.#newestSequence = this.sequence;
    this.#newestTimestamp = this.timestamp;
    const units = timestampDelta(this.timestamp, this.#referenceTimestamp);
    const expectedAt = this.#referenceAt + (units * 1000) / this.clockRateHz;
    const lateMs = now - expectedAt;
    this.#referenceTimestamp = this.timestamp;
    this.#referenceAt = lateMs <= 0 ? now : expectedAt + lateMs * REFERENCE_DECAY;
  }

  /** Long ago: no straggler comes from before it, and the numbers come round again. */
  #forgetSkipped(): void {
    this.#skippedFrom = NOBODY;
    this.#skippedTo = NOBODY;
  }

  #setReference(timestamp: number, now: number): void {
    this.#referenceTimestamp = timestamp;
    this.#referenceAt = now;
  }
}
