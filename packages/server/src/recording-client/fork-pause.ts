import type { Log } from "../observe/index.ts";
import { SiprecOverError } from "./errors.ts";
import type { ForkGaps } from "./fork-gaps.ts";
import type { ForkMedia } from "./fork-media.ts";
import type { ForkReport } from "./fork-report.ts";

export interface ForkPauseOptions {
  readonly media: Pick<ForkMedia, "fence">;
  readonly gaps: Pick<ForkGaps, "begin" | "end">;
  readonly report: ForkReport;
  readonly log: Log;
  readonly isLive: () => boolean;
  /** Between one recorder and the next. */
  readonly isReplacing: () => boolean;
  /** A pause has begun, or ended: recorders want to know at once. */
  readonly onChange: () => void;
  /** A pause could not be confirmed: what cannot be fenced has to be closed. */
  readonly onUncertain: () => void;
}

/** The pause of one fork: fenced first, told afterwards, and a pause that is not certain is none. */
export class ForkPause {
  readonly #options: ForkPauseOptions;
  #isOn = false;
  #fence: Promise<void> = Promise.resolve();

  constructor(options: ForkPauseOptions) {
    this.#options = options;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Resolves when not one packet leaves any more, and that is durable. @throws SiprecOverError */
  async begin(): Promise<void> {
    const { media, gaps, report, log, isLive, onChange, onUncertain } = this.#options;
    if (!isLive()) throw new SiprecOverError("the fork has ended");
    if (!this.#isOn) {
      this.#isOn = true;
      this.#fence = media.fence();
      onChange();
      const missed = gaps.end();
      try {
        await this.#fence;
      } catch (error) {
        log.error({ err: error }, "siprec: the media plane did not confirm the pause");
        onUncertain();
        throw error;
      }
      const gap = await missed;
      if (gap !== undefined) report.missed(gap);
      if (isLive() && this.#isOn) report.paused();
    }
    await this.#fence;
    await report.durable;
  }

  /** Resolves when that is durable; packets flow when the recorder has agreed. @throws SiprecOverError */
  async end(): Promise<void> {
    const { gaps, report, isLive, isReplacing, onChange } = this.#options;
    if (!isLive()) throw new SiprecOverError("the fork has ended");
    await this.#fence.catch(() => {});
    if (isLive() && this.#isOn) {
      this.#isOn = false;
      onChange();
      if (isReplacing()) gaps.begin("the recorder was lost");
      report.resumed();
    }
    await report.durable;
  }
}
