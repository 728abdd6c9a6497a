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
import type { ClockPoint } from "./clock-map.ts";
import { octetsPerTick, type PayloadFormat, ticksOf } from "./payload-format.ts";
import type { SenderClock } from "./sender-clock.ts";
import { Timeline } from "./timeline.ts";

/** One packet as the assembler hands it on. */
export interface PlacedPacket {
  readonly ssrc: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly payloadType: number;
  /** Epoch milliseconds. */
  readonly arrivalTime: number;
}

/** Where a track's audio goes, strictly in order. */
export interface TrackSink {
  /**
   * @param payload - a view into the packet
   * @param position - ticks of the track's clock from its first sample; nothing before it is still to come
   * @param ticks - what it lasts; 0 when the payload does not tell
   */
  audio(
    payload: Uint8Array,
    format: PayloadFormat,
    packet: PlacedPacket,
    position: number,
    ticks: number,
  ): void;
  /** What lies between two payloads. */
  silence(ticks: number): void;
  /** A telephone event, in its place among the packets. */
  event?(payload: Uint8Array, packet: PlacedPacket, position: number): void;
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
  /** Ticks on the track, silence in gaps included. */
  readonly samples: number;
  /** How many of them are gaps that were filled. */
  readonly silentSamples: number;
  /** Epoch milliseconds at sample 0; null before the first packet. */
  readonly firstPacketTime: number | null;
  readonly lastPacketTime: number | null;
  /** Sample 0 by the sender's own clock, and the sender's name; null without a sender report of that source. */
  readonly senderStart: { readonly time: number; readonly cname: string | null } | null;
  readonly clockPoints: readonly ClockPoint[];
  /** How often another SSRC took over, or the same one started over. */
  readonly sourceChanges: number;
  /** Packets without audio that was agreed on, and those of a source that another had relieved. */
  readonly ignored: number;
}

/**
 * How long a packet waits for an earlier one at least, by the arrivals, and for how many that come after it: reordering
 * by so much is undone, also where the arrivals are noted late because the machine is busy.
 */
const REORDER_MS = 200;
const REORDER_PACKETS = 10;
/** And how many may wait, whatever a sender does. */
const MAX_WAITING = 64;
/** Two packets of a new source belong together within so many numbers. */
const NEAR = 20;
/** A sequence number this far away is a restart of the sender or an outage (RFC 3550 A.1, MAX_DROPOUT). */
const FAR = 3_000;
/** A source that another has relieved gets the track back when that one is silent for this time. */
const RELIEVED_MS = 100;
const SEEN = 64;
const NO_AUDIO = new Uint8Array(0);

interface Waiting extends PlacedPacket {
  /** Empty: takes its place among the sequence numbers, but holds nothing to be written. */
  readonly payload: Uint8Array;
  readonly format: PayloadFormat | undefined;
}

/**
 * Puts one stream of RTP packets onto a timeline: reordering by up to 200 ms is undone, gaps become silence of their
 * length by the RTP timestamps, duplicates and latecomers are counted and dropped, and a sender that starts over
 * (another SSRC, other numbers) goes on where the clock says.
 *
 * The stream is taken in runs: stretches of one SSRC with continuous sequence numbers. A run begins with two packets
 * that follow each other, as RFC 3550 A.1 has it, so that a stray packet moves nothing; the first of all with one.
 *
 * Pure: no clock, no I/O. One call of `push` per packet in order of arrival.
 */
export class TrackAssembler {
  readonly #sink: TrackSink;
  readonly #formats: ReadonlyMap<number, PayloadFormat>;
  readonly #timeline: Timeline;
  /** Packets whose turn has not come, by sequence number. */
  readonly #waiting: Waiting[] = [];
  /** When the first of them came. */
  #waitingSince = 0;
  /** Of the present run; undefined between runs. */
  #ssrc: number | undefined;
  /** The run is so young that earlier packets may still come: nothing is written yet. */
  #isSettling = false;
  #nextSequence = 0;
  /** Bit i: the packet `nextSequence − 1 − i` came. */
  #seen = 0n;
  /** Packets in a row that came in order: then `#seen` is all ones. */
  #inOrder = 0;
  /** First packet of what may become another run. */
  #stranger: Waiting | undefined;
  #relievedSsrc: number | undefined;
  #lastArrival = 0;
  #expected = 0;
  #packets = 0;
  #octets = 0;
  #late = 0;
  #duplicates = 0;
  #sourceChanges = 0;
  #ignored = 0;
  /** Of the last audio packet whose payload did not tell how long it lasts, and what such packets usually last. */
  #untold: { readonly sequence: number; readonly timestamp: number; readonly ticks: number } | undefined;
  #firstArrival: number | null = null;
  #lastPacketTime: number | null = null;

