import { objectIdKey, sessionsOf, streamsOf } from "@callfork/protocol/siprec";
import type { DialogEnd } from "../signalling/index.ts";
import type { Knowledge } from "./metadata-log.ts";
import type { RecordingRecord } from "./ports.ts";
import type { RecordedTrack } from "./recorded-track.ts";
import type { TrackSummary } from "./tracks/writer-messages.ts";
import type { WarningCode, Warnings } from "./warnings.ts";

/** Packets that may be lost before it is worth a warning. */
const LOSS_THRESHOLD = 0.01;
/** And before somebody is to be told. */
const LOSS_ALERT_THRESHOLD = 0.05;
/** Shorter tracks are silent without anybody being amiss. */
const SILENT_FROM_MS = 5_000;
/** How much longer or shorter than the session a recording may be: this, or a part of it. */
const DURATION_TOLERANCE_MS = 3_000;
const DURATION_TOLERANCE = 0.05;

export interface Conclusion {
  readonly dialogEnd: DialogEnd;
  /** Why the recording was cut short by us. */
  readonly cut: WarningCode | undefined;
  readonly tracks: readonly RecordedTrack[];
  readonly summaries: ReadonlyMap<RecordedTrack, TrackSummary>;
  readonly knowledge: Knowledge;
  /** Labels of lines that we refused. */
  readonly refusedLabels: ReadonlySet<string>;
  /** When the INVITE came. */
  readonly startTime: number;
}

/** How a recording ended, and what is to be said about it. */
export function conclude(
  { dialogEnd, cut, tracks, summaries, knowledge, refusedLabels, startTime }: Conclusion,
  warnings: Warnings,
  alertMedia: (text: string) => void,
): RecordingRecord["status"] {
  let packets = 0;
  for (const track of tracks) {
    const summary = summaries.get(track);
    packets += summary?.packets ?? 0;
    if (summary !== undefined) noteTrack(track, summary, warnings, alertMedia);
  }
  noteStreams(tracks, knowledge, refusedLabels, warnings, alertMedia);
  if (dialogEnd.cause !== "bye") {
    const [code, message] = DIALOG_ENDS[dialogEnd.cause];
    warnings.add(code, message);
  }
  if (packets === 0) {
    warnings.add("RECORDING_WITHOUT_MEDIA", "no packet came on any track");
    alertMedia("a recording ended without any media");
    return "failed";
  }
  noteDuration(heardMs(tracks, summaries), knowledge, startTime, warnings, alertMedia);
  return cut !== undefined || dialogEnd.cause !== "bye" ? "interrupted" : "completed";
}

const DIALOG_ENDS: Readonly<Record<Exclude<DialogEnd["cause"], "bye">, readonly [WarningCode, string]>> = {
  "no-ack": ["DIALOG_LOST", "no ACK came to our 200"],
  "request-failed": ["DIALOG_LOST", "the recording client no longer knows the dialog, or does not answer"],
  expired: ["DIALOG_LOST", "the dialog was not refreshed"],
  stopped: ["RECORDER_STOPPED", "the recorder was stopped"],
};

function noteTrack(
  { label, kind, clockRateHz }: RecordedTrack,
  summary: TrackSummary,
  warnings: Warnings,
  alertMedia: (text: string) => void,
): void {
  const { lost, expected, ignored, sourceChanges, samples, silentSamples, quietSamples } = summary;
  const lastedMs = (samples * 1_000) / clockRateHz;
  if (kind === "audio" && lastedMs >= SILENT_FROM_MS && silentSamples + quietSamples >= samples) {
    const text = `track ${label}: packets came, but nobody is heard in ${Math.round(lastedMs / 1_000)} s`;
    warnings.add("TRACK_SILENT", text);
    alertMedia(text);
  }
  if (lost > expected * LOSS_THRESHOLD) {
    const percent = ((100 * lost) / expected).toFixed(1);
    const text = `track ${label}: ${lost} of ${expected} packets were lost (${percent} %)`;
    warnings.add("LOST_PACKETS", text);
    if (lost > expected * LOSS_ALERT_THRESHOLD) alertMedia(text);
  }
  if (ignored > 0) {
    warnings.add("PACKETS_IGNORED", `track ${label}: ${ignored} packets held no audio that was agreed on`);
  }
  if (sourceChanges > 0) {
    warnings.add(
      "SOURCE_CHANGED",
      `track ${label}: the source changed or started over ${sourceChanges} times`,
    );
  }
}

/** From the first sample of any track to the last of any. */
function heardMs(
  tracks: readonly RecordedTrack[],
  summaries: ReadonlyMap<RecordedTrack, TrackSummary>,
): number {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const track of tracks) {
    const { firstPacketTime = null, samples = 0 } = summaries.get(track) ?? {};
    if (firstPacketTime === null) continue;
    first = Math.min(first, firstPacketTime);
    last = Math.max(last, firstPacketTime + (samples * 1_000) / track.clockRateHz);
  }
  return Math.max(0, last - first);
}

/** What was recorded against what the metadata says of its sessions, when it says that all have ended. */
function noteDuration(
  durationMs: number,
  { state }: Knowledge,
  startTime: number,
  warnings: Warnings,
  alertMedia: (text: string) => void,
): void {
  const sessions = sessionsOf(state);
  const ends = sessions.flatMap(({ endedAtMs }) => endedAtMs ?? []);
  if (ends.length === 0 || ends.length < sessions.length) return;
  const end = Math.max(...ends);
  const start = Math.min(...sessions.map(({ startedAtMs }) => startedAtMs));
  // A session may have begun long before somebody asked to record it.
  const [least, most] = [end - Math.max(start, startTime), end - start];
  if (least <= 0) return; // the two clocks have nothing to do with one another
  const slack = Math.max(DURATION_TOLERANCE_MS, most * DURATION_TOLERANCE);
  if (durationMs >= least - slack && durationMs <= most + slack) return;
  const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
  const text = `${seconds(durationMs)} s were recorded, the metadata says ${seconds(least)} s`;
  warnings.add("DURATION_DIFFERS", text);
  alertMedia(text);
}

/** Tracks that metadata says nothing about, when it says anything, and streams of which nothing was recorded. */
function noteStreams(
  tracks: readonly RecordedTrack[],
  { state, bindings }: Knowledge,
  refusedLabels: ReadonlySet<string>,
  warnings: Warnings,
  alertMedia: (text: string) => void,
): void {
  if (!state.hasSnapshot) return;
  const streams = streamsOf(state);
  for (const { streamId, label } of streams) {
    // A line that stayed silent is told of by itself (NO_RTP).
    if (bindings.get(objectIdKey(streamId)) !== undefined) continue;
    // RFC 7865 §6.7: streams of lines that were rejected may be named and change all the same.
    if (label !== undefined && refusedLabels.has(label)) continue;
    const text = `the metadata names stream ${label ?? streamId}, which was on no line that was recorded`;
    if (warnings.add("METADATA_WITHOUT_RECORDING", text)) alertMedia(text);
  }
  const known = new Set(streams.map(({ streamId }) => bindings.get(objectIdKey(streamId))));
  for (const track of tracks) {
    if (!known.has(track)) {
      warnings.add("LINE_WITHOUT_STREAM", `track ${track.label}: no stream of the metadata is on it`);
    }
  }
}
