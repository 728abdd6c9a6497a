import type { Selectable, Updateable } from "kysely";
import type { ApiStore, TrunkChange, TrunkView } from "../api/index.ts";
import type { CallStore, TrunkRecord } from "../calls/index.ts";
import { given, namedUniquely, readJson, type StoreContext } from "./context.ts";
import type { TrunkRow } from "./schema.ts";
import type { SecretPlace } from "./vault.ts";

type TrunksPort = Pick<CallStore, "listTrunks"> &
  Pick<ApiStore, "createTrunk" | "trunk" | "trunks" | "updateTrunk" | "deleteTrunk">;

export const trunkPassword = (sid: string): SecretPlace => ({
  table: "trunks",
  row: sid,
  column: "password",
});

export function trunksTable({ engine, vault, names, log, now }: StoreContext): TrunksPort {
  const { db } = engine;

  const changedColumns = (sid: string, change: TrunkChange): Updateable<TrunkRow> =>
    given({
      unique_name: change.uniqueName,
      sip_uri: change.sipUri,
      allowed_addresses: change.allowedAddresses && JSON.stringify(change.allowedAddresses),
      username: change.username,
      password: change.password && vault.seal(change.password, trunkPassword(sid)),
      // An empty password is none.
      ...(change.password === null || change.password === "" ? { password: null } : {}),
    });

  const find = async (accountSid: string, sidOrName: string): Promise<Selectable<TrunkRow> | undefined> => {
    const rows = await db
      .selectFrom("trunks")
      .selectAll()
      .where("account_sid", "=", accountSid)
      .where((eb) => eb.or([eb("sid", "=", sidOrName), eb("unique_name", "=", sidOrName)]))
      .execute();
    return rows.find(({ sid }) => sid === sidOrName) ?? rows[0];
  };

  return {
    listTrunks: async () => {
      const rows = await db.selectFrom("trunks").selectAll().orderBy("seq").execute();
      return rows.flatMap((row) => {
        try {
          const password = row.password === null ? null : vault.open(row.password, trunkPassword(row.sid));
          return { ...commonOf(row), password };
        } catch (error) {
          // Without its password it would take calls from anybody; and the other trunks must go on.
          log.error({ err: error, trunkSid: row.sid }, "a trunk is left out: its password cannot be opened");
          return [];
        }
      });
    },
    createTrunk: async (accountSid, change) => {
      const sid = names.sid("TK");
      const at = now();
      const insert = db
        .insertInto("trunks")
        .values({
          sid,
          account_sid: accountSid,
          unique_name: change.uniqueName,
          sip_uri: null,
          allowed_addresses: "[]",
          username: null,
          password: null,
          date_created: at,
          date_updated: at,
          ...changedColumns(sid, change),
        })
        .returningAll();
      return namedUniquely(engine, change.uniqueName, async () =>
        viewOf(await insert.executeTakeFirstOrThrow()),
      );
    },
    trunk: async (accountSid, sidOrName) => {
      const row = await find(accountSid, sidOrName);
      return row && viewOf(row);
    },
    trunks: async (accountSid, { offset, limit }) => {
      const rows = await db
        .selectFrom("trunks")
        .selectAll()
        .where("account_sid", "=", accountSid)
        .orderBy("seq", "desc")
        .limit(limit)
        .offset(offset)
        .execute();
      return rows.map(viewOf);
    },
    updateTrunk: async (accountSid, sidOrName, change) => {
      const found = await find(accountSid, sidOrName);
      if (found === undefined) return undefined;
      const update = db
        .updateTable("trunks")
        .set({ ...changedColumns(found.sid, change), date_updated: now() })
        .where("sid", "=", found.sid)
        .returningAll();
      const row = await namedUniquely(engine, change.uniqueName ?? sidOrName, () =>
        update.executeTakeFirst(),
      );
      return row && viewOf(row);
    },
    deleteTrunk: async (accountSid, sidOrName) => {
      const found = await find(accountSid, sidOrName);
      if (found === undefined) return false;
      const rows = await db.deleteFrom("trunks").where("sid", "=", found.sid).returning("sid").execute();
      return rows.length === 1;
    },
  };
}

function viewOf(row: Selectable<TrunkRow>): TrunkView {
  return { ...commonOf(row), hasPassword: row.password !== null };
}

function commonOf(row: Selectable<TrunkRow>): Omit<TrunkRecord, "password"> {
  return {
    sid: row.sid,
    accountSid: row.account_sid,
    uniqueName: row.unique_name,
    sipUri: row.sip_uri,
    allowedAddresses: readJson(row.allowed_addresses),
    username: row.username,
    dateCreated: row.date_created,
    dateUpdated: row.date_updated,
  };
}
