import type { ExpressionBuilder, Insertable, Selectable } from "kysely";
import type { ApiStore, CallFilter } from "../api/index.ts";
import type { CallRecord, CallReporting, CallStatus, CallStore } from "../calls/index.ts";
import type { StoreContext } from "./context.ts";
import type { OutboxTable } from "./outbox.ts";
import type { CallRow, Tables } from "./schema.ts";

const LIVE: readonly CallStatus[] = ["queued", "ringing", "in-progress"];

type CallsPort = Pick<CallStore, "saveCall" | "closeOrphanedCalls"> &
  Pick<ApiStore, "call" | "calls" | "deleteCall">;

export function callsTable({ engine }: StoreContext, outbox: OutboxTable): CallsPort {
  const { db } = engine;
  return {
    saveCall: async (call, callbacks) => {
      const row = rowOf(call);
      const upsert = db
        .insertInto("calls")
        .values(row)
        .onConflict((conflict) => conflict.column("sid").doUpdateSet(row));
      await engine.atomically([upsert, ...outbox.inserts(callbacks)]);
      outbox.added(callbacks);
    },
    closeOrphanedCalls: async (now, owed = () => []) => {
      const rows = await db
        .selectFrom("calls")
        .selectAll()
        .where("status", "in", LIVE)
        .orderBy("seq")
        .execute();
      const ended = { status: "failed", dateUpdated: now, endTime: now } as const;
      const calls = rows.map((row) => ({ ...callRecordOf(row), ...ended }));
      const callbacks = calls.flatMap((call) => [...owed(call)]);
      const close = db
        .updateTable("calls")
        .set({ status: "failed", date_updated: now, end_time: now, reporting: null })
        .where("status", "in", LIVE);
      await engine.atomically([close, ...outbox.inserts(callbacks)]);
      outbox.added(callbacks);
      return calls;
    },
    call: async (accountSid, sid) => {
      const row = await db
        .selectFrom("calls")
        .selectAll()
        .where("sid", "=", sid)
        .where("account_sid", "=", accountSid)
        .executeTakeFirst();
      return row && callRecordOf(row);
    },
    calls: async (accountSid, filter, { offset, limit }) => {
      const rows = await db
        .selectFrom("calls")
        .selectAll()
        .where("account_sid", "=", accountSid)
        .where((eb) => eb.and(conditions(eb, filter)))
        .orderBy("seq", "desc")
        .limit(limit)
        .offset(offset)
        .execute();
      return rows.map(callRecordOf);
    },
    deleteCall: async (accountSid, sid) => {
      const ended = db
        .selectFrom("calls")
        .select("sid")
        .where("sid", "=", sid)
        .where("account_sid", "=", accountSid)
        .where("status", "not in", LIVE);
      const [, deleted] = await engine.atomically([
        db.deleteFrom("siprec_sessions").where("call_sid", "in", ended),
        db.deleteFrom("calls").where("sid", "in", ended).returning("sid"),
      ]);
      return deleted?.length === 1;
    },
  };
}

function conditions(eb: ExpressionBuilder<Tables, "calls">, filter: CallFilter) {
  const { to, from, status, parentCallSid, startTimeFrom, startTimeTo, endTimeFrom, endTimeTo } = filter;
  return [
    ...(to === undefined ? [] : [eb("to_address", "=", to)]),
    ...(from === undefined ? [] : [eb("from_address", "=", from)]),
    ...(status === undefined ? [] : [eb("status", "=", status as CallStatus)]),
    ...(parentCallSid === undefined ? [] : [eb("parent_call_sid", "=", parentCallSid)]),
    ...(startTimeFrom === undefined ? [] : [eb("start_time", ">=", startTimeFrom)]),
    ...(startTimeTo === undefined ? [] : [eb("start_time", "<=", startTimeTo)]),
    ...(endTimeFrom === undefined ? [] : [eb("end_time", ">=", endTimeFrom)]),
    ...(endTimeTo === undefined ? [] : [eb("end_time", "<=", endTimeTo)]),
  ];
}

function rowOf(call: CallRecord): Insertable<CallRow> {
  return {
    sid: call.sid,
    account_sid: call.accountSid,
    parent_call_sid: call.parentCallSid,
    from_address: call.from,
    to_address: call.to,
    caller_name: call.callerName,
    direction: call.direction,
    status: call.status,
    phone_number_sid: call.phoneNumberSid,
    trunk_sid: call.trunkSid,
    sip_call_id: call.sipCallId,
    sip_status: call.sipStatus,
    date_created: call.dateCreated,
    date_updated: call.dateUpdated,
    start_time: call.startTime,
    end_time: call.endTime,
    reporting: call.reporting ? JSON.stringify(call.reporting) : null,
  };
}

export function callRecordOf(row: Selectable<CallRow>): CallRecord {
  return {
    sid: row.sid,
    accountSid: row.account_sid,
    parentCallSid: row.parent_call_sid,
    from: row.from_address,
    to: row.to_address,
    callerName: row.caller_name,
    direction: row.direction,
    status: row.status,
    phoneNumberSid: row.phone_number_sid,
    trunkSid: row.trunk_sid,
    sipCallId: row.sip_call_id,
    sipStatus: row.sip_status,
    dateCreated: row.date_created,
    dateUpdated: row.date_updated,
    startTime: row.start_time,
    endTime: row.end_time,
    ...(row.reporting !== null && { reporting: JSON.parse(row.reporting) as CallReporting }),
  };
}
