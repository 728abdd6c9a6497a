import { basename } from "node:path";
import {
  Reception,
  rtpPayloadEnd,
  rtpPayloadStart,
  rtpPayloadType,
  rtpSequenceNumber,
  rtpSsrc,
  rtpTimestamp,
} from "@callfork/protocol/rtp";
import { abandon, type LiveTrackEvents, type WritingTrack } from "./live-track.ts";
import type { PayloadFormat } from "./payload-format.ts";
import { PcapFile } from "./pcap-file.ts";
import { WriteGuard } from "./write-guard.ts";
import type { TrackPlan, TrackSummary } from "./writer-messages.ts";

/** One line that is no audio: its packets as they came, RTCP between them, in a capture file. */
export class VideoTrack implements WritingTrack {
  readonly #plan: TrackPlan;
  readonly #formats = new Map<number, PayloadFormat>();
  readonly #tell: LiveTrackEvents;
  readonly #writes: WriteGuard;
  readonly #codecs: string[] = [];
  #rtpPort = 0;
  #file: PcapFile | undefined;
  #hasFile = false;
  #source: Reception | undefined;
  /** Counters of the sources before. */
  readonly #before = { packets: 0, octets: 0, expected: 0, late: 0, duplicates: 0 };
  #sourceChanges = 0;
  #ignored = 0;
  #first: number | null = null;
  #last: number | null = null;
  #longestGapMs = 0;
  #hasStarted = false;

  constructor(plan: TrackPlan, tell: LiveTrackEvents) {
    this.#plan = plan;
    this.#tell = tell;
    this.#writes = new WriteGuard((message) => tell.onFailed(message));
    this.addFormats(plan.formats);
  }

  addFormats(formats: readonly PayloadFormat[]): void {
    for (const format of formats) this.#formats.set(format.payloadType, format);
  }

  bind(rtpPort: number): void {
    this.#rtpPort = rtpPort;
  }

  take(kind: "rtp" | "rtcp", packet: Uint8Array, arrivalTime: number): void {
    if (kind === "rtp" && !this.#count(packet, arrivalTime)) return;
    this.#writes.attempt(packet.length, () => {
      this.#file ??= new PcapFile({ path: `${this.#plan.base}.pcap`, key: this.#plan.key }, this.#rtpPort);
      this.#hasFile = true;
      this.#file.append(packet, kind, arrivalTime);
    });
  }

  settle(): void {
    if (this.#hasStarted || this.#first === null) return;
    this.#hasStarted = true;
    this.#tell.onStarted(this.#first);
  }

  resumed(): void {}

  listen(): void {}

  flush(): void {
    this.#writes.attempt(0, () => this.#file?.flush());
  }

  close(): void {
    this.settle();
    if (this.#writes.failed) abandon(this.#file);
    else this.#writes.attempt(0, () => this.#file?.close());
    this.#file = undefined;
  }

  summary(): TrackSummary {
    const { packets, octets, expected, late, duplicates } = this.#totals();
    return {
      packets: packets - duplicates,
      octets,
      expected: Math.max(expected, packets - duplicates),
      lost: Math.max(0, expected - (packets - duplicates)),
      late,
      duplicates,
      longestGapMs: Math.round(this.#longestGapMs),
      samples:
        this.#first === null || this.#last === null
          ? 0
          : Math.round(((this.#last - this.#first) * this.#plan.clockRateHz) / 1_000),
      silentSamples: 0,
      firstPacketTime: this.#first,
      lastPacketTime: this.#last,
      senderStart: null,
      clockPoints: [],
      sourceChanges: this.#sourceChanges,
      ignored: this.#ignored,
      codecs: [...this.#codecs],
      files: this.#hasFile ? [`${basename(this.#plan.base)}.pcap`] : [],
      quietSamples: 0,
      unwritten: this.#writes.unwritten,
    };
  }

  /** @returns whether it is a packet to be kept */
  #count(packet: Uint8Array, arrivalTime: number): boolean {
    const start = rtpPayloadStart(packet, 0, packet.length);
    const format = start < 0 ? undefined : this.#formats.get(rtpPayloadType(packet, 0));
    if (format === undefined) {
      this.#ignored++;
      return false;
    }
    if (!this.#codecs.includes(format.codec)) this.#codecs.push(format.codec);
    const ssrc = rtpSsrc(packet, 0);
    if (this.#source?.ssrc !== ssrc) this.#takeOver(ssrc);
    const octets = rtpPayloadEnd(packet, 0, packet.length) - start;
    this.#source!.receive(rtpSequenceNumber(packet, 0), rtpTimestamp(packet, 0), arrivalTime, octets, true);
    if (this.#last !== null) this.#longestGapMs = Math.max(this.#longestGapMs, arrivalTime - this.#last);
    this.#first ??= arrivalTime;
    this.#last = arrivalTime;
    return true;
  }

  #takeOver(ssrc: number): void {
    if (this.#source !== undefined) this.#sourceChanges++;
    Object.assign(this.#before, this.#totals());
    this.#source = new Reception(ssrc, this.#plan.clockRateHz);
  }

  #totals() {
    const { packets, octets, expected, late, duplicates } = this.#before;
    const now = this.#source;
    return {
      packets: packets + (now?.packets ?? 0),
      octets: octets + (now?.octets ?? 0),
      expected: expected + (now?.expected ?? 0),
      late: late + (now?.late ?? 0),
      duplicates: duplicates + (now?.duplicates ?? 0),
    };
  }
}
