export { applyMetadata } from "./apply.ts";
export {
  type ConnectorUri,
  type ConnectorUriDefaults,
  type ConnectorUriError,
  parseConnectorUri,
  type RecorderTransport,
} from "./connector-uri.ts";
export {
  PARAMETER_LIMITS,
  type ParameterError,
  type ParameterLimits,
  parametersExtension,
  validateParameters,
} from "./extensions.ts";
export {
  ACCEPTED_METADATA_MEDIA_TYPES,
  isMetadataMediaType,
  LEGACY_METADATA_MEDIA_TYPE,
  METADATA_MEDIA_TYPE,
  metadataCharset,
  RECORDING_SESSION_DISPOSITION,
} from "./media-type.ts";
export {
  type AssociationParam,
  type CommunicationSession,
  type CommunicationSessionGroup,
  EMPTY_METADATA,
  type ExtensionParameter,
  type MediaStream,
  type MetadataExtension,
  type NameId,
  type Participant,
  type ParticipantSessionAssociation,
  type ParticipantStreamAssociation,
  type RecordingMetadata,
  type SessionReason,
  type SessionRecordingAssociation,
} from "./model.ts";
export { classifySipSessionId, normalizeAor, type SipSessionIdShape } from "./names.ts";
export { type MetadataDialect, RECORDING_NAMESPACE } from "./namespaces.ts";
export { isUuidObjectId, newObjectId, objectIdKey } from "./object-id.ts";
export {
  extensionsOf,
  type ParticipantSummary,
  participantsOf,
  type SessionSummary,
  type StreamSummary,
  sessionsOf,
  streamsOf,
} from "./queries.ts";
export {
  METADATA_LIMITS,
  type MetadataBody,
  type MetadataDocument,
  type MetadataError,
  type MetadataLimits,
  type MetadataWarning,
  type MetadataWarningCode,
  type ReadOptions,
  readRecordingMetadata,
  readSnapshotOrMetadata,
  type SnapshotRequest,
} from "./read.ts";
export {
  type Applied,
  type ApplyOptions,
  EMPTY_METADATA_STATE,
  type GroupState,
  type Interval,
  type MetadataChange,
  type MetadataState,
  type ParticipantState,
  type ParticipationState,
  type SessionState,
  type StateWarning,
  type StreamRoleInterval,
  type StreamState,
} from "./state.ts";
export { formatMetadataTime, type MetadataTime, parseMetadataTime } from "./time.ts";
export { type WriteOptions, writeRecordingMetadata, writeSnapshotRequest } from "./write.ts";
