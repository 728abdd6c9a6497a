import { connect, isIP, type Socket } from "node:net";
import { SipAcceptor } from "./sip-acceptor.ts";
import type { Seat } from "./sip-connections.ts";
import { originOf, type SipListener } from "./sip-listener.ts";
import { SipStreamConnection } from "./sip-stream-connection.ts";
import type { SipStreamContext } from "./sip-stream-context.ts";
import type { SipDestination, SipFlow } from "./types.ts";

/** TCP listeners, and connections to where others listen. */
export class SipTcp {
  readonly listeners: SipAcceptor[] = [];
  readonly #context: SipStreamContext;

  constructor(context: SipStreamContext) {
    this.#context = context;
  }

  /** @throws ListenError */
  async listen({ address, port, edge, publicAddress }: SipListener): Promise<void> {
    const { connections, clock, log, limits } = this.#context;
    const acceptor: SipAcceptor = await SipAcceptor.open({
      transport: "tcp",
      address,
      port,
      edge,
      publicAddress,
      connections,
      clock,
      log,
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      onSocket: (socket) => this.#accept(acceptor, socket),
    });
    this.listeners.push(acceptor);
  }

  /** @throws TransportError "overloaded", "unavailable" when the edge has no TCP */
  dial({ address, port, edge }: SipDestination): SipStreamConnection {
    const { connections, routes } = this.#context;
    const origin = originOf(this.listeners, routes, { transport: "tcp", address, edge });
    const seat = connections.take();
    const socket = connect({ host: address, port, family: isIP(address), ...origin.bind });
    const flow: SipFlow = {
      id: connections.nextId("tcp"),
      transport: "tcp",
      localAddress: origin.localAddress,
      localPort: origin.localPort,
      remoteAddress: address,
      remotePort: port,
      edge,
    };
    return this.#adopt(socket, flow, false, seat);
  }

  async close(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.close()));
  }

  #accept(acceptor: SipAcceptor, socket: Socket): void {
    const seat = acceptor.claim(socket);
    const { remoteAddress, remotePort, localAddress = "", localPort = 0 } = socket;
    if (seat === undefined || remoteAddress === undefined || remotePort === undefined) {
      socket.destroy();
      return;
    }
    const id = this.#context.connections.nextId("tcp");
    const { edge } = acceptor;
    const flow = { id, transport: "tcp", localAddress, localPort, remoteAddress, remotePort, edge } as const;
    this.#adopt(socket, flow, true, seat);
  }

  #adopt(socket: Socket, flow: SipFlow, isIncoming: boolean, seat: Seat): SipStreamConnection {
    const connection = new SipStreamConnection({ ...this.#context, socket, flow, isIncoming, seat });
    this.#context.connections.add(connection, tcpKey(flow.remoteAddress, flow.remotePort, flow.edge));
    return connection;
  }
}

/** Requests to one address and port, from one edge, share a connection. */
export const tcpKey = (address: string, port: number, edge = ""): string => `tcp|${address}|${port}|${edge}`;
