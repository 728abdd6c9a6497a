import type { Clock, Timer } from "../net/index.ts";
import type { Log } from "../observe/index.ts";

/** Requests of one recording client that may wait for those before them. */
const MAX_WAITING = 32;
/** Counters and clocks of tracks are saved this often, however long nothing changes. */
const SAVE_INTERVAL_MS = 60_000;

/** What happens in one recording, one thing after the other, in the order it came. */
export class Steps {
  readonly #log: Log;
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * @param otherwise - the answer when a step fails, or too many wait
   * @param always - it is taken however many wait
   */
  add<T>(job: () => Promise<T>, otherwise: T, always = false): Promise<T> {
    if (this.#waiting >= MAX_WAITING && !always) return Promise.resolve(otherwise);
    this.#waiting++;
    const done = this.#queue.then(job).catch((error: unknown) => {
      this.#log.error({ err: error }, "a step of a recording failed");
      return otherwise;
    });
    this.#queue = done.then(() => void this.#waiting--);
    return done;
  }
}

/** Saves a row again: when something changed, many askers at once, and now and then, so that a crash finds it. */
export class RowKeeper {
  readonly #clock: Clock;
  readonly #steps: Steps;
  readonly #save: () => Promise<void>;
  #isAsked = false;
  #timer: Timer | undefined;
  #isStopped = false;

  /** @param save - a step of its own */
  constructor(clock: Clock, steps: Steps, save: () => Promise<void>) {
    this.#clock = clock;
    this.#steps = steps;
    this.#save = save;
  }

  soon(): void {
    if (this.#isStopped || this.#isAsked) return;
    this.#isAsked = true;
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(SAVE_INTERVAL_MS, () => this.soon());
    void this.#steps.add(async () => {
      this.#isAsked = false;
      if (!this.#isStopped) await this.#save();
    }, undefined);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }
}
