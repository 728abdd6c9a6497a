import {
  rtpPayloadEnd,
  rtpPayloadStart,
  rtpPayloadType,
  rtpSequenceNumber,
  rtpSsrc,
  rtpTimestamp,
  sequenceDelta,
  timestampDelta,
} from "@callfork/protocol/rtp";
import type { SenderClock } from "./sender-clock.ts";

/** Where a track's audio goes, strictly in order. */
export interface TrackSink {
  /** `payload` is a view into the packet: G.711, one octet a sample. */
  audio(payload: Uint8Array, payloadType: number): void;
  silence(samples: number): void;
}

/** What is known of a track; it is never silently less than what was sent. */
export interface TrackCounters {
  readonly packets: number;
  readonly octets: number;
  /** Highest sequence number − first + 1, summed over the runs of continuous numbers on this track. */
  readonly expected: number;
  /** `expected` − `packets`. */
  readonly lost: number;
  /** Came after their place had been written: they count as lost too. */
  readonly late: number;
  readonly duplicates: number;
  readonly longestGapMs: number;
  /** Samples on the track, silence in gaps included. */
  readonly samples: number;
  /** Epoch milliseconds at sample 0; null before the first packet. */
  readonly firstPacketTime: number | null;
  readonly lastPacketTime: number | null;
  /** Sample 0 by the sender's own clock, and the sender's name; null without a sender report of that source. */
  readonly senderStart: { readonly time: number; readonly cname: string | null } | null;
  /** How often another SSRC took over, or the same one started over. */
  readonly sourceChanges: number;
  /** Packets without audio that was agreed on, and those of a source that another had relieved. */
  readonly ignored: number;
}

/** Packets that may wait for an earlier one: 200 ms of 20 ms packets. */
const REORDER_PACKETS = 10;
/** A sequence number this far away is a restart of the sender or an outage (RFC 3550 A.1, MAX_DROPOUT). */
const FAR = 3_000;
/** A timestamp that disagrees with the arrival by more than this was set anew, not advanced. */
const IMPLAUSIBLE_JUMP_MS = 2_000;
/**
 * Clocks of two machines drift apart; this much a packet is followed: 1,000 parts per million at 50 packets a second.
 * Upwards faster, so that it is the packets with little delay that are followed and not the delayed ones.
 */
const DRIFT_PER_PACKET_MS = { down: -0.02, up: 0.16 };
/** The sender's clock may say something else than the arrivals by this much; beyond, it has been set. */
const SENDER_CLOCK_OFF_MS = 250;
/** Two runs that meet within this are continuous. */
const SEAM_MS = 40;
/** A source that another has relieved gets the track back when that one is silent for this time. */
const RELIEVED_MS = 100;
const SEEN = 64;
const NO_AUDIO = new Uint8Array(0);

interface Waiting {
  readonly ssrc: number;
  readonly sequence: number;
  readonly timestamp: number;
  /** Empty: takes its place among the sequence numbers, but holds no audio. */
  readonly payload: Uint8Array;
  readonly payloadType: number;
  readonly arrivalTime: number;
}

/**
 * Puts one stream of RTP packets onto a timeline of samples: reordering by up to ten packets is undone, gaps become
 * silence of their length by the RTP timestamps, duplicates and latecomers are counted and dropped, and a sender that
 * starts over (another SSRC, other numbers) goes on where the clock says.
 *
 * The stream is taken in runs: stretches of one SSRC with continuous sequence numbers. A run begins with two packets
 * that follow each other, as RFC 3550 A.1 has it, so that a stray packet moves nothing; the first of all with one.
 *
 * Pure: no clock, no I/O. One call of `push` per packet in order of arrival.
 */