  constructor(options: {
    readonly sink: TrackSink;
    readonly clockRateHz: number;
    /** By payload type; may grow. Packets of other types hold nothing. */
    readonly formats: ReadonlyMap<number, PayloadFormat>;
    /** Fed by the caller with the stream's RTCP. Without it, or without reports, runs are placed by arrival. */
    readonly senderClock?: SenderClock;
  }) {
    this.#sink = options.sink;
    this.#formats = options.formats;
    this.#timeline = new Timeline(options.clockRateHz, options.senderClock);
  }

  get counters(): TrackCounters {
    const packets = this.#packets + this.#waiting.length;
    const expected = this.#expected + this.#waitingSpan();
    const { written, silent, longestGap, senderStart, clockPoints, clockRateHz } = this.#timeline;
    return {
      packets,
      octets: this.#octets,
      expected,
      lost: expected - packets,
      late: this.#late,
      duplicates: this.#duplicates,
      longestGapMs: Math.round((longestGap * 1_000) / clockRateHz),
      samples: written,
      silentSamples: silent,
      firstPacketTime: this.firstPacketTime,
      lastPacketTime: this.#lastPacketTime,
      senderStart,
      clockPoints,
      sourceChanges: this.#sourceChanges,
      ignored: this.#ignored,
    };
  }

  /** As in `counters`, without the trouble of making them. */
  get firstPacketTime(): number | null {
    return this.#timeline.startTime ?? this.#firstArrival;
  }

  get isAligned(): boolean {
    return this.#timeline.senderStart !== null;
  }

  /**
   * @param packet - a whole RTP packet; the caller's again when this returns: what has to wait is copied
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
    const format = end > start ? this.#formats.get(payloadType) : undefined;
    if (format === undefined) this.#ignored++;
    const item: Waiting = {
      ssrc: rtpSsrc(packet, 0),
      sequence: rtpSequenceNumber(packet, 0),
      timestamp: rtpTimestamp(packet, 0),
      payload: format === undefined || format.kind === "comfort" ? NO_AUDIO : packet.subarray(start, end),
      payloadType,
      format,
      arrivalTime,
    };
    const isAudio = format?.kind === "audio";
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

  /** The end: writes all there is. A single packet of another source is none. */
  finish(): void {
    this.drain();
    this.#dropStranger();
  }

  #continue(item: Waiting): void {
    const reference = this.#isSettling ? this.#waiting[0]!.sequence : this.#nextSequence;
    const ahead = sequenceDelta(item.sequence, reference);
    if (ahead === 0 && !this.#isSettling) {
      this.#lastArrival = item.arrivalTime;
      this.#accept(item);
      if (this.#waiting.length > 0) this.#release(item.arrivalTime);
      return;
    }
    if (Math.abs(ahead) > FAR) {
      if (this.#isSettling || !this.#timeline.isPlausible(item)) {
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
    this.#release(item.arrivalTime);
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
    } else if (held !== undefined && Math.abs(distance) <= NEAR) {
      this.#stranger = undefined;
      this.#relieve(held);
      this.#continue(item);
    } else {
      this.#dropStranger();
      this.#stranger = keep(item);
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
    this.#inOrder = 0;
    this.#lastArrival = item.arrivalTime;
    this.#firstArrival ??= item.arrivalTime;
    this.#waitingSince = item.arrivalTime;
    this.#waiting.push(keep(item));
  }

  /** What came first in sequence is known now: ties its timestamp to the timeline. */
  #settle(): void {
    this.#isSettling = false;
    this.#nextSequence = this.#waiting[0]!.sequence;
    // A run begins with audio: what is none before it has its number, but no place.
    const audio = this.#waiting.filter(({ format }) => format?.kind === "audio");
    const first = audio[0] ?? this.#waiting[0]!;
    const { clockRateHz } = first.format ?? this.#timeline;
    this.#timeline.begin(
      first,
      audio.filter(({ format }) => format!.clockRateHz === clockRateHz),
      clockRateHz,
    );
  }

