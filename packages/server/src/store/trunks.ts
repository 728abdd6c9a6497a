import type { Selectable, Updateable } from "kysely";
import type { ApiStore, TrunkChange, TrunkView } from "../api/index.ts";
import type { CallStore, TrunkRecord } from "../calls/index.ts";
import { given, readJson, type StoreContext } from "./context.ts";
import { namedRows } from "./named-rows.ts";
import type { TrunkRow } from "./schema.ts";

type TrunksPort = Pick<CallStore, "listTrunks"> &
  Pick<ApiStore, "createTrunk" | "trunk" | "trunks" | "updateTrunk" | "deleteTrunk">;

export function trunksTable(context: StoreContext): TrunksPort {
  const { engine, names, log, now } = context;
  const rows = namedRows(context, "trunks");

  const changedColumns = (sid: string, change: TrunkChange): Updateable<TrunkRow> => ({
    ...given({
      unique_name: change.uniqueName,
      sip_uri: change.sipUri,
      allowed_addresses: change.allowedAddresses && JSON.stringify(change.allowedAddresses),
      allowed_certificate_names:
        change.allowedCertificateNames && JSON.stringify(change.allowedCertificateNames),
      username: change.username,
      certificate: change.certificate,
      certificate_authority: change.certificateAuthority,
    }),
    ...rows.seal(sid, { password: change.password, private_key: change.privateKey }),
  });

  return {
    listTrunks: async () => {
      const found = await engine.db.selectFrom("trunks").selectAll().orderBy("seq").execute();
      return found.flatMap((row) => {
        try {
          const { password, private_key: privateKey } = rows.open(row);
          return { ...commonOf(row), password, privateKey };
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
      const row = await rows.insert({
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
      });
      return viewOf(row);
    },
    trunk: async (accountSid, sidOrName) => {
      const row = await rows.find(accountSid, sidOrName);
      return row && viewOf(row);
    },
    trunks: async (accountSid, window) => (await rows.page(accountSid, window)).map(viewOf),
    updateTrunk: async (accountSid, sidOrName, change) => {
      const found = await rows.find(accountSid, sidOrName);
      const row = found && (await rows.update(found, changedColumns(found.sid, change)));
      return row && viewOf(row);
    },
    deleteTrunk: (accountSid, sidOrName) => rows.delete(accountSid, sidOrName),
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
