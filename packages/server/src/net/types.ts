import type { SipParseError } from "@callfork/protocol/sip";
import type { Millis } from "@callfork/protocol/text";

/** The platform's clock. `testkit` has one that only moves when told. */
export interface Clock {
  /** Monotonic milliseconds, for timers and intervals. */
  now(): Millis;
  /** Wall clock: milliseconds since 1970, UTC. */
  wallNow(): number;
  setTimer(delayMs: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

export type SipTransportName = "udp" | "tcp";

/** Where a SIP message goes: a numeric IP address, already resolved. */
export interface SipDestination {
  readonly transport: SipTransportName;
  readonly address: string;
  readonly port: number;
}

/** The path a SIP message came by. Replies go back on it (RFC 3261 §18.2.2, RFC 3581). */
export interface SipFlow {
  /** Names one connection for its lifetime; a UDP flow is named by its socket and peer. */
  readonly id: string;
  readonly transport: SipTransportName;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

export interface SipTransportHandlers {
  /** One whole message; `bytes` belong to the receiver. TCP streams are framed already. */
  onMessage(bytes: Uint8Array, flow: SipFlow): void;
  /**
   * A stream that could not be framed. What is sent on the flow before this returns still goes out, then the
   * connection is closed; `error.status` and `error.request` tell whether an answer is owed.
   */
  onFramingError?(error: SipParseError, flow: SipFlow): void;
  onFlowClosed?(flow: SipFlow): void;
}

/**
 * SIP messages over UDP and TCP sockets. Real in `net`, simulated in `testkit`.
 * `send` resolves when the transport took the octets and rejects with a `TransportError`
 * (fault "network") on refusal, reset or an ICMP error that the socket reports.
 */
export interface SipTransports {
  attach(handlers: SipTransportHandlers): void;
  /** To a destination (a TCP connection is reused or opened) or back on a flow (reopened to the peer when it is gone). */
  send(bytes: Uint8Array, to: SipDestination | SipFlow): Promise<void>;
  /** The host and port to write into Via and Contact for messages to `remoteAddress`. */
  sentBy(
    transport: SipTransportName,
    remoteAddress: string,
  ): { readonly host: string; readonly port: number };
  /** Transports that this node listens on and can send from. */
  readonly available: readonly SipTransportName[];
  close(): Promise<void>;
}

/** Names to addresses; `net` has the real one. RFC 3263 in full is built on this door. */
export interface Resolver {
  /** Numeric addresses for a host name or literal, best first; empty when there is none. */
  addresses(host: string): Promise<readonly string[]>;
}
