import type { Clock } from "../net/index.ts";
import type { Recorder } from "./recorders.ts";

/**
 * How long a lost recorder's place stays empty before the list is gone through again; after the last of these the fork
 * is over. Another recorder of the list is called at once.
 */
const ROUND_DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 16_000] as const;
/** A session that held as long as this was a good one: the rounds begin anew. */
const STEADY_MS = 60_000;

/** Which recorder's turn it is: the list in its order, and after a loss in rounds, the lost one last. */
export class RecorderRota {
  readonly #all: readonly Recorder[];
  readonly #clock: Clock;
  readonly #ordered: (recorders: readonly Recorder[]) => readonly Recorder[];
  #list: readonly Recorder[];
  #index = 0;
  #round = 0;
  /** When the present one answered. */
  #answeredAt: number | undefined;

  /** @param ordered - puts those last that had better not be called now */
  constructor(
    recorders: readonly Recorder[],
    clock: Clock,
    ordered: (recorders: readonly Recorder[]) => readonly Recorder[],
  ) {
    this.#all = recorders;
    this.#clock = clock;
    this.#ordered = ordered;
    this.#list = ordered(recorders);
  }

  get current(): Recorder {
    return this.#list[this.#index]!;
  }

  answered(): void {
    this.#answeredAt = this.#clock.now();
  }

  /** The present one failed. @returns whether another one is left */
  next(): boolean {
    if (this.#index + 1 >= this.#list.length) return false;
    this.#index += 1;
    return true;
  }

  /**
   * The present one was lost while it recorded, or none could take its place.
   *
   * @returns after how many milliseconds to call the next one; `undefined`: no more
   */
  again(): number | undefined {
    const last = this.current;
    const heldMs = this.#answeredAt === undefined ? 0 : this.#clock.now() - this.#answeredAt;
    if (heldMs >= STEADY_MS) this.#round = 0;
    const wasAnswered = this.#answeredAt !== undefined;
    this.#answeredAt = undefined;
    const others = this.#ordered(this.#all.filter(({ uri }) => uri !== last.uri));
    this.#list = [...others, last];
    this.#index = 0;
    const round = this.#round++;
    return wasAnswered && others.length > 0 && round === 0 ? 0 : ROUND_DELAYS_MS[round];
  }
}
