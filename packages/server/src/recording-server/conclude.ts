import { objectIdKey, streamsOf } from "@callfork/protocol/siprec";
import type { DialogEnd } from "../signalling/index.ts";
import type { Knowledge } from "./metadata-log.ts";
import type { RecordingRecord } from "./ports.ts";
import type { RecordedTrack } from "./recorded-track.ts";
import type { TrackSummary } from "./tracks/writer-messages.ts";
import type { WarningCode, Warnings } from "./warnings.ts";

/** Packets that may be lost before it is worth a warning. */
const LOSS_THRESHOLD = 0.01;

export interface Conclusion {
  readonly dialogEnd: DialogEnd;
  /** Why the recording was cut short by us. */
  readonly cut: WarningCode | undefined;
  readonly tracks: readonly RecordedTrack[];
  readonly summaries: ReadonlyMap<RecordedTrack, TrackSummary>;
  readonly knowledge: Knowledge;
}

/** How a recording ended, and what is to be said about it. */
export function conclude(
  { dialogEnd, cut, tracks, summaries, knowledge }: Conclusion,
  warnings: Warnings,
  alertNoMedia: (text: string) => void,
): RecordingRecord["status"] {
  let packets = 0;
  for (const track of tracks) {
    const summary = summaries.get(track);
    packets += summary?.packets ?? 0;
    if (summary !== undefined) noteTrack(track.label, summary, warnings);
  }
  noteStreams(tracks, knowledge, warnings);
  if (dialogEnd.cause !== "bye") {
    const [code, message] = DIALOG_ENDS[dialogEnd.cause];
    warnings.add(code, message);
  }
  if (packets === 0) {
    warnings.add("RECORDING_WITHOUT_MEDIA", "no packet came on any track");
    alertNoMedia("a recording ended without any media");
    return "failed";
  }
  return cut !== undefined || dialogEnd.cause !== "bye" ? "interrupted" : "completed";
}

const DIALOG_ENDS: Readonly<Record<Exclude<DialogEnd["cause"], "bye">, readonly [WarningCode, string]>> = {
  "no-ack": ["DIALOG_LOST", "no ACK came to our 200"],
  "request-failed": ["DIALOG_LOST", "the recording client no longer knows the dialog, or does not answer"],
  expired: ["DIALOG_LOST", "the dialog was not refreshed"],
  stopped: ["RECORDER_STOPPED", "the recorder was stopped"],
};

function noteTrack(label: string, summary: TrackSummary, warnings: Warnings): void {
  const { lost, expected, ignored, sourceChanges } = summary;
  if (lost > expected * LOSS_THRESHOLD) {
    const percent = ((100 * lost) / expected).toFixed(1);
    warnings.add("LOST_PACKETS", `track ${label}: ${lost} of ${expected} packets were lost (${percent} %)`);
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

/** Tracks that metadata says nothing about, when it says anything. */
function noteStreams(
  tracks: readonly RecordedTrack[],
  { state, bindings }: Knowledge,
  warnings: Warnings,
): void {
  if (!state.hasSnapshot) return;
  const known = new Set(streamsOf(state).map(({ streamId }) => bindings.get(objectIdKey(streamId))));
  for (const track of tracks) {
    if (!known.has(track)) {
      warnings.add("LINE_WITHOUT_STREAM", `track ${track.label}: no stream of the metadata is on it`);
    }
  }
}
