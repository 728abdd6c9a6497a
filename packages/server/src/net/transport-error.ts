import { type Fault, PlatformError } from "../observe/index.ts";

export type TransportErrorReason =
  /** Nobody listens there: RST or ICMP port unreachable. */
  | "refused"
  /** No connection within the limit. */
  | "timeout"
  /** The connection went away before the octets were taken. */
  | "closed"
  /** No route, host or network unreachable. */
  | "unreachable"
  /** No listener of that transport and address family, or the transports are closed. */
  | "unavailable"
  /** Longer than the transport can carry (UDP: 65,507 octets). */
  | "too-large"
  /** The connection cap is reached, or the peer does not read what it is sent. */
  | "overloaded"
  /** The peer's certificate does not name the domain that was dialled (RFC 5922 §7.3). */
  | "certificate-name"
  /** It has expired, or is not valid yet. */
  | "certificate-expired"
  /** No authority that we trust vouches for it. */
  | "certificate-untrusted"
  /** No TLS came about: no common version or cipher, our certificate was refused, or it is no TLS at all. */
  | "handshake"
  | "failed";

/** The published codes of TLS failures: REST bodies, alerts. */
const PUBLIC_CODES: Readonly<Partial<Record<TransportErrorReason, number>>> = {
  handshake: 11220,
  "certificate-name": 11235,
  "certificate-expired": 11236,
  "certificate-untrusted": 11237,
};

/** A SIP message did not get out: to be treated as a 503 response (RFC 3261 §8.1.3.1). */
export class TransportError extends PlatformError {
  override readonly name = "TransportError";
  readonly code = "SIP_TRANSPORT_FAILED";
  readonly fault: Fault = "network";
  override readonly sipStatus = 503;
  override readonly httpStatus = 503;
  readonly reason: TransportErrorReason;
  override readonly publicCode: number;

  constructor(reason: TransportErrorReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.publicCode = PUBLIC_CODES[reason] ?? 20500;
  }
}

/** A listener could not be opened: the address is not ours, or another process has the port. */
export class ListenError extends PlatformError {
  override readonly name = "ListenError";
  readonly code = "LISTEN_FAILED";
  readonly fault: Fault = "operator";
  override readonly sipStatus = 503;
  override readonly httpStatus = 503;

  /** Another process (or we) had it already; false: the address is not ours, or we may not. */
  readonly inUse: boolean;

  constructor(what: string, cause: unknown) {
    super(`cannot listen on ${what}: ${errnoOf(cause) ?? String(cause)}`, { cause });
    this.inUse = errnoOf(cause) === "EADDRINUSE";
  }
}

/** A certificate or key of ours cannot be used: unreadable, not PEM, or one is not the other's. */
export class TlsMaterialError extends PlatformError {
  override readonly name = "TlsMaterialError";
  readonly code = "TLS_MATERIAL";
  readonly fault: Fault = "operator";
  override readonly sipStatus = 503;
  override readonly httpStatus = 503;

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** What the system says, as a reason of ours. */
export function transportError(what: string, cause: unknown): TransportError {
  if (cause instanceof TransportError) return cause;
  const errno = errnoOf(cause) ?? "";
  const reason = REASONS[errno] ?? (/^(ERR_SSL_|ERR_TLS_|EPROTO)/.test(errno) ? "handshake" : "failed");
  return new TransportError(reason, `${what}: ${errno || String(cause)}`, cause);
}

/** `ECONNREFUSED` and the like. */
export function errnoOf(cause: unknown): string | undefined {
  if (typeof cause !== "object" || cause === null || !("code" in cause)) return undefined;
  return typeof cause.code === "string" ? cause.code : undefined;
}

const REASONS: Readonly<Record<string, TransportErrorReason>> = {
  ECONNREFUSED: "refused",
  ETIMEDOUT: "timeout",
  ECONNRESET: "closed",
  EPIPE: "closed",
  ERR_STREAM_DESTROYED: "closed",
  ERR_STREAM_WRITE_AFTER_END: "closed",
  ERR_SOCKET_CLOSED: "closed",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  EMSGSIZE: "too-large",
  CERT_HAS_EXPIRED: "certificate-expired",
  CERT_NOT_YET_VALID: "certificate-expired",
  CERT_UNTRUSTED: "certificate-untrusted",
  CERT_REJECTED: "certificate-untrusted",
  CERT_REVOKED: "certificate-untrusted",
  CERT_SIGNATURE_FAILURE: "certificate-untrusted",
  CERT_CHAIN_TOO_LONG: "certificate-untrusted",
  INVALID_CA: "certificate-untrusted",
  INVALID_PURPOSE: "certificate-untrusted",
  PATH_LENGTH_EXCEEDED: "certificate-untrusted",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate-untrusted",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate-untrusted",
  UNABLE_TO_GET_ISSUER_CERT: "certificate-untrusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate-untrusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate-untrusted",
  HOSTNAME_MISMATCH: "certificate-name",
  ERR_TLS_CERT_ALTNAME_INVALID: "certificate-name",
};
