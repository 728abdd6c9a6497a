import type { Clock, SipDestination } from "./types.ts";

const MAX_BLOCKED = 1_024;

/** Destinations that failed lately. They are tried again after a while, and before that when nothing else is left. */
export class TargetBlocklist {
  readonly #clock: Clock;
  readonly #forMs: number;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock, forMs: number) {
    this.#clock = clock;
    this.#forMs = forMs;
  }

  block(destination: SipDestination, forMs = this.#forMs): void {
    const key = keyOf(destination);
    this.#until.delete(key);
    if (this.#until.size >= MAX_BLOCKED) {
      const [oldest] = this.#until.keys();
      if (oldest !== undefined) this.#until.delete(oldest);
    }
    this.#until.set(key, this.#clock.now() + forMs);
  }

  clear(destination: SipDestination): void {
    if (this.#until.size > 0) this.#until.delete(keyOf(destination));
  }

  /** The same destinations, those that are blocked behind the others. */
  order(destinations: readonly SipDestination[]): readonly SipDestination[] {
    if (this.#until.size === 0) return destinations;
    const free = destinations.filter((one) => !this.#isBlocked(one));
    return free.length === destinations.length
      ? destinations
      : [...free, ...destinations.filter((one) => !free.includes(one))];
  }

  #isBlocked(destination: SipDestination): boolean {
    const key = keyOf(destination);
    const until = this.#until.get(key);
    if (until === undefined) return false;
    if (this.#clock.now() < until) return true;
    this.#until.delete(key);
    return false;
  }
}

const keyOf = ({ transport, address, port }: SipDestination): string => `${transport}|${address}|${port}`;
