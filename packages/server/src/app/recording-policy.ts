import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Forks, RecordingPolicy } from "../calls/index.ts";
import type { Config } from "../config/index.ts";
import { AnnouncementError, createAnnouncements, type DocumentFetcher } from "../verbs/index.ts";

export interface RecordingPolicyOptions {
  readonly config: Pick<Config, "siprec">;
  readonly fetcher: DocumentFetcher;
  readonly clock: { now(): number };
  readonly forks: () => Forks;
}

/**
 * How parties hear that they are recorded, as the configuration says it.
 *
 * @throws AnnouncementError when the configured file cannot be read or played
 */
export function recordingPolicy({ config, fetcher, clock, forks }: RecordingPolicyOptions): RecordingPolicy {
  const { notice, announcement, toneFrequency, toneLevel, toneDuration, toneInterval, preferences } =
    config.siprec;
  return {
    notice,
    tone: {
      frequencyHz: toneFrequency,
      levelDbm0: toneLevel,
      durationMs: toneDuration,
      intervalMs: toneInterval * 1000,
    },
    announcement: createAnnouncements({ fetcher, clock, standard: standardOf(announcement) }),
    preferences,
    forks,
  };
}

/** A URL is fetched when it is needed; a file is read now, so that a wrong name is seen at the start. */
function standardOf(announcement: string | undefined): Uint8Array | string | undefined {
  if (announcement === undefined || /^https?:/i.test(announcement)) return announcement;
  const file = resolve(announcement);
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new AnnouncementError(`siprec.announcement: ${file} cannot be read`, { cause });
  }
}
