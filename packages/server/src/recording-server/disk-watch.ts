import type { Clock, Timer } from "../net/index.ts";
import type { Refusal } from "./errors.ts";

const INTERVAL_MS = 30_000;

/** Looks at the disk of recordings now and then: it is told when it is nearly full, and when it has room again. */
export class DiskWatch {
  readonly #clock: Clock;
  readonly #look: () => Promise<Refusal | undefined>;
  readonly #onChanged: (full: Refusal | undefined) => void;
  #timer: Timer | undefined;
  #isFull = false;
  #isStopped = false;

  constructor(
    clock: Clock,
    look: () => Promise<Refusal | undefined>,
    onChanged: (full: Refusal | undefined) => void,
  ) {
    this.#clock = clock;
    this.#look = look;
    this.#onChanged = onChanged;
  }

  async start(): Promise<void> {
    // A disk that cannot be asked is told of by whoever writes to it.
    const full = await this.#look().catch(() => undefined);
    if (this.#isStopped) return;
    if ((full !== undefined) !== this.#isFull) {
      this.#isFull = full !== undefined;
      this.#onChanged(full);
    }
    this.#timer = this.#clock.setTimer(INTERVAL_MS, () => void this.start());
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }
}
