export { CONNECTOR_PROFILES, type ConnectorProfile, settingsOf } from "./connector-profiles.ts";
export type { ClientEdge } from "./edges.ts";
export type { RecordingClient, RecordingClientLimits, RecordingClientOptions } from "./options.ts";
export {
  type ConnectorDirectory,
  type ConnectorRecord,
  type ConnectorSettings,
  DEFAULT_CONNECTOR_SETTINGS,
  type SiprecStore,
} from "./ports.ts";
export { createRecordingClient } from "./recording-client.ts";
