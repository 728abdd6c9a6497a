import type { Selectable, Updateable } from "kysely";
import type { ApiStore, ConnectorChange, ConnectorView } from "../api/index.ts";
import {
  type ConnectorDirectory,
  type ConnectorRecord,
  type ConnectorSettings,
  DEFAULT_CONNECTOR_SETTINGS,
  settingsOf,
} from "../recording-client/index.ts";
import { given, namedUniquely, readJson, type StoreContext } from "./context.ts";
import type { ConnectorRow } from "./schema.ts";
import type { SecretPlace } from "./vault.ts";

type ConnectorsPort = ConnectorDirectory &
  Pick<ApiStore, "createConnector" | "connector" | "connectors" | "updateConnector" | "deleteConnector">;

export const CONNECTOR_SECRETS = ["credentials", "password", "private_key"] as const;

export const connectorSecret = (sid: string, column: (typeof CONNECTOR_SECRETS)[number]): SecretPlace => ({
  table: "connectors",
  row: sid,
  column,
});

export function connectorsTable({ engine, vault, names, now }: StoreContext): ConnectorsPort {
  const { db } = engine;

  const changedColumns = (sid: string, change: ConnectorChange): Updateable<ConnectorRow> => {
    const columns: Updateable<ConnectorRow> = given({
      unique_name: change.uniqueName,
      sip_uris: change.sipUris && JSON.stringify(change.sipUris),
      credentials_header_name: change.credentialsHeaderName,
      username: change.username,
      certificate: change.certificate,
      certificate_authority: change.certificateAuthority,
    });
    if (change.settings !== undefined) columns.settings = JSON.stringify(change.settings);
    const secrets = { ...change, private_key: change.privateKey };
    for (const column of CONNECTOR_SECRETS) {
      const secret = secrets[column];
      // An empty secret is none.
      if (secret === null || secret === "") columns[column] = null;
      else if (secret !== undefined) columns[column] = vault.seal(secret, connectorSecret(sid, column));
    }
    return columns;
  };

  const find = async (
    accountSid: string,
    sidOrName: string,
  ): Promise<Selectable<ConnectorRow> | undefined> => {
    const rows = await db
      .selectFrom("connectors")
      .selectAll()
      .where("account_sid", "=", accountSid)
      .where((eb) => eb.or([eb("sid", "=", sidOrName), eb("unique_name", "=", sidOrName)]))
      .execute();
    return rows.find(({ sid }) => sid === sidOrName) ?? rows[0];
  };

  const opened = (row: Selectable<ConnectorRow>): ConnectorRecord => {
    const { hasCredentials: _, hasPassword: __, hasPrivateKey: ___, ...common } = viewOf(row);
    const open = (column: (typeof CONNECTOR_SECRETS)[number]) => {
      const sealed = row[column];
      return sealed === null ? null : vault.open(sealed, connectorSecret(row.sid, column));
    };
    return {
      ...common,
      credentials: open("credentials"),
      password: open("password"),
      privateKey: open("private_key"),
    };
  };

  return {
    find: async (accountSid, uniqueName) => {
      const row = await db
        .selectFrom("connectors")
        .selectAll()
        .where("account_sid", "=", accountSid)
        .where("unique_name", "=", uniqueName)
        .executeTakeFirst();
      return row && opened(row);
    },
    starters: async () => {
      // Few rows have settings at all; which of them say it, their JSON knows.
      const rows = await db
        .selectFrom("connectors")
        .selectAll()
        .where("settings", "is not", null)
        .orderBy("seq")
        .execute();
      return rows.filter((row) => ownSettings(row).recorderStarts === true).map(opened);
    },
    createConnector: async (accountSid, change) => {
      const sid = names.sid("XE");
      const at = now();
      const insert = db
        .insertInto("connectors")
        .values({
          sid,
          account_sid: accountSid,
          unique_name: change.uniqueName,
          sip_uris: JSON.stringify(change.sipUris),
          credentials_header_name: null,
          credentials: null,
          username: null,
          password: null,
          certificate: null,
          private_key: null,
          certificate_authority: null,
          settings: null,
          date_created: at,
          date_updated: at,
          ...changedColumns(sid, change),
        })
        .returningAll();
      return namedUniquely(engine, change.uniqueName, async () =>
        viewOf(await insert.executeTakeFirstOrThrow()),
      );
    },
    connector: async (accountSid, sidOrName) => {
      const row = await find(accountSid, sidOrName);
      return row && viewOf(row);
    },
    connectors: async (accountSid, { offset, limit }) => {
      const rows = await db
        .selectFrom("connectors")
        .selectAll()
        .where("account_sid", "=", accountSid)
        .orderBy("seq", "desc")
        .limit(limit)
        .offset(offset)
        .execute();
      return rows.map(viewOf);
    },
    updateConnector: async (accountSid, sidOrName, change) => {
      const found = await find(accountSid, sidOrName);
      if (found === undefined) return undefined;
      const update = db
        .updateTable("connectors")
        .set({ ...changedColumns(found.sid, merged(found, change)), date_updated: now() })
        .where("sid", "=", found.sid)
        .returningAll();
      const row = await namedUniquely(engine, change.uniqueName ?? sidOrName, () =>
        update.executeTakeFirst(),
      );
      return row && viewOf(row);
    },
    deleteConnector: async (accountSid, sidOrName) => {
      const found = await find(accountSid, sidOrName);
      if (found === undefined) return false;
      const rows = await db.deleteFrom("connectors").where("sid", "=", found.sid).returning("sid").execute();
      return rows.length === 1;
    },
  };
}

const ownSettings = ({ settings }: Pick<Selectable<ConnectorRow>, "settings">): Partial<ConnectorSettings> =>
  settings === null ? {} : readJson(settings);

/** Settings that a change does not name stay as they are. */
function merged(row: Selectable<ConnectorRow>, change: ConnectorChange): ConnectorChange {
  if (change.settings === undefined) return change;
  return { ...change, settings: { ...ownSettings(row), ...change.settings } };
}

function viewOf(row: Selectable<ConnectorRow>): ConnectorView {
  return {
    sid: row.sid,
    accountSid: row.account_sid,
    uniqueName: row.unique_name,
    sipUris: readJson(row.sip_uris),
    credentialsHeaderName: row.credentials_header_name,
    hasCredentials: row.credentials !== null,
    username: row.username,
    hasPassword: row.password !== null,
    certificate: row.certificate,
    hasPrivateKey: row.private_key !== null,
    certificateAuthority: row.certificate_authority,
    settings: settingsOf(ownSettings(row), DEFAULT_CONNECTOR_SETTINGS),
    dateCreated: row.date_created,
    dateUpdated: row.date_updated,
  };
}
