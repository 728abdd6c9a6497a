import type { Insertable, Selectable } from "kysely";
import type { RecordingRecord, RecordingStore, TrackRecord } from "../recording-server/index.ts";
import { readJson, type StoreContext } from "./context.ts";
import type { OutboxTable } from "./outbox.ts";
import type { RecordingRow, TrackRow } from "./schema.ts";

export function recordingsTable({ engine }: StoreContext, outbox: OutboxTable): RecordingStore {
  const { db } = engine;

  const withTracks = async (
    rows: readonly Selectable<RecordingRow>[],
  ): Promise<readonly RecordingRecord[]> => {
    if (rows.length === 0) return [];
    const sids = rows.map(({ sid }) => sid);
    const tracks = await db
      .selectFrom("tracks")
      .selectAll()
      .where("recording_sid", "in", sids)
      .orderBy("recording_sid")
      .orderBy("position")
      .execute();
    return rows.map((row) =>
      recordOf(
        row,
        tracks.filter((track) => track.recording_sid === row.sid),
      ),
    );
  };

  return {
    saveRecording: async (record, callbacks = []) => {
      const row = rowOf(record);
      const upsert = db
        .insertInto("recordings")
        .values(row)
        .onConflict((conflict) => conflict.column("sid").doUpdateSet(row));
      const tracks = record.tracks.map((track, position) =>
        db.insertInto("tracks").values(trackRowOf(record.sid, position, track)),
      );
      const clear = db.deleteFrom("tracks").where("recording_sid", "=", record.sid);
      await engine.atomically([upsert, clear, ...tracks, ...outbox.inserts(callbacks)]);
      outbox.added(callbacks);
    },
    addMetadataVersion: async ({ recordingSid, version, time, carrier, document }) => {
      await db
        .insertInto("metadata_versions")
        .values({ recording_sid: recordingSid, version, time, carrier, document })
        .execute();
    },
    findRecording: async (sid) => {
      const rows = await db.selectFrom("recordings").selectAll().where("sid", "=", sid).execute();
      return (await withTracks(rows))[0];
    },
    listRecordings: async ({ accountSid, offset, limit, status }) => {
      let query = db.selectFrom("recordings").selectAll().where("account_sid", "=", accountSid);
      if (status !== undefined) query = query.where("status", "=", status as RecordingRecord["status"]);
      return withTracks(await query.orderBy("seq", "desc").limit(limit).offset(offset).execute());
    },
    listMetadataVersions: async (recordingSid) => {
      const rows = await db
        .selectFrom("metadata_versions")
        .selectAll()
        .where("recording_sid", "=", recordingSid)
        .orderBy("version")
        .execute();
      return rows.map(({ recording_sid, version, time, carrier, document }) => {
        return { recordingSid: recording_sid, version, time, carrier, document };
      });
    },
    listUnfinishedRecordings: async () => {
      const rows = await db
        .selectFrom("recordings")
        .selectAll()
        .where("status", "=", "in-progress")
        .orderBy("seq")
        .execute();
      const records: RecordingRecord[] = [];
      // In slices: an engine takes only so many values in one list.
      for (let i = 0; i < rows.length; i += 500) records.push(...(await withTracks(rows.slice(i, i + 500))));
      return records;
    },
    deleteRecording: async (sid) => {
      await engine.atomically([
        db.deleteFrom("tracks").where("recording_sid", "=", sid),
        db.deleteFrom("metadata_versions").where("recording_sid", "=", sid),
        db.deleteFrom("recordings").where("sid", "=", sid),
      ]);
    },
  };
}

function rowOf(record: RecordingRecord): Insertable<RecordingRow> {
  return {
    sid: record.sid,
    account_sid: record.accountSid,
    status: record.status,
    start_time: record.startTime,
    end_time: record.endTime,
    duration_ms: record.durationMs,
    source: JSON.stringify(record.source),
    sessions: JSON.stringify(record.sessions),
    participants: JSON.stringify(record.participants),
    warnings: JSON.stringify(record.warnings),
    extension_data: JSON.stringify(record.extensionData),
  };
}

function recordOf(row: Selectable<RecordingRow>, tracks: readonly TrackRow[]): RecordingRecord {
  return {
    sid: row.sid,
    accountSid: row.account_sid,
    status: row.status,
    source: readJson(row.source),
    startTime: row.start_time,
    endTime: row.end_time,
    durationMs: row.duration_ms,
    sessions: readJson(row.sessions),
    participants: readJson(row.participants),
    tracks: tracks.map(trackOf),
    warnings: readJson(row.warnings),
    extensionData: readJson(row.extension_data),
  };
}

function trackRowOf(recordingSid: string, position: number, track: TrackRecord): TrackRow {
  return {
    recording_sid: recordingSid,
    position,
    label: track.label,
    stream_id: track.streamId,
    senders: JSON.stringify(track.senders),
    codec: track.codec,
    clock_rate_hz: track.clockRateHz,
    duration_ms: track.durationMs,
    packets: track.packets,
    expected: track.expected,
    lost: track.lost,
    late: track.late,
    duplicates: track.duplicates,
    longest_gap_ms: track.longestGapMs,
    start_offset_ms: track.startOffsetMs,
    file: track.file,
  };
}

function trackOf(row: TrackRow): TrackRecord {
  return {
    label: row.label,
    streamId: row.stream_id,
    senders: readJson(row.senders),
    codec: row.codec,
    clockRateHz: row.clock_rate_hz,
    durationMs: row.duration_ms,
    packets: row.packets,
    expected: row.expected,
    lost: row.lost,
    late: row.late,
    duplicates: row.duplicates,
    longestGapMs: row.longest_gap_ms,
    startOffsetMs: row.start_offset_ms,
    file: row.file,
  };
}
