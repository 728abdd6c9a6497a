import { basename } from "node:path";
import { PCMA_TO_LINEAR, PCMU_TO_LINEAR } from "@callfork/protocol/audio";
import { dtmfKey, parseTelephoneEvent, TelephoneEventReceiver } from "@callfork/protocol/rtp";
import { PayloadFile } from "./payload-file.ts";
import { isG711, type PayloadFormat } from "./payload-format.ts";
import { SenderClock } from "./sender-clock.ts";
import { type PlacedPacket, TrackAssembler, type TrackSink } from "./track-assembler.ts";
import { TrackFile, type TrackFormat } from "./track-file.ts";
import { WriteGuard } from "./write-guard.ts";
import type { Digit, Heard, TrackPlan, TrackSummary } from "./writer-messages.ts";

/** What a track tells whoever opened it. */
export interface LiveTrackEvents {
  onStarted(firstPacketTime: number): void;
  /** The sender's clock has said when the track began. */
  onAligned(): void;
  onDigit(digit: Digit): void;
  onHeard(heard: readonly Heard[]): void;
  onFailed(message: string): void;
}

/** A track being written, of whatever media. */
export interface WritingTrack {
  addFormats(formats: readonly PayloadFormat[]): void;
  bind(rtpPort: number): void;
  /** One packet; `packet` is a view that stays as it is until `settle` has been called. */
  take(kind: "rtp" | "rtcp", packet: Uint8Array, arrivalTime: number): void;
  /** After the packets of a batch. */
  settle(): void;
  resumed(): void;
  listen(on: boolean): void;
  /** Called now and then: a stream that has paused keeps nothing back. */
  flush(): void;
  close(): void;
  summary(): TrackSummary;
}

/** A stream has paused when so many flushes have come without a packet. */
const IDLE_FLUSHES = 2;
/** Samples that are looked at in a packet to tell whether it is silent: every so many. No tone has zeros just there. */
const GLANCE = 13;
/** −50 dB below full scale: below it is what a quiet line sounds like. */
const QUIET = 104;

/**
 * One audio track being written. G.711 goes into a WAV file; when anything else comes, all from there on goes into a
 * payload file, undecoded: what a recording costs does not depend on its codec.
 *
 * A disk that fails is told once; the audio that it refuses is counted.
 */
export class LiveTrack implements WritingTrack, TrackSink {
  readonly #plan: TrackPlan;
  readonly #formats = new Map<number, PayloadFormat>();
  readonly #assembler: TrackAssembler;
  readonly #senderClock: SenderClock;
  readonly #tell: LiveTrackEvents;
  readonly #writes: WriteGuard;
  readonly #codecs: string[] = [];
  readonly #files: string[] = [];
  readonly #keys = new TelephoneEventReceiver();
  #keyOffsetMs = 0;
  #wav: TrackFile | undefined;
  #payloads: PayloadFile | undefined;
  #lastFormat: PayloadFormat | undefined;
  #quiet = 0;
  /** Flushes since the last packet. */
  #idleFlushes = 0;
  #hasStarted = false;
  #isAligned = false;
  #heard: Heard[] | undefined;

