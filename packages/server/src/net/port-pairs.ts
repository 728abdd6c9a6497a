import { type Fault, PlatformError } from "../observe/index.ts";
import type { Clock } from "./types.ts";

/** Every port of the range is in use or resting. */
export class PortsExhaustedError extends PlatformError {
  override readonly name = "PortsExhaustedError";
  readonly code = "MEDIA_PORTS_EXHAUSTED";
  readonly fault: Fault = "operator";
  override readonly sipStatus = 503;
  override readonly httpStatus = 503;

  constructor(first: number, last: number) {
    super(`no RTP port is free between ${first} and ${last}`);
  }
}

export interface PortPairsOptions {
  /** Both ends included; odd ports at the edges are left out. */
  readonly first: number;
  readonly last: number;
  /** A pair rests this long after use, so that packets still on their way meet nobody. */
  readonly drainMs: number;
  readonly clock: Pick<Clock, "now">;
  /** From 0 to `below` − 1. Which ports are taken should not be guessed: it makes injecting packets harder. */
  readonly randomInt: (below: number) => number;
}

/** A pair that another process holds is tried again after this time. */
const REFUSED_MS = 60_000;

/** Hands out even RTP ports whose odd neighbour is for RTCP (RFC 3550 §11). The longest unused come first. */
export class PortPairs {
  readonly #options: PortPairsOptions;
  readonly #free: number[] = [];
  /** In the order in which their rest ends. */
  readonly #draining: { readonly rtpPort: number; readonly until: number }[] = [];
  readonly #refused: { readonly rtpPort: number; readonly until: number }[] = [];

  constructor(options: PortPairsOptions) {
    this.#options = options;
    for (let port = options.first + (options.first & 1); port + 1 <= options.last; port += 2) {
      const at = options.randomInt(this.#free.length + 1);
      const moved = this.#free[at];
      this.#free[at] = port;
      if (moved !== undefined) this.#free.push(moved);
    }
  }

  /** Pairs that `take` could hand out now. */
  get available(): number {
    this.#wakeRested();
    return this.#free.length;
  }

  /**
   * @returns the even port of a pair that is the caller's until `release` or `refuse`
   * @throws PortsExhaustedError
   */
  take(): number {
    this.#wakeRested();
    const rtpPort = this.#free.shift();
    if (rtpPort === undefined) throw new PortsExhaustedError(this.#options.first, this.#options.last);
    return rtpPort;
  }

  /** Closed by us: free again after the drain time. */
  release(rtpPort: number): void {
    this.#draining.push({ rtpPort, until: this.#options.clock.now() + this.#options.drainMs });
  }

  /** Could not be bound: someone else has one of the two. */
  refuse(rtpPort: number): void {
    this.#refused.push({ rtpPort, until: this.#options.clock.now() + REFUSED_MS });
  }

  #wakeRested(): void {
    const now = this.#options.clock.now();
    for (const resting of [this.#draining, this.#refused]) {
      while (resting.length > 0 && resting[0]!.until <= now) this.#free.push(resting.shift()!.rtpPort);
    }
  }
}
