/** For Allow: what the user agent serves by itself. */
export const ALLOWED_METHODS = [
  "INVITE",
  "ACK",
  "CANCEL",
  "BYE",
  "OPTIONS",
  "UPDATE",
  "INFO",
  "PRACK",
  "REFER",
] as const;

export const ALLOW = ALLOWED_METHODS.join(", ");

/** Methods with an RFC of their own: refused with 405, all others with 501 (RFC 3261 §21.4.6, §21.5.2). */
export const REGISTERED_METHODS: ReadonlySet<string> = new Set([
  ...ALLOWED_METHODS,
  "MESSAGE",
  "NOTIFY",
  "PUBLISH",
  "REGISTER",
  "SUBSCRIBE",
]);

export const ACCEPT =
  "application/sdp, multipart/mixed, application/rs-metadata+xml, application/rs-metadata";

/** Option tags that may stand in a peer's Require (RFC 7866 §6, RFC 4028, RFC 3262, RFC 3891). */
export const SUPPORTED_OPTIONS = ["siprec", "timer", "100rel", "replaces"] as const;

export const SUPPORTED = SUPPORTED_OPTIONS.join(", ");

/** For a re-INVITE without offer: a reliable provisional would bring the offer, whose answer we have for the ACK only. */
export const SUPPORTED_WITHOUT_100REL = SUPPORTED_OPTIONS.filter((tag) => tag !== "100rel").join(", ");
