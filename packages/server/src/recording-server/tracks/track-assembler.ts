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
  /** Highest sequence number − first + 1, summed over the sources that spoke on this track. */
  readonly expected: number;
  readonly lost: number;
  /** Came after their place had been written. */
  readonly late: number;
  readonly duplicates: number;
  readonly longestGapMs: number;
  /** Samples on the track, silence in gaps included. */
  readonly samples: number;
  /** Epoch milliseconds; null before the first packet. */
  readonly firstPacketTime: number | null;
  readonly lastPacketTime: number | null;
  /** How often another SSRC took over. */
  readonly sourceChanges: number;
  /** Packets that were no RTP, or of a payload type nobody agreed on. */
  readonly ignored: number;
}

/** Packets that may wait for an earlier one: 200 ms of 20 ms packets. */
const REORDER_PACKETS = 10;
/** A sequence number this far ahead is a restart of the sender, not a loss (RFC 3550 A.1, MAX_DROPOUT). */
const RESTART_AHEAD = 3_000;
/** A timestamp that disagrees with the arrival by more than this was set anew, not advanced. */
const IMPLAUSIBLE_JUMP_MS = 2_000;
/** Two streams of one track that meet within this are one continuous stream. */
const SEAM_MS = 40;
const SEEN = 64;

interface Waiting {
  readonly sequence: number;
  readonly timestamp: number;
  readonly payload: Uint8Array;
  readonly payloadType: number;
  readonly arrivalTime: number;
}

/**
 * Puts one stream of RTP packets onto a timeline of samples: reordering within 200 ms is undone, gaps become silence
 * of their length by the RTP timestamps, duplicates and latecomers are counted and dropped, and a sender that starts
 * over (another SSRC, other numbers) goes on where the clock says.
 *
 * Pure: no clock, no I/O. One call of `push` per packet in order of arrival.
 */
