export { answerDirection, effectiveDirectionOf, intersectDirections, reverseDirection } from "./direction.ts";
export {
  type Answer,
  type AnswerLine,
  type AnswerOptions,
  type CodecCapability,
  createAnswer,
  createOffer,
  DEFAULT_PROTOCOLS,
  type OfferedMedia,
  type OfferOptions,
  usableLines,
} from "./endpoint.ts";
export type { LocalPort, LocalSide } from "./lines.ts";
export {
  anyAccepted,
  codecsForOtherLeg,
  type NegotiatedCodec,
  type NegotiatedMedia,
  negotiate,
  type PayloadTypeMapping,
  payloadTypesBetween,
  type RemoteMediaAddress,
} from "./negotiated.ts";
export { type OriginOptions, stampOrigin } from "./origin.ts";
export {
  createRecordingAnswer,
  createRecordingOffer,
  type RecordingAnswerError,
  type RecordingAnswerOptions,
  type RecordingOfferOptions,
  type RecordingTrack,
  readRecordingAnswer,
} from "./recording.ts";
export {
  type RelayAnswerError,
  type RelayAnswerInput,
  type RelayedAnswer,
  type RelaySide,
  relayAnswer,
  relayOffer,
} from "./relay.ts";
export {
  DEFAULT_CRYPTO_SUITES,
  isSecureProtocol,
  type MediaSecurity,
  type NegotiatedSrtp,
  protocolsFor,
  type SrtpDirection,
  type SrtpPolicy,
  suitesAtLeast,
} from "./security.ts";
export {
  nextOfferAnswerState,
  OFFER_ANSWER,
  OfferAnswer,
  type OfferAnswerError,
  type OfferAnswerErrorCode,
  type OfferAnswerInput,
  type OfferAnswerState,
} from "./state.ts";
