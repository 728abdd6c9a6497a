/** How far a track's own clock was ahead at one of its positions. */
export interface ClockPoint {
  /** Ticks from the track's first sample. */
  readonly position: number;
  /** Ahead of the recorder's clock, in milliseconds: the sample was taken at `position / rate − leadMs`. */
  readonly leadMs: number;
  /** Ahead of the sender's clock, by its reports; null without. */
  readonly senderLeadMs: number | null;
}

/** Points that are kept; when there are more, every second one goes and they come half as often. */
const MAX_POINTS = 64;
const FIRST_INTERVAL_MS = 10_000;
/** What is known of the clock so shortly after a run began is what the network did to its first packets. */
const SETTLED_MS = 4_000;

/**
 * Drift of a track's clock against others, as a few points: from them positions become times. Bounded, whatever the
 * length of the call: two hours are 45 points.
 */
export class ClockMap {
  readonly #clockRateHz: number;
  #points: ClockPoint[] = [];
  #intervalMs = FIRST_INTERVAL_MS;
  #wantedAt = 0;
  #runStart = 0;
  #isRunNew = true;
  #last: ClockPoint | undefined;

  constructor(clockRateHz: number) {
    this.#clockRateHz = clockRateHz;
  }

  /** A run begins at `position`; the one before had ended at `end`. */
  startRun(end: number, position: number): void {
    // A seam of a few milliseconds is no new run: nothing is told apart by it.
    if (this.#last !== undefined && !this.#isRunNew) this.#keep({ ...this.#last, position: end });
    this.#runStart = position;
    this.#isRunNew = true;
    this.#wantedAt = position + this.#ticks(SETTLED_MS);
  }

  /** Whether `note` is wanted for a packet there. */
  wants(position: number): boolean {
    return position >= this.#wantedAt;
  }

  note(position: number, leadMs: number, senderLeadMs: number | null): void {
    const point = { position, leadMs, senderLeadMs };
    this.#last = point;
    if (this.#isRunNew) {
      this.#isRunNew = false;
      this.#keep({ ...point, position: this.#runStart });
    }
    this.#keep(point);
    this.#wantedAt = position + this.#ticks(this.#intervalMs);
  }

  /** In order; the last one is repeated at the end. */
  points(_end: number): readonly ClockPoint[] {
    return [...this.#points];
  }

  #keep(point: ClockPoint): void {
    const before = this.#points.at(-1);
    if (before !== undefined && point.position <= before.position) return;
    this.#points.push(point);
    if (this.#points.length <= MAX_POINTS) return;
    const last = this.#points.length - 1;
    this.#points = this.#points.filter((_, at) => at % 2 === 0 || at === last);
    this.#intervalMs *= 2;
  }

  #ticks(ms: number): number {
    return (ms * this.#clockRateHz) / 1_000;
  }
}
