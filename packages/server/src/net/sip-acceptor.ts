import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Log } from "../observe/index.ts";
import type { Seat, SipConnections } from "./sip-connections.ts";
import { ListenError } from "./transport-error.ts";
import type { Clock, Timer } from "./types.ts";

export interface SipAcceptorOptions {
  readonly transport: string;
  readonly address: string;
  readonly port: number;
  readonly edge?: string | undefined;
  readonly publicAddress?: string | undefined;
  readonly connections: SipConnections;
  readonly clock: Clock;
  readonly log: Log;
  /** What comes before SIP (TLS handshake, HTTP upgrade) must be over in this time. */
  readonly handshakeTimeoutMs: number;
  /** A socket that got a seat; whoever brings it to SIP calls `claim`. */
  readonly onSocket: (socket: Socket) => void;
}

interface Waiting {
  readonly socket: Socket;
  readonly seat: Seat;
  readonly timer: Timer;
}

/** A listening TCP socket that counts who comes before anything is done for them. */
export class SipAcceptor {
  readonly address: string;
  readonly port: number;
  readonly edge: string | undefined;
  readonly publicAddress: string | undefined;
  readonly #server: Server;
  readonly #waiting = new Map<string, Waiting>();
  readonly #options: SipAcceptorOptions;

  /** @throws ListenError */
  static async open(options: SipAcceptorOptions): Promise<SipAcceptor> {
    const { transport, address, port } = options;
    const server = createServer({ noDelay: true });
    try {
      server.listen({ host: address, port, ipv6Only: true, backlog: BACKLOG });
      await once(server, "listening");
    } catch (cause) {
      throw new ListenError(`${transport}:${address}:${port}`, cause);
    }
    return new SipAcceptor(server, options);
  }

  private constructor(server: Server, options: SipAcceptorOptions) {
    const bound = server.address();
    const isBound = bound !== null && typeof bound === "object";
    this.address = isBound ? bound.address : options.address;
    this.port = isBound ? bound.port : options.port;
    this.edge = options.edge;
    this.publicAddress = options.publicAddress;
    this.#server = server;
    this.#options = options;
    server.on("error", (error) => options.log.warn({ error, port: this.port }, "SIP listener"));
    server.on("connection", (socket) => this.#accept(socket));
  }

  /**
   * The handshake is over and `socket` (the accepted one, or what wraps it) carries SIP now; the seat goes to the caller.
   *
   * @returns undefined when it was given up meanwhile
   */
  claim(socket: Socket): Seat | undefined {
    const key = keyOf(socket);
    const waiting = key === undefined ? undefined : this.#waiting.get(key);
    if (key === undefined || waiting === undefined) return undefined;
    waiting.timer.cancel();
    this.#waiting.delete(key);
    return waiting.seat;
  }

  /** Resolves when the connections that were claimed are gone as well. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const { socket } of this.#waiting.values()) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const key = keyOf(socket);
    const { remoteAddress } = socket;
    const { connections, clock, handshakeTimeoutMs, log } = this.#options;
    socket.on("error", () => {});
    const seat =
      key === undefined || remoteAddress === undefined
        ? undefined
        : connections.admit(remoteAddress, () => socket.destroy());
    if (seat === undefined || key === undefined) {
      socket.destroy();
      return;
    }
    const timer = clock.setTimer(handshakeTimeoutMs, () => {
      log.info({ remoteAddress, transport: this.#options.transport }, "SIP connection: no handshake in time");
      socket.destroy();
    });
    this.#waiting.set(key, { socket, seat, timer });
    socket.once("close", () => {
      if (this.#waiting.get(key)?.seat === seat) {
        this.#waiting.delete(key);
        timer.cancel();
      }
      seat.release();
    });
    this.#options.onSocket(socket);
  }
}

/** Waiting to be accepted by us, while the process is busy; the kernel may grant less. */
const BACKLOG = 4096;

const keyOf = ({ remoteAddress, remotePort }: Socket): string | undefined =>
  remoteAddress === undefined || remotePort === undefined ? undefined : `${remoteAddress}|${remotePort}`;
