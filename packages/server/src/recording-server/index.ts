export type { MetadataVersion, RecordingRecord, RecordingStore, TrackRecord } from "./ports.ts";