export class TrackAssembler {
  readonly #sink: TrackSink;
  readonly #clockRateHz: number;
  readonly #payloadTypes: ReadonlySet<number>;
  /** Packets whose turn has not come, by sequence number. */
  readonly #waiting: Waiting[] = [];
  /** Of the present run; undefined between runs. */
  #ssrc: number | undefined;
  /** The run is so young that earlier packets may still come: nothing is written yet. */
  #isSettling = false;
  #nextSequence = 0;
  /** Bit i: the packet `nextSequence − 1 − i` came. */
  #seen = 0n;
  /** First packet of what may become another run. */
  #stranger: Waiting | undefined;
  #relievedSsrc: number | undefined;
  #lastArrival = 0;
  #expected = 0;
  #packets = 0;
  #samples = 0;
  #lastTimestamp = 0;
  /** Where on the timeline `#lastTimestamp` lies. */
  #lastPosition = 0;
  /** How far the timeline is ahead of the arrivals, followed slowly. */
  #leadMs = 0;
  /** The part of it that is drift: how far the sender's clock has got ahead of ours since sample 0. */
  #driftMs = 0;
  readonly #senderClock: SenderClock | undefined;
  /** Sample 0 as the sender numbered it. */
  #origin: { readonly ssrc: number; readonly timestamp: number } | undefined;
  #octets = 0;
  #late = 0;
  #duplicates = 0;
  #longestGap = 0;
  #sourceChanges = 0;
  #ignored = 0;
  #firstPacketTime: number | null = null;
  #lastPacketTime: number | null = null;

  constructor(options: {
    readonly sink: TrackSink;
    readonly clockRateHz: number;
    readonly payloadTypes: ReadonlySet<number>;
    /** Fed by the caller with the stream's RTCP. Without it, or without reports, runs are placed by arrival. */
    readonly senderClock?: SenderClock;
  }) {
    this.#sink = options.sink;
    this.#senderClock = options.senderClock;
    this.#clockRateHz = options.clockRateHz;
    this.#payloadTypes = options.payloadTypes;
  }

