import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { connect, createServer, type PeerCertificate, type Server, type TLSSocket } from "node:tls";
import { SipAcceptor } from "./sip-acceptor.ts";
import type { Seat, SipConnection } from "./sip-connections.ts";
import { originOf, type SipListener } from "./sip-listener.ts";
import { SipStreamConnection } from "./sip-stream-connection.ts";
import type { SipStreamContext } from "./sip-stream-context.ts";
import { type CertificateNames, certificateNames, namesDomain } from "./tls-identity.ts";
import type { TlsMaterial } from "./tls-material.ts";
import { TLS_POLICY } from "./tls-policy.ts";
import { errnoOf, TransportError } from "./transport-error.ts";
import type { SipDestination, SipFlow, SipFlowTls, SipTlsContext } from "./types.ts";

/** Whether those who connect must show a certificate; the configuration's words. */
export type ClientCertificates = "none" | "optional" | "required";

/** TLS listeners, and connections to where others listen. */
export class SipTls {
  readonly listeners: SipAcceptor[] = [];
  readonly #context: SipStreamContext;
  readonly #material: TlsMaterial;
  readonly #clientCertificates: ClientCertificates;
  /** What a connection of ours was made with: it is made anew in the same way. */
  readonly #madeWith = new WeakMap<SipFlow, SipTlsContext>();

  constructor(context: SipStreamContext, material: TlsMaterial, clientCertificates: ClientCertificates) {
    this.#context = context;
    this.#material = material;
    this.#clientCertificates = clientCertificates;
  }

