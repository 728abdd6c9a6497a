import type { Socket } from "node:net";
import { type SipParseError, SipStreamFramer } from "@callfork/protocol/sip";
import { TransportError, transportError } from "./transport-error.ts";
import type { Clock, SipFlow, Timer } from "./types.ts";

export interface SipTcpConnectionLimits {
  readonly idleCloseMs: number;
  readonly connectTimeoutMs: number;
  readonly messageTimeoutMs: number;
  readonly maxQueuedBytes: number;
}

export interface SipTcpConnectionHandlers {
  onMessage(bytes: Uint8Array, flow: SipFlow): void;
  onFramingError(error: SipParseError, flow: SipFlow): void;
  /** Once, however it ended. */
  onClosed(connection: SipTcpConnection, cause: Error | undefined): void;
}

const PONG = Uint8Array.of(0x0d, 0x0a);
/** What has been written may still leave after `end`; then the socket goes. */
const LINGER_MS = 1000;

/** One TCP connection that carries SIP both ways, opened by either side. */
export class SipTcpConnection {
  readonly flow: SipFlow;
  readonly #socket: Socket;
  readonly #limits: SipTcpConnectionLimits;
  readonly #handlers: SipTcpConnectionHandlers;
  readonly #framer = new SipStreamFramer();
  readonly #clock: Clock;
  #lastActivityAt: number;
  #idleTimer: Timer;
  #unfinishedTimer: Timer | undefined;
  #ended = false;

  /**
   * @param socket - connecting or connected
   * @param flow - its addresses; the local ones are as far as known while it connects
   */
  constructor(
    socket: Socket,
    flow: SipFlow,
    clock: Clock,
    limits: SipTcpConnectionLimits,
    handlers: SipTcpConnectionHandlers,
  ) {
    this.#socket = socket;
    this.flow = flow;
    this.#clock = clock;
    this.#limits = limits;
    this.#handlers = handlers;
    this.#lastActivityAt = clock.now();
    this.#idleTimer = socket.connecting
      ? clock.setTimer(limits.connectTimeoutMs, () => this.#timeOut("no connection in time"))
      : this.#watchIdle(limits.idleCloseMs);
    socket.setNoDelay(true);
    socket.on("connect", () => {
      this.#idleTimer.cancel();
      this.#idleTimer = this.#watchIdle(limits.idleCloseMs);
    });
    socket.on("data", (chunk) => this.#onData(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#ended = true;
      this.#idleTimer.cancel();
      this.#unfinishedTimer?.cancel();
      handlers.onClosed(this, socket.errored ?? undefined);
    });
  }

  /** Can it take another message? */
  get usable(): boolean {
    return !this.#ended && this.#socket.writable && !this.#socket.readableEnded;
  }

  /** Resolves when the kernel took the octets. */
  send(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket;
    const peer = `tcp:${this.flow.remoteAddress}:${this.flow.remotePort}`;
    if (socket.writableLength + bytes.length > this.#limits.maxQueuedBytes) {
      const error = new TransportError("overloaded", `${peer} does not read what it is sent`);
      socket.destroy(error);
      return Promise.reject(error);
    }
    this.#lastActivityAt = this.#clock.now();
    return new Promise((resolve, reject) => {
      socket.write(bytes, (cause) => {
        if (cause === null || cause === undefined) resolve();
        else reject(transportError(peer, socket.errored ?? cause));
      });
    });
  }

  /** Lets written octets leave, then closes. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#idleTimer.cancel();
    this.#unfinishedTimer?.cancel();
    this.#socket.end();
    this.#idleTimer = this.#clock.setTimer(LINGER_MS, () => this.#socket.destroy());
  }

  #onData(chunk: Uint8Array): void {
    if (this.#ended) return;
    this.#lastActivityAt = this.#clock.now();
    const outputs = this.#framer.push(chunk);
    if (outputs.length > 0) {
      this.#unfinishedTimer?.cancel();
      this.#unfinishedTimer = undefined;
    } else {
      this.#unfinishedTimer ??= this.#clock.setTimer(this.#limits.messageTimeoutMs, () =>
        this.#timeOut("a message stayed unfinished"),
      );
    }
    for (const output of outputs) {
      if (output.kind === "message") this.#handlers.onMessage(output.bytes, this.flow);
      else if (output.kind === "ping" && this.#socket.writableLength === 0) this.#socket.write(PONG);
      else if (output.kind === "error") {
        this.#handlers.onFramingError(output.error, this.flow);
        this.end();
      }
      if (this.#ended) return;
    }
  }

  /** One timer that looks again, instead of one that each octet puts off. */
  #watchIdle(delayMs: number): Timer {
    return this.#clock.setTimer(delayMs, () => {
      const leftMs = this.#lastActivityAt + this.#limits.idleCloseMs - this.#clock.now();
      if (leftMs > 0) this.#idleTimer = this.#watchIdle(leftMs);
      else this.#timeOut("idle");
    });
  }

  #timeOut(what: string): void {
    const peer = `tcp:${this.flow.remoteAddress}:${this.flow.remotePort}`;
    this.#ended = true;
    this.#socket.destroy(new TransportError("timeout", `${peer}: ${what}`));
  }
}
