import { type MessagePort, parentPort, receiveMessageOnPort } from "node:worker_threads";
import { readReceivedBatch } from "../../media/index.ts";
import type { FilePlace } from "../files/file-writer.ts";
import { SenderClock } from "./sender-clock.ts";
import { TrackAssembler, type TrackSink } from "./track-assembler.ts";
import { TrackFile, type TrackFormat } from "./track-file.ts";
import type { TrackSummary, WriterCommand, WriterReport } from "./writer-messages.ts";

/** `kill -9` loses what is buffered here and no more. */
const FLUSH_INTERVAL_MS = 500;

interface LiveTrackEvents {
  onStarted(firstPacketTime: number): void;
  /** The sender's clock has said when the track began. */
  onAligned(): void;
  onFailed(message: string): void;
}

/** One track being written. A disk that fails is told once; the audio that it refuses is counted. */
class LiveTrack implements TrackSink {
  readonly batches: MessagePort;
  readonly #place: FilePlace;
  readonly #clockRateHz: number;
  readonly #formats = new Map<number, TrackFormat>();
  readonly #payloadTypes = new Set<number>();
  readonly #assembler: TrackAssembler;
  readonly #senderClock: SenderClock;
  readonly #tell: LiveTrackEvents;
  #file: TrackFile | undefined;
  #failed = false;
  #unwritten = 0;
  #isQuiet = true;
  #hasStarted = false;
  #isAligned = false;

  constructor(command: Extract<WriterCommand, { kind: "open" }>, tell: LiveTrackEvents) {
    this.batches = command.batches;
    this.#place = command.place;
    this.#clockRateHz = command.clockRateHz;
    this.#tell = tell;
    this.addFormats(command.formats);
    this.#senderClock = new SenderClock(command.clockRateHz);
    this.#assembler = new TrackAssembler({
      sink: this,
      clockRateHz: command.clockRateHz,
      payloadTypes: this.#payloadTypes,
      senderClock: this.#senderClock,
    });
  }

  addFormats(formats: readonly (readonly [number, TrackFormat])[]): void {
    for (const [payloadType, format] of formats) {
      this.#formats.set(payloadType, format);
      this.#payloadTypes.add(payloadType);
    }
  }

  resumed(): void {
    this.#assembler.resumed();
  }

  take(batch: ArrayBuffer): void {
    for (const { kind, bytes, arrivalTime } of readReceivedBatch(batch)) {
      if (kind === "rtp") {
        this.#isQuiet = false;
        this.#assembler.push(bytes, arrivalTime);
      } else this.#senderClock.take(bytes, arrivalTime);
    }
    if (this.#isAligned) return;
    const { firstPacketTime, senderStart } = this.#assembler.counters;
    if (!this.#hasStarted && firstPacketTime !== null) {
      this.#hasStarted = true;
      this.#tell.onStarted(firstPacketTime);
    }
    if (senderStart === null) return;
    this.#isAligned = true;
    this.#tell.onAligned();
  }

  /** Takes what lies in the port already, without waiting. */
  drain(): void {
    for (
      let next = receiveMessageOnPort(this.batches);
      next !== undefined;
      next = receiveMessageOnPort(this.batches)
    ) {
      if (next.message instanceof ArrayBuffer) this.take(next.message);
    }
  }

  audio(payload: Uint8Array, payloadType: number): void {
    const format = this.#formats.get(payloadType) ?? "mulaw";
    this.#attempt(payload.length, () => this.#opened(format).append(payload, format));
  }

  silence(samples: number): void {
    const [format = "mulaw"] = this.#formats.values();
    this.#attempt(samples, () => this.#opened(format).silence(samples));
  }

  /** Called now and then: a stream that has paused keeps nothing back. */
  flush(): void {
    if (this.#isQuiet) this.#assembler.drain();
    this.#isQuiet = true;
    this.#attempt(0, () => this.#file?.flush());
  }

  close(): void {
    this.drain();
    this.#assembler.finish();
    const file = this.#file;
    this.#file = undefined;
    const format = file?.format;
    this.#attempt(0, () => file?.close());
    this.batches.close();
    this.#closedFormat = format;
  }
  #closedFormat: TrackFormat | undefined;

  summary(): TrackSummary {
    return {
      ...this.#assembler.counters,
      format: this.#file?.format ?? this.#closedFormat,
      unwritten: this.#unwritten,
    };
  }

  #opened(format: TrackFormat): TrackFile {
    this.#file ??= new TrackFile(this.#place, format, this.#clockRateHz);
    return this.#file;
  }

  #attempt(octets: number, write: () => void): void {
    if (this.#failed) {
      this.#unwritten += octets;
      return;
    }
    try {
      write();
    } catch (error) {
      this.#failed = true;
      this.#unwritten += octets;
      this.#tell.onFailed(error instanceof Error ? error.message : String(error));
    }
  }
}

const tracks = new Map<number, LiveTrack>();
const main = parentPort!;
const report = (message: WriterReport): void => main.postMessage(message);

const flusher = setInterval(() => {
  for (const track of tracks.values()) track.flush();
}, FLUSH_INTERVAL_MS);

main.on("message", (command: WriterCommand) => {
  switch (command.kind) {
    case "open": {
      const id = command.track;
      const track = new LiveTrack(command, {
        onStarted: (firstPacketTime) => report({ kind: "started", track: id, firstPacketTime }),
        onAligned: () => report({ kind: "aligned", track: id }),
        onFailed: (message) => report({ kind: "failed", track: id, message }),
      });
      tracks.set(id, track);
      track.batches.on("message", (batch: unknown) => {
        if (batch instanceof ArrayBuffer) track.take(batch);
        // The media worker holds back when too many batches are unread: each one is acknowledged.
        track.batches.postMessage(0);
      });
      break;
    }
    case "formats":
      tracks.get(command.track)?.addFormats(command.formats);
      break;
    case "resumed":
      tracks.get(command.track)?.resumed();
      break;
    case "ask":
      report({ kind: "answer", question: command.question, summary: tracks.get(command.track)?.summary() });
      break;
    case "close": {
      const track = tracks.get(command.track);
      tracks.delete(command.track);
      track?.close();
      report({ kind: "answer", question: command.question, summary: track?.summary() });
      break;
    }
    case "stop":
      clearInterval(flusher);
      for (const track of tracks.values()) track.close();
      tracks.clear();
      main.close();
  }
});
