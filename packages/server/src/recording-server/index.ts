export { type Actor, Archive, type ArchiveOptions, type RecordingArchive } from "./archive/archive.ts";
export { Mover } from "./archive/mover.ts";
export type {
  AuditAction,
  AuditEntry,
  KeepingStore,
  RecordingKeeping,
  RetentionRule,
  SentFork,
  StoredFile,
} from "./archive/ports.ts";
export type { Finding, FindingKind, Reconciliation } from "./archive/reconciliation.ts";
export type { ObjectStore, ObjectStoreOptions } from "./files/object-store.ts";
export { RecordingFiles } from "./files/recording-files.ts";
export { openS3 } from "./files/s3-store.ts";
export {
  type RecordingStreams,
  STREAM_TRACKS,
  type StreamConnector,
  type StreamRecord,
  type StreamRefusal,
  type StreamRequest,
  type StreamSocket,
  type StreamTrack,
} from "./live/stream-ports.ts";
export type { MetadataPolicy } from "./minimise.ts";
export type { RecordingServer, RecordingServerLimits, RecordingServerOptions } from "./options.ts";
export { createRecordingPermit, type RecordingPermit, type RecordingPermitOptions } from "./permit.ts";
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
export type { RecordingFilter } from "./search.ts";
export type { Presence, Whole, WholeTrack } from "./stitching/whole.ts";
export { createVconSigner, type VconSigner } from "./vcon-signer.ts";
export {
  RECORDING_EVENTS,
  type RecordingCallback,
  type RecordingEvent,
  type RecordingWebhook,
} from "./webhooks.ts";
