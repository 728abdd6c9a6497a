import type { Selectable } from "kysely";
import type { SiprecDetail } from "../calls/index.ts";
import type { KeepingStore, RecordingKeeping, RetentionRule, StoredFile } from "../recording-server/index.ts";
import { readJson, type StoreContext } from "./context.ts";
import { foldNumber, termsOf } from "./recording-terms.ts";
import type { RecordingsTable } from "./recordings.ts";
import type { RecordingKeepingRow, RetentionRuleRow } from "./schema.ts";
import type { SecretPlace } from "./vault.ts";

/** Where a recording's key lives. */
export const recordingKey = (row: string): SecretPlace => ({
  table: "recording_keeping",
  row,
  column: "sealed_key",
});

/** How recordings are kept: keys, holds, retention, where their files are, and who heard them. */
export function keepingTable(
  { engine, vault, names }: StoreContext,
  recordings: RecordingsTable,
): KeepingStore {
  const { db } = engine;
  const keepingOf = (sid: string) => db.selectFrom("recording_keeping").where("recording_sid", "=", sid);
  const ended = () =>
    db
      .selectFrom("recording_keeping as keeping")
      .innerJoin("recordings", "recordings.sid", "keeping.recording_sid")
      .where("recordings.status", "!=", "in-progress")
      .where("keeping.deleting_since", "is", null);

  return {
    saveKey: async (sid, key) => {
      const sealed_key = vault.seal(Buffer.from(key).toString("base64"), recordingKey(sid));
      await db
        .insertInto("recording_keeping")
        .values({ recording_sid: sid, sealed_key, place: "disk", move_attempts: 0, move_due_at: 0 })
        .execute();
    },
    findKey: async (sid) => {
      const sealed = (await keepingOf(sid).select("sealed_key").executeTakeFirst())?.sealed_key;
      if (sealed === undefined || sealed === null) return undefined;
      return Uint8Array.from(Buffer.from(vault.open(sealed, recordingKey(sid)), "base64"));
    },
    keeping: async (sids) => {
      if (sids.length === 0) return [];
      const rows = await db
        .selectFrom("recording_keeping")
        .selectAll()
        .where("recording_sid", "in", sids)
        .execute();
      return rows.map(showKeeping);
    },
    hold: async (sid, hold) => {
      const { numUpdatedRows } = await db
        .updateTable("recording_keeping")
        .set({ hold_reason: hold?.reason ?? null, hold_since: hold?.since ?? null })
        .where("recording_sid", "=", sid)
        .where("deleting_since", "is", null)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    beginDeletion: async ({ accountSid, recordingSid: sid, time, action, actor, address, detail }) => {
      const over = db.selectFrom("recordings").select("sid").where("status", "!=", "in-progress");
      const deletable = db
        .selectFrom("recording_keeping")
        .where("recording_sid", "=", sid)
        .where("hold_since", "is", null)
        .where("deleting_since", "is", null)
        .where("recording_sid", "in", over.where("sid", "=", sid));
      const note = db
        .insertInto("recording_audit")
        .columns(["account_sid", "recording_sid", "time", "action", "actor", "address", "detail"])
        .expression(
          deletable.select(({ val }) => [
            val(accountSid).as("account_sid"),
            "recording_sid",
            val(time).as("time"),
            val(action as string).as("action"),
            val(actor).as("actor"),
            val(address).as("address"),
            val(detail).as("detail"),
          ]),
        );
      const begin = db
        .updateTable("recording_keeping")
        .set({ deleting_since: time, sealed_key: null })
        .where("recording_sid", "in", deletable.select("recording_sid"))
        .returning("recording_sid");
      const [, begun] = await engine.atomically([note, begin]);
      return begun !== undefined && begun.length > 0;
    },
    deletions: async () => {
      const rows = await db
        .selectFrom("recording_keeping")
        .select("recording_sid")
        .where("deleting_since", ">=", 0)
        .limit(500)
        .execute();
      return rows.map(({ recording_sid }) => recording_sid);
    },
    expired: async (at, limit) => {
      const rows = await ended()
        .select("keeping.recording_sid")
        .where("keeping.delete_at", "<=", at)
        .where("keeping.hold_since", "is", null)
        .orderBy("keeping.delete_at")
        .limit(limit)
        .execute();
      return recordings.findRecordings(rows.map(({ recording_sid }) => recording_sid));
    },
    retentionOutdated: async (version, limit) => {
      const rows = await ended()
        .select("keeping.recording_sid")
        .where((eb) =>
          eb.or([
            eb("keeping.retention_version", "is", null),
            eb("keeping.retention_version", "<", version),
            eb("keeping.retention_version", ">", version),
          ]),
        )
        .limit(limit)
        .execute();
      const records = await recordings.findRecordings(rows.map(({ recording_sid }) => recording_sid));
      const callIds = records.map(({ source }) => source.callId);
      const dialogs =
        callIds.length === 0
          ? []
          : await db.selectFrom("recording_dialogs").selectAll().where("call_id", "in", callIds).execute();
      const connectors = new Map(dialogs.map(({ call_id, connector_name }) => [call_id, connector_name]));
      return records.map((record) => ({
        record,
        connectorName: connectors.get(record.source.callId) ?? null,
        numbers: termsOf(record).flatMap(({ kind, value }) => (kind === "number" ? [value] : [])),
      }));
    },
    setRetention: async (version, entries) => {
      await engine.atomically(
        entries.map(({ recordingSid, deleteAt }) =>
          db
            .updateTable("recording_keeping")
            .set({ retention_version: version, delete_at: deleteAt })
            .where("recording_sid", "=", recordingSid),
        ),
      );
    },
    retentionRules: async (accountSid) => {
      let query = db.selectFrom("retention_rules").selectAll();
      if (accountSid !== undefined) query = query.where("account_sid", "=", accountSid);
      return (await query.orderBy("seq").execute()).map(ruleOf);
    },
    addRetentionRule: async (wish) => {
      const sid = names.sid("RR");
      const rule = { ...wish, number: wish.number === null ? null : foldNumber(wish.number) };
      await db
        .insertInto("retention_rules")
        .values({
          sid,
          account_sid: rule.accountSid,
          number: rule.number,
          label: rule.label,
          connector_name: rule.connectorName,
          retention_days: rule.retentionDays,
          date_created: rule.dateCreated,
        })
        .execute();
      return { ...rule, sid };
    },
    deleteRetentionRule: async (accountSid, sid) => {
      const { numDeletedRows } = await db
        .deleteFrom("retention_rules")
        .where("account_sid", "=", accountSid)
        .where("sid", "=", sid)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },

    movable: async (at, limit) => {
      const rows = await ended()
        .select(["keeping.recording_sid", "keeping.move_attempts"])
        .where("keeping.place", "=", "disk")
        .where("keeping.move_due_at", "<=", at)
        .orderBy("keeping.move_due_at")
        .limit(limit)
        .execute();
      const attempts = new Map(rows.map((row) => [row.recording_sid, row.move_attempts]));
      const records = await recordings.findRecordings([...attempts.keys()]);
      return records.map((record) => ({ record, attempts: attempts.get(record.sid) ?? 0 }));
    },
    uploadProgress: async (sid) => {
      const found = await keepingOf(sid).select("move_progress").executeTakeFirst();
      return typeof found?.move_progress === "string" ? readJson(found.move_progress) : {};
    },
    saveUploadProgress: async (sid, progress) => {
      await db
        .updateTable("recording_keeping")
        .set({ move_progress: JSON.stringify(progress) })
        .where("recording_sid", "=", sid)
        .execute();
    },
    moved: async (sid, files) => {
      await db
        .updateTable("recording_keeping")
        .set({
          place: "objects",
          files: JSON.stringify(files),
          move_error: null,
          move_progress: null,
        })
        .where("recording_sid", "=", sid)
        .execute();
    },
    moveFailed: async (sid, error, dueAt) => {
      await db
        .updateTable("recording_keeping")
        .set((eb) => ({
          move_attempts: eb("move_attempts", "+", 1),
          move_error: error.slice(0, 1_000),
          move_due_at: dueAt,
        }))
        .where("recording_sid", "=", sid)
        .execute();
    },
    storedFiles: async (sid) => filesOf((await keepingOf(sid).select("files").executeTakeFirst())?.files),

    sentForks: async (accountSid, { from, to }, limit) => {
      const rows = await db
        .selectFrom("siprec_sessions")
        .select(["sid", "detail"])
        .where("account_sid", "=", accountSid)
        .where("start_time", ">=", from)
        .where("start_time", "<=", to)
        .where("status", "=", "stopped")
        .orderBy("start_time", "desc")
        .limit(limit)
        .execute();
      const sids = rows.map(({ sid }) => sid);
      const known = new Set<string>();
      for (let at = 0; at < sids.length; at += 500) {
        const dialogs = await db
          .selectFrom("recording_dialogs")
          .select("call_id")
          .where("siprec_sid", "in", sids.slice(at, at + 500))
          .execute();
        for (const { call_id } of dialogs) known.add(call_id);
      }
      return rows.map(({ sid, detail }) => {
        const { attempts = [], tracks = [] } = detail === null ? {} : readJson<Partial<SiprecDetail>>(detail);
        return {
          siprecSid: sid,
          // Of recordings that were deleted nothing is expected any more.
          dialogs: attempts.flatMap(({ callId, recorder }) =>
            callId !== undefined && known.has(callId) ? [{ callId, recorder }] : [],
          ),
          tracks: tracks.map(({ label, packets }) => ({ label, packets })),
        };
      });
    },

    addAudit: async ({ accountSid, recordingSid, time, action, actor, address, detail }) => {
      await db
        .insertInto("recording_audit")
        .values({
          account_sid: accountSid,
          recording_sid: recordingSid,
          time,
          action,
          actor,
          address,
          detail: detail?.slice(0, 1_000) ?? null,
        })
        .execute();
    },
    audit: async (accountSid, recordingSid, { offset, limit }) => {
      const rows = await db
        .selectFrom("recording_audit")
        .selectAll()
        .where("recording_sid", "=", recordingSid)
        .where("account_sid", "=", accountSid)
        .orderBy("seq", "desc")
        .limit(limit)
        .offset(offset)
        .execute();
      return rows.map((row) => ({
        accountSid: row.account_sid,
        recordingSid: row.recording_sid,
        time: row.time,
        action: row.action as "heard",
        actor: row.actor,
        address: row.address,
        detail: row.detail,
      }));
    },
    pruneAudit: async (before) => {
      const there = db.selectFrom("recordings").select("sid");
      await db
        .deleteFrom("recording_audit")
        .where("time", "<", before)
        .where("recording_sid", "not in", there)
        .execute();
    },
  };

  function showKeeping(row: RecordingKeepingRow): RecordingKeeping {
    const { hold_reason, hold_since } = row;
    return {
      recordingSid: row.recording_sid,
      legalHold: hold_since === null ? null : { reason: hold_reason ?? "", since: hold_since },
      deleteAt: row.delete_at,
      isSealed: row.sealed_key !== null,
      place: row.place,
      moveError: row.place === "disk" ? row.move_error : null,
    };
  }
}

const filesOf = (files: string | null | undefined): readonly StoredFile[] =>
  files === null || files === undefined ? [] : readJson(files);

function ruleOf(row: Selectable<RetentionRuleRow>): RetentionRule {
  return {
    sid: row.sid,
    accountSid: row.account_sid,
    number: row.number,
    label: row.label,
    connectorName: row.connector_name,
    retentionDays: row.retention_days,
    dateCreated: row.date_created,
  };
}
