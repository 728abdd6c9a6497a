export type {
  MediaFile,
  MetadataVersion,
  RecordingLibrary,
  RecordingRecord,
  RecordingStore,
  TrackRecord,
} from "./ports.ts";
