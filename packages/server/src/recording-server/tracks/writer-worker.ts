import { type MessagePort, parentPort, receiveMessageOnPort } from "node:worker_threads";
import { visitReceivedBatch } from "../../media/index.ts";
import { LiveTrack, type WritingTrack } from "./live-track.ts";
import { VideoTrack } from "./video-track.ts";
import type { WriterCommand, WriterReport } from "./writer-messages.ts";

/** `kill -9` loses what is buffered here and no more. */
const FLUSH_INTERVAL_MS = 500;
/** With no more tracks than so many, what came is written at once. */
const FEW_TRACKS = 16;
/** Tracks are flushed in so many groups, one after the other, so that the disk has work all the time. */
const FLUSH_GROUPS = 10;

const tracks = new Map<number, WritingTrack>();
/** By receiver of the media plane. */
const byReceiver = new Map<number, WritingTrack>();
const receiverOf = new Map<number, number>();
const sinks = new Set<MessagePort>();
/** Tracks that got packets of the batch that is being read. */
const touched = new Set<WritingTrack>();
const main = parentPort!;
const report = (message: WriterReport): void => main.postMessage(message);

let group = 0;
const flusher = setInterval(() => {
  group = (group + 1) % FLUSH_GROUPS;
  for (const [id, track] of tracks) if (id % FLUSH_GROUPS === group) track.flush();
}, FLUSH_INTERVAL_MS / FLUSH_GROUPS);

main.on("message", obey);

function obey(command: WriterCommand): void {
  switch (command.kind) {
    case "open":
      tracks.set(command.track, open(command));
      break;
    case "bind": {
      const track = tracks.get(command.track);
      if (track === undefined) break;
      track.bind(command.rtpPort);
      byReceiver.set(command.receiver, track);
      receiverOf.set(command.track, command.receiver);
      break;
    }
    case "sink":
      addSink(command.batches);
      break;
    case "formats":
      tracks.get(command.track)?.addFormats(command.formats);
      break;
    case "resumed":
      tracks.get(command.track)?.resumed();
      break;
    case "listen":
      tracks.get(command.track)?.listen(command.on);
      break;
    case "ask":
      report({ kind: "answer", question: command.question, summary: tracks.get(command.track)?.summary() });
      break;
    case "close": {
      // What its receiver posted before it was closed lies in a port already.
      for (const sink of sinks) drain(sink);
      const track = tracks.get(command.track);
      forget(command.track);
      track?.close();
      report({ kind: "answer", question: command.question, summary: track?.summary() });
      break;
    }
    case "stop":
      clearInterval(flusher);
      for (const sink of sinks) {
        drain(sink);
        sink.close();
      }
      for (const track of tracks.values()) track.close();
      tracks.clear();
      main.close();
  }
}

function open({ track, plan }: Extract<WriterCommand, { kind: "open" }>): WritingTrack {
  const Track = plan.media === "video" ? VideoTrack : LiveTrack;
  return new Track(plan, {
    onStarted: (firstPacketTime) => report({ kind: "started", track, firstPacketTime }),
    onAligned: () => report({ kind: "aligned", track }),
    onDigit: (digit) => report({ kind: "digit", track, digit }),
    onHeard: (heard) => report({ kind: "heard", track, heard }),
    onFailed: (message) => report({ kind: "failed", track, message }),
  });
}

function forget(track: number): void {
  tracks.delete(track);
  const receiver = receiverOf.get(track);
  receiverOf.delete(track);
  if (receiver !== undefined) byReceiver.delete(receiver);
}

function addSink(sink: MessagePort): void {
  sinks.add(sink);
  sink.on("message", (batch: unknown) => {
    read(batch);
    // The media worker holds back when too many batches are unread: each one is acknowledged.
    sink.postMessage(0);
  });
  sink.on("close", () => sinks.delete(sink));
}

/** Takes what lies in the port already, without waiting. */
function drain(sink: MessagePort): void {
  for (let next = receiveMessageOnPort(sink); next !== undefined; next = receiveMessageOnPort(sink)) {
    read(next.message);
    sink.postMessage(0);
  }
}

function read(batch: unknown): void {
  if (!(batch instanceof ArrayBuffer)) return;
  visitReceivedBatch(batch, (receiver, isRtcp, bytes, arrivalTime) => {
    const track = byReceiver.get(receiver) ?? boundMeanwhile(receiver);
    if (track === undefined) return;
    track.take(isRtcp ? "rtcp" : "rtp", bytes, arrivalTime);
    touched.add(track);
  });
  for (const track of touched) {
    track.settle();
    if (tracks.size <= FEW_TRACKS) track.flush();
  }
  touched.clear();
  // At once: left to the collector, seconds of everybody's audio would lie here.
  batch.transfer(0);
}

/** Commands and batches come over different ports: one that was sent before a batch may be read after it. */
function boundMeanwhile(receiver: number): WritingTrack | undefined {
  for (let next = receiveMessageOnPort(main); next !== undefined; next = receiveMessageOnPort(main)) {
    obey(next.message as WriterCommand);
  }
  return byReceiver.get(receiver);
}
