import assert from "node:assert/strict";
import { test } from "node:test";
import { formatRtcp, ntpFromEpochMs, SDES_CNAME } from "@callfork/protocol/rtp";
import fc from "fast-check";
import { SenderClock } from "./sender-clock.ts";

const NOW = 1_700_000_000_000;

function report(ssrc: number, ntpMs: number, rtpTimestamp: number, cname?: string): Uint8Array {
  const sr = {
    kind: "sr",
    ssrc,
    ntp: ntpFromEpochMs(ntpMs),
    rtpTimestamp: rtpTimestamp >>> 0,
    packets: 1,
    octets: 160,
    reports: [],
  } as const;
  if (cname === undefined) return formatRtcp([sr]);
  const chunks = [{ source: ssrc, items: [{ type: SDES_CNAME, value: cname }] }];
  return formatRtcp([sr, { kind: "sdes", chunks }]);
}

const near = (value: number | undefined, expected: number): void =>
  assert.ok(value !== undefined && Math.abs(value - expected) < 0.01, `${value} is not ${expected}`);

test("[R6341-023] a sender report tells when any sample of its source was taken, across the wrap of timestamps", () => {
  const clock = new SenderClock(8_000);
  clock.take(report(7, NOW, 0xffff_fff0, "name"), NOW + 40);
  near(clock.timeOf(7, 0xffff_fff0 + 16_000), NOW + 2_000);
  near(clock.timeOf(7, (16_000 - 16) >>> 0), NOW + 2_000);
  near(clock.startOf(7, 0xffff_fff0 - 800), NOW - 100);
  assert.equal(clock.cnameOf(7), "name");
  assert.deepEqual([clock.timeOf(8, 0), clock.cnameOf(8)], [undefined, undefined]);
});

test("an NTP time that is not the time of day is no time: none, since the start, seconds off", () => {
  for (const ntpMs of [-2_208_988_800_000, 120_000, NOW - 6_000, NOW + 6_000]) {
    const clock = new SenderClock(8_000);
    clock.take(report(7, ntpMs, 0), NOW);
    assert.equal(clock.timeOf(7, 0), undefined, `${ntpMs}`);
  }
});

test("a report from before the first packet, whose timestamp means nothing, is put right by the next", () => {
  const clock = new SenderClock(8_000);
  clock.take(report(7, NOW, 0), NOW);
  clock.take(report(7, NOW + 5_000, 3_000_000), NOW + 5_000);
  clock.take(report(7, NOW + 10_000, 3_040_000), NOW + 10_000);
  near(clock.startOf(7, 2_960_000), NOW);
  // A clock that is set later on does not move the start.
  clock.take(report(7, NOW + 17_000, 3_080_000), NOW + 15_000);
  near(clock.startOf(7, 2_960_000), NOW);
  near(clock.timeOf(7, 3_080_000), NOW + 17_000);
});

test("whatever comes as RTCP, nothing is thrown and the first source stays known", () => {
  const clock = new SenderClock(8_000);
  clock.take(report(1, NOW, 0, "first"), NOW);
  for (let ssrc = 2; ssrc < 1_000; ssrc++) clock.take(report(ssrc, NOW, 0, "flood"), NOW);
  assert.equal(clock.cnameOf(1), "first");
  assert.equal(clock.cnameOf(500), undefined);
  assert.equal(clock.cnameOf(999), "flood");
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => clock.take(octets, NOW)));
});
