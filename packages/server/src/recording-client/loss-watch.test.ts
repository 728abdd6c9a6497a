import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@callfork/testkit";
import type { SiprecTrackReport } from "../calls/index.ts";
import { LossWatch } from "./loss-watch.ts";

test("loss that a recorder reports is told once above the threshold, again after it has been better", async () => {
  const clock = new FakeClock();
  let track: SiprecTrackReport = {
    label: "inbound",
    codec: "PCMU",
    encryption: null,
    packets: 0,
    octets: 0,
    lost: null,
  };
  const told: string[] = [];
  const watch = new LossWatch({
    media: { report: async () => [track] },
    clock,
    thresholdPercent: 5,
    onLoss: (label, percent) => told.push(`${label} ${percent}`),
  });
  /** Ten seconds in which so many were sent, and so many of them lost. */
  const interval = async (sent: number, lost: number) => {
    track = { ...track, packets: track.packets + sent, lost: (track.lost ?? 0) + lost };
    await clock.advance(10_000);
  };
  watch.start();
  await clock.advance(30_000); // nothing reported yet
  await interval(500, 300); // what was before its first report is not judged
  await interval(500, 24);
  assert.deepEqual(told, []);
  await interval(500, 25);
  await interval(500, 60);
  assert.deepEqual(told, ["inbound 5"]);
  await interval(500, 0);
  await interval(500, 250);
  assert.deepEqual(told, ["inbound 5", "inbound 50"]);
  await interval(500, 0);
  await interval(20, 20); // too few to say anything
  assert.equal(told.length, 2);
  watch.stop();
  await interval(500, 500);
  assert.deepEqual([told.length, clock.pendingTimers], [2, 0]);
});
