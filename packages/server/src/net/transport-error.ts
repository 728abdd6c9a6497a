import { type Fault, PlatformError } from "../observe/index.ts";

export type TransportErrorReason =
  /** Nobody listens there: RST or ICMP port unreachable. */
  | "refused"
  /** No connection within the limit, or the peer stopped reading. */
  | "timeout"
  /** The connection went away before the octets were taken. */
  | "closed"
  /** No route, host or network unreachable. */
  | "unreachable"
  /** No listener of that transport and address family. */
  | "unavailable"
  /** Longer than the transport can carry (UDP: 65,507 octets). */
  | "too-large"
  /** The connection cap or a send queue is full. */
  | "overloaded"
  | "failed";

/** A SIP message did not get out. RFC 3261 §8.1.3.1: to be treated as a 503 response. */
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
