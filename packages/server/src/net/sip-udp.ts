import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { isIP } from "node:net";
import type { Log } from "../observe/index.ts";
import { isWildcard, type Routes } from "./routes.ts";
import { ListenError, TransportError, transportError } from "./transport-error.ts";
import type { SipFlow } from "./types.ts";

/** What an IPv4 datagram can hold: 65,535 octets less the IP and UDP headers. */
export const MAX_DATAGRAM_BYTES = 65_507;
/** A burst of requests waits here while the process is busy. The kernel may grant less. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

export interface SipUdpOptions {
  readonly address: string;
  readonly port: number;
  readonly edge?: string | undefined;
  readonly publicAddress?: string | undefined;
  readonly routes: Routes;
  readonly log: Log;
  readonly onMessage: (bytes: Uint8Array, flow: SipFlow) => void;
}

/** One UDP socket that listens and sends (RFC 3581: replies and requests leave from the port we listen on). */
export class SipUdpListener {
  readonly address: string;
  readonly port: number;
  readonly edge: string | undefined;
  readonly publicAddress: string | undefined;
  readonly #socket: Socket;
  readonly #options: SipUdpOptions;
  #closed = false;

  static async open(options: SipUdpOptions): Promise<SipUdpListener> {
    const ipv6 = isIP(options.address) === 6;
    const socket = createSocket({
      type: ipv6 ? "udp6" : "udp4",
      ipv6Only: ipv6,
      recvBufferSize: SOCKET_BUFFER_BYTES,
      sendBufferSize: SOCKET_BUFFER_BYTES,
      // Destinations are literals; answering at once spares a turn of the loop for each send.
      lookup: (host, _options, callback) => callback(null, host, isIP(host)),
    });
    try {
      // Before bind(): with that look-up it may be over at once.
      const listening = once(socket, "listening");
      socket.bind(options.port, options.address);
      await listening;
    } catch (cause) {
      socket.close();
      throw new ListenError(`udp:${options.address}:${options.port}`, cause);
    }
    return new SipUdpListener(socket, options);
  }

  private constructor(socket: Socket, options: SipUdpOptions) {
    const bound = socket.address();
    this.address = bound.address;
    this.port = bound.port;
    this.edge = options.edge;
    this.publicAddress = options.publicAddress;
    this.#socket = socket;
    this.#options = options;
    socket.on("error", (error) => options.log.warn({ error, port: bound.port }, "SIP UDP socket"));
    socket.on("message", (bytes, from) => {
      if (!isKeepAlive(bytes)) options.onMessage(bytes, this.#flow(from.address, from.port));
    });
  }

  /** Resolves when the kernel took the datagram. */
  send(bytes: Uint8Array, address: string, port: number): Promise<void> {
    if (bytes.length > MAX_DATAGRAM_BYTES) {
      return Promise.reject(new TransportError("too-large", `${bytes.length} octets do not fit a datagram`));
    }
    if (this.#closed) return Promise.reject(new TransportError("unavailable", "the transports are closed"));
    return new Promise((resolve, reject) => {
      const done = (cause: Error | null): void =>
        cause === null ? resolve() : reject(transportError(`udp:${address}:${port}`, cause));
      try {
        this.#socket.send(bytes, port, address, done);
      } catch (cause) {
        reject(transportError(`udp:${address}:${port}`, cause));
      }
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const closed = once(this.#socket, "close");
    this.#socket.close();
    await closed;
  }

  #flow(remoteAddress: string, remotePort: number): SipFlow {
    const local = isWildcard(this.address) ? this.#options.routes.localFor(remoteAddress) : this.address;
    return {
      id: `udp:${this.address}:${this.port}/${remoteAddress}:${remotePort}`,
      transport: "udp",
      localAddress: local ?? this.address,
      localPort: this.port,
      remoteAddress,
      remotePort,
      edge: this.edge,
    };
  }
}

/** Nothing but line ends and NULs, or nothing at all: phones hold NAT bindings open with these. */
function isKeepAlive(bytes: Uint8Array): boolean {
  return bytes.every((octet) => octet === 0x0d || octet === 0x0a || octet === 0);
}
