import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecordingRecord } from "./ports.ts";
import { vconOf } from "./vcon.ts";

const track = (label: string, senders: readonly string[]): RecordingRecord["tracks"][number] => ({
  label,
  streamId: null,
  senders,
  codec: "PCMU",
  clockRateHz: 8_000,
  durationMs: 1_000,
  packets: 50,
  expected: 50,
  lost: 0,
  late: 0,
  duplicates: 0,
  longestGapMs: 0,
  startOffsetMs: 0,
  file: `${label}.wav`,
});

const RECORD: RecordingRecord = {
  sid: "REffffffffffffffffffffffffffffffff",
  accountSid: "AC1",
  status: "completed",
  source: { address: "192.0.2.1:5060", transport: "tcp", userAgent: null, callId: "x", dialect: "rfc7865" },
  startTime: Date.UTC(2026, 0, 1, 12),
  endTime: Date.UTC(2026, 0, 1, 12, 1),
  durationMs: 61_240,
  sessions: [
    {
      sessionId: "s",
      groupId: null,
      sipSessionIds: [
        "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2",
        "call-id@host",
      ],
    },
  ],
  participants: [
    { participantId: "p1", aor: "sip:alice@example.com", name: "Alice" },
    { participantId: "p2", aor: "tel:+15550100", name: null },
  ],
  tracks: [track("outbound", ["p2"]), track("inbound", ["p1"]), track("music", [])],
  warnings: [],
  extensionData: {},
};

test("a recording is a vCon: parties, one dialog with a channel a track, the metadata as attachment", () => {
  assert.deepEqual(vconOf(RECORD, "<recording/>"), {
    vcon: "0.4.0",
    uuid: "ffffffff-ffff-8fff-bfff-ffffffffffff",
    created_at: "2026-01-01T12:00:00.000Z",
    updated_at: "2026-01-01T12:01:00.000Z",
    parties: [
      { sip: "sip:alice@example.com", name: "Alice", uuid: "p1" },
      { tel: "tel:+15550100", uuid: "p2" },
    ],
    dialog: [
      {
        type: "recording",
        start: "2026-01-01T12:00:00.000Z",
        duration: 61.24,
        parties: [[0], [1], null],
        session_id: [
          { local: "ab30317f-1a78-4dc4-8ff8-24d0d3715d86", remote: "47755a9d-e779-4ba3-8765-3f2099600ef2" },
        ],
        mediatype: "audio/wav",
        filename: "Media.wav",
        application: "SIPREC",
      },
    ],
    analysis: [],
    attachments: [
      {
        purpose: "siprec-metadata",
        start: "2026-01-01T12:00:00.000Z",
        party: 0,
        dialog: 0,
        mediatype: "application/rs-metadata+xml",
        filename: "Metadata.xml",
        encoding: "none",
        body: "<recording/>",
      },
    ],
  });
});

test("without participants there is nobody an attachment could belong to", () => {
  const vcon = vconOf(
    { ...RECORD, participants: [], endTime: null, durationMs: null, sessions: [] },
    "<recording/>",
  );
  assert.deepEqual(
    Object.entries(vcon).find(([key]) => key === "attachments"),
    ["attachments", []],
  );
  assert.ok(!("updated_at" in vcon));
});

test("audio is carried or linked as the draft has it; what is signed was last changed then", () => {
  const dialogOf = (vcon: object) => (vcon as { dialog: Record<string, unknown>[] }).dialog[0]!;
  const inline = dialogOf(vconOf(RECORD, undefined, { body: "UklGRg" }));
  assert.deepEqual([inline.encoding, inline.body, inline.url], ["base64url", "UklGRg", undefined]);
  const sha512 = new Uint8Array(64).fill(0xfb);
  const linked = dialogOf(vconOf(RECORD, undefined, { url: "https://c.example/a.wav", sha512 }));
  assert.equal(linked.url, "https://c.example/a.wav");
  assert.match(String(linked.content_hash), /^sha512-[A-Za-z0-9_-]{86}$/);
  const signed = vconOf(RECORD, undefined, undefined, Date.UTC(2026, 5, 1)) as { updated_at?: string };
  assert.equal(signed.updated_at, "2026-06-01T00:00:00.000Z");
});
