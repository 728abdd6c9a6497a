import type { SiprecGap } from "../calls/index.ts";
import type { Clock } from "../net/index.ts";
import type { ForkCounts, ForkMedia } from "./fork-media.ts";

/** A recorder's port that stays unreachable for as long as this is gone; a single ICMP message may be an accident. */
const UNREACHABLE_MS = 900;
/** Two messages further apart than this are two accidents. */
const UNRELATED_MS = 5_000;

interface Beginning {
  readonly from: number;
  /** Of this moment. */
  readonly counts: Promise<ForkCounts>;
}

/** Keeps count of what a recorder should have got and did not, from the moment it was lost to the next one's answer. */
export class ForkGaps {
  readonly #media: Pick<ForkMedia, "counts">;
  readonly #clock: Clock;
  #suspicion: (Beginning & { readonly at: number }) | undefined;
  #open: (Beginning & { readonly reason: string }) | undefined;

  constructor(media: Pick<ForkMedia, "counts">, clock: Clock) {
    this.#media = media;
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** ICMP said that nobody listens: for the first time, again, or long enough to believe it. */
  unreachable(): "first" | "again" | "confirmed" {
    const now = this.#clock.now();
    const first = this.#suspicion;
    if (first !== undefined && now - first.at <= UNRELATED_MS) {
      return now - first.at >= UNREACHABLE_MS ? "confirmed" : "again";
    }
    this.#suspicion = { at: now, ...this.#beginning() };
    return "first";
  }

  /** The recorder is lost: since the first word of it, if there was one a moment ago. */
  begin(reason: string): void {
    const suspected = this.#suspicion;
    const isRecent = suspected !== undefined && this.#clock.now() - suspected.at <= UNRELATED_MS;
    this.#suspicion = undefined;
    this.#open ??= { ...(isRecent ? suspected : this.#beginning()), reason };
  }

  /**
   * Packets flow again, or nobody wants them for now.
   *
   * @returns the gap with its packets, or `undefined` when there was none
   */
  async end(): Promise<SiprecGap | undefined> {
    const gap = this.#open;
    this.#open = undefined;
    if (gap === undefined) return undefined;
    const until = this.#clock.wallNow();
    const nothing: ForkCounts = { sent: 0, withheld: 0 };
    const [before, after] = await Promise.all([
      gap.counts.catch(() => nothing),
      this.#media.counts().catch(() => nothing),
    ]);
    const packets = after.sent - before.sent + after.withheld - before.withheld;
    return { from: gap.from, until, packets: Math.max(0, packets), reason: gap.reason };
  }

  #beginning(): Beginning {
    const counts = this.#media.counts();
    counts.catch(() => {});
    return { from: this.#clock.wallNow(), counts };
  }
}
