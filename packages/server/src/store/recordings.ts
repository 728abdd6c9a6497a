import type { Insertable, Selectable } from "kysely";
import type { RecordingRecord, RecordingStore, TrackRecord } from "../recording-server/index.ts";
import { readJson, type StoreContext } from "./context.ts";
import type { OutboxTable } from "./outbox.ts";
import { askedTerms, prefixEnd, type SearchTerm, termsOf } from "./recording-terms.ts";
import type { RecordingRow, TrackRow } from "./schema.ts";

/** Live recordings whose terms are remembered, so that a row that is saved again writes them only when they changed. */
const REMEMBERED_TERMS = 10_000;
/** Terms in one statement, and steps between: a statement for each length would fill the engine's cache of them. */
const TERM_STEPS = [8, 32, 128, 400];

/** `indexAll`: for recordings of versions that did not index them. */
export type RecordingsTable = RecordingStore & {
  indexAll(): Promise<void>;
  /** The rows of these, those that are there. */
  findRecordings(sids: readonly string[]): Promise<readonly RecordingRecord[]>;
};

export function recordingsTable({ engine }: StoreContext, outbox: OutboxTable): RecordingsTable {
  const { db } = engine;
  const remembered = new Map<string, string>();

  /** Their deletion has begun: they are there for nobody any more. */
  const leaving = () =>
    db.selectFrom("recording_keeping").select("recording_sid").where("deleting_since", ">=", 0);

  const termStatements = (sid: string, terms: readonly SearchTerm[]) => {
    const clear = db.deleteFrom("recording_terms").where("recording_sid", "=", sid);
    if (terms.length === 0) return [clear];
    const rows = terms.map((term) => ({ ...term, recording_sid: sid }));
    const step = TERM_STEPS.find((size) => size >= rows.length) ?? rows.length;
    while (rows.length < step) rows.push(rows[0]!);
    return [
      clear,
      db
        .insertInto("recording_terms")
        .values(rows)
        .onConflict((conflict) => conflict.doNothing()),
    ];
  };

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
      const keep = db
        .insertInto("recording_keeping")
        .values({ recording_sid: record.sid, place: "disk", move_attempts: 0, move_due_at: 0 })
        .onConflict((conflict) => conflict.doNothing());
      const terms = termsOf(record);
      const spelt = JSON.stringify(terms);
      const found = remembered.get(record.sid) === spelt ? [] : termStatements(record.sid, terms);
      await engine.atomically([upsert, clear, ...tracks, keep, ...found, ...outbox.inserts(callbacks)]);
      outbox.added(callbacks);
      if (record.status !== "in-progress") remembered.delete(record.sid);
      else if (remembered.size < REMEMBERED_TERMS) remembered.set(record.sid, spelt);
    },
    addMetadataVersion: async ({ recordingSid, version, time, carrier, document }) => {
      await db
        .insertInto("metadata_versions")
        .values({ recording_sid: recordingSid, version, time, carrier, document })
        .execute();
    },
    findRecordings: async (sids) =>
      sids.length === 0
        ? []
        : withTracks(
            await db.selectFrom("recordings").selectAll().where("sid", "in", sids).orderBy("seq").execute(),
          ),
    indexAll: async () => {
      for (let after = 0; ; ) {
        const rows = await db
          .selectFrom("recordings")
          .selectAll()
          .where("seq", ">", after)
          .orderBy("seq")
          .limit(200)
          .execute();
        if (rows.length === 0) return;
        after = rows.at(-1)!.seq;
        const statements = (await withTracks(rows)).flatMap((record) =>
          termStatements(record.sid, termsOf(record)),
        );
        await engine.atomically(statements);
      }
    },
    findRecording: async (sid) => {
      const rows = await db
        .selectFrom("recordings")
        .selectAll()
        .where("sid", "=", sid)
        .where("sid", "not in", leaving())
        .execute();
      return (await withTracks(rows))[0];
    },
    listRecordings: async ({ accountSid, offset, limit, ...filter }) => {
      let query = db
        .selectFrom("recordings")
        .selectAll()
        .where("account_sid", "=", accountSid)
        .where("sid", "not in", leaving());
      const { status, callId, connector, startedFrom, startedTo, partOf } = filter;
      if (status !== undefined) query = query.where("status", "=", status as RecordingRecord["status"]);
      if (callId !== undefined) query = query.where("call_id", "=", callId);
      if (startedFrom !== undefined) query = query.where("start_time", ">=", startedFrom);
      if (partOf !== undefined) query = query.where("part_of", "=", partOf);
      if (startedTo !== undefined) query = query.where("start_time", "<=", startedTo);
      if (connector !== undefined) {
        const dialogs = db
          .selectFrom("recording_dialogs")
          .select("call_id")
          .where("connector_name", "=", connector);
        query = query.where("call_id", "in", dialogs);
      }
      for (const { kind, value, isPrefix } of askedTerms(filter)) {
        const terms = db.selectFrom("recording_terms").select("recording_sid").where("kind", "=", kind);
        const met = isPrefix
          ? terms.where("value", ">=", value).where("value", "<", prefixEnd(value))
          : terms.where("value", "=", value);
        query = query.where("sid", "in", met);
      }
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
      const callId = db.selectFrom("recordings").select("call_id").where("sid", "=", sid);
      await engine.atomically([
        db.deleteFrom("recording_dialogs").where("call_id", "in", callId),
        db.deleteFrom("tracks").where("recording_sid", "=", sid),
        db.deleteFrom("metadata_versions").where("recording_sid", "=", sid),
        db.deleteFrom("recording_terms").where("recording_sid", "=", sid),
        db.deleteFrom("recording_keeping").where("recording_sid", "=", sid),
        db.deleteFrom("recordings").where("sid", "=", sid),
      ]);
      remembered.delete(sid);
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
    call_id: record.source.callId,
    source: JSON.stringify(record.source),
    sessions: JSON.stringify(record.sessions),
    participants: JSON.stringify(record.participants),
    warnings: JSON.stringify(record.warnings),
    extension_data: JSON.stringify(record.extensionData),
    markers: record.markers === undefined ? null : JSON.stringify(record.markers),
    part_of: record.partOf ?? null,
  };
}

/** The recording as its rows tell it. */
export function recordOf(row: Selectable<RecordingRow>, tracks: readonly TrackRow[]): RecordingRecord {
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
    ...(row.markers !== null && { markers: readJson(row.markers) }),
    ...(row.part_of !== null && { partOf: row.part_of }),
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
    detail: track.detail === undefined ? null : JSON.stringify(track.detail),
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
    ...(row.detail !== null && { detail: readJson(row.detail) }),
  };
}
