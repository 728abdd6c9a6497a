/** What of the text room is needed by rooms whose only door is this one. */
export { err, ok, type Random, type Result } from "../text/index.ts";
export {
  codecsOf,
  isRtpProtocol,
  isTelephoneEvent,
  payloadTypeOf,
  sameCodec,
  samplingRateHzOf,
} from "./codec.ts";
export {
  type Attribute,
  type Bandwidth,
  type Codec,
  type Connection,
  type Direction,
  MEDIA_TIMING,
  type MediaDescription,
  type Origin,
  type OtherLine,
  type Section,
  type SessionDescription,
  type Timing,
} from "./description.ts";
export { codecAttributes, withAttributes, withDirection, withoutAttributes } from "./edit.ts";
export { formatSessionDescription } from "./format.ts";
export {
  DEFAULT_SDP_LIMITS,
  parseSessionDescription,
  type SdpLimits,
  type SdpParseError,
  type SdpParseErrorCode,
} from "./parse.ts";
export {
  attribute,
  attributes,
  connectionOf,
  directionOf,
  hostOf,
  isDirection,
  isHeld,
  isNullAddress,
  isToken,
  labelOf,
  ptimeOf,
  type RtcpAddress,
  rtcpAddressOf,
} from "./read.ts";
export {
  type RecordIndication,
  type RecordPreference,
  recordIndicationOf,
  recordPreferenceOf,
} from "./record.ts";
export {
  CRYPTO_SUITES,
  type CryptoAttribute,
  type CryptoError,
  type CryptoKey,
  type CryptoSuite,
  cryptoOf,
  formatCrypto,
  isCryptoSuite,
  parseCrypto,
} from "./sdes.ts";