  get counters(): TrackCounters {
    const packets = this.#packets + this.#waiting.length;
    const expected = this.#expected + this.#waitingSpan();
    return {
      packets,
      octets: this.#octets,
      expected,
      lost: expected - packets,
      late: this.#late,
      duplicates: this.#duplicates,
      longestGapMs: Math.round((this.#longestGap * 1_000) / this.#clockRateHz),
      samples: this.#samples,
      firstPacketTime: this.#firstPacketTime,
      lastPacketTime: this.#lastPacketTime,
      senderStart: this.#senderStart(),
      sourceChanges: this.#sourceChanges,
      ignored: this.#ignored,
    };
  }

  /**
   * @param packet - a whole RTP packet; kept (as a view) until it is written
   * @param arrivalTime - epoch milliseconds
   */
  push(packet: Uint8Array, arrivalTime: number): void {
    const start = rtpPayloadStart(packet, 0, packet.length);
    if (start < 0) {
      this.#ignored++;
      return;
    }
    const payloadType = rtpPayloadType(packet, 0);
    const end = rtpPayloadEnd(packet, 0, packet.length);
    const isAudio = end > start && this.#payloadTypes.has(payloadType);
    if (!isAudio) this.#ignored++;
    const item: Waiting = {
      ssrc: rtpSsrc(packet, 0),
      sequence: rtpSequenceNumber(packet, 0),
      timestamp: rtpTimestamp(packet, 0),
      payload: isAudio ? packet.subarray(start, end) : NO_AUDIO,
      payloadType,
      arrivalTime,
    };
    if (this.#ssrc === undefined) {
      if (isAudio) this.#begin(item);
    } else if (item.ssrc !== this.#ssrc) {
      if (isAudio) this.#meetStranger(item);
    } else this.#continue(item);
  }

  /** The sender was paused and goes on: the next packet begins a run, where the clock says. */
  resumed(): void {
    this.drain();
    this.#dropStranger();
    this.#ssrc = undefined;
  }

  /** Nothing has come for a while: what waits for earlier packets is written. */
  drain(): void {
    if (this.#isSettling) this.#settle();
    while (this.#waiting.length > 0) this.#skipGap();
  }

  /** The end: writes all there is. */
  finish(): void {
    this.drain();
    const last = this.#stranger;
    this.#stranger = undefined;
    if (last === undefined) return;
    this.#relieve(last);
    this.drain();
  }

  #continue(item: Waiting): void {
    const reference = this.#isSettling ? this.#waiting[0]!.sequence : this.#nextSequence;
    const ahead = sequenceDelta(item.sequence, reference);
    if (Math.abs(ahead) > FAR) {
      if (this.#isSettling || !this.#isPlausible(item)) {
        this.#meetStranger(item);
        return;
      }
      // An outage of a minute or more: the numbers went on, and so did the timestamps.
      this.drain();
      this.#skipTo(item.sequence);
    } else if (ahead < 0 && !this.#isSettling) {
      this.#belated(-ahead);
      return;
    }
    this.#lastArrival = item.arrivalTime;
    if (!this.#isSettling && item.sequence === this.#nextSequence) this.#accept(item);
    else this.#wait(item);
    this.#release();
  }

  /** Another SSRC, or numbers out of all relation: one such packet is held, the second in a row begins a run. */
  #meetStranger(item: Waiting): void {
    if (item.ssrc === this.#relievedSsrc && item.arrivalTime - this.#lastArrival < RELIEVED_MS) {
      this.#ignored++; // the former source's last packets, or two that speak at once
      return;
    }
    const held = this.#stranger;
    const distance = held?.ssrc === item.ssrc ? sequenceDelta(item.sequence, held.sequence) : FAR;
    if (distance === 0) {
      this.#duplicates++;
    } else if (held !== undefined && Math.abs(distance) <= REORDER_PACKETS) {
      this.#stranger = undefined;
      this.#relieve(held);
      this.#continue(item);
    } else {
      this.#dropStranger();
      this.#stranger = item;
    }
  }

  #dropStranger(): void {
    if (this.#stranger !== undefined) this.#ignored++;
    this.#stranger = undefined;
  }

  #relieve(item: Waiting): void {
    this.drain();
    if (this.#ssrc !== undefined) this.#sourceChanges++;
    this.#relievedSsrc = this.#ssrc === item.ssrc ? undefined : this.#ssrc;
    this.#begin(item);
  }

  #begin(item: Waiting): void {
    this.#ssrc = item.ssrc;
    this.#isSettling = true;
    this.#seen = 0n;
    this.#lastArrival = item.arrivalTime;
    this.#firstPacketTime ??= item.arrivalTime;
    this.#waiting.push(item);
  }

  /** What came first in sequence is known now: ties its timestamp to the timeline. */
  #settle(): void {
    this.#isSettling = false;
    this.#nextSequence = this.#waiting[0]!.sequence;
    // A run begins with audio: what is none before it has its number, but no place.
    const first = this.#waiting.find(({ payload }) => payload.length > 0) ?? this.#waiting[0]!;
    // The packet with the least delay tells when the run began.
    let began = first.arrivalTime;
    for (const { timestamp, arrivalTime } of this.#waiting) {
      const laterMs = (timestampDelta(timestamp, first.timestamp) * 1_000) / this.#clockRateHz;
      if (Math.abs(laterMs) < IMPLAUSIBLE_JUMP_MS) began = Math.min(began, arrivalTime - laterMs);
    }
    if (this.#origin === undefined) {
      this.#firstPacketTime = began;
      this.#origin = { ssrc: first.ssrc, timestamp: first.timestamp };
    }
    this.#anchor(first.ssrc, first.timestamp, began);
  }

  /**
   * Ties `timestamp`, which came at `time`, to its place on the timeline: by the sender's clock where that is known.
   * By the arrival it is seamless when it is close.
   */
  #anchor(ssrc: number, timestamp: number, time: number): void {
    const elapsedMs = time - this.#firstPacketTime!;
    const byArrival = elapsedMs + this.#driftMs;
    const bySender = this.#senderElapsed(ssrc, timestamp, byArrival);
    const byClock = Math.round(((bySender ?? byArrival) * this.#clockRateHz) / 1_000);
    const seam = bySender === undefined ? (SEAM_MS * this.#clockRateHz) / 1_000 : 0;
    this.#lastTimestamp = timestamp;
    this.#lastPosition = byClock > this.#samples + seam ? byClock : this.#samples;
    this.#leadMs = (this.#lastPosition * 1_000) / this.#clockRateHz - elapsedMs;
  }

  /** From sample 0 by the sender's clock; undefined when it is not known, or not one clock. */
  #senderElapsed(ssrc: number, timestamp: number, byArrival: number): number | undefined {
    const origin = this.#origin;
    const clock = this.#senderClock;
    if (origin === undefined || clock === undefined) return undefined;
    if (ssrc !== origin.ssrc && clock.cnameOf(ssrc) !== clock.cnameOf(origin.ssrc)) return undefined;
    const start = clock.startOf(origin.ssrc, origin.timestamp);
    const now = clock.timeOf(ssrc, timestamp);
    if (start === undefined || now === undefined) return undefined;
    return Math.abs(now - start - byArrival) > SENDER_CLOCK_OFF_MS ? undefined : now - start;
  }

  #senderStart(): TrackCounters["senderStart"] {
    const origin = this.#origin;
    const clock = this.#senderClock;
    if (origin === undefined || clock === undefined) return null;
    const time = clock.startOf(origin.ssrc, origin.timestamp);
    return time === undefined ? null : { time, cname: clock.cnameOf(origin.ssrc) ?? null };
  }

  #wait(item: Waiting): void {
    let at = this.#waiting.length;
    while (at > 0 && sequenceDelta(item.sequence, this.#waiting[at - 1]!.sequence) < 0) at--;
    if (at > 0 && this.#waiting[at - 1]!.sequence === item.sequence) this.#duplicates++;
    else this.#waiting.splice(at, 0, item);
  }

  #release(): void {
    if (this.#isSettling) {
      if (this.#waiting.length <= REORDER_PACKETS) return;
      this.#settle();
    }
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined) return;
      if (next.sequence === this.#nextSequence) {
        this.#waiting.shift();
        this.#accept(next);
      } else if (this.#waiting.length > REORDER_PACKETS) this.#skipGap();
      else return;
    }
  }

  /** Gives up on what is missing before the first packet that waits. */
  #skipGap(): void {
    const next = this.#waiting.shift()!;
    this.#skipTo(next.sequence);
    this.#accept(next);
  }

  #skipTo(sequence: number): void {
    const missing = (sequence - this.#nextSequence) & 0xffff;
    this.#seen = missing >= SEEN ? 0n : BigInt.asUintN(SEEN, this.#seen << BigInt(missing));
    this.#expected += missing;
    this.#nextSequence = sequence;
  }

  /** Writes the packet whose turn it is. */
  #accept(item: Waiting): void {
    this.#seen = BigInt.asUintN(SEEN, (this.#seen << 1n) | 1n);
    this.#nextSequence = (item.sequence + 1) & 0xffff;
    this.#expected++;
    this.#packets++;
    this.#octets += item.payload.length;
    this.#lastPacketTime = Math.max(this.#lastPacketTime ?? 0, item.arrivalTime);
    if (item.payload.length === 0) return;
    if (this.#isPlausible(item)) {
      const off = this.#offMs(item);
      this.#lastPosition = this.#positionOf(item);
      this.#lastTimestamp = item.timestamp;
      const drift = Math.max(DRIFT_PER_PACKET_MS.down, Math.min(DRIFT_PER_PACKET_MS.up, off));
      this.#leadMs += drift;
      this.#driftMs += drift;
    } else this.#anchor(item.ssrc, item.timestamp, item.arrivalTime);
    this.#place(item);
  }

