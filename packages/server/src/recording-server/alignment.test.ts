import assert from "node:assert/strict";
import { test } from "node:test";
import { align, type TrackStart } from "./alignment.ts";

const offsetsOf = (tracks: readonly TrackStart[]) => align(tracks).offsets;

const start = (
  firstPacketTime: number | null,
  time?: number,
  cname: string | null = "one",
  mediaHost: string | null = null,
): TrackStart => ({
  firstPacketTime,
  senderStart: time === undefined ? null : { time, cname },
  mediaHost,
});

test("[R6341-023] tracks of one source begin where its clock says, whenever they arrived", () => {
  assert.deepEqual(offsetsOf([start(1_080, 990), start(1_500, 1_480)]), [0, 490]);
  assert.deepEqual(offsetsOf([start(1_080, 1_030), start(1_500, 1_000)]), [30, 0]);
  assert.deepEqual(offsetsOf([start(1_080, 990, "a@host"), start(1_500, 1_480, "b@host")]), [0, 490]);
  const behindOneAddress = [start(1_080, 990, "x", "192.0.2.1"), start(1_500, 1_480, "y", "192.0.2.1")];
  assert.deepEqual(offsetsOf(behindOneAddress), [0, 490]);
});

test("without one clock for all of them tracks begin as they arrived", () => {
  for (const tracks of [
    [start(1_080, 990), start(1_500)],
    [start(1_080, 990, "x"), start(1_500, 1_480, "y")],
    [start(1_080, 990, null), start(1_500, 1_480, null)],
    [start(1_080, 990, "x", "192.0.2.1"), start(1_500, 1_480, "y", "192.0.2.2")],
    // Two machines behind one address, whose clocks differ.
    [start(1_080, 990, "x", "192.0.2.1"), start(1_500, 1_780, "y", "192.0.2.1")],
    // One name, and a report that is wrong by seconds.
    [start(1_080, 990), start(1_500, 3_480)],
  ]) {
    assert.deepEqual(offsetsOf(tracks), [0, 420]);
  }
});

test("a track that nothing came on has no say", () => {
  assert.deepEqual(offsetsOf([start(null), start(1_080, 990), start(1_500, 1_480)]), [0, 0, 490]);
  assert.deepEqual(offsetsOf([start(null)]), [0]);
  assert.deepEqual(offsetsOf([]), []);
});
