export type { RecordingClient, RecordingClientLimits, RecordingClientOptions } from "./options.ts";
export type { ConnectorDirectory, ConnectorRecord, ConnectorSettings, SiprecStore } from "./ports.ts";
export { createRecordingClient } from "./recording-client.ts";
