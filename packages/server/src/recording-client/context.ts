import type { Backoff } from "./backoff.ts";
import type { RecordingClientLimits, RecordingClientOptions } from "./options.ts";
import type { RecorderHealth } from "./recorder-health.ts";

export const DEFAULT_LIMITS: RecordingClientLimits = {
  streamsPerCall: 4,
  answerTimeoutMs: 10_000,
  lossAlertPercent: 5,
};

/** What every part of the room works with. */
export interface ClientContext extends Omit<RecordingClientOptions, "limits"> {
  readonly limits: RecordingClientLimits;
  readonly backoff: Backoff;
  readonly health: RecorderHealth;
}
