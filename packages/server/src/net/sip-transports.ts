import type { Log } from "../observe/index.ts";
import { createSystemClock } from "./clock.ts";
import { isWildcard, Routes } from "./routes.ts";
import { type SipConnection, SipConnections, type SipConnectionsLimits } from "./sip-connections.ts";
import type { SipListener } from "./sip-listener.ts";
import type { SipStreamContext, SipStreamContextLimits } from "./sip-stream-context.ts";
import { SipTcp, tcpKey } from "./sip-tcp.ts";
import { type ClientCertificates, SipTls } from "./sip-tls.ts";
import { SipUdpListener } from "./sip-udp.ts";
import { SipWebSockets } from "./sip-websocket.ts";
import { type TlsFiles, TlsMaterial } from "./tls-material.ts";
import { TransportError } from "./transport-error.ts";
import type {
  Clock,
  SipDestination,
  SipFlow,
  SipTransportHandlers,
  SipTransportName,
  SipTransports,
} from "./types.ts";

export interface SipTransportLimits extends SipStreamContextLimits, SipConnectionsLimits {
  /** How often certificate files are looked at. */
  readonly certificateCheckMs: number;
}

export interface SipTransportsOptions {
  /** Numeric addresses; port 0 picks a free one. `::` means IPv6 only: list `0.0.0.0` too. */
  readonly listen: readonly SipListener[];
  readonly log: Log;
  /** For time-outs. */
  readonly clock?: Clock;
  readonly limits?: Partial<SipTransportLimits>;
  /** Certificates, needed for `tls` and `wss` listeners; the configuration's `tls` fits. */
  readonly tls?: TlsFiles & { readonly clientCertificates?: ClientCertificates };
  /** Origins of the web pages that may connect by WebSocket. */
  readonly allowedOrigins?: readonly string[];
}

const DEFAULT_LIMITS: SipTransportLimits = {
  maxConnections: 10_000,
  maxConnectionsPerSource: 1_000,
  maxUnfinishedBytes: 64 * 1024 * 1024,
  // Longer than the 95–120 s after which clients ping (RFC 5626 §4.4.1).
  idleCloseMs: 600_000,
  connectTimeoutMs: 5_000,
  handshakeTimeoutMs: 10_000,
  firstMessageTimeoutMs: 32_000,
  messageTimeoutMs: 32_000,
  maxQueuedBytes: 4 * 1024 * 1024,
  keepAliveMs: 95_000,
  pongTimeoutMs: 10_000,
  webSocketPingMs: 30_000,
  certificateCheckMs: 10_000,
};

