import type { Clock } from "./types.ts";

/** What a question gave; none is an answer too, a server that cannot say is not. */
export interface DnsAnswer<T> {
  readonly records: readonly T[];
  /** How long it may be kept. */
  readonly ttlMs: number;
  /** No server answered in time, or the one that did could not say: worth asking again soon. */
  readonly failed?: "silent" | "refused" | undefined;
}

/** Answers, kept as long as they say, within bounds. Questions that are being asked are asked once. */
export class DnsCache<T> {
  readonly #clock: Clock;
  readonly #maxEntries: number;
  readonly #ask: (name: string) => Promise<DnsAnswer<T>>;
  readonly #known = new Map<string, { readonly answer: DnsAnswer<T>; readonly until: number }>();
  readonly #asking = new Map<string, Promise<DnsAnswer<T>>>();

  constructor(clock: Clock, maxEntries: number, ask: (name: string) => Promise<DnsAnswer<T>>) {
    this.#clock = clock;
    this.#maxEntries = maxEntries;
    this.#ask = ask;
  }

  get(name: string): Promise<DnsAnswer<T>> {
    const key = name.toLowerCase();
    const known = this.#known.get(key);
    if (known !== undefined && this.#clock.now() < known.until) return Promise.resolve(known.answer);
    const pending = this.#asking.get(key);
    if (pending !== undefined) return pending;
    const asking = this.#ask(key)
      .then((answer) => this.#keep(key, answer))
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  #keep(key: string, answer: DnsAnswer<T>): DnsAnswer<T> {
    this.#known.delete(key);
    if (this.#known.size >= this.#maxEntries) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    if (answer.ttlMs > 0) this.#known.set(key, { answer, until: this.#clock.now() + answer.ttlMs });
    return answer;
  }
}
