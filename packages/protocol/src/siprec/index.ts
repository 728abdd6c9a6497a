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
export { type MetadataDialect, RECORDING_NAMESPACE } from "./namespaces.ts";
export { isUuidObjectId, newObjectId, objectIdKey } from "./object-id.ts";
export { formatMetadataTime, type MetadataTime, parseMetadataTime } from "./time.ts";
export { type WriteOptions, writeRecordingMetadata, writeSnapshotRequest } from "./write.ts";