/**
 * Opens the listeners; resolves when all of them are bound, rejects with a `ListenError` when one cannot be, and with a
 * `TlsMaterialError` when certificates cannot be used.
 */
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
  readonly #connections: SipConnections;
  readonly #material: TlsMaterial;
  readonly #udp: SipUdpListener[] = [];
  readonly #tcp: SipTcp;
  readonly #tls: SipTls;
  readonly #webSockets: SipWebSockets;
  #handlers: SipTransportHandlers | undefined;
  #isClosed = false;

  constructor(options: SipTransportsOptions) {
    const { log, clock = createSystemClock(), tls = { certificate: [], key: [] } } = options;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { clientCertificates = "none" } = tls;
    this.#options = options;
    this.#connections = new SipConnections(limits, log);
    this.#material = new TlsMaterial(tls, clock, log, limits.certificateCheckMs);
    const context: SipStreamContext = {
      routes: this.#routes,
      log,
      clock,
      connections: this.#connections,
      limits,
      handlers: {
        onMessage: (bytes, flow) => this.#handlers?.onMessage(bytes, flow),
        onFramingError: (error, flow) => {
          const { transport, remoteAddress } = flow;
          log.warn({ code: error.code, transport, remoteAddress }, "SIP stream cannot be framed");
          this.#handlers?.onFramingError?.(error, flow);
        },
        onClosed: (connection, cause) => this.#forget(connection, cause),
      },
    };
    this.#tcp = new SipTcp(context);
    this.#tls = new SipTls(context, this.#material, clientCertificates);
    this.#webSockets = new SipWebSockets({
      context,
      material: this.#material,
      clientCertificates,
      allowedOrigins: options.allowedOrigins ?? [],
    });
  }

  async listen(listen: SipListener): Promise<void> {
    const { transport, address, port, edge, publicAddress } = listen;
    if (transport === "tcp") return this.#tcp.listen(listen);
    if (transport === "tls") return this.#tls.listen(listen);
    if (transport !== "udp") return this.#webSockets.listen(transport, address, port);
    const listener = await SipUdpListener.open({
      address,
      port,
      edge,
      publicAddress,
      routes: this.#routes,
      log: this.#options.log,
      onMessage: (bytes, flow) => this.#handlers?.onMessage(bytes, flow),
    });
    this.#udp.push(listener);
  }

  get available(): readonly SipTransportName[] {
    return TRANSPORTS.filter((transport) => this.#listeners(transport, undefined).length > 0);
  }

  availableAt(edge: string): readonly SipTransportName[] {
    return TRANSPORTS.filter((transport) => this.#listeners(transport, edge).length > 0);
  }

  attach(handlers: SipTransportHandlers): void {
    this.#handlers = handlers;
  }

  async send(bytes: Uint8Array, to: SipDestination | SipFlow): Promise<void> {
    const flow = "id" in to ? to : undefined;
    const address = "id" in to ? to.remoteAddress : to.address;
    const port = "id" in to ? to.remotePort : to.port;
    if (to.transport === "udp") return this.#udpFor(address, to.edge, flow?.id).send(bytes, address, port);
    const open = "id" in to ? this.#connections.get(to.id) : this.#reusable(to);
    if (open !== undefined) {
      try {
        return await open.send(bytes);
      } catch (cause) {
        // The peer had closed it and we did not know yet: the message deserves a connection of its own.
        if (!(cause instanceof TransportError) || cause.reason !== "closed") throw cause;
      }
    }
    const destination = "id" in to ? this.#destinationOf(to) : to;
    const other = flow === undefined || destination === undefined ? undefined : this.#reusable(destination);
    return (other ?? this.#dial(destination)).send(bytes);
  }

  sentBy(
    transport: SipTransportName,
    remoteAddress: string,
    edge?: string,
  ): { readonly host: string; readonly port: number } {
    const listener = this.#routes.choose(this.#listeners(transport, edge), remoteAddress);
    if (listener === undefined) throw noListener(transport, remoteAddress);
    if (listener.publicAddress !== undefined) return { host: listener.publicAddress, port: listener.port };
    const host = isWildcard(listener.address) ? this.#routes.localFor(remoteAddress) : listener.address;
    return { host: host ?? listener.address, port: listener.port };
  }

  aliasFlow(flow: SipFlow, port: number): void {
    const connection = this.#connections.get(flow.id);
    if (connection !== undefined && flow.transport === "tls") this.#tls.alias(connection, port);
  }

  carries(flow: SipFlow, to: SipDestination): boolean {
    return flow.edge === to.edge && (flow.transport !== "tls" || this.#tls.carries(flow, to));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#material.close();
    this.#connections.endAll();
    await Promise.all([
      this.#tcp.close(),
      this.#tls.close(),
      this.#webSockets.close(),
      ...this.#udp.map((listener) => listener.close()),
    ]);
  }

  #listeners(
    transport: SipTransportName,
    edge: string | undefined,
  ): readonly Omit<SipListener, "transport">[] {
    return this.#all(transport).filter((listener) => listener.edge === edge);
  }

  #all(transport: SipTransportName): readonly Omit<SipListener, "transport">[] {
    if (transport === "udp") return this.#udp;
    if (transport === "tcp") return this.#tcp.listeners;
    return transport === "tls" ? this.#tls.listeners : this.#webSockets.listeners(transport);
  }

  #reusable(to: SipDestination): SipConnection | undefined {
    if (to.transport === "tcp") return this.#connections.to(tcpKey(to.address, to.port, to.edge));
    return to.transport === "tls" ? this.#tls.find(to) : undefined;
  }

  #dial(to: SipDestination | undefined): SipConnection {
    if (this.#isClosed) throw new TransportError("unavailable", "the transports are closed");
    if (to === undefined) throw new TransportError("closed", "the peer's connection is gone");
    if (to.transport === "tcp") return this.#tcp.dial(to);
    if (to.transport === "tls") return this.#tls.dial(to);
    throw new TransportError("unavailable", `${to.transport} connections are opened by the other side only`);
  }

  #destinationOf(flow: SipFlow): SipDestination | undefined {
    const { transport, remoteAddress, remotePort, edge } = flow;
    if (transport === "tls") return this.#tls.destinationOf(flow);
    return transport === "tcp" ? { transport, address: remoteAddress, port: remotePort, edge } : undefined;
  }

  #forget(connection: SipConnection, cause: Error | undefined): void {
    const { flow } = connection;
    this.#connections.forget(connection);
    const { transport, remoteAddress, remotePort } = flow;
    const fields = { transport, remoteAddress, remotePort, reason: cause?.message };
    this.#options.log.debug(fields, "SIP connection closed");
    this.#handlers?.onFlowClosed?.(flow, cause instanceof TransportError ? cause : undefined);
  }

  /** The socket a flow came by, else the one that faces the peer. */
  #udpFor(remoteAddress: string, edge: string | undefined, flowId?: string): SipUdpListener {
    const ofEdge = this.#udp.filter((one) => one.edge === edge);
    const listener =
      this.#udp.find((one) => flowId?.startsWith(`udp:${one.address}:${one.port}/`)) ??
      this.#routes.choose(ofEdge, remoteAddress);
    if (listener === undefined) throw noListener("udp", remoteAddress);
    return listener;
  }
}

const TRANSPORTS = ["udp", "tcp", "tls", "ws", "wss"] as const;

function noListener(transport: string, remoteAddress: string): TransportError {
  return new TransportError("unavailable", `no ${transport} listener can reach ${remoteAddress}`);
}
