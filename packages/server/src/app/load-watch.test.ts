import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@callfork/testkit";
import { watchLoad } from "./load-watch.ts";

test("an overload is three busy seconds in a row, and over when a tenth of the time is back", async () => {
  const clock = new FakeClock();
  const loads = [0.99, 0.99, 0.2, 0.97, 0.97, 0.97, 0.9, 0.86, 0.8, 0.99];
  const watch = watchLoad(clock, 0.95, () => loads.shift() ?? 0);
  const seen: boolean[] = [];
  while (loads.length > 0) {
    await clock.advance(1_000);
    seen.push(watch.isOverloaded);
  }
  assert.deepEqual(seen, [false, false, false, false, false, true, true, true, false, false]);
  watch.stop();
  assert.equal(clock.pendingTimers, 0);
});

test("a maximum of 1 never refuses, and costs no timer", () => {
  const clock = new FakeClock();
  assert.equal(watchLoad(clock, 1, () => 1).isOverloaded, false);
  assert.equal(clock.pendingTimers, 0);
});

test("the thread's own load is a share", async () => {
  const clock = new FakeClock();
  const watch = watchLoad(clock, 0.99);
  await clock.advance(1_000);
  assert.equal(watch.isOverloaded, false);
  watch.stop();
});
