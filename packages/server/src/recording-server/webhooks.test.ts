import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecordingRecord } from "./ports.ts";
import { RECORDING_EVENTS, type RecordingWebhook, recordingCallback } from "./webhooks.ts";

const WEBHOOK: RecordingWebhook = {
  url: "https://example.com/recordings",
  method: "POST",
  events: RECORDING_EVENTS,
  publicUrl: "https://callfork.example.com",
};
const NOW = Date.UTC(2026, 10, 22, 12, 0, 1);

const record = (more: Partial<RecordingRecord> = {}): RecordingRecord => ({
  sid: `RE${"1".repeat(32)}`,
  accountSid: `AC${"2".repeat(32)}`,
  status: "completed",
  source: {
    address: "192.0.2.7:5060",
    transport: "tcp",
    userAgent: null,
    callId: "abc@192.0.2.7",
    dialect: "rfc7865",
  },
  startTime: Date.UTC(2026, 10, 22, 12, 0, 0),
  endTime: NOW,
  durationMs: 61_540,
  sessions: [{ sessionId: "c2Vzc2lvbg==", groupId: "Z3JvdXA=", sipSessionIds: [] }],
  participants: [
    { participantId: "YWxpY2U=", aor: "sip:alice@example.com", name: "Alice" },
    { participantId: "Ym9i", aor: "sip:bob@example.com", name: null },
  ],
  tracks: [],
  warnings: [
    { code: "LOST_PACKETS", message: "a", time: 1 },
    { code: "LOST_PACKETS", message: "b", time: 2 },
  ],
  extensionData: { CallSid: `CA${"3".repeat(32)}` },
  ...more,
});

const named = (status: RecordingRecord["status"], webhook = WEBHOOK, more: Partial<RecordingRecord> = {}) =>
  recordingCallback(webhook, record({ ...more, status }), NOW).map(({ parameters }) =>
    Object.fromEntries(parameters),
  );

test("a recording that is over: who, what, how long, where to get it", () => {
  assert.deepEqual(named("completed"), [
    {
      AccountSid: `AC${"2".repeat(32)}`,
      RecordingSid: `RE${"1".repeat(32)}`,
      RecordingEvent: "recording-completed",
      RecordingStatus: "completed",
      RecordingUrl: `https://callfork.example.com/v1/Recordings/RE${"1".repeat(32)}`,
      RecordingSource: "SIPREC",
      RecordingStartTime: "2026-11-22T12:00:00.000Z",
      RecordingChannels: "0",
      SourceAddress: "192.0.2.7:5060",
      SipCallId: "abc@192.0.2.7",
      Timestamp: "2026-11-22T12:00:01.000Z",
      RecordingDuration: "62",
      RecordingDurationMs: "61540",
      CallSid: `CA${"3".repeat(32)}`,
      SessionId: "c2Vzc2lvbg==",
      GroupId: "Z3JvdXA=",
      "Participant1.Aor": "sip:alice@example.com",
      "Participant1.Name": "Alice",
      "Participant2.Aor": "sip:bob@example.com",
      Warnings: "LOST_PACKETS",
    },
  ]);
});

test("each status has its event; what was interrupted has audio and is completed, by another status", () => {
  const events = (["in-progress", "completed", "interrupted", "failed"] as const).map((status) => {
    const [parameters] = named(status);
    return [parameters?.RecordingEvent, parameters?.RecordingStatus];
  });
  assert.deepEqual(events, [
    ["recording-started", "in-progress"],
    ["recording-completed", "completed"],
    ["recording-completed", "interrupted"],
    ["recording-failed", "failed"],
  ]);
});

test("nobody is called who did not ask", () => {
  assert.deepEqual(recordingCallback(undefined, record(), NOW), []);
  assert.deepEqual(named("in-progress", { ...WEBHOOK, events: ["recording-failed"] }), []);
});

test("what a client sends cannot make a callback long", () => {
  const participants = Array.from({ length: 10_000 }, (_, at) => ({
    participantId: String(at),
    aor: `sip:${at}@example.com`,
    name: null,
  }));
  const [parameters = {}] = named("completed", WEBHOOK, { participants });
  assert.equal(Object.keys(parameters).filter((name) => name.startsWith("Participant")).length, 10);
});
