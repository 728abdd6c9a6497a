export type { CallbackRequest, HttpMethod } from "./callbacks.ts";
export { readCertificateName } from "./certificate-name.ts";
export { createCalls } from "./create-calls.ts";
export {
  BadDescriptionError,
  CallEndedError,
  DrainingError,
  InvalidAddressError,
  NoCommonCodecError,
  NoTrunkError,
  SecureMediaError,
  TooManyCallsError,
  TooManyHopsError,
} from "./errors.ts";
export {
  type CallLimits,
  type CallRoom,
  type CallsOptions,
  type CreateCalls,
  DEFAULT_CALL_LIMITS,
  type Refusal,
  type RingbackTone,
} from "./options.ts";
export { NO_PEER_CERTIFICATE, type PeerCertificate, tlsOf } from "./peer-certificate.ts";
export type {
  CallControl,
  CallParty,
  CallStore,
  Calls,
  CallTap,
  DialOptions,
  DialResult,
  DialTarget,
  Director,
  DocumentSource,
  Forks,
  PlaceCall,
  SiprecStart,
} from "./ports.ts";
export { fillTemplate, unknownPlaceholders } from "./record-templates.ts";
export type { RecordingPolicy } from "./recording-policy.ts";
export {
  type CallDirection,
  type CallRecord,
  type CallReporting,
  type CallStatus,
  NO_SIPREC_DETAIL,
  type NumberRecord,
  type RecordingNotice,
  type SiprecAttempt,
  type SiprecDetail,
  type SiprecGap,
  type SiprecRecord,
  type SiprecSpan,
  type SiprecTrack,
  type SiprecTrackReport,
  type SiprecTranscoding,
  type TrunkRecord,
} from "./records.ts";
export { voiceParameters } from "./request-parameters.ts";
