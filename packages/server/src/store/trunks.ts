import type { Selectable, Updateable } from "kysely";
import type { ApiStore, TrunkChange, TrunkView } from "../api/index.ts";
import type { CallStore, TrunkRecord } from "../calls/index.ts";
import { given, namedUniquely, readJson, type StoreContext } from "./context.ts";
import type { TrunkRow } from "./schema.ts";
import type { SecretPlace } from "./vault.ts";

type TrunksPort = Pick<CallStore, "listTrunks"> &
  Pick<ApiStore, "createTrunk" | "trunk" | "trunks" | "updateTrunk" | "deleteTrunk">;

export const TRUNK_SECRETS = ["password", "private_key"] as const;

export const trunkSecret = (sid: string, column: (typeof TRUNK_SECRETS)[number]): SecretPlace => ({
  table: "trunks",
  row: sid,
  column,
});

export function trunksTable({ engine, vault, names, log, now }: StoreContext): TrunksPort {
  const { db } = engine;

  const changedColumns = (sid: string, change: TrunkChange): Updateable<TrunkRow> => {
    const columns: Updateable<TrunkRow> = given({
      unique_name: change.uniqueName,
      sip_uri: change.sipUri,
      allowed_addresses: change.allowedAddresses && JSON.stringify(change.allowedAddresses),
      allowed_certificate_names:
        change.allowedCertificateNames && JSON.stringify(change.allowedCertificateNames),
      username: change.username,
      certificate: change.certificate,
      certificate_authority: change.certificateAuthority,
    });
    const secrets = { password: change.password, private_key: change.privateKey };
    for (const column of TRUNK_SECRETS) {
      const secret = secrets[column];
      // An empty secret is none.
      if (secret === null || secret === "") columns[column] = null;
      else if (secret !== undefined) columns[column] = vault.seal(secret, trunkSecret(sid, column));
    }
    return columns;
  };

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
          const open = (column: (typeof TRUNK_SECRETS)[number]) => {
            const sealed = row[column];
            return sealed === null ? null : vault.open(sealed, trunkSecret(row.sid, column));
          };
          return { ...commonOf(row), password: open("password"), privateKey: open("private_key") };
        } catch (error) {
          // Without its password it would take calls from anybody; and the other trunks must go on.
          log.error({ err: error, trunkSid: row.sid }, "a trunk is left out: its secrets cannot be opened");
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
          allowed_certificate_names: null,
          certificate: null,
          private_key: null,
          certificate_authority: null,
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
  return { ...commonOf(row), hasPassword: row.password !== null, hasPrivateKey: row.private_key !== null };
}

function commonOf(row: Selectable<TrunkRow>): Omit<TrunkRecord, "password" | "privateKey"> {
  return {
    sid: row.sid,
    accountSid: row.account_sid,
    uniqueName: row.unique_name,
    sipUri: row.sip_uri,
    allowedAddresses: readJson(row.allowed_addresses),
    allowedCertificateNames:
      row.allowed_certificate_names === null ? [] : readJson(row.allowed_certificate_names),
    username: row.username,
    certificate: row.certificate,
    certificateAuthority: row.certificate_authority,
    dateCreated: row.date_created,
    dateUpdated: row.date_updated,
  };
}
