/** Writing to a disk that may fail: told once, and from then on what it refuses is counted. */
export class WriteGuard {
  readonly #onFailed: (message: string) => void;
  #failed = false;
  #unwritten = 0;

  constructor(onFailed: (message: string) => void) {
    this.#onFailed = onFailed;
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** Octets of audio or video that could not be written. */
  get unwritten(): number {
    return this.#unwritten;
  }

  /** @param octets - what is lost when `write` throws, or is not called any more */
  attempt(octets: number, write: () => void): void {
    if (this.#failed) {
      this.#unwritten += octets;
      return;
    }
    try {
      write();
    } catch (error) {
      this.#failed = true;
      this.#unwritten += octets;
      this.#onFailed(error instanceof Error ? error.message : String(error));
    }
  }
}
