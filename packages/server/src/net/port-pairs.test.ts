import assert from "node:assert/strict";
import { test } from "node:test";
import { PortPairs, PortsExhaustedError } from "./port-pairs.ts";

function pairs(first: number, last: number): { pairs: PortPairs; advance(ms: number): void } {
  let now = 0;
  const options = { first, last, drainMs: 5000, clock: { now: () => now }, randomInt: (n: number) => n >> 1 };
  return {
    pairs: new PortPairs(options),
    advance: (ms) => {
      now += ms;
    },
  };
}

const takeAll = (from: PortPairs): number[] => Array.from({ length: from.available }, () => from.take());

test("[R3550-11-2] pairs start at an even port and their odd neighbour is in the range too", () => {
  assert.deepEqual(takeAll(pairs(10_001, 10_006).pairs).sort(), [10_002, 10_004]);
  assert.deepEqual(takeAll(pairs(10_000, 10_003).pairs).sort(), [10_000, 10_002]);
  assert.deepEqual(takeAll(pairs(10_000, 10_000).pairs), []);
});

test("a range that is used up is a typed error, and each pair is handed out once", () => {
  const { pairs: range } = pairs(20_000, 20_199);
  assert.equal(new Set(takeAll(range)).size, 100);
  assert.throws(
    () => range.take(),
    (error: unknown) => error instanceof PortsExhaustedError && error.sipStatus === 503,
  );
});

test("a released pair rests for the drain time, then the longest rested comes first", () => {
  const { pairs: range, advance } = pairs(20_000, 20_003);
  const [a, b] = [range.take(), range.take()];
  range.release(b);
  advance(1000);
  range.release(a);
  advance(3999);
  assert.equal(range.available, 0);
  advance(1);
  assert.equal(range.take(), b);
  advance(1000);
  assert.equal(range.take(), a);
});

test("a pair that someone else holds is left alone for a minute", () => {
  const { pairs: range, advance } = pairs(20_000, 20_001);
  range.refuse(range.take());
  advance(59_999);
  assert.throws(() => range.take(), PortsExhaustedError);
  advance(1);
  assert.equal(range.take(), 20_000);
});
