export type { RecordingClient, RecordingClientLimits, RecordingClientOptions } from "./options.ts";
export type { ConnectorDirectory, ConnectorRecord, SiprecStore } from "./ports.ts";
export { createRecordingClient } from "./recording-client.ts";
