import type { Selectable, Updateable } from "kysely";
import type { ApiStore, NumberChange } from "../api/index.ts";
import type { CallStore, NumberRecord } from "../calls/index.ts";
import { given, namedUniquely, type StoreContext } from "./context.ts";
import type { NumberRow } from "./schema.ts";

type NumbersPort = Pick<CallStore, "findNumber"> &
  Pick<ApiStore, "createNumber" | "number" | "numbers" | "updateNumber" | "deleteNumber">;

export function numbersTable({ engine, names, now }: StoreContext): NumbersPort {
  const { db } = engine;
  return {
    findNumber: async (user) => {
      const row = await db
        .selectFrom("numbers")
        .selectAll()
        .where("phone_number", "=", user)
        .executeTakeFirst();
      return row && recordOf(row);
    },
    createNumber: async (accountSid, change) => {
      const at = now();
      const insert = db
        .insertInto("numbers")
        .values({
          sid: names.sid("PN"),
          account_sid: accountSid,
          phone_number: change.phoneNumber,
          friendly_name: change.phoneNumber,
          voice_url: null,
          voice_method: "POST",
          voice_fallback_url: null,
          voice_fallback_method: "POST",
          voice_twiml: null,
          status_callback: null,
          status_callback_method: "POST",
          recording_notice: null,
          recording_announcement_url: null,
          date_created: at,
          date_updated: at,
          ...changedColumns(change),
        })
        .returningAll();
      return namedUniquely(engine, change.phoneNumber, async () =>
        recordOf(await insert.executeTakeFirstOrThrow()),
      );
    },
    number: async (accountSid, sid) => {
      const row = await db
        .selectFrom("numbers")
        .selectAll()
        .where("sid", "=", sid)
        .where("account_sid", "=", accountSid)
        .executeTakeFirst();
      return row && recordOf(row);
    },
    numbers: async (accountSid, { phoneNumber, friendlyName }, { offset, limit }) => {
      let query = db.selectFrom("numbers").selectAll().where("account_sid", "=", accountSid);
      if (phoneNumber !== undefined) query = query.where("phone_number", "=", phoneNumber);
      if (friendlyName !== undefined) query = query.where("friendly_name", "=", friendlyName);
      const rows = await query.orderBy("seq", "desc").limit(limit).offset(offset).execute();
      return rows.map(recordOf);
    },
    updateNumber: async (accountSid, sid, change) => {
      const update = db
        .updateTable("numbers")
        .set({ ...changedColumns(change), date_updated: now() })
        .where("sid", "=", sid)
        .where("account_sid", "=", accountSid)
        .returningAll();
      const row = await namedUniquely(engine, change.phoneNumber ?? sid, () => update.executeTakeFirst());
      return row && recordOf(row);
    },
    deleteNumber: async (accountSid, sid) => {
      const rows = await db
        .deleteFrom("numbers")
        .where("sid", "=", sid)
        .where("account_sid", "=", accountSid)
        .returning("sid")
        .execute();
      return rows.length === 1;
    },
  };
}

function changedColumns(change: NumberChange): Updateable<NumberRow> {
  return given({
    phone_number: change.phoneNumber,
    friendly_name: change.friendlyName,
    voice_url: change.voiceUrl,
    voice_method: change.voiceMethod,
    voice_fallback_url: change.voiceFallbackUrl,
    voice_fallback_method: change.voiceFallbackMethod,
    voice_twiml: change.voiceTwiml,
    status_callback: change.statusCallback,
    status_callback_method: change.statusCallbackMethod,
    recording_notice: change.recordingNotice,
    recording_announcement_url: change.recordingAnnouncementUrl,
  });
}

function recordOf(row: Selectable<NumberRow>): NumberRecord {
  return {
    sid: row.sid,
    accountSid: row.account_sid,
    phoneNumber: row.phone_number,
    friendlyName: row.friendly_name,
    voiceUrl: row.voice_url,
    voiceMethod: row.voice_method,
    voiceFallbackUrl: row.voice_fallback_url,
    voiceFallbackMethod: row.voice_fallback_method,
    voiceTwiml: row.voice_twiml,
    statusCallback: row.status_callback,
    statusCallbackMethod: row.status_callback_method,
    recordingNotice: row.recording_notice,
    recordingAnnouncementUrl: row.recording_announcement_url,
    dateCreated: row.date_created,
    dateUpdated: row.date_updated,
  };
}
