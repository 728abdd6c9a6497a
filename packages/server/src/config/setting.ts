import { ok } from "@callfork/protocol/text";
import Type, { type Static, type TSchema } from "typebox";
import type { Read } from "./syntax.ts";

/**
 * One setting: the JSON schema of what is written (in callfork.yaml; flags and variables are text that is turned into
 * it), its default in the same form, and how that becomes the value that the rooms get.
 */
export interface Setting<S extends TSchema = TSchema, T = unknown> {
  readonly schema: S;
  /** Undefined: stays unset, or `derive` finds it. */
  readonly standard: Static<S> | undefined;
  /** How docs name a default that is not a constant. */
  readonly standardText?: string;
  readonly meaning: string;
  readonly example?: string;
  readonly read: (written: Static<S>) => Read<T>;
  /** Secrets have no flag (others see command lines) and are never repeated in a problem. */
  readonly secret?: boolean;
  /** Flags and variables write it in JSON. */
  readonly isJson?: boolean;
  /** A file or files, or a folder: relative ones start at the working directory. */
  readonly isPath?: boolean;
}

export const setting = <S extends TSchema, T>(one: Setting<S, T>): Setting<S, T> => one;

export const text = Type.String({ minLength: 1, maxLength: 4096 });
export const texts = Type.Array(text, { maxItems: 256 });
export const same = <T>(written: T): Read<T> => ok(written);

export const each =
  <T>(read: (one: string) => Read<T>, emptyProblem?: string) =>
  (written: readonly string[]): Read<readonly T[]> => {
    if (written.length === 0 && emptyProblem !== undefined) return { ok: false, error: emptyProblem };
    const values: T[] = [];
    for (const one of written) {
      const value = read(one);
      if (!value.ok) return value;
      values.push(value.value);
    }
    return ok(values);
  };

export const choice = <const Names extends string[]>(...names: Names) => Type.Enum<Names>(names);
