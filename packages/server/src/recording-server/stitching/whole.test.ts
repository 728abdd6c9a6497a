import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RecordingRecord, TrackRecord } from "../ports.ts";
import { wholeOf } from "./whole.ts";

const track = (label: string, startOffsetMs: number, durationMs: number): TrackRecord => ({
  label,
  streamId: null,
  senders: [],
  codec: "PCMU",
  clockRateHz: 8_000,
  durationMs,
  packets: durationMs / 20,
  expected: durationMs / 20,
  lost: 0,
  late: 0,
  duplicates: 0,
  longestGapMs: 0,
  startOffsetMs,
  file: `1-${label}.wav`,
});

const part = (sid: string, startTime: number, more: Partial<RecordingRecord> = {}): RecordingRecord => ({
  sid,
  accountSid: "AC1",
  status: "completed",
  source: { address: "192.0.2.7:5060", transport: "tcp", userAgent: null, callId: sid, dialect: "rfc7865" },
  startTime,
  endTime: startTime + 10_000,
  durationMs: 10_000,
  sessions: [],
  participants: [],
  tracks: [track("inbound", 0, 10_000), track("outbound", 0, 10_000)],
  warnings: [],
  extensionData: {},
  ...more,
});

const party = (id: string) => ({ participantId: id, aor: `sip:${id}@example.com`, name: null });

test("a transfer: the caller stays on her channel, the timeline says who came when", () => {
  const whole = wholeOf([
    part("RE2", 110_000, { participants: [party("alice"), party("carol")] }),
    part("RE1", 100_000, { participants: [party("alice"), party("bob")] }),
  ]);
  assert.equal(whole.head.sid, "RE1");
  assert.equal(whole.channels, 2);
  assert.deepEqual(
    whole.tracks.map(({ recordingSid, label, channel, startOffsetMs }) => [
      recordingSid,
      label,
      channel,
      startOffsetMs,
    ]),
    [
      ["RE1", "inbound", 0, 0],
      ["RE2", "inbound", 0, 10_000],
      ["RE1", "outbound", 1, 0],
      ["RE2", "outbound", 1, 10_000],
    ],
  );
  assert.deepEqual([whole.startTime, whole.endTime, whole.durationMs], [100_000, 120_000, 20_000]);
  assert.deepEqual(
    whole.timeline.map(({ participantId, from, until }) => [participantId, from, until]),
    [
      ["alice", 100_000, 110_000],
      ["bob", 100_000, 110_000],
      ["alice", 110_000, 120_000],
      ["carol", 110_000, 120_000],
    ],
  );
});

test("the two calls of a built-in bridge: one channel each, side by side", () => {
  const whole = wholeOf([
    part("RE1", 1_000, { tracks: [track("1", 0, 10_000)] }),
    part("RE2", 1_040, { tracks: [track("1", 0, 10_000)] }),
  ]);
  assert.deepEqual(
    whole.tracks.map(({ recordingSid, channel, startOffsetMs }) => [recordingSid, channel, startOffsetMs]),
    [
      ["RE1", 0, 0],
      ["RE2", 1, 40],
    ],
  );
});

test("presence as the metadata told it; whoever was not seen to leave left with the recording", () => {
  const presence = [
    { from: 1_000, until: 4_000 },
    { from: 6_000, until: null },
  ];
  const { timeline } = wholeOf([part("RE1", 1_000, { participants: [{ ...party("alice"), presence }] })]);
  assert.deepEqual(
    timeline.map(({ from, until }) => [from, until]),
    [
      [1_000, 4_000],
      [6_000, 11_000],
    ],
  );
});

test("one part in progress keeps the whole in progress; one interrupted part makes it interrupted", () => {
  const open = part("RE2", 5_000, { status: "in-progress", endTime: null, durationMs: null });
  const whole = wholeOf([part("RE1", 1_000), open]);
  assert.deepEqual([whole.status, whole.endTime, whole.durationMs], ["in-progress", null, null]);
  assert.equal(
    wholeOf([part("RE1", 1_000), part("RE2", 2, { status: "interrupted" })]).status,
    "interrupted",
  );
  assert.equal(wholeOf([part("RE1", 1_000), part("RE2", 2, { status: "failed" })]).status, "completed");
  assert.equal(wholeOf([part("RE2", 2, { status: "failed" })]).status, "failed");
});

test("whatever the parts: every track is there once, and no two on a channel overlap by more than a seam", () => {
  const parts = fc.array(
    fc.record({
      startTime: fc.integer({ min: 0, max: 100_000 }),
      tracks: fc.array(
        fc.record({
          label: fc.constantFrom("inbound", "outbound", "1"),
          offset: fc.nat(20_000),
          duration: fc.nat(20_000),
        }),
        { maxLength: 4 },
      ),
    }),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(parts, (given) => {
      const records = given.map(({ startTime, tracks }, at) =>
        part(`RE${at}`, startTime, {
          tracks: tracks.map(({ label, offset, duration }) => track(label, offset, duration)),
        }),
      );
      const whole = wholeOf(records);
      assert.equal(
        whole.tracks.length,
        given.reduce((sum, { tracks }) => sum + tracks.length, 0),
      );
      for (const one of whole.tracks) {
        assert.ok(one.startOffsetMs >= 0 && one.channel < whole.channels);
        for (const other of whole.tracks) {
          if (other === one || other.channel !== one.channel || other.startOffsetMs < one.startOffsetMs)
            continue;
          assert.notEqual(other.recordingSid, one.recordingSid);
          const isOverlap = one.startOffsetMs + one.durationMs > other.startOffsetMs + 1_000;
          assert.ok(!isOverlap, "overlap on a channel");
        }
      }
    }),
  );
});

test("a twin is named and heard nowhere", () => {
  const warnings = [{ code: "TWIN_SESSION", message: "", time: 0 }];
  const whole = wholeOf([
    part("RE1", 1_000),
    part("RE2", 1_500, { warnings, participants: [party("alice")] }),
  ]);
  assert.deepEqual(
    whole.parts.map(({ sid }) => sid),
    ["RE1", "RE2"],
  );
  assert.equal(whole.channels, 2);
  assert.deepEqual(whole.timeline, []);
});
