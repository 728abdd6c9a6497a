import type { SipListenAddress } from "../config/index.ts";
import type { Log } from "../observe/index.ts";
import { createSystemClock } from "./clock.ts";
import { isWildcard, Routes } from "./routes.ts";
import { SipTcp } from "./sip-tcp.ts";
import { SipUdpListener } from "./sip-udp.ts";
import { TransportError } from "./transport-error.ts";
import type {
  Clock,
  SipDestination,
  SipFlow,
  SipTransportHandlers,
  SipTransportName,
  SipTransports,
} from "./types.ts";

export interface SipTransportLimits {
  /** TCP connections, both directions together; further ones are refused. */
  readonly maxConnections: number;
  /** A connection on which nothing moves for this long is closed. */
  readonly idleCloseMs: number;
  readonly connectTimeoutMs: number;
  /** A message whose first octets came must be whole within this time. */
  readonly messageTimeoutMs: number;
  /** Octets waiting to be written to one connection; beyond, the peer is held to be dead. */
  readonly maxQueuedBytes: number;
}

export interface SipTransportsOptions {
  /** Numeric addresses; port 0 picks a free one. `::` means IPv6 only: list `0.0.0.0` too. */
  readonly listen: readonly SipListenAddress[];
  readonly log: Log;
  /** For time-outs. */
  readonly clock?: Clock;
  readonly limits?: Partial<SipTransportLimits>;
}

const DEFAULT_LIMITS: SipTransportLimits = {
  maxConnections: 4096,
  // Longer than the 95–120 s after which clients ping (RFC 5626 §4.4.1).
  idleCloseMs: 600_000,
  connectTimeoutMs: 5_000,
  messageTimeoutMs: 32_000,
  maxQueuedBytes: 4 * 1024 * 1024,
};

/** Opens the listeners; resolves when all of them are bound, rejects with a `ListenError` when one cannot be. */
export async function createSipTransports(options: SipTransportsOptions): Promise<SipTransports> {
  const transports = new SocketTransports(options);
  try {
    for (const address of options.listen) await transports.listen(address);
  } catch (error) {
    await transports.close();
    throw error;
  }
  return transports;
}

class SocketTransports implements SipTransports {
  readonly #options: SipTransportsOptions;
  readonly #routes = new Routes();
  readonly #udp: SipUdpListener[] = [];
  readonly #tcp: SipTcp;
  #handlers: SipTransportHandlers | undefined;

  constructor(options: SipTransportsOptions) {
    this.#options = options;
    this.#tcp = new SipTcp({
      routes: this.#routes,
      log: options.log,
      clock: options.clock ?? createSystemClock(),
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      onMessage: (bytes, flow) => this.#handlers?.onMessage(bytes, flow),
      onFramingError: (error, flow) => this.#handlers?.onFramingError?.(error, flow),
      onFlowClosed: (flow) => this.#handlers?.onFlowClosed?.(flow),
    });
  }

  async listen({ transport, address, port }: SipListenAddress): Promise<void> {
    if (transport === "tcp") return this.#tcp.listen(address, port);
    const listener = await SipUdpListener.open({
      address,
      port,
      routes: this.#routes,
      log: this.#options.log,
      onMessage: (bytes, flow) => this.#handlers?.onMessage(bytes, flow),
    });
    this.#udp.push(listener);
  }

  get available(): readonly SipTransportName[] {
    const names: SipTransportName[] = [];
    if (this.#udp.length > 0) names.push("udp");
    if (this.#tcp.listeners.length > 0) names.push("tcp");
    return names;
  }

  attach(handlers: SipTransportHandlers): void {
    this.#handlers = handlers;
  }

  async send(bytes: Uint8Array, to: SipDestination | SipFlow): Promise<void> {
    const flow = "id" in to ? to : undefined;
    const address = "id" in to ? to.remoteAddress : to.address;
    const port = "id" in to ? to.remotePort : to.port;
    if (to.transport === "udp") return this.#udpFor(address, flow?.id).send(bytes, address, port);
    return flow !== undefined ? this.#tcp.sendOn(bytes, flow) : this.#tcp.send(bytes, address, port);
  }

  sentBy(
    transport: SipTransportName,
    remoteAddress: string,
  ): { readonly host: string; readonly port: number } {
    const listener = this.#routes.choose(
      transport === "udp" ? this.#udp : this.#tcp.listeners,
      remoteAddress,
    );
    if (listener === undefined) throw noListener(transport, remoteAddress);
    const host = isWildcard(listener.address) ? this.#routes.localFor(remoteAddress) : listener.address;
    return { host: host ?? listener.address, port: listener.port };
  }

  async close(): Promise<void> {
    await Promise.all([this.#tcp.close(), ...this.#udp.map((listener) => listener.close())]);
  }

  /** The socket a flow came by, else the one that faces the peer. */
  #udpFor(remoteAddress: string, flowId?: string): SipUdpListener {
    const listener =
      this.#udp.find((one) => flowId?.startsWith(`udp:${one.address}:${one.port}/`)) ??
      this.#routes.choose(this.#udp, remoteAddress);
    if (listener === undefined) throw noListener("udp", remoteAddress);
    return listener;
  }
}

function noListener(transport: SipTransportName, remoteAddress: string): TransportError {
  return new TransportError("unavailable", `no ${transport} listener can reach ${remoteAddress}`);
}
