import type { Clock, Timer } from "../net/index.ts";

export interface UnrecordedWatchOptions {
  readonly clock: Clock;
  /** Null: until the recorders have been given up. */
  readonly limitMs: number | null;
  /** Told once a spell. */
  readonly onUnrecorded: () => void;
}

/** How long a call that has to be recorded is not: from its first media on, and from the loss of a recorder on. */
export class UnrecordedWatch {
  readonly #options: UnrecordedWatchOptions;
  #timer: Timer | undefined;
  #told = false;

  constructor(options: UnrecordedWatchOptions) {
    this.#options = options;
  }

  /** Nothing is recorded from now on. */
  missing(): void {
    const { clock, limitMs } = this.#options;
    if (limitMs !== null) this.#timer ??= clock.setTimer(limitMs, () => this.givenUp());
  }

  /** A recorder has answered. */
  recorded(): void {
    this.stop();
    this.#told = false;
  }

  givenUp(): void {
    this.stop();
    if (this.#told) return;
    this.#told = true;
    this.#options.onUnrecorded();
  }

  /** Nobody wants it recorded any more. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
