import Type from "typebox";
import type { RecordingKeeping, RecordingRecord } from "../../recording-server/index.ts";
import { iso8601, iso8601OrNull } from "../http/dates.ts";
import { V1 } from "./prefix.ts";

const text = Type.String();
const count = Type.Integer();
const textOrNull = Type.Union([Type.String(), Type.Null()]);

export const RECORDING_SCHEMA = Type.Object(
  {
    sid: text,
    account_sid: text,
    status: Type.Enum(["in-progress", "completed", "interrupted", "failed"]),
    source: Type.Object({
      address: text,
      transport: text,
      user_agent: textOrNull,
      call_id: text,
      dialect: text,
    }),
    start_time: text,
    end_time: textOrNull,
    duration_ms: Type.Union([Type.Integer(), Type.Null()]),
    sessions: Type.Array(
      Type.Object({ session_id: text, group_id: textOrNull, sip_session_ids: Type.Array(text) }),
    ),
    participants: Type.Array(Type.Object({ participant_id: text, aor: text, name: textOrNull })),
    tracks: Type.Array(
      Type.Object({
        label: text,
        stream_id: textOrNull,
        senders: Type.Array(text),
        codec: text,
        clock_rate_hz: count,
        start_offset_ms: Type.Number(),
        duration_ms: Type.Number(),
        packets: count,
        expected: count,
        lost: count,
        late: count,
        duplicates: count,
        longest_gap_ms: Type.Number(),
        kind: Type.Enum(["audio", "video"]),
        codecs: Type.Array(text),
        first_packet_time: textOrNull,
        last_packet_time: textOrNull,
        silence_share: Type.Number(),
        source_changes: count,
        url: text,
      }),
    ),
    markers: Type.Array(
      Type.Object({
        kind: Type.Enum(["hold", "resume", "pause", "continue", "transfer", "dtmf"]),
        time: text,
        offset_ms: Type.Number(),
        label: textOrNull,
        text: textOrNull,
        duration_ms: Type.Union([Type.Number(), Type.Null()]),
      }),
    ),
    warnings: Type.Array(Type.Object({ code: text, message: text, time: text })),
    extension_data: Type.Record(Type.String(), Type.String()),
    part_of: textOrNull,
    legal_hold: Type.Union([Type.Object({ reason: text, since: text }), Type.Null()]),
    delete_at: textOrNull,
    encrypted: Type.Boolean(),
    storage: Type.Enum(["disk", "objects"]),
    storage_error: textOrNull,
    url: text,
    links: Type.Object({
      media: text,
      media_opus: text,
      whole: text,
      metadata_xml: text,
      metadata_json: text,
      vcon: text,
    }),
  },
  { title: "Recording" },
);

export function showRecording(
  recording: RecordingRecord,
  keeping: RecordingKeeping | undefined,
  base: string,
): object {
  const hold = keeping?.legalHold ?? null;
  const url = `${base}${V1}/Recordings/${recording.sid}`;
  const { source } = recording;
  return {
    sid: recording.sid,
    account_sid: recording.accountSid,
    status: recording.status,
    source: {
      address: source.address,
      transport: source.transport,
      user_agent: source.userAgent,
      call_id: source.callId,
      dialect: source.dialect,
    },
    start_time: iso8601(recording.startTime),
    end_time: iso8601OrNull(recording.endTime),
    duration_ms: recording.durationMs,
    sessions: recording.sessions.map((one) => ({
      session_id: one.sessionId,
      group_id: one.groupId,
      sip_session_ids: one.sipSessionIds,
    })),
    participants: recording.participants.map((one) => ({
      participant_id: one.participantId,
      aor: one.aor,
      name: one.name,
    })),
    tracks: recording.tracks.map((one) => ({
      label: one.label,
      stream_id: one.streamId,
      senders: one.senders,
      codec: one.codec,
      clock_rate_hz: one.clockRateHz,
      start_offset_ms: one.startOffsetMs,
      duration_ms: one.durationMs,
      packets: one.packets,
      expected: one.expected,
      lost: one.lost,
      late: one.late,
      duplicates: one.duplicates,
      longest_gap_ms: one.longestGapMs,
      kind: one.detail?.kind ?? "audio",
      codecs: one.detail?.codecs ?? [one.codec],
      first_packet_time: iso8601OrNull(one.detail?.firstPacketTime ?? null),
      last_packet_time: iso8601OrNull(one.detail?.lastPacketTime ?? null),
      silence_share: one.detail?.silenceShare ?? 0,
      source_changes: one.detail?.sourceChanges ?? 0,
      url: `${url}/Tracks/${encodeURIComponent(one.label)}.${one.detail?.kind === "video" ? "pcap" : "wav"}`,
    })),
    markers: (recording.markers ?? []).map((one) => ({
      kind: one.kind,
      time: iso8601(one.time),
      offset_ms: one.time - recording.startTime,
      label: one.label ?? null,
      text: one.text ?? null,
      duration_ms: one.durationMs ?? null,
    })),
    warnings: recording.warnings.map((one) => ({
      code: one.code,
      message: one.message,
      time: iso8601(one.time),
    })),
    extension_data: recording.extensionData,
    part_of: recording.partOf ?? null,
    legal_hold: hold === null ? null : { reason: hold.reason, since: iso8601(hold.since) },
    delete_at: iso8601OrNull(keeping?.deleteAt ?? null),
    encrypted: keeping?.isSealed ?? false,
    storage: keeping?.place ?? "disk",
    storage_error: keeping?.moveError ?? null,
    url,
    links: {
      media: `${url}/Media.wav`,
      media_opus: `${url}/Media.opus`,
      whole: `${url}/Whole.json`,
      metadata_xml: `${url}/Metadata.xml`,
      metadata_json: `${url}/Metadata.json`,
      vcon: `${url}/Vcon.json`,
    },
  };
}
