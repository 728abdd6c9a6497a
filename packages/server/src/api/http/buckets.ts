/**
 * Token buckets by name: each begins full with `capacity` and gains `perSecond`. At most `limit` names are kept; a
 * bucket that has been full for long is forgotten first, which changes nothing.
 */
export class TokenBuckets {
  readonly #capacity: number;
  readonly #perSecond: number;
  readonly #limit: number;
  readonly #now: () => number;
  /** Oldest use first. */
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /** @param options.now - milliseconds on a monotonic clock */
  constructor(options: { capacity: number; perSecond: number; limit: number; now: () => number }) {
    this.#capacity = options.capacity;
    this.#perSecond = options.perSecond;
    this.#limit = options.limit;
    this.#now = options.now;
  }

  /** Takes one token. 0: it was there; otherwise the whole seconds until the next one. */
  take(name: string): number {
    const bucket = this.#bucket(name);
    if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / this.#perSecond));
    bucket.tokens -= 1;
    return 0;
  }

  /** Gives one back. */
  refund(name: string): void {
    const bucket = this.#bucket(name);
    bucket.tokens = Math.min(this.#capacity, bucket.tokens + 1);
  }

  #bucket(name: string): { tokens: number; at: number } {
    const now = this.#now();
    const bucket = this.#buckets.get(name) ?? { tokens: this.#capacity, at: now };
    bucket.tokens = Math.min(this.#capacity, bucket.tokens + ((now - bucket.at) / 1000) * this.#perSecond);
    bucket.at = now;
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    if (this.#buckets.size > this.#limit) {
      const oldest = this.#buckets.keys().next().value;
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return bucket;
  }
}
