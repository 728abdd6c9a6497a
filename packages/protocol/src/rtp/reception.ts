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
/** Packets behind the newest one for which duplicates are told from late ones. */
const HISTORY = 128;

/**
 * What is known of one RTP source: the sequence validation of RFC 3550 appendix A.1, the loss counts of A.3 and the
 * jitter of A.8. `receive` allocates nothing.
 */
export class Reception {
  readonly ssrc: number;
  readonly clockRateHz: number;
  /** All packets counted, late ones and duplicates too (RFC 3550 §6.4.1). */
  packets = 0;
  /** Payload octets of the packets counted. */
  octets = 0;
  late = 0;
  duplicates = 0;
  /** Times at which the source started its sequence over. */
  restarts = 0;
  /** Clock of the caller; −1 before the first packet counted. */
  firstPacketAt = -1;
  lastPacketAt = -1;

  /** Extended; negative when a packet from before the first one came late and before a wrap. */
  #baseSequence = 0;
  #maxSequence = 0;
  #cycles = 0;
  #badSequence = NONE;
  #probation: number;
  #expectedBeforeRestart = 0;
  #expectedPrior = 0;
  #receivedPrior = 0;
  #jitter = 0;
  #lastTimestamp = 0;
  #lastTimedAt = -1;
  readonly #seen = new Uint8Array(HISTORY);

  /**
   * @param minSequential - packets in sequence before the source is trusted: `MIN_SEQUENTIAL` for a stranger, 0 for
   *   a source that signalling told of
   */
  constructor(ssrc: number, clockRateHz: number, minSequential = 0) {
    this.ssrc = ssrc;
    this.clockRateHz = clockRateHz;
    this.#probation = minSequential;
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
    let verdict: ReceptionVerdict;
    if (this.#probation > 0) {
      if (!this.#passesProbation(sequenceNumber)) return "probation";
      verdict = "in-order";
    } else if (this.firstPacketAt < 0) {
      this.#start(sequenceNumber);
      verdict = "in-order";
    } else {
      verdict = this.#follow(sequenceNumber);
      if (verdict === "probation") return verdict;
    }
    if (timed && verdict !== "late" && verdict !== "duplicate") {
      if (verdict === "in-order" && this.#lastTimedAt >= 0) this.#updateJitter(rtpTimestamp, at);
      this.#lastTimestamp = rtpTimestamp;
      this.#lastTimedAt = at;
    }
    if (this.firstPacketAt < 0) this.firstPacketAt = at;
    this.lastPacketAt = at;
    this.packets++;
    this.octets += payloadOctets;
    return verdict;
  }

  /** Cycles in the high 16 bits, as report blocks carry it. */
  get extendedHighestSequence(): number {
    return (this.#cycles + this.#maxSequence) >>> 0;
  }

  /** Newest sequence number minus first plus one; spans restarts. */
  get expected(): number {
    return this.#expectedBeforeRestart + this.#expectedSinceStart();
  }

  /** Packets that never came: duplicates do not make up for them. */
  get lost(): number {
    return Math.max(0, this.expected - (this.packets - this.duplicates));
  }

  /** In timestamp units (RFC 3550 appendix A.8). */
  get jitter(): number {
    return this.#jitter;
  }

  get jitterMs(): number {
    return (this.#jitter * 1000) / this.clockRateHz;
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
    const expectedInterval = expected - this.#expectedPrior;
    const lostInterval = expectedInterval - (this.packets - this.#receivedPrior);
    this.#expectedPrior = expected;
    this.#receivedPrior = this.packets;
    if (expectedInterval <= 0 || lostInterval <= 0) return 0;
    return Math.min(255, Math.floor((lostInterval * 256) / expectedInterval));
  }

  #passesProbation(sequenceNumber: number): boolean {
    const next = this.#badSequence === sequenceNumber;
    this.#badSequence = (sequenceNumber + 1) & 0xffff;
    if (next) this.#probation--;
    else this.#probation = MIN_SEQUENTIAL - 1;
    if (this.#probation > 0) return false;
    this.#start(sequenceNumber);
    return true;
  }

  #follow(sequenceNumber: number): ReceptionVerdict {
    const ahead = (sequenceNumber - this.#maxSequence) & 0xffff;
    if (ahead === 0) return this.#again(sequenceNumber);
    if (ahead < MAX_DROPOUT) {
      if (sequenceNumber < this.#maxSequence) this.#cycles += SEQUENCE_MODULUS;
      this.#forget(ahead);
      this.#maxSequence = sequenceNumber;
      this.#seen[sequenceNumber % HISTORY] = 1;
      this.#badSequence = NONE;
      return "in-order";
    }
    if (ahead <= SEQUENCE_MODULUS - MAX_MISORDER) {
      if (sequenceNumber !== this.#badSequence) {
        this.#badSequence = (sequenceNumber + 1) & 0xffff;
        return "probation";
      }
      // "Two sequential packets -- assume that the other side restarted without telling us" (appendix A.1).
      this.#expectedBeforeRestart += this.#expectedSinceStart();
      this.#start(sequenceNumber);
      this.restarts++;
      return "restart";
    }
    if (this.#seen[sequenceNumber % HISTORY] === 1) return this.#again(sequenceNumber);
    // Older than the first packet that was counted: the range that is expected grows by it.
    const extended = this.#cycles + this.#maxSequence - (SEQUENCE_MODULUS - ahead);
    if (extended < this.#baseSequence) this.#baseSequence = extended;
    this.#seen[sequenceNumber % HISTORY] = 1;
    this.late++;
    return "late";
  }

  #again(sequenceNumber: number): ReceptionVerdict {
    this.#seen[sequenceNumber % HISTORY] = 1;
    this.duplicates++;
    return "duplicate";
  }

  #start(sequenceNumber: number): void {
    this.#baseSequence = sequenceNumber;
    this.#maxSequence = sequenceNumber;
    this.#cycles = 0;
    this.#badSequence = NONE;
    this.#seen.fill(0);
    this.#seen[sequenceNumber % HISTORY] = 1;
  }

  #forget(ahead: number): void {
    if (ahead >= HISTORY) {
      this.#seen.fill(0);
      return;
    }
    for (let i = 1; i <= ahead; i++) this.#seen[(this.#maxSequence + i) % HISTORY] = 0;
  }

  #expectedSinceStart(): number {
    if (this.firstPacketAt < 0) return 0;
    return this.#cycles + this.#maxSequence - this.#baseSequence + 1;
  }

  #updateJitter(rtpTimestamp: number, at: number): void {
    const elapsed = ((at - this.#lastTimedAt) * this.clockRateHz) / 1000;
    const difference = Math.abs(elapsed - timestampDelta(rtpTimestamp, this.#lastTimestamp));
    this.#jitter += (difference - this.#jitter) / 16;
  }
}
