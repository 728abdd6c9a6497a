import type { Insertable, Selectable } from "kysely";
import type { AlertRecord, ApiStore } from "../api/index.ts";
import type { Alert } from "../observe/index.ts";
import type { StoreContext } from "./context.ts";
import type { AlertRow } from "./schema.ts";
import type { AlertSink, Retention } from "./types.ts";

/** Alerts that wait to be written; a storm of them must not fill the memory. */
const BUFFER_LIMIT = 1000;
/** Alerts written between two prunings. */
const PRUNE_EVERY = 1000;
const TEXT_CHARACTERS = 1000;
const VARIABLES_CHARACTERS = 16_384;
const BODY_CHARACTERS = 4096;

type AlertsPort = AlertSink & Pick<ApiStore, "alerts" | "alert"> & { prune(): Promise<void> };

export function alertsTable({ engine, names, log, now }: StoreContext, retention: Retention): AlertsPort {
  const { db } = engine;
  let buffer: Insertable<AlertRow>[] = [];
  let dropped = 0;
  let writtenSincePruning = 0;
  let writing: Promise<void> | undefined;

  const prune = async (): Promise<void> => {
    writtenSincePruning = 0;
    await db
      .deleteFrom("alerts")
      .where("date_created", "<", now() - retention.alertAgeMs)
      .execute();
    const oldestKept = db
      .selectFrom("alerts")
      .select("seq")
      .orderBy("seq", "desc")
      .offset(retention.alerts)
      .limit(1);
    await db.deleteFrom("alerts").where("seq", "<=", oldestKept).execute();
  };

  const write = async (): Promise<void> => {
    // A turn later, so that alerts raised together share a transaction.
    await Promise.resolve();
    while (buffer.length > 0) {
      const batch = buffer;
      buffer = [];
      if (dropped > 0) log.error({ dropped }, "alerts were dropped: the database did not keep up");
      dropped = 0;
      try {
        await engine.atomically(batch.map((row) => db.insertInto("alerts").values(row)));
        writtenSincePruning += batch.length;
        if (writtenSincePruning >= PRUNE_EVERY) await prune();
      } catch (error) {
        const codes = batch.map(({ error_code }) => error_code);
        log.error({ err: error, codes }, "alerts could not be written");
      }
    }
    writing = undefined;
  };

  return {
    raise: (alert) => {
      if (buffer.length >= BUFFER_LIMIT) dropped += 1;
      else buffer.push(rowOf(alert, names.sid("NO"), now()));
      writing ??= write();
    },
    flush: async () => {
      await writing;
    },
    prune,
    alerts: async (accountSid, { callSid, resourceSid, level, from, to }, { offset, limit }) => {
      let query = db.selectFrom("alerts").selectAll().where("account_sid", "=", accountSid);
      if (callSid !== undefined) query = query.where("call_sid", "=", callSid);
      if (resourceSid !== undefined) query = query.where("resource_sid", "=", resourceSid);
      if (level !== undefined) query = query.where("level", "=", level as Alert["level"]);
      if (from !== undefined) query = query.where("date_created", ">=", from);
      if (to !== undefined) query = query.where("date_created", "<=", to);
      const rows = await query.orderBy("seq", "desc").limit(limit).offset(offset).execute();
      return rows.map(recordOf);
    },
    alert: async (accountSid, sid) => {
      const row = await db
        .selectFrom("alerts")
        .selectAll()
        .where("sid", "=", sid)
        .where("account_sid", "=", accountSid)
        .executeTakeFirst();
      return row && recordOf(row);
    },
  };
}

function rowOf(alert: Alert, sid: string, at: number): Insertable<AlertRow> {
  return {
    sid,
    account_sid: alert.accountSid,
    error_code: alert.errorCode,
    level: alert.level,
    text: alert.text.slice(0, TEXT_CHARACTERS),
    call_sid: alert.callSid ?? null,
    resource_sid: alert.resourceSid ?? null,
    request_method: alert.requestMethod ?? null,
    request_url: alert.requestUrl ?? null,
    request_variables: alert.requestVariables?.slice(0, VARIABLES_CHARACTERS) ?? null,
    response_status: alert.responseStatus ?? null,
    response_body: alert.responseBody?.slice(0, BODY_CHARACTERS) ?? null,
    date_created: at,
  };
}

function recordOf(row: Selectable<AlertRow>): AlertRecord {
  return {
    sid: row.sid,
    accountSid: row.account_sid,
    errorCode: row.error_code,
    level: row.level,
    text: row.text,
    callSid: row.call_sid ?? undefined,
    resourceSid: row.resource_sid ?? undefined,
    requestMethod: row.request_method ?? undefined,
    requestUrl: row.request_url ?? undefined,
    requestVariables: row.request_variables ?? undefined,
    responseStatus: row.response_status ?? undefined,
    responseBody: row.response_body ?? undefined,
    dateCreated: row.date_created,
  };
}
