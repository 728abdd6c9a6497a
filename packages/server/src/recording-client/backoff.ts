import type { Clock } from "../net/index.ts";
import type { Recorder } from "./recorders.ts";

/** Nobody may ask us away for longer. */
const MAXIMUM_MS = 600_000;
const MAXIMUM_RECORDERS = 1_000;

/**
 * Recorders that answered 503 with Retry-After. Until then the others of a list come first: a client "SHOULD NOT forward
 * any other requests to that server for the duration specified" (RFC 3261 §21.5.4). When all others have failed they are
 * called all the same: a recording late is better than none.
 */
export class Backoff {
  readonly #clock: Clock;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(recorder: Recorder, retryAfterMs: number): void {
    this.#until.delete(recorder.uri);
    if (this.#until.size >= MAXIMUM_RECORDERS) {
      for (const oldest of this.#until.keys()) {
        this.#until.delete(oldest);
        break;
      }
    }
    this.#until.set(recorder.uri, this.#clock.now() + Math.min(retryAfterMs, MAXIMUM_MS));
  }

  /** The list as configured, those that asked for time at its end. */
  ordered(recorders: readonly Recorder[]): readonly Recorder[] {
    const now = this.#clock.now();
    const waits = ({ uri }: Recorder) => (this.#until.get(uri) ?? 0) > now;
    return [...recorders.filter((each) => !waits(each)), ...recorders.filter(waits)];
  }
}
