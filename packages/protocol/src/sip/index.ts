export {
  type AuthParams,
  type AuthParamsParts,
  formatAuthParams,
  parseAuthenticationInfo,
  parseAuthParams,
} from "./auth-params.ts";
export {
  type FlatBody,
  findParts,
  flattenBody,
  type LeafPart,
  partDisposition,
  partMediaType,
} from "./body.ts";
export {
  type ContentDisposition,
  type ContentDispositionParts,
  formatContentDisposition,
  isHandlingRequired,
  parseContentDisposition,
} from "./content-disposition.ts";
export { createCancel, createTransactionAck } from "./create-ack.ts";
export { type CreateResponseOptions, createResponse, tagOf } from "./create-response.ts";
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
export { Dialog, type DialogError, dialogKey, dialogKeyOf, type RoutedRequest } from "./dialog.ts";
export {
  type DigestAlgorithm,
  type DigestHashes,
  type DigestInput,
  digestResponse,
  equalsInConstantTime,
  parseDigestAlgorithm,
} from "./digest.ts";
export { DigestClient, type DigestCredentials } from "./digest-client.ts";
export { DigestServer, type DigestServerOptions, type DigestVerdict } from "./digest-server.ts";
export { featureTag } from "./feature-tag.ts";
export { formatSipMessage, SipFormatError } from "./format-message.ts";
export { type FramerOutput, SipStreamFramer } from "./framer.ts";
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
  type BodyPart,
  chooseBoundary,
  DEFAULT_MULTIPART_LIMITS,
  formatMultipart,
  type MultipartBody,
  type MultipartError,
  type MultipartLimits,
  type MultipartOptions,
  parseMultipart,
} from "./multipart.ts";
export {
  formatNameAddr,
  type NameAddr,
  type NameAddrParts,
  parseContact,
  parseNameAddr,
} from "./name-addr.ts";
export { formatParams, type Params, parseParams, type ReadonlyParams } from "./params.ts";
export type { SipParseError, SipParseErrorCode } from "./parse-error.ts";
export { parseSipMessage, type SipParseOptions } from "./parse-message.ts";
export { formatReason, parseReason, type Reason, type ReasonParts } from "./reason.ts";
export { formatReplaces, parseReferTo, parseReplaces, type ReferTo, type Replaces } from "./refer.ts";
export {
  RELIABLE_PROVISIONAL,
  RELIABLE_PROVISIONAL_TIMERS,
  ReliableProvisional,
  type ReliableProvisionalState,
  reliableNumberOf,
} from "./reliable-provisional.ts";
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
export {
  NON_INVITE_CLIENT,
  NON_INVITE_CLIENT_TIMERS,
  type NonInviteClientState,
  NonInviteClientTransaction,
} from "./transaction-client.ts";
export {
  INVITE_CLIENT,
  INVITE_CLIENT_TIMERS,
  type InviteClientState,
  InviteClientTransaction,
} from "./transaction-invite-client.ts";
export {
  INVITE_SERVER,
  INVITE_SERVER_TIMERS,
  type InviteServerState,
  InviteServerTransaction,
} from "./transaction-invite-server.ts";
export {
  clientTransactionKey,
  MAGIC_COOKIE,
  mergedRequestKey,
  serverTransactionKey,
  topVia,
} from "./transaction-key.ts";
export type {
  TransactionEvent,
  TransactionOptions,
  TransactionOutput,
  TransactionRow,
  TransactionTable,
} from "./transaction-machine.ts";
export {
  NON_INVITE_SERVER,
  NON_INVITE_SERVER_TIMERS,
  type NonInviteServerState,
  NonInviteServerTransaction,
} from "./transaction-server.ts";
export { RFC3261_TIMERS, type TransactionTimers } from "./transaction-timers.ts";
export { formatSipUri, parseSipUri, parseUri, type SipUri, type SipUriParts, type Uri } from "./uri.ts";
export { sipUriEquals } from "./uri-equals.ts";
export { formatVia, parseVia, type Via, type ViaParts } from "./via.ts";
