import type { Selectable, Updateable } from "kysely";
import type { ApiStore, ConnectorChange, ConnectorView } from "../api/index.ts";
import {
  type ConnectorDirectory,
  type ConnectorRecord,
  type ConnectorSettings,
  DEFAULT_CONNECTOR_SETTINGS,
  settingsOf,
} from "../recording-client/index.ts";
import { given, readJson, type StoreContext } from "./context.ts";
import { namedRows } from "./named-rows.ts";
import type { ConnectorRow } from "./schema.ts";

type ConnectorsPort = ConnectorDirectory &
  Pick<ApiStore, "createConnector" | "connector" | "connectors" | "updateConnector" | "deleteConnector">;

export function connectorsTable(context: StoreContext): ConnectorsPort {
  const { engine, names, now } = context;
  const { db } = engine;
  const rows = namedRows(context, "connectors");

  const changedColumns = (sid: string, change: ConnectorChange): Updateable<ConnectorRow> => {
    const { credentials, password, privateKey: private_key } = change;
    return {
      ...given({
        unique_name: change.uniqueName,
        sip_uris: change.sipUris && JSON.stringify(change.sipUris),
        credentials_header_name: change.credentialsHeaderName,
        username: change.username,
        certificate: change.certificate,
        certificate_authority: change.certificateAuthority,
        settings: change.settings && JSON.stringify(change.settings),
      }),
      ...rows.seal(sid, { credentials, password, private_key }),
    };
  };

  const opened = (row: Selectable<ConnectorRow>): ConnectorRecord => {
    const { hasCredentials: _, hasPassword: __, hasPrivateKey: ___, ...common } = viewOf(row);
    const { credentials, password, private_key: privateKey } = rows.open(row);
    return { ...common, credentials, password, privateKey };
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
      const found = await db
        .selectFrom("connectors")
        .selectAll()
        .where("settings", "is not", null)
        .orderBy("seq")
        .execute();
      return found.filter((row) => ownSettings(row).recorderStarts === true).map(opened);
    },
    createConnector: async (accountSid, change) => {
      const sid = names.sid("XE");
      const at = now();
      const row = await rows.insert({
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
      });
      return viewOf(row);
    },
    connector: async (accountSid, sidOrName) => {
      const row = await rows.find(accountSid, sidOrName);
      return row && viewOf(row);
    },
    connectors: async (accountSid, window) => (await rows.page(accountSid, window)).map(viewOf),
    updateConnector: async (accountSid, sidOrName, change) => {
      const found = await rows.find(accountSid, sidOrName);
      const row = found && (await rows.update(found, changedColumns(found.sid, merged(found, change))));
      return row && viewOf(row);
    },
    deleteConnector: (accountSid, sidOrName) => rows.delete(accountSid, sidOrName),
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
