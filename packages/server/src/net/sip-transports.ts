import type { SipListenAddress } from "../config/index.ts";
import type { Log } from "../observe/index.ts";
import type { Clock, SipTransports } from "./types.ts";

export interface SipTransportLimits {
  /** TCP connections, both directions together; further ones are refused. */
  readonly maxConnections: number;
  /** A connection on which nothing moves for this long is closed. */
  readonly idleCloseMs: number;
  readonly connectTimeoutMs: number;
  /** Octets waiting to be written to one connection. */
  readonly maxQueuedBytes: number;
}

export interface SipTransportsOptions {
  /** Port 0 picks a free one. */
  readonly listen: readonly SipListenAddress[];
  readonly log: Log;
  readonly clock?: Clock;
  readonly limits?: Partial<SipTransportLimits>;
}

/** Opens the listeners; resolves when all of them are bound, rejects with a `ListenError` when one cannot be. */
export async function createSipTransports(_options: SipTransportsOptions): Promise<SipTransports> {
  throw new Error("being built");
}