  /** @throws ListenError */
  async listen({ address, port, edge, publicAddress }: SipListener): Promise<void> {
    const { connections, clock, log, limits } = this.#context;
    const server = createTlsServer(this.#material, this.#clientCertificates);
    const acceptor: SipAcceptor = await SipAcceptor.open({
      transport: "tls",
      address,
      port,
      edge,
      publicAddress,
      connections,
      clock,
      log,
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      onSocket: (socket) => server.emit("connection", socket),
    });
    server.on("secureConnection", (socket) => this.#accept(acceptor, socket));
    server.on("tlsClientError", (error, socket) => {
      const { remoteAddress } = socket;
      log.info({ remoteAddress, reason: errnoOf(error) ?? error.message }, "SIP TLS handshake failed");
      socket.destroy();
    });
    this.listeners.push(acceptor);
  }

  /** An open connection that messages to `to` may take. */
  find(to: SipDestination): SipConnection | undefined {
    const context = contextOf(to);
    const { connections } = this.#context;
    const own = connections.to(tlsKey(to, context));
    if (own !== undefined) return own;
    // RFC 5923 §5: a connection that the peer opened, when its certificate names whom we mean to reach.
    if (context.certificate !== undefined || context.ca !== undefined) return undefined;
    const aliased = connections.to(aliasKey(to.address, to.port, to.edge));
    const domains = aliased?.flow.tls?.identities ?? [];
    return namesDomain({ domains, addresses: [] }, context.serverName) ? aliased : undefined;
  }

  /**
   * @throws TransportError "overloaded", "unavailable" when the edge has no TLS, or "failed" when the certificate for
   *   this peer cannot be used
   */
  dial(to: SipDestination): SipStreamConnection {
    const { connections, routes } = this.#context;
    const context = contextOf(to);
    const { serverName } = context;
    const { identities, ca } = this.#material.current;
    const own = context.certificate === undefined ? identities[0] : context;
    const authorities = context.ca ?? ca;
    const origin = originOf(this.listeners, routes, to);
    const seat = connections.take();
    let socket: TLSSocket;
    try {
      socket = connect({
        ...TLS_POLICY,
        host: to.address,
        port: to.port,
        ...origin.bind,
        servername: isIP(serverName) === 0 ? serverName : "",
        ...(authorities !== undefined && { ca: authorities }),
        ...(own?.certificate !== undefined &&
          own.key !== undefined && { cert: own.certificate, key: own.key }),
        checkServerIdentity: (_host, certificate) => checkName(serverName, certificate),
      });
    } catch (cause) {
      seat.release();
      throw new TransportError("failed", `tls:${to.address}:${to.port}: ${String(cause)}`, cause);
    }
    const flow: SipFlow & { tls?: SipFlowTls } = {
      id: connections.nextId("tls"),
      transport: "tls",
      localAddress: origin.localAddress,
      localPort: origin.localPort,
      remoteAddress: to.address,
      remotePort: to.port,
      edge: to.edge,
    };
    socket.once("secureConnect", () => {
      flow.tls = describeTls(socket);
    });
    this.#madeWith.set(flow, context);
    const connection = new SipStreamConnection({ ...this.#context, socket, flow, isIncoming: false, seat });
    connections.add(connection, tlsKey(to, context));
    return connection;
  }

  /** Where to go when the connection of a flow is gone: only for those that we opened is it known whom to expect. */
  destinationOf(flow: SipFlow): SipDestination | undefined {
    const tls = this.#madeWith.get(flow);
    const { remoteAddress: address, remotePort: port, edge } = flow;
    return tls && { transport: "tls", address, port, tls, edge };
  }

  /** A connection that the peer opened may carry what goes to its alias. */
  carries(flow: SipFlow, to: SipDestination): boolean {
    const madeWith = this.#madeWith.get(flow);
    if (madeWith === undefined) return true;
    const keyFor = (context: SipTlsContext): string => tlsKey(to, context);
    return keyFor(madeWith) === keyFor(contextOf(to));
  }

  /** RFC 5923 §8.2: "The server … MUST authenticate the connection" before it takes requests the other way. */
  alias(connection: SipConnection, port: number): void {
    const { tls, remoteAddress, edge } = connection.flow;
    if (tls?.authorized !== true) return;
    this.#context.connections.alias(connection, aliasKey(remoteAddress, port, edge));
  }

  async close(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.close()));
  }

  #accept(acceptor: SipAcceptor, socket: TLSSocket): void {
    const seat: Seat | undefined = acceptor.claim(socket);
    const { remoteAddress, remotePort, localAddress = "", localPort = 0 } = socket;
    if (seat === undefined || remoteAddress === undefined || remotePort === undefined) {
      socket.destroy();
      return;
    }
    const { connections } = this.#context;
    const tls = describeTls(socket);
    const id = connections.nextId("tls");
    const { edge } = acceptor;
    const local = { transport: "tls", localAddress, localPort, edge } as const;
    const flow: SipFlow = { id, ...local, remoteAddress, remotePort, tls };
    connections.add(new SipStreamConnection({ ...this.#context, socket, flow, isIncoming: true, seat }));
  }
}

/** A TLS server that does not listen: accepted sockets are handed to it as "connection" events. */
export function createTlsServer(material: TlsMaterial, clientCertificates: ClientCertificates): Server {
  const server = createServer(serverOptions(material, clientCertificates));
  material.onReload(() => server.setSecureContext(serverOptions(material, clientCertificates)));
  return server;
}

export function serverOptions(
  material: TlsMaterial,
  clientCertificates: ClientCertificates,
): Parameters<typeof createServer>[0] & object {
  const { identities, ca } = material.current;
  const [first] = identities;
  return {
    ...TLS_POLICY,
    ...(first !== undefined && { cert: first.certificate, key: first.key }),
    ...(ca !== undefined && { ca }),
    SNICallback: (name, done) => done(null, material.contextFor(name)),
    requestCert: clientCertificates !== "none",
    // With "optional" a certificate that cannot be verified makes the peer nobody, as if it had shown none.
    rejectUnauthorized: clientCertificates === "required",
  };
}

export function describeTls(socket: TLSSocket): SipFlowTls {
  const { authorized } = socket;
  const certificate = authorized ? socket.getPeerX509Certificate() : undefined;
  const names: CertificateNames = certificateNames(certificate?.subjectAltName);
  return {
    // A client that showed none is "authorized" for Node when none was asked for.
    authorized: authorized && certificate !== undefined,
    identities: names.domains,
    protocol: socket.getProtocol() ?? "",
    cipher: socket.getCipher().name,
  };
}

const contextOf = (to: SipDestination): SipTlsContext => to.tls ?? { serverName: to.address };

/** RFC 5922 §7.3. */
function checkName(serverName: string, certificate: PeerCertificate): Error | undefined {
  const names = certificateNames(certificate.subjectaltname);
  if (namesDomain(names, serverName)) return undefined;
  const told = [...names.domains, ...names.addresses].slice(0, 8).join(", ") || "nobody";
  return new TransportError("certificate-name", `the certificate is for ${told}, not for ${serverName}`);
}

function tlsKey({ address, port, edge = "" }: SipDestination, context: SipTlsContext): string {
  const { serverName, certificate = "", key = "", ca = "" } = context;
  const hasOwn = certificate !== "" || ca !== "";
  const own = hasOwn ? createHash("sha256").update(`${certificate}\0${key}\0${ca}`).digest("hex") : "";
  return `tls|${address}|${port}|${edge}|${serverName.toLowerCase()}|${own}`;
}

const aliasKey = (address: string, port: number, edge = ""): string => `alias|${address}|${port}|${edge}`;
