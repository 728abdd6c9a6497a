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
  | "failed";

/** A SIP message did not get out: to be treated as a 503 response (RFC 3261 §8.1.3.1). */
export class TransportError extends PlatformError {
  override readonly name = "TransportError";
  readonly code = "SIP_TRANSPORT_FAILED";
  readonly fault: Fault = "network";
  override readonly sipStatus = 503;
  override readonly httpStatus = 503;
  readonly reason: TransportErrorReason;

  constructor(reason: TransportErrorReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
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

/** What the system says, as a reason of ours. */
export function transportError(what: string, cause: unknown): TransportError {
  if (cause instanceof TransportError) return cause;
  const errno = errnoOf(cause) ?? "";
  return new TransportError(REASONS[errno] ?? "failed", `${what}: ${errno || String(cause)}`, cause);
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
};