  /** The timestamp agrees with the arrival, and opens no gap where the timeline is far ahead of the clock already. */
  #isPlausible(item: Waiting): boolean {
    if (Math.abs(this.#offMs(item)) > IMPLAUSIBLE_JUMP_MS) return false;
    return this.#positionOf(item) <= this.#samples || this.#aheadMs(item) <= IMPLAUSIBLE_JUMP_MS;
  }

  /** How far the packet's timestamp is ahead of its arrival, beyond what is usual here. */
  #offMs(item: Waiting): number {
    return this.#aheadMs(item) - this.#leadMs;
  }

  #aheadMs(item: Waiting): number {
    return (this.#positionOf(item) * 1_000) / this.#clockRateHz - (item.arrivalTime - this.#firstPacketTime!);
  }

  #positionOf(item: Waiting): number {
    return this.#lastPosition + timestampDelta(item.timestamp, this.#lastTimestamp);
  }

  #place(item: Waiting): void {
    const gap = this.#lastPosition - this.#samples;
    if (gap > 0) {
      this.#longestGap = Math.max(this.#longestGap, gap);
      this.#sink.silence(gap);
      this.#samples += gap;
    }
    // A sender whose timestamps advance less than its payload overlaps itself: what is written stays.
    const overlap = Math.min(Math.max(0, -gap), item.payload.length);
    if (overlap === item.payload.length) return;
    this.#sink.audio(item.payload.subarray(overlap), item.payloadType);
    this.#samples += item.payload.length - overlap;
  }

  #belated(behind: number): void {
    if (behind <= SEEN && (this.#seen & (1n << BigInt(behind - 1))) !== 0n) this.#duplicates++;
    else this.#late++;
  }

  #waitingSpan(): number {
    const last = this.#waiting.at(-1);
    if (last === undefined) return 0;
    const from = this.#isSettling ? this.#waiting[0]!.sequence : this.#nextSequence;
    return sequenceDelta(last.sequence, from) + 1;
  }
}
