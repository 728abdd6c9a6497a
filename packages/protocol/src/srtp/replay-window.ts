/** "The receiver uses a sliding window … of at least 64" (RFC 3711 §3.3.2): 2.5 s of 20 ms packets. */
export const REPLAY_WINDOW = 128;

/** Indexes seen, newest to `REPLAY_WINDOW` back. */
export class ReplayWindow {
  /** −1 before the first. */
  newest = -1;
  /** Four words of bits. */
  readonly #seen = [0, 0, 0, 0];

  /** Whether an index is new, and young enough to know. */
  admits(index: number): boolean {
    if (index > this.newest) return true;
    return this.newest - index < REPLAY_WINDOW && !this.#has(index);
  }

  /** Marks an index that was admitted. */
  take(index: number): void {
    if (index > this.newest) {
      const ahead = index - this.newest;
      if (ahead >= REPLAY_WINDOW) this.#seen.fill(0);
      else for (let i = 1; i < ahead; i++) this.#seen[wordOf(this.newest + i)]! &= ~bitOf(this.newest + i);
      this.newest = index;
    }
    this.#seen[wordOf(index)]! |= bitOf(index);
  }

  #has(index: number): boolean {
    return (this.#seen[wordOf(index)]! & bitOf(index)) !== 0;
  }
}

const wordOf = (index: number): number => (index % REPLAY_WINDOW) >> 5;
const bitOf = (index: number): number => 1 << (index % 32);
