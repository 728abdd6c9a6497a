import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { iso8601, iso8601OrNull, parseDateFilter, rfc2822, rfc2822OrNull } from "./dates.ts";

const instant = fc.integer({ min: 0, max: Date.UTC(2199, 11, 31) });

test("2010 resources print RFC 2822 dates, as Twilio does", () => {
  assert.equal(rfc2822(Date.UTC(2015, 6, 30, 20)), "Thu, 30 Jul 2015 20:00:00 +0000");
  assert.equal(rfc2822OrNull(null), null);
});

test("our own resources print ISO 8601 with a zone", () => {
  assert.equal(iso8601(Date.UTC(2015, 6, 30, 20)), "2015-07-30T20:00:00Z");
  assert.equal(iso8601(Date.UTC(2015, 6, 30, 20, 0, 0, 5)), "2015-07-30T20:00:00.005Z");
  assert.equal(iso8601OrNull(null), null);
});

test("every date we print reads back as the same instant", () => {
  fc.assert(
    fc.property(instant, (time) => {
      assert.equal(Date.parse(rfc2822(time)), Math.floor(time / 1000) * 1000);
      assert.match(rfc2822(time), /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000$/);
      assert.equal(Date.parse(iso8601(time)), time);
    }),
  );
});

test("a day is the whole day, an instant is its second, GMT where no zone is named", () => {
  const day = Date.UTC(2024, 1, 29);
  assert.deepEqual(parseDateFilter("2024-02-29"), { from: day, to: day + 86_399_999 });
  const noon = Date.UTC(2024, 1, 29, 12);
  for (const text of [
    "2024-02-29T12:00:00Z",
    "2024-02-29T12:00:00",
    "2024-02-29T14:00:00+02:00",
    "2024-02-29T12:00Z",
  ])
    assert.deepEqual(parseDateFilter(text), { from: noon, to: noon + 999 }, text);
});

test("what is no date is refused", () => {
  for (const text of [
    "",
    "2024",
    "2024-02-30",
    "2024-13-01",
    "yesterday",
    "2024-02-29T25:00:00Z",
    "1e9",
    "2024-2-9",
  ])
    assert.equal(parseDateFilter(text), undefined, text);
  fc.assert(fc.property(fc.string(), (text) => void parseDateFilter(text)));
});
