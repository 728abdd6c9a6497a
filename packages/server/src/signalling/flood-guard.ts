import type { Millis } from "@callfork/protocol/text";

interface Bucket {
  tokens: number;
  at: Millis;
}

const MAX_SOURCES = 10_000;

/**
 * A token bucket for each source address: `perSecond` new requests, in bursts of twice as many.
 * Sources that came least recently are forgotten when there are too many.
 */
export class FloodGuard {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** `refuse` costs the node one small answer; beyond another burst it is `drop`, so that answers are no flood either. */
  admit(address: string, now: Millis): "accept" | "refuse" | "drop" {
    const burst = 2 * this.#perSecond;
    const known = this.#buckets.get(address);
    const bucket = known ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) * this.#perSecond) / 1000);
    bucket.at = now;
    this.#buckets.delete(address);
    this.#buckets.set(address, bucket);
    if (this.#buckets.size > MAX_SOURCES) this.#forgetOldest();
    if (bucket.tokens < -burst) return "drop";
    bucket.tokens -= 1;
    return bucket.tokens >= 0 ? "accept" : "refuse";
  }

  #forgetOldest(): void {
    const oldest = this.#buckets.keys().next();
    if (!oldest.done) this.#buckets.delete(oldest.value);
  }
}
