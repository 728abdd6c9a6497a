import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@callfork/testkit";
import { ForkGaps } from "./fork-gaps.ts";
import type { ForkCounts } from "./fork-media.ts";
import type { TrackLabel } from "./tracks.ts";

/** Two tracks whose counters the test sets. */
function gapsOf(clock: FakeClock) {
  const counts = new Map<TrackLabel, ForkCounts>();
  const set = (label: TrackLabel, sent: number, withheld: number, packetTimeMs = 20): void =>
    void counts.set(label, { sent, withheld, packetTimeMs });
  set("inbound", 0, 0);
  set("outbound", 0, 0);
  return { set, gaps: new ForkGaps({ counts: async () => new Map(counts) }, clock) };
}

test("a gap goes from the first packet that nobody took to the last that was withheld, track by track", async () => {
  const clock = new FakeClock();
  const { set, gaps } = gapsOf(clock);
  // What was asked for when the event came is late already: the events know better.
  set("inbound", 103, 0);
  set("outbound", 102, 0);
  const from = clock.wallNow();
  assert.equal(gaps.unreachable("inbound", 100), "first");
  assert.equal(gaps.unreachable("outbound", 99), "again");
  await clock.advance(1_000);
  assert.equal(gaps.unreachable("inbound", 149), "confirmed");
  set("inbound", 150, 0);
  set("outbound", 149, 0);
  gaps.begin("gone");
  await clock.advance(200);
  set("inbound", 150, 10);
  set("outbound", 149, 9);
  const gap = await gaps.end();
  assert.deepEqual(gap, { from, until: from + 1_190, packets: 119, reason: "gone" });
});

test("a track without packets does not shorten a gap, and silence is measured by the clock", async () => {
  const clock = new FakeClock();
  const { set, gaps } = gapsOf(clock);
  const from = clock.wallNow();
  gaps.begin("BYE");
  await clock.advance(500);
  set("inbound", 0, 25);
  assert.deepEqual(await gaps.end(), { from, until: from + 500, packets: 25, reason: "BYE" });
  assert.equal(gaps.isOpen, false);

  gaps.begin("BYE");
  const again = clock.wallNow();
  await clock.advance(3_000);
  set("inbound", 0, 40);
  assert.deepEqual(await gaps.end(), { from: again, until: again + 3_000, packets: 15, reason: "BYE" });
  assert.equal(await gaps.end(), undefined);
});
