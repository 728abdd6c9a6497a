import type { KeyObject } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { RecordingRecord } from "./ports.ts";
import { durationOf } from "./record.ts";
import { baseOf, repairedTicks, TRACK_EXTENSIONS } from "./tracks/repair-files.ts";

/** Closes a recording that its process did not close: what the files hold is what there is. */
export async function repairRecording(
  record: RecordingRecord,
  folder: string,
  key?: KeyObject | undefined,
): Promise<RecordingRecord> {
  let endTime = record.startTime;
  const tracks = [];
  for (const track of record.tracks) {
    const base = join(folder, baseOf(track.file));
    // Another codec may have begun another file since the row was saved.
    const files: string[] = [];
    for (const extension of TRACK_EXTENSIONS) {
      // No packet had come, so there is no file.
      const found = await stat(base + extension).catch(() => undefined);
      if (found === undefined) continue;
      endTime = Math.max(endTime, Math.floor(found.mtimeMs));
      files.push(baseOf(track.file) + extension);
    }
    const { clockRateHz, detail } = track;
    const ticks = await repairedTicks({ base, key, clockRateHz });
    // A capture does not tell: the row does, as of its last saving.
    const durationMs =
      detail?.kind === "video" ? track.durationMs : Math.round(((ticks ?? 0) * 1_000) / clockRateHz);
    tracks.push({ ...track, durationMs, ...(detail !== undefined && { detail: { ...detail, files } }) });
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
