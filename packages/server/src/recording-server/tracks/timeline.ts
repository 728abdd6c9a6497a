import { timestampDelta } from "@callfork/protocol/rtp";
import { ClockMap, type ClockPoint } from "./clock-map.ts";
import type { SenderClock } from "./sender-clock.ts";

/** A timestamp that disagrees with the arrival by more than this was set anew, not advanced. */
export const IMPLAUSIBLE_JUMP_MS = 2_000;
/**
 * Clocks of two machines drift apart; this much a packet is followed: 1,000 parts per million at 50 packets a second.
 * Upwards faster, so that it is the packets with little delay that are followed and not the delayed ones.
 */
const DRIFT_PER_PACKET_MS = { down: -0.02, up: 0.16 };
/** And so much a millisecond that passes, however many packets come in it. */
const DRIFT_PER_MS = 0.01;
/** What may be left over for packets that were held up together. */
const MAX_DRIFT_LEFT_MS = 2;
/** The sender's clock may say something else than the arrivals by this much; beyond, it has been set. */
const SENDER_CLOCK_OFF_MS = 250;
/** Two runs that meet within this are continuous. */
const SEAM_MS = 40;

/** What the timeline needs to know of a packet. */
export interface Stamp {
  readonly ssrc: number;
  readonly timestamp: number;
  readonly arrivalTime: number;
}

/**
 * Where the packets of a track lie: RTP timestamps become positions, in ticks of the track's clock from its first
 * sample. Each run of packets is tied to the clock once, and drift between the sender's sampling clock and ours is
 * followed as it goes (`clockPoints`).
 *
 * Pure: no clock, no I/O.
 */
export class Timeline {
  readonly clockRateHz: number;
  /** Ticks that have been written, silence included. */
  written = 0;
  longestGap = 0;
  /** Ticks of silence among what has been written. */
  silent = 0;
  readonly #senderClock: SenderClock | undefined;
  readonly #map: ClockMap;
  /** RTP clock of the present run; of another codec it may be another than the track's. */
  #rateHz: number;
  #lastTimestamp = 0;
  /** Where `#lastTimestamp` lies. */
  #lastPosition = 0;
  /** How far the timeline is ahead of the arrivals, followed slowly. */
  #leadMs = 0;
  /** The part of it that is drift: how far the sender's clock has got ahead of ours since sample 0. */
  #driftMs = 0;
  #lastArrival = 0;
  #driftLeftMs = 0;
  /** Epoch milliseconds at position 0. */
  #startTime: number | undefined;
  /** Sample 0 as the sender numbered it. */
  #origin: { readonly ssrc: number; readonly timestamp: number; readonly rateHz: number } | undefined;

  constructor(clockRateHz: number, senderClock: SenderClock | undefined) {
    this.clockRateHz = clockRateHz;
    this.#rateHz = clockRateHz;
    this.#senderClock = senderClock;
    this.#map = new ClockMap(clockRateHz);
  }

  /** Undefined before the first run. */
  get startTime(): number | undefined {
    return this.#startTime;
  }

  get rateHz(): number {
    return this.#rateHz;
  }

  get clockPoints(): readonly ClockPoint[] {
    return this.#map.points(this.written);
  }

  /**
   * A run begins with the packets that came first.
   *
   * @param first - the one in front, by sequence
   * @param rateHz - RTP clock of the run
   */
  begin(first: Stamp, packets: readonly Stamp[], rateHz: number): void {
    // The packet with the least delay tells when the run began.
    let began = first.arrivalTime;
    for (const { timestamp, arrivalTime } of packets) {
      const laterMs = (timestampDelta(timestamp, first.timestamp) * 1_000) / rateHz;
      if (Math.abs(laterMs) < IMPLAUSIBLE_JUMP_MS) began = Math.min(began, arrivalTime - laterMs);
    }
    if (this.#origin === undefined) {
      this.#startTime = began;
      this.#origin = { ssrc: first.ssrc, timestamp: first.timestamp, rateHz };
    }
    this.#anchor(first, began, rateHz);
  }

