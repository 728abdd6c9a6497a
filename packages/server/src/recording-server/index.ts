export type { RecordingServer, RecordingServerLimits, RecordingServerOptions } from "./options.ts";
export type {
  MediaFile,
  MetadataFile,
  MetadataVersion,
  RecordingLibrary,
  RecordingRecord,
  RecordingStore,
  TrackRecord,
} from "./ports.ts";
export { createRecordingServer } from "./recording-server.ts";
export {
  RECORDING_EVENTS,
  type RecordingCallback,
  type RecordingEvent,
  type RecordingWebhook,
} from "./webhooks.ts";