  #wait(item: Waiting): void {
    let at = this.#waiting.length;
    if (at === 0) this.#waitingSince = item.arrivalTime;
    while (at > 0 && sequenceDelta(item.sequence, this.#waiting[at - 1]!.sequence) < 0) at--;
    if (at > 0 && this.#waiting[at - 1]!.sequence === item.sequence) this.#duplicates++;
    else this.#waiting.splice(at, 0, keep(item));
  }

  #release(now: number): void {
    if (this.#isSettling) {
      if (!this.#hasWaited(now)) return;
      this.#settle();
    }
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined) return;
      if (next.sequence === this.#nextSequence) this.#takeFirst();
      else if (this.#hasWaited(now)) this.#skipGap();
      else return;
    }
  }

  #hasWaited(now: number): boolean {
    const { length } = this.#waiting;
    return length > MAX_WAITING || (length > REORDER_PACKETS && now - this.#waitingSince > REORDER_MS);
  }

  /** Gives up on what is missing before the first packet that waits. */
  #skipGap(): void {
    this.#skipTo(this.#waiting[0]!.sequence);
    this.#takeFirst();
  }

  #takeFirst(): void {
    const item = this.#waiting.shift()!;
    // The rest has waited since its own first came.
    let since = Number.POSITIVE_INFINITY;
    for (const { arrivalTime } of this.#waiting) since = Math.min(since, arrivalTime);
    this.#waitingSince = since;
    this.#accept(item);
  }

  #skipTo(sequence: number): void {
    const missing = (sequence - this.#nextSequence) & 0xffff;
    this.#seen = missing >= SEEN ? 0n : BigInt.asUintN(SEEN, this.#seenNow() << BigInt(missing));
    this.#inOrder = 0;
    this.#expected += missing;
    this.#nextSequence = sequence;
  }

  /** Writes the packet whose turn it is. */
  #accept(item: Waiting): void {
    this.#inOrder++;
    this.#nextSequence = (item.sequence + 1) & 0xffff;
    this.#expected++;
    this.#packets++;
    const { payload, format } = item;
    if (this.#lastPacketTime === null || item.arrivalTime > this.#lastPacketTime)
      this.#lastPacketTime = item.arrivalTime;
    if (payload.length === 0 || format === undefined) return;
    if (format.kind === "event") {
      const position = this.#timeline.positionOf(item.timestamp);
      this.#sink.event?.(payload, item, Math.max(0, Math.round(position)));
      return;
    }
    this.#octets += payload.length;
    this.#put(item, payload, format);
  }

  #put(item: Waiting, payload: Uint8Array, format: PayloadFormat): void {
    const timeline = this.#timeline;
    if (timeline.isFull(item.arrivalTime)) {
      this.#ignored++;
      return;
    }
    const position = timeline.place(item, format.clockRateHz);
    const gap = position - timeline.written;
    if (gap > 0) {
      timeline.longestGap = Math.max(timeline.longestGap, gap);
      timeline.silent += gap;
      this.#sink.silence(gap);
      timeline.written += gap;
    }
    const scale = timeline.clockRateHz / format.clockRateHz;
    const length = Math.round((ticksOf(format, payload) ?? this.#usualTicks(item, format)) * scale);
    // A sender whose timestamps advance less than its payload overlaps itself: what is written stays.
    const overlap = Math.min(Math.max(0, -gap), length);
    if (overlap > 0 && overlap === length) return;
    const octets = octetsPerTick(format);
    const cut = overlap > 0 && octets !== undefined ? Math.round((overlap / scale) * octets) : 0;
    this.#sink.audio(
      cut > 0 ? payload.subarray(cut) : payload,
      format,
      item,
      octets === undefined ? position : Math.max(position, timeline.written),
      length - (octets === undefined ? 0 : overlap),
    );
    timeline.written = Math.max(timeline.written, position + length);
  }

  /** What a payload lasts that does not tell: what lies between the timestamps of two that follow each other. */
  #usualTicks({ sequence, timestamp }: Waiting, { clockRateHz }: PayloadFormat): number {
    const before = this.#untold;
    let ticks = before?.ticks ?? 0;
    if (before !== undefined && ((sequence - before.sequence) & 0xffff) === 1) {
      const step = timestampDelta(timestamp, before.timestamp);
      if (step > 0 && step <= clockRateHz / 5) ticks = step;
    }
    this.#untold = { sequence, timestamp, ticks };
    return ticks;
  }

  #belated(behind: number): void {
    if (behind <= SEEN && (this.#seenNow() & (1n << BigInt(behind - 1))) !== 0n) this.#duplicates++;
    else this.#late++;
  }

  /** `#seen` with the packets that came in order since it was made. */
  #seenNow(): bigint {
    const count = BigInt(Math.min(this.#inOrder, SEEN));
    this.#seen = BigInt.asUintN(SEEN, (this.#seen << count) | ((1n << count) - 1n));
    this.#inOrder = 0;
    return this.#seen;
  }

  #waitingSpan(): number {
    const last = this.#waiting.at(-1);
    if (last === undefined) return 0;
    const from = this.#isSettling ? this.#waiting[0]!.sequence : this.#nextSequence;
    return sequenceDelta(last.sequence, from) + 1;
  }
}

/** The payload of what waits is its own: its packet's memory is given back. */
function keep(item: Waiting): Waiting {
  return { ...item, payload: item.payload.slice() };
}
