import { objectIdKey } from "./object-id.ts";
import type { Interval } from "./state.ts";

/** An empty list means "not mentioned". */
export const orKept = <T>(list: readonly T[], kept: readonly T[] | undefined): readonly T[] =>
  list.length > 0 ? list : (kept ?? []);

export const isOpen = (intervals: readonly Interval[]): boolean =>
  intervals.length > 0 && intervals.at(-1)!.untilMs === undefined;

/** Ends the open interval; an end before its beginning is moved there. */
export function closeLast<T extends Interval>(intervals: readonly T[], atMs: number): readonly T[] {
  const last = intervals.at(-1);
  if (last === undefined || last.untilMs !== undefined) return intervals;
  return [...intervals.slice(0, -1), { ...last, untilMs: Math.max(atMs, last.fromMs) }];
}

export const sameIds = (left: readonly string[], right: readonly string[]): boolean =>
  left.map(objectIdKey).sort().join(" ") === right.map(objectIdKey).sort().join(" ");

export const same = (left: unknown, right: unknown): boolean =>
  JSON.stringify(left) === JSON.stringify(right);
