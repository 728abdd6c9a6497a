export type { ConnectorDirectory, ConnectorRecord, SiprecStore } from "./ports.ts";
