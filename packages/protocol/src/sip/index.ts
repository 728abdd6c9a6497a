export {
  type AuthParams,
  type AuthParamsParts,
  formatAuthParams,
  parseAuthenticationInfo,
  parseAuthParams,
} from "./auth-params.ts";
export {
  type ContentDisposition,
  type ContentDispositionParts,
  formatContentDisposition,
  isHandlingRequired,
  parseContentDisposition,
} from "./content-disposition.ts";
export {
  type CSeq,
  formatCSeq,
  formatRAck,
  parseCSeq,
  parseMaxForwards,
  parseRAck,
  type RAck,
} from "./cseq.ts";
export { formatSipDate, parseSipDate } from "./date.ts";
export { featureTag } from "./feature-tag.ts";
export { formatSipMessage, SipFormatError } from "./format-message.ts";
export { SipHeaders, splitList } from "./headers.ts";
export { formatHostPort, type HostPort, isIpv6, parseHostPort } from "./host.ts";
export { DEFAULT_SIP_LIMITS, type SipLimits } from "./limits.ts";
export {
  acceptsMediaType,
  formatMediaType,
  type MediaType,
  type MediaTypeParts,
  mediaTypeName,
  parseMediaType,
} from "./media-type.ts";
export { NO_BODY, type SipMessage, type SipRequest, type SipResponse } from "./message.ts";
export {
  formatNameAddr,
  type NameAddr,
  type NameAddrParts,
  parseContact,
  parseNameAddr,
} from "./name-addr.ts";
export { formatParams, type Params, parseParams, type ReadonlyParams } from "./params.ts";
export type { SipParseError, SipParseErrorCode } from "./parse-error.ts";
export { formatReason, parseReason, type Reason, type ReasonParts } from "./reason.ts";
export { formatRetryAfter, parseRetryAfter, type RetryAfter, type RetryAfterParts } from "./retry-after.ts";
export {
  formatSessionTimer,
  type MinSe,
  parseMinSe,
  parseSessionExpires,
  type SessionExpires,
  type SessionTimerParts,
} from "./session-timer.ts";
export { describeStatus } from "./status.ts";
export { hasToken, tokenList } from "./tokens.ts";
export { formatSipUri, parseSipUri, parseUri, type SipUri, type SipUriParts, type Uri } from "./uri.ts";
export { sipUriEquals } from "./uri-equals.ts";
export { formatVia, parseVia, type Via, type ViaParts } from "./via.ts";