  /**
   * The place of the packet whose turn it is; one that disagrees with the clock is tied anew.
   *
   * @returns position, which may lie before what has been written
   */
  place(packet: Stamp, rateHz: number): number {
    if (rateHz === this.#rateHz && this.isPlausible(packet)) {
      const off = this.#offMs(packet);
      this.#lastPosition = this.positionOf(packet.timestamp);
      this.#lastTimestamp = packet.timestamp;
      const passedMs = Math.max(0, packet.arrivalTime - this.#lastArrival);
      this.#driftLeftMs = Math.min(MAX_DRIFT_LEFT_MS, this.#driftLeftMs + passedMs * DRIFT_PER_MS);
      this.#lastArrival = packet.arrivalTime;
      const most = Math.min(DRIFT_PER_PACKET_MS.up, this.#driftLeftMs);
      const drift = Math.max(DRIFT_PER_PACKET_MS.down, Math.min(most, off));
      if (drift > 0) this.#driftLeftMs -= drift;
      this.#leadMs += drift;
      this.#driftMs += drift;
    } else this.#anchor(packet, packet.arrivalTime, rateHz);
    if (this.#map.wants(this.#lastPosition)) {
      this.#map.note(this.#lastPosition, this.#leadMs, this.#senderLeadMs(packet));
    }
    return Math.round(this.#lastPosition);
  }

  /** The timestamp agrees with the arrival, and opens no gap where the timeline is far ahead of the clock already. */
  isPlausible(packet: Stamp): boolean {
    if (Math.abs(this.#offMs(packet)) > IMPLAUSIBLE_JUMP_MS) return false;
    return this.positionOf(packet.timestamp) <= this.written || this.#aheadMs(packet) <= IMPLAUSIBLE_JUMP_MS;
  }

  /** So much has been written that what comes now cannot be of this time: a sender that sends faster than it speaks. */
  isFull(arrivalTime: number): boolean {
    const writtenMs = (this.written * 1_000) / this.clockRateHz;
    return writtenMs - (arrivalTime - this.#startTime!) - this.#driftMs > IMPLAUSIBLE_JUMP_MS;
  }

  positionOf(timestamp: number): number {
    return (
      this.#lastPosition + (timestampDelta(timestamp, this.#lastTimestamp) * this.clockRateHz) / this.#rateHz
    );
  }

  /** Sample 0 by the sender's own clock, and the sender's name; null without a report of that source. */
  get senderStart(): { readonly time: number; readonly cname: string | null } | null {
    const origin = this.#origin;
    const clock = this.#senderClock;
    if (origin === undefined || clock === undefined || origin.rateHz !== this.clockRateHz) return null;
    const time = clock.startOf(origin.ssrc, origin.timestamp);
    return time === undefined ? null : { time, cname: clock.cnameOf(origin.ssrc) ?? null };
  }

  /**
   * Ties a timestamp, which came at `time`, to its place: by the sender's clock where that is known. By the arrival it
   * is seamless when it is close.
   */
  #anchor({ ssrc, timestamp }: Stamp, time: number, rateHz: number): void {
    const elapsedMs = time - this.#startTime!;
    const byArrival = elapsedMs + this.#driftMs;
    const bySender =
      rateHz === this.clockRateHz ? this.#senderElapsed(ssrc, timestamp, byArrival) : undefined;
    const byClock = Math.round(((bySender ?? byArrival) * this.clockRateHz) / 1_000);
    const seam = bySender === undefined ? (SEAM_MS * this.clockRateHz) / 1_000 : 0;
    this.#rateHz = rateHz;
    this.#lastTimestamp = timestamp;
    this.#lastPosition = byClock > this.written + seam ? byClock : this.written;
    this.#leadMs = (this.#lastPosition * 1_000) / this.clockRateHz - elapsedMs;
    this.#map.startRun(this.written, this.#lastPosition);
  }

  /** From sample 0 by the sender's clock; undefined when it is not known, or not one clock. */
  #senderElapsed(ssrc: number, timestamp: number, byArrival: number): number | undefined {
    const origin = this.#origin;
    const clock = this.#senderClock;
    if (origin === undefined || clock === undefined || origin.rateHz !== this.clockRateHz) return undefined;
    if (ssrc !== origin.ssrc && clock.cnameOf(ssrc) !== clock.cnameOf(origin.ssrc)) return undefined;
    const start = clock.startOf(origin.ssrc, origin.timestamp);
    const now = clock.timeOf(ssrc, timestamp);
    if (start === undefined || now === undefined) return undefined;
    return Math.abs(now - start - byArrival) > SENDER_CLOCK_OFF_MS ? undefined : now - start;
  }

  #senderLeadMs({ ssrc, timestamp, arrivalTime }: Stamp): number | null {
    if (this.#rateHz !== this.clockRateHz) return null;
    const byArrival = arrivalTime - this.#startTime!;
    const elapsed = this.#senderElapsed(ssrc, timestamp, byArrival);
    return elapsed === undefined ? null : (this.#lastPosition * 1_000) / this.clockRateHz - elapsed;
  }

  /** How far the packet's timestamp is ahead of its arrival, beyond what is usual here. */
  #offMs(packet: Stamp): number {
    return this.#aheadMs(packet) - this.#leadMs;
  }

  #aheadMs({ timestamp, arrivalTime }: Stamp): number {
    return (this.positionOf(timestamp) * 1_000) / this.clockRateHz - (arrivalTime - this.#startTime!);
  }
}
