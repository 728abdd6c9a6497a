import type { Clock, Timer } from "@callfork/server/net";

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * A clock that only moves when told. Timers run in the order of their instants, those of one instant in the order they
 * were set; between two timers every pending promise settles, so that asynchronous code behaves as on a real clock.
 */
export class FakeClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #wallStart: number;
  readonly #entries = new Set<Entry>();

  /** @param wallStart - milliseconds since 1970 at instant 0 */
  constructor(wallStart = Date.UTC(2026, 0, 1)) {
    this.#wallStart = wallStart;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#wallStart + this.#now;
  }

  setTimer(delayMs: number, run: () => void): Timer {
    const entry: Entry = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run };
    this.#entries.add(entry);
    return { cancel: () => void this.#entries.delete(entry) };
  }

  /** Timers that are set and have not run. */
  get pendingTimers(): number {
    return this.#entries.size;
  }

  /** Moves time forward by `ms`, running all that falls due; resolves when promises have settled too. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#earliest(until);
      if (next === undefined) break;
      this.#entries.delete(next);
      this.#now = next.at;
      next.run();
      await settle();
    }
    this.#now = until;
  }

  /** Moves time forward timer by timer until `done()` holds. Says whether it did within `limitMs`. */
  async advanceUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    const until = this.#now + limitMs;
    await settle();
    while (!done()) {
      const next = this.#earliest(until);
      if (next === undefined) {
        this.#now = until;
        return done();
      }
      await this.advance(next.at - this.#now);
    }
    return true;
  }

  #earliest(until: number): Entry | undefined {
    let best: Entry | undefined;
    for (const entry of this.#entries) {
      if (entry.at > until) continue;
      if (best === undefined || entry.at < best.at || (entry.at === best.at && entry.order < best.order)) {
        best = entry;
      }
    }
    return best;
  }
}

/** One turn of the event loop: every promise that can settle without I/O has settled by then. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
