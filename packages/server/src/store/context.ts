import type { Log } from "../observe/index.ts";
import type { Engine } from "./engine.ts";
import { DuplicateNameError } from "./errors.ts";
import type { Names } from "./sids.ts";
import type { Vault } from "./vault.ts";

/** What every table's module works with. */
export interface StoreContext {
  readonly engine: Engine;
  readonly vault: Vault;
  readonly names: Names;
  readonly log: Log;
  readonly now: () => number;
}

/** Runs a statement whose unique key is a name that users choose. */
export async function namedUniquely<T>(engine: Engine, name: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (!engine.isUniqueViolation(cause)) throw cause;
    throw new DuplicateNameError(`"${name}" is taken`, { cause });
  }
}

/** The entries of a change that were given; `undefined` means "as it is". */
export function given<T extends object>(change: T): Partial<T> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** JSON that we wrote ourselves. */
export function readJson<T>(text: string): T {
  return JSON.parse(text) as T;
}
