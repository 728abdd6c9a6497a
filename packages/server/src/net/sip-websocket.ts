import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { DEFAULT_SIP_LIMITS } from "@callfork/protocol/sip";
import { type WebSocket, WebSocketServer } from "ws";
import { SipAcceptor } from "./sip-acceptor.ts";
import type { SipStreamContext } from "./sip-stream-context.ts";
import { type ClientCertificates, describeTls, serverOptions } from "./sip-tls.ts";
import { SipWebSocketConnection } from "./sip-websocket-connection.ts";
import type { TlsMaterial } from "./tls-material.ts";
import { errnoOf } from "./transport-error.ts";
import type { SipFlow } from "./types.ts";

/** RFC 7118 §4.1. */
const SUBPROTOCOL = "sip";
const MAX_MESSAGE_BYTES = DEFAULT_SIP_LIMITS.headBytes + DEFAULT_SIP_LIMITS.bodyBytes;

export interface SipWebSocketOptions {
  readonly context: SipStreamContext;
  readonly material: TlsMaterial | undefined;
  readonly clientCertificates: ClientCertificates;
  /** Origins of web pages that may connect, `*` for any. */
  readonly allowedOrigins: readonly string[];
}

/** SIP over WebSocket and secure WebSocket, server side (RFC 7118). */
export class SipWebSockets {
  readonly #options: SipWebSocketOptions;
  readonly #listeners = { ws: [] as SipAcceptor[], wss: [] as SipAcceptor[] };
  readonly #servers: Server[] = [];
  readonly #upgrader = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: () => SUBPROTOCOL,
  });

  constructor(options: SipWebSocketOptions) {
    this.#options = options;
  }

  listeners(transport: "ws" | "wss"): readonly SipAcceptor[] {
    return this.#listeners[transport];
  }

  /** @throws ListenError */
  async listen(transport: "ws" | "wss", address: string, port: number): Promise<void> {
    const { connections, clock, log, limits } = this.#options.context;
    const server = this.#createServer(transport);
    const acceptor: SipAcceptor = await SipAcceptor.open({
      transport,
      address,
      port,
      connections,
      clock,
      log,
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      onSocket: (socket) => server.emit("connection", socket),
    });
    server.on("request", (_request, response) => {
      response.writeHead(426, { Upgrade: "websocket", Connection: "close" }).end();
    });
    server.on("upgrade", (request, socket: Socket, head) => {
      this.#upgrade(transport, acceptor, request, socket, head);
    });
    this.#listeners[transport].push(acceptor);
    this.#servers.push(server);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#listeners.ws, ...this.#listeners.wss].map((listener) => listener.close()));
    for (const server of this.#servers) server.closeAllConnections();
  }

  #createServer(transport: "ws" | "wss"): Server {
    const { material, clientCertificates, context } = this.#options;
    if (transport === "ws") return createServer(HTTP_LIMITS);
    if (material === undefined) throw new Error("wss: without certificates");
    const server = createSecureServer({ ...HTTP_LIMITS, ...serverOptions(material, clientCertificates) });
    material.onReload(() => server.setSecureContext(serverOptions(material, clientCertificates)));
    server.on("tlsClientError", (error, socket) => {
      const { remoteAddress } = socket;
      const reason = errnoOf(error) ?? error.message;
      context.log.info({ remoteAddress, reason }, "SIP over WebSocket: TLS handshake failed");
      socket.destroy();
    });
    return server;
  }

  #upgrade(
    transport: "ws" | "wss",
    acceptor: SipAcceptor,
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
  ): void {
    socket.on("error", () => {});
    const refusal = this.#refusal(request);
    if (refusal !== undefined) {
      const { remoteAddress } = socket;
      this.#options.context.log.info({ remoteAddress }, `SIP WebSocket refused: ${refusal}`);
      const status = refusal.startsWith("origin") ? "403 Forbidden" : "400 Bad Request";
      socket.end(
        `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
          `Content-Length: ${refusal.length}\r\n\r\n${refusal}`,
      );
      return;
    }
    this.#upgrader.handleUpgrade(request, socket, head, (webSocket) => {
      this.#adopt(transport, acceptor, socket, webSocket);
    });
  }

  /** Browsers let any page open a WebSocket to any host: without this check a page could call as its reader. */
  #refusal({ headers }: IncomingMessage): string | undefined {
    const offered = (headers["sec-websocket-protocol"] ?? "")
      .split(",")
      .map((one) => one.trim().toLowerCase());
    if (!offered.includes(SUBPROTOCOL)) return 'the subprotocol "sip" must be offered';
    const { origin } = headers;
    const { allowedOrigins } = this.#options;
    if (origin === undefined || allowedOrigins.includes("*")) return undefined;
    // Not even an origin equal to Host: a name that is made to lead to this host (DNS rebinding) makes them equal.
    return allowedOrigins.includes(origin.toLowerCase()) ? undefined : "origin is not allowed";
  }

  #adopt(transport: "ws" | "wss", acceptor: SipAcceptor, socket: Socket, webSocket: WebSocket): void {
    const seat = acceptor.claim(socket);
    const { remoteAddress, remotePort, localAddress = "", localPort = 0 } = socket;
    if (seat === undefined || remoteAddress === undefined || remotePort === undefined) {
      webSocket.terminate();
      return;
    }
    const { context } = this.#options;
    const flow: SipFlow = {
      id: context.connections.nextId(transport),
      transport,
      localAddress,
      localPort,
      remoteAddress,
      remotePort,
      ...(socket instanceof TLSSocket && { tls: describeTls(socket) }),
    };
    context.connections.add(new SipWebSocketConnection({ ...context, webSocket, flow, seat }));
  }
}

/** An upgrade request is small and comes at once. */
const HTTP_LIMITS = { maxHeaderSize: 8192, keepAlive: false, insecureHTTPParser: false } as const;
