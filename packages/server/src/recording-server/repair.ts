import type { KeyObject } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { RecordingRecord } from "./ports.ts";
import { durationOf } from "./record.ts";
import { repairTrackFile } from "./tracks/track-file.ts";

/** Closes a recording that its process did not close: what the files hold is what there is. */
export async function repairRecording(
  record: RecordingRecord,
  folder: string,
  key?: KeyObject | undefined,
): Promise<RecordingRecord> {
  let endTime = record.startTime;
  const tracks = [];
  for (const track of record.tracks) {
    const path = join(folder, track.file);
    let samples = 0;
    try {
      const { mtimeMs } = await stat(path);
      endTime = Math.max(endTime, Math.floor(mtimeMs));
      samples = repairTrackFile({ path, key }) ?? 0;
    } catch {
      // No packet had come, so there is no file; or it cannot be read, which leaves nothing to show.
    }
    tracks.push({ ...track, durationMs: Math.round((samples * 1_000) / track.clockRateHz) });
  }
  const durationMs = durationOf(tracks.filter((track) => track.durationMs > 0));
  const message = "the recorder's process died: packet counters are those last saved";
  return {
    ...record,
    status: durationMs > 0 ? "interrupted" : "failed",
    endTime,
    durationMs,
    tracks,
    warnings: [...record.warnings, { code: "PROCESS_DIED", message, time: endTime }],
  };
}
