import type { Selectable } from "kysely";
import type { AccountRecord, ApiStore, Credentials } from "../api/index.ts";
import type { StoreContext } from "./context.ts";
import { hashSecret, SecretChecker, sameSecret } from "./password.ts";
import type { AccountRow } from "./schema.ts";
import type { Accounts } from "./types.ts";
import type { SecretPlace } from "./vault.ts";

type AccountsPort = Accounts & Credentials & Pick<ApiStore, "account" | "createKey" | "keys" | "deleteKey">;

export const accountToken = (sid: string): SecretPlace => ({
  table: "accounts",
  row: sid,
  column: "auth_token",
});

/** Accounts, their auth tokens and API keys. */
export function accountsTable({ engine, vault, names, now }: StoreContext): AccountsPort {
  const { db } = engine;
  const checker = new SecretChecker();

  const row = (sid: string) =>
    db.selectFrom("accounts").selectAll().where("sid", "=", sid).executeTakeFirst();
  const first = () => db.selectFrom("accounts").selectAll().orderBy("seq").limit(1).executeTakeFirst();
  const tokenOf = ({ sid, auth_token }: Selectable<AccountRow>) => vault.open(auth_token, accountToken(sid));

  return {
    ensureAccount: async ({ sid, authToken, friendlyName }) => {
      const existing = sid === undefined ? await first() : await row(sid);
      if (existing !== undefined) {
        const stored = tokenOf(existing);
        if (authToken === undefined || sameSecret(authToken, stored))
          return { account: recordOf(existing), authToken: stored, created: false };
        const updated = await db
          .updateTable("accounts")
          .set({ auth_token: vault.seal(authToken, accountToken(existing.sid)), date_updated: now() })
          .where("sid", "=", existing.sid)
          .returningAll()
          .executeTakeFirstOrThrow();
        return { account: recordOf(updated), authToken, created: false };
      }
      const newSid = sid ?? names.sid("AC");
      const newToken = authToken ?? names.hex(16);
      const at = now();
      const created = await db
        .insertInto("accounts")
        .values({
          sid: newSid,
          friendly_name: friendlyName ?? "Callfork",
          status: "active",
          auth_token: vault.seal(newToken, accountToken(newSid)),
          date_created: at,
          date_updated: at,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      return { account: recordOf(created), authToken: newToken, created: true };
    },
    authToken: async (accountSid) => {
      const found = await row(accountSid);
      return found && tokenOf(found);
    },
    authenticate: async (username, password) => {
      if (username.startsWith("SK")) {
        const key = await db
          .selectFrom("keys")
          .innerJoin("accounts", "accounts.sid", "keys.account_sid")
          .select(["keys.sid", "keys.account_sid", "keys.secret_hash"])
          .where("keys.sid", "=", username)
          .where("accounts.status", "=", "active")
          .executeTakeFirst();
        if (key === undefined || !(await checker.matches(password, key.secret_hash))) return undefined;
        return { accountSid: key.account_sid, keySid: key.sid };
      }
      const found = await row(username);
      // An unknown account takes the time of a known one.
      const same = sameSecret(password, found === undefined ? names.hex(16) : tokenOf(found));
      if (!same || found?.status !== "active") return undefined;
      return { accountSid: found.sid, keySid: null };
    },
    account: async (sid) => {
      const found = await row(sid);
      return found && recordOf(found);
    },
    createKey: async (accountSid, friendlyName) => {
      const sid = names.sid("SK");
      const secret = names.hex(16);
      const at = now();
      await db
        .insertInto("keys")
        .values({
          sid,
          account_sid: accountSid,
          friendly_name: friendlyName,
          secret_hash: await hashSecret(secret),
          date_created: at,
          date_updated: at,
        })
        .execute();
      return { sid, secret, friendlyName, dateCreated: at };
    },
    keys: async (accountSid, { offset, limit }) => {
      const rows = await db
        .selectFrom("keys")
        .select(["sid", "friendly_name", "date_created", "date_updated"])
        .where("account_sid", "=", accountSid)
        .orderBy("seq", "desc")
        .limit(limit)
        .offset(offset)
        .execute();
      return rows.map(({ sid, friendly_name, date_created, date_updated }) => {
        return { sid, friendlyName: friendly_name, dateCreated: date_created, dateUpdated: date_updated };
      });
    },
    deleteKey: async (accountSid, sid) => {
      const rows = await db
        .deleteFrom("keys")
        .where("sid", "=", sid)
        .where("account_sid", "=", accountSid)
        .returning("sid")
        .execute();
      return rows.length === 1;
    },
  };
}

function recordOf(row: Selectable<AccountRow>): AccountRecord {
  return {
    sid: row.sid,
    friendlyName: row.friendly_name,
    status: row.status,
    dateCreated: row.date_created,
    dateUpdated: row.date_updated,
  };
}
