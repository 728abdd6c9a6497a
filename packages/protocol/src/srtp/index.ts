export { type AesEcb, type AesGcm, type HmacSha1, NO_TRAILER, type SrtpCiphers } from "./ciphers.ts";
export {
  deriveSessionKeys,
  RTCP_LABELS,
  RTP_LABELS,
  type SessionKeys,
  type SrtpLabels,
} from "./key-derivation.ts";
export { keyingFault, type SrtpKeying, type SrtpMasterKey, sameKeying } from "./keying.ts";
export { DEFAULT_SRTP_LIMITS, type SrtpLimits } from "./limits.ts";
export { estimatePacketIndex, rolloverCounterOf } from "./packet-index.ts";
export { SrtpReceiver } from "./receiver.ts";
export { REPLAY_WINDOW, ReplayWindow } from "./replay-window.ts";
export { SrtpSender } from "./sender.ts";
export {
  isSrtpSuite,
  MAX_SRTP_OVERHEAD,
  SRTP_SUITES,
  type SrtpSuite,
  type SrtpSuiteParameters,
} from "./suites.ts";
export {
  SRTP_KEY_EXPIRED,
  SRTP_MALFORMED,
  SRTP_REPLAYED,
  SRTP_TOO_MANY_SOURCES,
  SRTP_UNAUTHENTICATED,
  SRTP_UNKNOWN_MKI,
  type SrtpResult,
} from "./verdicts.ts";
