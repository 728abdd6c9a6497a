import type { SipParseError } from "@callfork/protocol/sip";
import type { Millis } from "@callfork/protocol/text";
import type { TransportError } from "./transport-error.ts";

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

export type SipTransportName = "udp" | "tcp" | "tls" | "ws" | "wss";

/** Where a SIP message goes: a numeric IP address, already resolved. */
export interface SipDestination {
  readonly transport: SipTransportName;
  readonly address: string;
  readonly port: number;
  /** For `tls`; without it the peer's certificate must name `address`. */
  readonly tls?: SipTlsContext;
  /** Name of the listeners to leave from; see `SipListener`. Without it: those that have none. */
  readonly edge?: string | undefined;
}

/** With whom a TLS connection is made, and as whom. Connections are shared only where all of it is equal. */
export interface SipTlsContext {
  /**
   * The SIP domain that was dialled: sent as server name (SNI) unless it is an address, and the peer's certificate
   * must name it (RFC 5922 §7).
   */
  readonly serverName: string;
  /** Our certificate chain and key for this peer (PEM), instead of the node's own. */
  readonly certificate?: string;
  readonly key?: string;
  /** Authorities (PEM) that may vouch for this peer, instead of the node's. */
  readonly ca?: string;
}

/** What TLS says of the peer. */
export interface SipFlowTls {
  /** The peer showed a certificate and it was verified. False for a client without one: it is nobody (RFC 5922 §7.4). */
  readonly authorized: boolean;
  /** SIP domains that the verified certificate stands for, lower-case (RFC 5922 §7.1); empty unless `authorized`. */
  readonly identities: readonly string[];
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly protocol: string;
  readonly cipher: string;
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
  /** For `tls` and `wss`. */
  readonly tls?: SipFlowTls;
  /** Name of the listener it came by or left from, if that has one. */
  readonly edge?: string | undefined;
}

export interface SipTransportHandlers {
  /** One whole message; `bytes` belong to the receiver. Streams are framed already; a WebSocket frame is one message. */
  onMessage(bytes: Uint8Array, flow: SipFlow): void;
  /**
   * A stream that could not be framed. What is sent on the flow before this returns still goes out, then the
   * connection is closed; `error.status` and `error.request` tell whether an answer is owed.
   */
  onFramingError?(error: SipParseError, flow: SipFlow): void;
  /** @param cause - why, where it was not an orderly end */
  onFlowClosed?(flow: SipFlow, cause?: TransportError): void;
}

/**
 * SIP messages over UDP, TCP, TLS and WebSocket. Real in `net`, simulated in `testkit`.
 * `send` resolves when the transport took the octets and rejects with a `TransportError`
 * (fault "network") on refusal, reset or an ICMP error that the socket reports.
 */
export interface SipTransports {
  attach(handlers: SipTransportHandlers): void;
  /**
   * To a destination (a connection is reused or opened) or back on a flow (reopened to the peer when it is gone).
   * WebSocket connections are never opened from here: browsers come to us.
   */
  send(bytes: Uint8Array, to: SipDestination | SipFlow): Promise<void>;
  /** The host and port to write into Via and Contact for messages to `remoteAddress`, from that edge. */
  sentBy(
    transport: SipTransportName,
    remoteAddress: string,
    edge?: string,
  ): { readonly host: string; readonly port: number };
  /**
   * The peer asked, in the Via of a request (RFC 5923 `alias`), that requests to its address and this port take the
   * connection of `flow`. Obeyed only where its certificate was verified (RFC 5923 §8.2).
   */
  aliasFlow?(flow: SipFlow, port: number): void;
  /**
   * Whether messages to `to` take the connection of `flow`, which goes to that address. Over TLS those made with another
   * certificate, or for another name, do not. Without this method an address is enough.
   */
  carries?(flow: SipFlow, to: SipDestination): boolean;
  /** Transports that this node listens on and can send from. */
  readonly available: readonly SipTransportName[];
  /** The same of one edge; empty for an edge that is not there. Without this method there are none. */
  availableAt?(edge: string): readonly SipTransportName[];
  close(): Promise<void>;
}

/** Names to addresses; `net` has the real one. */
export interface Resolver {
  /** Numeric addresses for a host name or literal, best first; empty when there is none. */
  addresses(host: string): Promise<readonly string[]>;
}

/** The parts of a SIP or SIPS URI that say where it leads; a parsed `SipUri` fits. */
export interface SipTargetUri {
  readonly scheme: "sip" | "sips";
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port?: number;
  /** `transport` and `maddr` are looked at. */
  readonly params: ReadonlyMap<string, string | null>;
}

export type Located =
  | { readonly ok: true; readonly destinations: readonly SipDestination[] }
  | {
      readonly ok: false;
      readonly message: string;
      /** This node does not speak what the URI or its domain wants. */
      readonly reason?: "unavailable";
    };

/** SIP URIs to an ordered list of where to try (RFC 3263). */
export interface SipLocator {
  /**
   * Best first: NAPTR, SRV and address records as the URI wants them, those that failed lately behind the others.
   * Never rejects. Numeric hosts are answered at once, all else as a promise.
   */
  locate(uri: SipTargetUri, available: readonly SipTransportName[]): Located | Promise<Located>;
  /** A time-out, a transport error or a 503: the destination is put behind others for a while. */
  failed(destination: SipDestination, options?: { readonly forMs?: number }): void;
  /** An answer came: it is as good as any again. */
  succeeded(destination: SipDestination): void;
}
