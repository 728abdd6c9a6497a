import type { Clock } from "./types.ts";

/** The machine's clocks. A timer keeps the process alive until it fires or is cancelled. */
export function createSystemClock(): Clock {
  return {
    now: () => performance.now(),
    wallNow: () => Date.now(),
    setTimer(delayMs, run) {
      const handle = setTimeout(run, Math.min(Math.max(delayMs, 0), MAX_DELAY_MS));
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

/** `setTimeout` fires at once for anything longer. */
const MAX_DELAY_MS = 2 ** 31 - 1;
