import type { Insertable, Selectable } from "kysely";
import type { ApiStore } from "../api/index.ts";
import { NO_SIPREC_DETAIL, type SiprecDetail, type SiprecRecord } from "../calls/index.ts";
import type { SiprecStore } from "../recording-client/index.ts";
import { callRecordOf } from "./calls.ts";
import { readJson, type StoreContext } from "./context.ts";
import type { OutboxTable } from "./outbox.ts";
import type { SiprecRow } from "./schema.ts";

type SiprecsPort = SiprecStore & Pick<ApiStore, "siprec" | "siprecs">;

export function siprecsTable({ engine }: StoreContext, outbox: OutboxTable): SiprecsPort {
  const { db } = engine;
  /** By SID; or by name, the newest first. A SID wins over a name that looks like one. */
  const find = async (callSid: string, sidOrName: string) => {
    const rows = await db
      .selectFrom("siprec_sessions")
      .selectAll()
      .where("call_sid", "=", callSid)
      .where((eb) => eb.or([eb("sid", "=", sidOrName), eb("name", "=", sidOrName)]))
      .orderBy("seq", "desc")
      .execute();
    const row = rows.find(({ sid }) => sid === sidOrName) ?? rows[0];
    return row && recordOf(row);
  };
  return {
    saveSiprec: async (record, callbacks) => {
      const row = rowOf(record);
      const upsert = db
        .insertInto("siprec_sessions")
        .values(row)
        .onConflict((conflict) => conflict.column("sid").doUpdateSet(row));
      const dialogs = record.detail.attempts.flatMap(({ callId }) =>
        callId === undefined
          ? []
          : [{ call_id: callId, siprec_sid: record.sid, connector_name: record.connectorName }],
      );
      const known = dialogs.map((dialog) =>
        db
          .insertInto("recording_dialogs")
          .values(dialog)
          .onConflict((conflict) => conflict.doNothing()),
      );
      await engine.atomically([upsert, ...known, ...outbox.inserts(callbacks)]);
      outbox.added(callbacks);
    },
    findSiprec: find,
    closeOrphanedSiprecs: async (now) => {
      const rows = await db
        .updateTable("siprec_sessions")
        .set({ status: "stopped", date_updated: now, end_time: now })
        .where("status", "in", ["in-progress", "paused"])
        .returningAll()
        .execute();
      return rows.sort((a, b) => a.seq - b.seq).map(recordOf);
    },
    findCall: async (callSid) => {
      const row = await db.selectFrom("calls").selectAll().where("sid", "=", callSid).executeTakeFirst();
      return row && callRecordOf(row);
    },
    callExists: async (accountSid, callSid) => {
      let query = db.selectFrom("calls").select("sid").where("sid", "=", callSid);
      if (accountSid !== undefined) query = query.where("account_sid", "=", accountSid);
      return (await query.executeTakeFirst()) !== undefined;
    },
    siprec: async (accountSid, callSid, sidOrName) => {
      const record = await find(callSid, sidOrName);
      return record?.accountSid === accountSid ? record : undefined;
    },
    siprecs: async (accountSid, callSid, { offset, limit }) => {
      const rows = await db
        .selectFrom("siprec_sessions")
        .selectAll()
        .where("call_sid", "=", callSid)
        .where("account_sid", "=", accountSid)
        .orderBy("seq", "desc")
        .limit(limit)
        .offset(offset)
        .execute();
      return rows.map(recordOf);
    },
  };
}

function rowOf(record: SiprecRecord): Insertable<SiprecRow> {
  return {
    sid: record.sid,
    account_sid: record.accountSid,
    call_sid: record.callSid,
    name: record.name,
    connector_name: record.connectorName,
    track: record.track,
    status: record.status,
    status_callback: record.statusCallback,
    status_callback_method: record.statusCallbackMethod,
    parameters: JSON.stringify(record.parameters),
    detail: JSON.stringify(record.detail),
    recorder_uri: record.recorderUri,
    error_code: record.errorCode,
    error_message: record.errorMessage,
    date_created: record.dateCreated,
    date_updated: record.dateUpdated,
    start_time: record.startTime,
    end_time: record.endTime,
  };
}

function recordOf(row: Selectable<SiprecRow>): SiprecRecord {
  return {
    sid: row.sid,
    accountSid: row.account_sid,
    callSid: row.call_sid,
    name: row.name,
    connectorName: row.connector_name,
    track: row.track,
    status: row.status,
    statusCallback: row.status_callback,
    statusCallbackMethod: row.status_callback_method,
    parameters: readJson(row.parameters),
    // Rows that older versions wrote know less.
    detail: {
      ...NO_SIPREC_DETAIL,
      ...(row.detail !== null && readJson<Partial<SiprecDetail>>(row.detail)),
    },
    recorderUri: row.recorder_uri,
    errorCode: row.error_code,
    errorMessage: row.error_message,
    dateCreated: row.date_created,
    dateUpdated: row.date_updated,
    startTime: row.start_time,
    endTime: row.end_time,
  };
}
