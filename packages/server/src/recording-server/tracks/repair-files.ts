import type { KeyObject } from "node:crypto";
import { existsSync } from "node:fs";
import { repairPayloadFile } from "./payload-file.ts";
import { repairPcapFile } from "./pcap-file.ts";
import { repairTrackFile } from "./track-file.ts";

/** What files of a track may end in, in the order of its timeline. */
export const TRACK_EXTENSIONS = [".wav", ".cfp", ".pcap"] as const;

/** A track file's name without its extension: all files of the track share it. */
export function baseOf(file: string): string {
  const extension = TRACK_EXTENSIONS.find((each) => file.endsWith(each));
  return extension === undefined ? file : file.slice(0, -extension.length);
}

/**
 * Repairs the files of a track whose writer died.
 *
 * @param track - `base`: their path without extension
 * @returns ticks of the track's clock up to its end; undefined when no file can tell
 */
export async function repairedTicks(track: {
  readonly base: string;
  readonly key?: KeyObject | undefined;
  readonly clockRateHz: number;
}): Promise<number | undefined> {
  const { base, key } = track;
  let ticks: number | undefined;
  const attempt = async (
    extension: string,
    repair: (path: string) => Promise<number | undefined> | number | undefined,
  ): Promise<void> => {
    const path = base + extension;
    if (!existsSync(path)) return;
    try {
      const found = await repair(path);
      if (found !== undefined) ticks = Math.max(ticks ?? 0, found);
    } catch {
      // It cannot be read, which leaves nothing to show of it.
    }
  };
  await attempt(".wav", (path) => repairTrackFile({ path, key }));
  await attempt(".cfp", (path) => repairPayloadFile({ path, key }));
  await attempt(".pcap", (path) => {
    repairPcapFile({ path, key });
    return undefined;
  });
  return ticks;
}
