import { parseConnectorUri } from "@callfork/protocol/siprec";
import type { Alerts } from "../observe/index.ts";
import type { ConnectorDirectory, ConnectorRecord } from "../recording-client/index.ts";
import { ConnectorInvalidError } from "./errors.ts";

export interface ConnectorsOptions {
  /** The store's `connectors`. */
  readonly rows: ConnectorDirectory;
  readonly alerts: Alerts;
}

/** Twilio's code for a connector whose configuration is invalid. */
const INVALID_CONFIGURATION_CODE = 31942;

/**
 * The connectors that forks are started with: rows of the store whose SIP URIs were checked. An entry that cannot be
 * called (a row that another version or a hand wrote) is left out with alert 31942; when none is left, `find` rejects
 * with `ConnectorInvalidError`.
 */
export function createConnectorDirectory({ rows, alerts }: ConnectorsOptions): ConnectorDirectory {
  return {
    starters: () => rows.starters(),
    find: async (accountSid, uniqueName) => {
      const connector = await rows.find(accountSid, uniqueName);
      if (connector === undefined) return undefined;
      const problems: string[] = [];
      const sipUris = connector.sipUris.filter((sipUri) => {
        const parsed = parseConnectorUri(sipUri);
        if (!parsed.ok) problems.push(`"${sipUri}": ${parsed.error.message}`);
        return parsed.ok;
      });
      if (sipUris.length === 0) {
        const why = problems.length === 0 ? "it has no SIP URI" : problems.join("; ");
        throw new ConnectorInvalidError(`connector "${uniqueName}" cannot be called: ${why}`);
      }
      if (problems.length === 0) return connector;
      raise(alerts, connector, problems);
      return { ...connector, sipUris };
    },
  };
}

function raise(
  alerts: Alerts,
  { accountSid, sid, uniqueName }: ConnectorRecord,
  problems: readonly string[],
): void {
  alerts.raise({
    accountSid,
    errorCode: INVALID_CONFIGURATION_CODE,
    level: "warning",
    text: `Connector "${uniqueName}" has SIP URIs that are left out: ${problems.join("; ")}`,
    resourceSid: sid,
  });
}
