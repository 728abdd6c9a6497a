import { once } from "node:events";
import { connect, createServer, isIP, type Server, type Socket } from "node:net";
import type { SipParseError } from "@callfork/protocol/sip";
import type { Log } from "../observe/index.ts";
import type { Routes } from "./routes.ts";
import { SipTcpConnection, type SipTcpConnectionLimits } from "./sip-tcp-connection.ts";
import { ListenError, TransportError } from "./transport-error.ts";
import type { Clock, SipFlow } from "./types.ts";

export interface SipTcpOptions {
  readonly routes: Routes;
  readonly log: Log;
  readonly clock: Clock;
  readonly limits: SipTcpConnectionLimits & { readonly maxConnections: number };
  readonly onMessage: (bytes: Uint8Array, flow: SipFlow) => void;
  readonly onFramingError: (error: SipParseError, flow: SipFlow) => void;
  readonly onFlowClosed: (flow: SipFlow) => void;
}

export interface SipTcpListener {
  readonly address: string;
  readonly port: number;
}

/** All TCP listeners and connections of this node. */
export class SipTcp {
  readonly listeners: SipTcpListener[] = [];
  readonly #options: SipTcpOptions;
  readonly #servers: Server[] = [];
  readonly #connections = new Map<string, SipTcpConnection>();
  /** Connections by the peer's address and port; the newest where there are several. */
  readonly #byPeer = new Map<string, SipTcpConnection>();
  #nextId = 1;
  #closed = false;

  constructor(options: SipTcpOptions) {
    this.#options = options;
  }

  async listen(address: string, port: number): Promise<void> {
    const server = createServer({ pauseOnConnect: false }, (socket) => this.#accept(socket));
    try {
      server.listen({ host: address, port, ipv6Only: true });
      await once(server, "listening");
    } catch (cause) {
      throw new ListenError(`tcp:${address}:${port}`, cause);
    }
    server.on("error", (error) => this.#options.log.warn({ error, port }, "SIP TCP listener"));
    this.#servers.push(server);
    const bound = server.address();
    if (bound !== null && typeof bound === "object") {
      this.listeners.push({ address: bound.address, port: bound.port });
    }
  }

  /** Over an open connection to that peer, or a new one. */
  async send(bytes: Uint8Array, address: string, port: number): Promise<void> {
    const open = this.#byPeer.get(peerKey(address, port));
    if (open?.usable === true) {
      try {
        return await open.send(bytes);
      } catch (cause) {
        // The peer had closed it and we did not know yet: the message deserves a connection of its own.
        if (!(cause instanceof TransportError) || cause.reason !== "closed" || this.#closed) throw cause;
      }
    }
    return this.#connect(address, port).send(bytes);
  }

  /** Back on the connection that a message came by; a new one to its peer when it is gone. */
  async sendOn(bytes: Uint8Array, flow: SipFlow): Promise<void> {
    const connection = this.#connections.get(flow.id);
    return connection?.usable === true
      ? connection.send(bytes)
      : this.send(bytes, flow.remoteAddress, flow.remotePort);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const servers = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const connection of this.#connections.values()) connection.end();
    await Promise.all(servers);
  }

  #accept(socket: Socket): void {
    const remoteAddress = socket.remoteAddress;
    const remotePort = socket.remotePort;
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy();
      return;
    }
    if (this.#connections.size >= this.#options.limits.maxConnections) {
      this.#options.log.warn({ remoteAddress }, "SIP TCP connection refused: too many are open");
      socket.destroy();
      return;
    }
    this.#adopt(socket, remoteAddress, remotePort);
  }

  #connect(address: string, port: number): SipTcpConnection {
    if (this.#closed) throw new TransportError("unavailable", "the transports are closed");
    if (this.#connections.size >= this.#options.limits.maxConnections) {
      throw new TransportError("overloaded", "too many TCP connections are open");
    }
    const socket = connect({ host: address, port, family: isIP(address) });
    return this.#adopt(socket, address, port);
  }

  #adopt(socket: Socket, remoteAddress: string, remotePort: number): SipTcpConnection {
    const listener = this.#options.routes.choose(this.listeners, remoteAddress);
    const flow: SipFlow = {
      id: `tcp:${this.#nextId++}`,
      transport: "tcp",
      localAddress: socket.localAddress ?? this.#options.routes.localFor(remoteAddress) ?? "",
      localPort: socket.localPort ?? listener?.port ?? 0,
      remoteAddress,
      remotePort,
    };
    const connection = new SipTcpConnection(socket, flow, this.#options.clock, this.#options.limits, {
      onMessage: this.#options.onMessage,
      onFramingError: (error, from) => {
        this.#options.log.warn({ code: error.code, remoteAddress }, "SIP TCP stream cannot be framed");
        this.#options.onFramingError(error, from);
      },
      onClosed: (closed, cause) => this.#forget(closed, cause),
    });
    this.#connections.set(flow.id, connection);
    this.#byPeer.set(peerKey(remoteAddress, remotePort), connection);
    return connection;
  }

  #forget(connection: SipTcpConnection, cause: Error | undefined): void {
    const { flow } = connection;
    this.#connections.delete(flow.id);
    const key = peerKey(flow.remoteAddress, flow.remotePort);
    if (this.#byPeer.get(key) === connection) this.#byPeer.delete(key);
    this.#options.log.debug(
      { remoteAddress: flow.remoteAddress, remotePort: flow.remotePort, reason: cause?.message },
      "SIP TCP connection closed",
    );
    this.#options.onFlowClosed(flow);
  }
}

function peerKey(address: string, port: number): string {
  return `${address}|${port}`;
}
