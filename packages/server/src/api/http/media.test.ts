import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseRange } from "./media.ts";

test("single ranges: first and last, open end, suffix", () => {
  assert.deepEqual(parseRange("bytes=0-0", 10), { start: 0, end: 0 });
  assert.deepEqual(parseRange("bytes=4-", 10), { start: 4, end: 9 });
  assert.deepEqual(parseRange("bytes=-3", 10), { start: 7, end: 9 });
  assert.deepEqual(parseRange("bytes=-30", 10), { start: 0, end: 9 });
  assert.deepEqual(parseRange("bytes=5-500", 10), { start: 5, end: 9 });
});

test("a range without any octet is unsatisfiable, a malformed or multiple one means the whole file", () => {
  for (const header of ["bytes=10-", "bytes=10-12", "bytes=-0"])
    assert.equal(parseRange(header, 10), "unsatisfiable");
  assert.equal(parseRange("bytes=-5", 0), "unsatisfiable");
  for (const header of [
    undefined,
    "",
    "bytes=",
    "bytes=-",
    "bytes=5-4",
    "bytes=0-1,3-4",
    "lines=1-2",
    "bytes=a-b",
  ])
    assert.equal(parseRange(header, 10), undefined, header);
});

test("a range never leaves the file", () => {
  const header = fc.oneof(
    fc.string(),
    fc.tuple(fc.nat(40), fc.nat(40)).map(([a, b]) => `bytes=${a}-${b}`),
    fc.nat(40).map((n) => `bytes=-${n}`),
  );
  fc.assert(
    fc.property(header, fc.nat(30), (text, length) => {
      const range = parseRange(text, length);
      if (range === undefined || range === "unsatisfiable") return;
      assert.ok(range.start >= 0 && range.start <= range.end && range.end < length);
    }),
  );
});
