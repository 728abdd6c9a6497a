import { errors } from "undici";
import { WebhookError, type WebhookFailure } from "./errors.ts";

/** How far a request had come when it failed. */
export type Progress = "connecting" | "connected";

const BY_CODE: Readonly<Record<string, WebhookFailure>> = {
  ENOTFOUND: "badHost",
  EAI_AGAIN: "badHost",
  ECONNREFUSED: "connectFailed",
  EHOSTUNREACH: "connectFailed",
  ENETUNREACH: "connectFailed",
  EADDRNOTAVAIL: "connectFailed",
  EACCES: "connectFailed",
  EMFILE: "connectFailed",
  ETIMEDOUT: "connectTimeout",
  UND_ERR_CONNECT_TIMEOUT: "connectTimeout",
  ERR_TLS_CERT_ALTNAME_INVALID: "certificateName",
  CERT_HAS_EXPIRED: "certificateExpired",
  CERT_NOT_YET_VALID: "certificateExpired",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificateUntrusted",
  UNABLE_TO_GET_ISSUER_CERT: "certificateUntrusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificateUntrusted",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificateUntrusted",
  SELF_SIGNED_CERT_IN_CHAIN: "certificateUntrusted",
  CERT_UNTRUSTED: "certificateUntrusted",
  CERT_REVOKED: "certificateUntrusted",
  CERT_REJECTED: "certificateUntrusted",
  CERT_SIGNATURE_FAILURE: "certificateUntrusted",
  CERT_CHAIN_TOO_LONG: "certificateUntrusted",
  INVALID_CA: "certificateUntrusted",
  INVALID_PURPOSE: "certificateUntrusted",
  EPROTO: "tls",
  UND_ERR_HEADERS_OVERFLOW: "protocol",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "protocol",
  UND_ERR_INVALID_ARG: "badUrl",
};

/** Says which failure an error of the network, of TLS or of HTTP means. */
export function failureOf(error: unknown, progress: Progress, protocol: "http:" | "https:"): WebhookError {
  if (error instanceof WebhookError) return error;
  const code = codeOf(error);
  const message = error instanceof Error && error.message !== "" ? error.message : code;
  return new WebhookError(classify(code, progress, protocol), message, { cause: error });
}

function classify(code: string, progress: Progress, protocol: "http:" | "https:"): WebhookFailure {
  const known = BY_CODE[code];
  if (known !== undefined) return known;
  if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_")) return "tls";
  if (code.startsWith("HPE_")) return "protocol";
  if (progress === "connected") return "connectionLost";
  // Reset before the connection was of use: during the TLS handshake, or of the TCP one.
  return protocol === "https:" ? "tls" : "connectFailed";
}

function codeOf(error: unknown): string {
  // Its own code is not always set.
  if (error instanceof errors.HTTPParserError) return "HPE_";
  // All of a name's addresses failed: the first one speaks for them.
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return "";
}