export class TrackAssembler {
  readonly #sink: TrackSink;
  readonly #clockRateHz: number;
  readonly #payloadTypes: ReadonlySet<number>;
  readonly #waiting: Waiting[] = [];
  #ssrc: number | undefined;
  #nextSequence = 0;
  /** Bit i: the packet `nextSequence − 1 − i` came. */
  #seen = 0n;
  /** Sequence numbers of the present source that are over, gaps included. */
  #spanned = 0;
  #expectedBefore = 0;
  #samples = 0;
  #lastTimestamp = 0;
  /** Where on the timeline `#lastTimestamp` lies. */
  #lastPosition = 0;
  #packets = 0;
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
  }) {
    this.#sink = options.sink;
    this.#clockRateHz = options.clockRateHz;
    this.#payloadTypes = options.payloadTypes;
  }

  get counters(): TrackCounters {
    const expected = this.#expectedBefore + this.#spanned + this.#waitingSpan();
    return {
      packets: this.#packets,
      octets: this.#octets,
      expected,
      lost: Math.max(0, expected - this.#packets),
      late: this.#late,
      duplicates: this.#duplicates,
      longestGapMs: Math.round((this.#longestGap * 1_000) / this.#clockRateHz),
      samples: this.#samples,
      firstPacketTime: this.#firstPacketTime,
      lastPacketTime: this.#lastPacketTime,
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
    const end = start < 0 ? -1 : rtpPayloadEnd(packet, 0, packet.length);
    const payloadType = start < 0 ? -1 : rtpPayloadType(packet, 0);
    if (end <= start || !this.#payloadTypes.has(payloadType)) {
      this.#ignored++;
      return;
    }
    const sequence = rtpSequenceNumber(packet, 0);
    const timestamp = rtpTimestamp(packet, 0);
    const ssrc = rtpSsrc(packet, 0);
    if (ssrc !== this.#ssrc) this.#takeOver(ssrc, sequence, timestamp, arrivalTime);
    let ahead = sequenceDelta(sequence, this.#nextSequence);
    if (ahead > RESTART_AHEAD || ahead < -RESTART_AHEAD) {
      this.#takeOver(ssrc, sequence, timestamp, arrivalTime);
      ahead = 0;
    }
    if (ahead < 0) {
      this.#belated(-ahead);
      return;
    }
    const item: Waiting = {
      sequence,
      timestamp,
      payload: packet.subarray(start, end),
      payloadType,
      arrivalTime,
    };
    if (ahead > 0) this.#wait(item);
    else this.#accept(item);
    this.#release();
  }

  /** Writes what still waits for packets that will not come. */
  flush(): void {
    while (this.#waiting.length > 0) this.#skipGap();
  }

  /** Another source, or the same one starting over: goes on where the clock says, seamlessly when that is close. */
  #takeOver(ssrc: number, sequence: number, timestamp: number, arrivalTime: number): void {
    this.flush();
    if (this.#ssrc !== undefined) this.#sourceChanges++;
    this.#expectedBefore += this.#spanned;
    this.#spanned = 0;
    this.#ssrc = ssrc;
    this.#nextSequence = sequence;
    this.#seen = 0n;
    this.#anchor(timestamp, arrivalTime);
  }

  /** Ties `timestamp` to the place on the timeline where `arrivalTime` lies. */
  #anchor(timestamp: number, arrivalTime: number): void {
    this.#lastTimestamp = timestamp;
    if (this.#firstPacketTime === null) {
      this.#lastPosition = 0;
      return;
    }
    const byClock = Math.round(((arrivalTime - this.#firstPacketTime) * this.#clockRateHz) / 1_000);
    const seam = (SEAM_MS * this.#clockRateHz) / 1_000;
    this.#lastPosition = byClock > this.#samples + seam ? byClock : this.#samples;
  }

  #wait(item: Waiting): void {
    let at = this.#waiting.length;
    while (at > 0 && sequenceDelta(item.sequence, this.#waiting[at - 1]!.sequence) < 0) at--;
    if (at > 0 && this.#waiting[at - 1]!.sequence === item.sequence) this.#duplicates++;
    else this.#waiting.splice(at, 0, item);
  }

  #release(): void {
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
    const missing = sequenceDelta(next.sequence, this.#nextSequence);
    this.#seen = missing >= SEEN ? 0n : BigInt.asUintN(SEEN, this.#seen << BigInt(missing));
    this.#spanned += missing;
    this.#nextSequence = next.sequence;
    this.#accept(next);
    this.#release();
  }

  /** Writes the packet whose turn it is. */
  #accept(item: Waiting): void {
    this.#seen = BigInt.asUintN(SEEN, (this.#seen << 1n) | 1n);
    this.#nextSequence = (item.sequence + 1) & 0xffff;
    this.#spanned++;
    this.#packets++;
    this.#octets += item.payload.length;
    this.#firstPacketTime ??= item.arrivalTime;

    const advance = timestampDelta(item.timestamp, this.#lastTimestamp);
    const elapsedMs = this.#lastPacketTime === null ? 0 : item.arrivalTime - this.#lastPacketTime;
    const advanceMs = (advance * 1_000) / this.#clockRateHz;
    if (Math.abs(advanceMs - elapsedMs) > IMPLAUSIBLE_JUMP_MS && this.#packets > 1) {
      this.#anchor(item.timestamp, item.arrivalTime);
    } else {
      this.#lastPosition += advance;
      this.#lastTimestamp = item.timestamp;
    }
    this.#lastPacketTime = Math.max(this.#lastPacketTime ?? 0, item.arrivalTime);
    this.#place(item);
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
    const bit = 1n << BigInt(behind - 1);
    if (behind <= SEEN && (this.#seen & bit) !== 0n) {
      this.#duplicates++;
      return;
    }
    this.#late++;
  }

  #waitingSpan(): number {
    const last = this.#waiting.at(-1);
    return last === undefined ? 0 : sequenceDelta(last.sequence, this.#nextSequence) + 1;
  }
}
