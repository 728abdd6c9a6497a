import type { Clock, Timer } from "../net/index.ts";

const SAMPLE_MS = 1_000;
/** Samples in a row that make an overload: a burst of work is none. */
const PATIENCE = 3;
/** It is over when the thread has this much of its time back. */
const RELIEF = 0.1;

/** Share of its time that this thread was busy since the last call, 0 to 1. */
export type LoadMeter = () => number;

export interface LoadWatch {
  readonly isOverloaded: boolean;
  stop(): void;
}

/**
 * Watches how busy the signalling thread is. New calls are refused before answers to those that are live come late:
 * a thread that is busy all the time answers nobody in time.
 *
 * @param maximum - 0 to 1; from 1 on nothing is ever an overload
 */
export function watchLoad(clock: Clock, maximum: number, meter: LoadMeter = threadLoad()): LoadWatch {
  let [above, isOverloaded] = [0, false];
  let timer: Timer;
  const sample = (): void => {
    const load = meter();
    above = load > maximum ? above + 1 : 0;
    isOverloaded = isOverloaded ? load > maximum - RELIEF : above >= PATIENCE;
    timer = clock.setTimer(SAMPLE_MS, sample);
  };
  if (maximum >= 1) return { isOverloaded: false, stop: () => {} };
  timer = clock.setTimer(SAMPLE_MS, sample);
  return {
    get isOverloaded() {
      return isOverloaded;
    },
    stop: () => timer.cancel(),
  };
}

function threadLoad(): LoadMeter {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization;
  };
}
