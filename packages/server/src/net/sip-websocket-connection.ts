import { isUtf8 } from "node:buffer";
import type { RawData, WebSocket } from "ws";
import type { Seat, SipConnection } from "./sip-connections.ts";
import type { SipStreamContext } from "./sip-stream-context.ts";
import { TransportError, transportError } from "./transport-error.ts";
import type { SipFlow, Timer } from "./types.ts";

export interface SipWebSocketConnectionOptions
  extends Pick<SipStreamContext, "clock" | "limits" | "handlers" | "connections"> {
  /** Open. */
  readonly webSocket: WebSocket;
  readonly flow: SipFlow;
  readonly seat: Seat;
}

const LINGER_MS = 1000;
/** RFC 6455 §7.4.1: the endpoint is going away. */
const GOING_AWAY = 1001;

/** One WebSocket of a browser or another client: one SIP message is one WebSocket message (RFC 7118 §5). */
export class SipWebSocketConnection implements SipConnection {
  readonly flow: SipFlow;
  readonly #options: SipWebSocketConnectionOptions;
  readonly #webSocket: WebSocket;
  #isProven = false;
  #isAlive = true;
  #ended = false;
  #timer: Timer;

  constructor(options: SipWebSocketConnectionOptions) {
    const { webSocket, clock, limits } = options;
    this.#options = options;
    this.#webSocket = webSocket;
    this.flow = options.flow;
    this.#timer = clock.setTimer(limits.firstMessageTimeoutMs, () => this.#webSocket.terminate());
    webSocket.on("message", (data) => this.#onMessage(data));
    webSocket.on("pong", () => {
      this.#isAlive = true;
    });
    webSocket.on("error", () => {});
    webSocket.on("close", () => this.#closed());
  }

  get usable(): boolean {
    return !this.#ended && this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  send(bytes: Uint8Array): Promise<void> {
    const webSocket = this.#webSocket;
    if (!this.usable) return Promise.reject(new TransportError("closed", `${this.#peer} is closed`));
    if (webSocket.bufferedAmount + bytes.length > this.#options.limits.maxQueuedBytes) {
      webSocket.terminate();
      return Promise.reject(new TransportError("overloaded", `${this.#peer} does not read what it is sent`));
    }
    return new Promise((resolve, reject) => {
      // §5.1: text must be UTF-8; a body that is not goes as octets.
      webSocket.send(bytes, { binary: !isUtf8(bytes) }, (cause) => {
        if (cause === null || cause === undefined) resolve();
        else reject(transportError(this.#peer, cause));
      });
    });
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer.cancel();
    this.#webSocket.close(GOING_AWAY);
    this.#timer = this.#options.clock.setTimer(LINGER_MS, () => this.#webSocket.terminate());
  }

  get #peer(): string {
    return `${this.flow.transport}:${this.flow.remoteAddress}:${this.flow.remotePort}`;
  }

  #onMessage(data: RawData): void {
    if (this.#ended) return;
    this.#isAlive = true;
    const bytes = octetsOf(data);
    if (isLineEnds(bytes)) {
      // Clients keep their NAT bindings with RFC 5626 pings in frames of their own.
      if (bytes.length === 4) void this.send(bytes.subarray(0, 2)).catch(() => {});
      if (bytes.length > 0) this.#prove();
      return;
    }
    this.#prove();
    this.#options.handlers.onMessage(bytes, this.flow);
  }

  #prove(): void {
    if (this.#isProven) return;
    this.#isProven = true;
    this.#options.seat.prove();
    this.#timer.cancel();
    this.#ping();
  }

  #ping(): void {
    const { clock, limits } = this.#options;
    this.#timer = clock.setTimer(limits.webSocketPingMs, () => {
      if (!this.#isAlive) {
        this.#webSocket.terminate();
        return;
      }
      this.#isAlive = false;
      this.#webSocket.ping();
      this.#ping();
    });
  }

  #closed(): void {
    this.#ended = true;
    this.#timer.cancel();
    this.#options.seat.release();
    this.#options.handlers.onClosed(this, undefined);
  }
}

function octetsOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}

const isLineEnds = (bytes: Uint8Array): boolean =>
  bytes.length <= 4 && bytes.every((octet) => octet === 0x0d || octet === 0x0a);
