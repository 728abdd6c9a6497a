import type { SiprecTrackReport } from "../calls/index.ts";
import type { Clock, Timer } from "../net/index.ts";
import type { ForkMedia } from "./fork-media.ts";

const INTERVAL_MS = 10_000;
/** Fewer packets than this say nothing about a path. */
const MINIMUM_PACKETS = 100;

export interface LossWatchOptions {
  readonly media: Pick<ForkMedia, "report">;
  readonly clock: Clock;
  /** Of the packets of an interval. */
  readonly thresholdPercent: number;
  /** Told when a track gets worse than the threshold, and not again before it has been better. */
  readonly onLoss: (label: string, percent: number) => void;
}

/** What the recorder's RTCP says of its reception (RFC 7866 §8.1.1), looked at every ten seconds. */
export class LossWatch {
  readonly #options: LossWatchOptions;
  readonly #last = new Map<string, SiprecTrackReport>();
  readonly #lossy = new Set<string>();
  #timer: Timer | undefined;

  constructor(options: LossWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.stop();
    this.#timer = this.#options.clock.setTimer(INTERVAL_MS, () => {
      void this.#look().catch(() => {}); // the worker is gone: whoever owns the ports hears of it
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#last.clear();
  }

  async #look(): Promise<void> {
    const timer = this.#timer;
    const tracks = await this.#options.media.report();
    if (this.#timer !== timer) return; // stopped, or another recorder
    for (const track of tracks) this.#judge(track);
    this.#timer = this.#options.clock.setTimer(INTERVAL_MS, () => void this.#look().catch(() => {}));
  }

  #judge(track: SiprecTrackReport): void {
    const { label, packets, lost } = track;
    const before = this.#last.get(label);
    if (lost === null) return;
    this.#last.set(label, track);
    const sent = packets - (before?.packets ?? 0);
    if (before === undefined || before.lost === null || sent < MINIMUM_PACKETS) return;
    const percent = (100 * Math.max(0, lost - before.lost)) / sent;
    if (percent < this.#options.thresholdPercent) this.#lossy.delete(label);
    else if (!this.#lossy.has(label)) {
      this.#lossy.add(label);
      this.#options.onLoss(label, Math.round(percent));
    }
  }
}
