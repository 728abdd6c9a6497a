import type { Log } from "../observe/index.ts";
import type { Routes } from "./routes.ts";
import type { SipConnections } from "./sip-connections.ts";
import type { SipConnectionHandlers, SipStreamLimits } from "./sip-stream-connection.ts";
import type { Clock } from "./types.ts";

export interface SipStreamContextLimits extends SipStreamLimits {
  /** TLS handshake or HTTP upgrade of those who come to us. */
  readonly handshakeTimeoutMs: number;
  /** A WebSocket is pinged this often, and closed when the ping before was not answered. */
  readonly webSocketPingMs: number;
}

/** What all connection-oriented transports of a node share. */
export interface SipStreamContext {
  readonly routes: Routes;
  readonly log: Log;
  readonly clock: Clock;
  readonly connections: SipConnections;
  readonly limits: SipStreamContextLimits;
  readonly handlers: SipConnectionHandlers;
}
