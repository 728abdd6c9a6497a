import type { Owner } from "./scratch.ts";

/** What a whole test file clears up in its `after` hook, last come first. */
export class Owned implements Owner {
  readonly #callbacks: (() => void | Promise<void>)[] = [];

  after(callback: () => void | Promise<void>): void {
    this.#callbacks.push(callback);
  }

  async release(): Promise<void> {
    for (const callback of this.#callbacks.splice(0).reverse()) await callback();
  }
}
