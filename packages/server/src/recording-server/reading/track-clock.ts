import type { TrackDetail, TrackRecord } from "../ports.ts";

/** Clocks that came no farther apart than this are let be: audio is then given out sample for sample. */
const LET_BE_MS = 10;

/** One track's own time against the recording's. */
export interface TrackClock {
  /** It runs with the recording's: audio is only shifted, by whole samples. */
  readonly isTrue: boolean;
  /** Seconds of the track's own timeline at an instant, in seconds from the track's start by the recording's clock. */
  ownSeconds(seconds: number): number;
  /** The other way round. */
  trueSeconds(own: number): number;
}

export const TRUE_CLOCK: TrackClock = {
  isTrue: true,
  ownSeconds: (seconds) => seconds,
  trueSeconds: (own) => own,
};

/**
 * The clocks of the tracks of one recording. When they came apart, each is put right by what was noted of its drift;
 * when they did not, all of them are left as they are.
 */
export function trackClocks(
  tracks: readonly Pick<TrackRecord, "clockRateHz" | "startOffsetMs" | "detail">[],
): readonly TrackClock[] {
  const noted = tracks.map((track) => knotsOf(track.detail?.clockPoints ?? [], track.clockRateHz));
  if (widestMs(noted, tracks) <= LET_BE_MS) return tracks.map(() => TRUE_CLOCK);
  return noted.map((knots) => (knots.length === 0 ? TRUE_CLOCK : new DriftingClock(knots)));
}

/** An instant by both clocks, in seconds from the track's start. */
interface Knot {
  readonly own: number;
  readonly time: number;
}

function knotsOf(points: TrackDetail["clockPoints"], clockRateHz: number): readonly Knot[] {
  const knots: Knot[] = [];
  for (const { position, leadMs } of points) {
    const own = position / clockRateHz;
    // Time does not run backwards, whatever was noted.
    const time = Math.max(own - leadMs / 1_000, (knots.at(-1)?.time ?? Number.NEGATIVE_INFINITY) + 0.001);
    if (own > (knots.at(-1)?.own ?? Number.NEGATIVE_INFINITY)) knots.push({ own, time });
  }
  return knots;
}

/** How far apart two tracks come at most. */
function widestMs(
  noted: readonly (readonly Knot[])[],
  tracks: readonly Pick<TrackRecord, "startOffsetMs">[],
): number {
  const clocks = noted.map((knots) => (knots.length === 0 ? TRUE_CLOCK : new DriftingClock(knots)));
  if (clocks.length < 2) return 0;
  let widest = 0;
  for (const [at, knots] of noted.entries()) {
    for (const { time } of knots) {
      const instant = time + tracks[at]!.startOffsetMs / 1_000;
      const leads = clocks.map((clock, index) => {
        const own = instant - tracks[index]!.startOffsetMs / 1_000;
        return own < 0 ? 0 : clock.ownSeconds(own) - own;
      });
      widest = Math.max(widest, Math.max(...leads) - Math.min(...leads));
    }
  }
  return widest * 1_000;
}

/** Straight lines between what was noted; beyond it, the rate of the line next to it. */
class DriftingClock implements TrackClock {
  readonly isTrue = false;
  readonly #knots: readonly Knot[];
  #last = 0;

  constructor(knots: readonly Knot[]) {
    this.#knots = knots;
  }

  ownSeconds(seconds: number): number {
    return this.#across(seconds, "time", "own");
  }

  trueSeconds(own: number): number {
    return this.#across(own, "own", "time");
  }

  #across(value: number, from: "own" | "time", to: "own" | "time"): number {
    const knots = this.#knots;
    if (knots.length === 1) return value + knots[0]![to] - knots[0]![from];
    // Audio is read in order: the line is the last one, or near.
    let at = this.#last;
    while (at > 0 && knots[at]![from] > value) at--;
    while (at < knots.length - 2 && knots[at + 1]![from] <= value) at++;
    this.#last = at;
    const [a, b] = [knots[at]!, knots[at + 1]!];
    return a[to] + ((value - a[from]) * (b[to] - a[to])) / (b[from] - a[from]);
  }
}
