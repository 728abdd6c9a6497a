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