  constructor(plan: TrackPlan, tell: LiveTrackEvents) {
    this.#plan = plan;
    this.#tell = tell;
    this.#writes = new WriteGuard((message) => tell.onFailed(message));
    this.addFormats(plan.formats);
    this.#senderClock = new SenderClock(plan.clockRateHz);
    this.#assembler = new TrackAssembler({
      sink: this,
      clockRateHz: plan.clockRateHz,
      formats: this.#formats,
      senderClock: this.#senderClock,
    });
  }

  addFormats(formats: readonly PayloadFormat[]): void {
    for (const format of formats) this.#formats.set(format.payloadType, format);
  }

  bind(): void {}

  take(kind: "rtp" | "rtcp", packet: Uint8Array, arrivalTime: number): void {
    if (kind === "rtp") {
      this.#idleFlushes = 0;
      this.#assembler.push(packet, arrivalTime);
    } else this.#senderClock.take(packet, arrivalTime);
  }

  settle(): void {
    if (this.#heard !== undefined && this.#heard.length > 0) {
      this.#tell.onHeard(this.#heard);
      this.#heard = [];
    }
    if (!this.#hasStarted) {
      const { firstPacketTime } = this.#assembler;
      if (firstPacketTime === null) return;
      this.#hasStarted = true;
      this.#tell.onStarted(firstPacketTime);
    }
    if (this.#isAligned || !this.#assembler.isAligned) return;
    this.#isAligned = true;
    this.#tell.onAligned();
  }

  resumed(): void {
    this.#assembler.resumed();
  }

  listen(on: boolean): void {
    this.#heard = on ? (this.#heard ?? []) : undefined;
  }

  audio(
    payload: Uint8Array,
    format: PayloadFormat,
    packet: PlacedPacket,
    position: number,
    ticks: number,
  ): void {
    if (format !== this.#lastFormat) {
      this.#lastFormat = format;
      if (!this.#codecs.includes(format.codec)) this.#codecs.push(format.codec);
    }
    if (this.#keys.pending) this.#finishKey();
    if (isG711(format.codec) && isSilent(payload, format.codec)) this.#quiet += ticks;
    this.#heard?.push({
      // A view would be posted with the whole batch behind it.
      payload: payload.slice(),
      format,
      timestamp: packet.timestamp,
      arrivalTime: packet.arrivalTime,
      offsetMs: this.#ms(position),
    });
    this.#writes.attempt(payload.length, () => {
      if (this.#payloads === undefined && isG711(format.codec)) {
        const law = format.codec === "PCMU" ? "mulaw" : "alaw";
        this.#openWav(law).append(payload, law);
      } else this.#openPayloads().append(payload, format, packet, position, ticks);
    });
  }

  silence(ticks: number): void {
    this.#heard?.push({ silenceMs: this.#ms(ticks) });
    this.#writes.attempt(ticks, () => this.#wav?.silence(ticks));
  }

  event(payload: Uint8Array, { timestamp, payloadType }: PlacedPacket, position: number): void {
    const event = parseTelephoneEvent(payload, 0, payload.length);
    if (event === undefined) return;
    const done = this.#keys.receive(timestamp, event);
    // What a packet completes may be the key before its own: then that one's place counts.
    if (done !== undefined) this.#key(done, payloadType, this.#keys.pending ? undefined : position);
    this.#keyOffsetMs = this.#ms(position);
  }

  flush(): void {
    // One alone says little: packets may lie in a batch that a busy machine has not brought yet.
    if (++this.#idleFlushes > IDLE_FLUSHES) {
      this.#assembler.drain();
      this.settle();
    }
    this.#writes.attempt(0, () => {
      this.#wav?.flush();
      this.#payloads?.flush();
    });
  }

  close(): void {
    this.#assembler.finish();
    this.#finishKey();
    this.settle();
    for (const file of [this.#wav, this.#payloads]) {
      if (this.#writes.failed) abandon(file);
      else this.#writes.attempt(0, () => file?.close());
    }
    this.#wav = undefined;
    this.#payloads = undefined;
  }

  summary(): TrackSummary {
    return {
      ...this.#assembler.counters,
      codecs: [...this.#codecs],
      files: [...this.#files],
      quietSamples: this.#quiet,
      unwritten: this.#writes.unwritten,
    };
  }

  #finishKey(): void {
    const done = this.#keys.flush();
    if (done !== undefined) this.#key(done, undefined, undefined);
  }

  #key(
    { event, duration }: { readonly event: number; readonly duration: number },
    payloadType: number | undefined,
    position: number | undefined,
  ): void {
    const digit = dtmfKey(event);
    if (digit === undefined) return;
    const rate = this.#formats.get(payloadType ?? -1)?.clockRateHz ?? this.#plan.clockRateHz;
    this.#tell.onDigit({
      digit,
      offsetMs: position === undefined ? this.#keyOffsetMs : this.#ms(position),
      durationMs: Math.round((duration * 1_000) / rate),
    });
  }

  #openWav(law: TrackFormat): TrackFile {
    if (this.#wav === undefined) {
      this.#wav = new TrackFile(this.#place(".wav"), law, this.#plan.clockRateHz);
      this.#note(".wav");
    }
    return this.#wav;
  }

  #openPayloads(): PayloadFile {
    if (this.#payloads === undefined) {
      const { firstPacketTime } = this.#assembler;
      this.#payloads = new PayloadFile(this.#place(".cfp"), this.#plan.clockRateHz, firstPacketTime ?? 0);
      this.#note(".cfp");
      this.#wav?.close();
      this.#wav = undefined;
    }
    return this.#payloads;
  }

  #place(extension: string) {
    const { base, key } = this.#plan;
    return { path: `${base}${extension}`, key };
  }

  #note(extension: string): void {
    this.#files.push(basename(this.#plan.base) + extension);
  }

  #ms(ticks: number): number {
    return (ticks * 1_000) / this.#plan.clockRateHz;
  }
}

function isSilent(payload: Uint8Array, codec: "PCMU" | "PCMA"): boolean {
  const table = codec === "PCMU" ? PCMU_TO_LINEAR : PCMA_TO_LINEAR;
  for (let at = 0; at < payload.length; at += GLANCE) {
    const sample = table[payload[at]!]!;
    if (sample > QUIET || sample < -QUIET) return false;
  }
  return true;
}

/** A file on a disk that refused: its descriptor is given back, what is in it is found later. */
export function abandon(file: { abandon(): void } | undefined): void {
  try {
    file?.abandon();
  } catch {
    // It is closed already.
  }
}
