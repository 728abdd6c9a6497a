import type { WebhookClock } from "../types.ts";

/** A clock that moves when told; timers fire in order of time. */
export interface ManualClock extends WebhookClock {
  advance(ms: number): void;
  /** Timers set and neither fired nor cancelled. */
  readonly pending: number;
}

export function manualClock(start = 1_700_000_000_000): ManualClock {
  let time = start;
  let timers: { at: number; run: () => void }[] = [];
  return {
    wallNow: () => time,
    setTimer: (delayMs, run) => {
      const timer = { at: time + delayMs, run };
      timers.push(timer);
      return {
        cancel: () => {
          timers = timers.filter((other) => other !== timer);
        },
      };
    },
    advance: (ms) => {
      const end = time + ms;
      for (;;) {
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        timers = timers.filter((other) => other !== next);
        time = Math.max(time, next.at);
        next.run();
      }
      time = end;
    },
    get pending() {
      return timers.length;
    },
  };
}
