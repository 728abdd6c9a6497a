import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { type SipParseError, SipStreamFramer } from "@callfork/protocol/sip";
import type { Seat, SipConnection, SipConnections } from "./sip-connections.ts";
import { TransportError, transportError } from "./transport-error.ts";
import type { Clock, SipFlow, Timer } from "./types.ts";

export interface SipStreamLimits {
  /** A connection on which no message moves for this long is closed. */
  readonly idleCloseMs: number;
  /** Until a connection that we open is there, its TLS handshake included. */
  readonly connectTimeoutMs: number;
  /** An accepted connection must bring something within this time. */
  readonly firstMessageTimeoutMs: number;
  /** A message whose first octets came must be whole within this time. */
  readonly messageTimeoutMs: number;
  /** Octets waiting to be written to one connection; beyond, the peer is held to be dead. */
  readonly maxQueuedBytes: number;
  /** A connection that we opened is pinged when nothing moved for this long (RFC 5626 §4.4.1). */
  readonly keepAliveMs: number;
  /** "If a pong is not received within 10 seconds after sending a ping …, the flow is considered failed". */
  readonly pongTimeoutMs: number;
}

export interface SipConnectionHandlers {
  onMessage(bytes: Uint8Array, flow: SipFlow): void;
  onFramingError(error: SipParseError, flow: SipFlow): void;
  /** Once, however it ended. */
  onClosed(connection: SipConnection, cause: Error | undefined): void;
}

export interface SipStreamConnectionOptions {
  /** Connecting or connected, TCP or TLS. */
  readonly socket: Socket;
  /** Its addresses and, where it is accepted, what TLS says; put right when a connection of ours is there. */
  readonly flow: SipFlow;
  readonly isIncoming: boolean;
  readonly seat: Seat;
  readonly connections: SipConnections;
  readonly clock: Clock;
  readonly limits: SipStreamLimits;
  readonly handlers: SipConnectionHandlers;
}

const PING = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a);
const PONG = Uint8Array.of(0x0d, 0x0a);
/** What has been written may still leave after `end`; then the socket goes. */
const LINGER_MS = 1000;

/** One TCP or TLS connection that carries SIP both ways, opened by either side. */
export class SipStreamConnection implements SipConnection {
  readonly flow: SipFlow;
  readonly #options: SipStreamConnectionOptions;
  readonly #socket: Socket;
  readonly #framer = new SipStreamFramer();
  /** When a message, or a ping of the peer's, last moved. */
  #lastUseAt: number;
  /** When anything last moved. */
  #lastTrafficAt: number;
  #pingSentAt: number | undefined;
  /** It answered a ping before: when it does not any more, it is dead. Peers that never do are left alone. */
  #knowsPings = false;
  #isOpen: boolean;
  #isProven = false;
  /** The peer has said something, were it a pong. */
  #hasHeard = false;
  #heldBytes = 0;
  #timer: Timer;
  #unfinishedTimer: Timer | undefined;
  #ended = false;

  constructor(options: SipStreamConnectionOptions) {
    const { socket, flow, clock, limits, isIncoming } = options;
    this.#options = options;
    this.#socket = socket;
    this.flow = flow;
    this.#lastUseAt = clock.now();
    this.#lastTrafficAt = this.#lastUseAt;
    this.#isOpen = isIncoming;
    this.#timer = isIncoming
      ? clock.setTimer(Math.min(limits.firstMessageTimeoutMs, limits.idleCloseMs), () =>
          this.#timeOut("nothing came"),
        )
      : clock.setTimer(limits.connectTimeoutMs, () => this.#timeOut("no connection in time"));
    socket.setNoDelay(true);
    if (!isIncoming)
      socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", () => this.#opened());
    socket.on("data", (chunk) => this.#onData(chunk));
    socket.on("error", () => {});
    socket.on("close", () => this.#closed());
  }

  get usable(): boolean {
    return !this.#ended && this.#socket.writable && !this.#socket.readableEnded;
  }

  send(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket;
    if (socket.writableLength + bytes.length > this.#options.limits.maxQueuedBytes) {
      const error = new TransportError("overloaded", `${this.#peer} does not read what it is sent`);
      socket.destroy(error);
      return Promise.reject(error);
    }
    this.#lastUseAt = this.#lastTrafficAt = this.#options.clock.now();
    return new Promise((resolve, reject) => {
      socket.write(bytes, (cause) => {
        if (cause === null || cause === undefined) resolve();
        else reject(this.#reason(socket.errored ?? cause));
      });
    });
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer.cancel();
    this.#unfinishedTimer?.cancel();
    this.#socket.end();
    this.#timer = this.#options.clock.setTimer(LINGER_MS, () => this.#socket.destroy());
  }

  get #peer(): string {
    const { transport, remoteAddress, remotePort } = this.flow;
    return `${transport}:${remoteAddress}:${remotePort}`;
  }

  #opened(): void {
    this.#isOpen = true;
    this.#timer.cancel();
    this.#watch();
  }

  #closed(): void {
    const isOurDoing = this.#ended;
    this.#ended = true;
    this.#timer.cancel();
    this.#unfinishedTimer?.cancel();
    this.#options.connections.hold(-this.#heldBytes);
    this.#heldBytes = 0;
    this.#options.seat.release();
    const { errored } = this.#socket;
    const cause = errored ?? (this.#mayHaveRefusedUs && !isOurDoing ? CLOSED : undefined);
    this.#options.handlers.onClosed(this, cause && this.#reason(cause));
  }

  #onData(chunk: Uint8Array): void {
    if (this.#ended) return;
    this.#hasHeard = true;
    this.#lastTrafficAt = this.#options.clock.now();
    const wasAwaited = this.#pingSentAt !== undefined;
    this.#pingSentAt = undefined;
    const outputs = this.#framer.push(chunk);
    if (!this.#watchUnfinished(outputs.some(({ kind }) => kind === "message"))) return;
    for (const output of outputs) {
      if (output.kind === "pong") this.#knowsPings ||= wasAwaited;
      else this.#lastUseAt = this.#lastTrafficAt;
      if (output.kind === "message" || output.kind === "ping") this.#prove();
      if (output.kind === "message") this.#options.handlers.onMessage(output.bytes, this.flow);
      else if (output.kind === "ping" && this.#socket.writableLength === 0) this.#socket.write(PONG);
      else if (output.kind === "error") {
        this.#options.handlers.onFramingError(output.error, this.flow);
        this.end();
      }
      if (this.#ended) return;
    }
  }

  #prove(): void {
    if (this.#isProven) return;
    this.#isProven = true;
    this.#options.seat.prove();
    if (!this.#options.isIncoming) return;
    this.#timer.cancel();
    this.#watch();
  }

  /** However slowly it comes, each message has one deadline; what all connections hold is bounded. */
  #watchUnfinished(hasMessage: boolean): boolean {
    const { clock, limits, connections } = this.#options;
    const held = this.#framer.heldBytes;
    const fits = connections.hold(held - this.#heldBytes);
    this.#heldBytes = held;
    if (!fits) {
      this.#ended = true;
      this.#socket.destroy(new TransportError("overloaded", `${this.#peer}: too many unfinished messages`));
      return false;
    }
    if (held === 0 || hasMessage) {
      this.#unfinishedTimer?.cancel();
      this.#unfinishedTimer = undefined;
    }
    if (held > 0) {
      this.#unfinishedTimer ??= clock.setTimer(limits.messageTimeoutMs, () =>
        this.#timeOut("a message stayed unfinished"),
      );
    }
    return true;
  }

  /** One timer that looks again, instead of one that each octet puts off. */
  #watch(): void {
    const { clock, limits, isIncoming } = this.#options;
    const now = clock.now();
    if (this.#pingSentAt !== undefined && now >= this.#pingSentAt + limits.pongTimeoutMs) {
      if (this.#knowsPings) {
        this.#timeOut("no answer to a keep-alive");
        return;
      }
      this.#pingSentAt = undefined;
    }
    if (now >= this.#lastUseAt + limits.idleCloseMs) {
      this.#timeOut("idle");
      return;
    }
    if (!isIncoming && this.#pingSentAt === undefined && now >= this.#lastTrafficAt + limits.keepAliveMs) {
      this.#socket.write(PING);
      this.#pingSentAt = this.#lastTrafficAt = now;
    }
    const pingAt =
      this.#pingSentAt === undefined
        ? this.#lastTrafficAt + limits.keepAliveMs
        : this.#pingSentAt + limits.pongTimeoutMs;
    const idleAt = this.#lastUseAt + limits.idleCloseMs;
    this.#timer = clock.setTimer((isIncoming ? idleAt : Math.min(idleAt, pingAt)) - now, () => this.#watch());
  }

  #timeOut(what: string): void {
    this.#ended = true;
    this.#socket.destroy(new TransportError("timeout", `${this.#peer}: ${what}`));
  }

  /**
   * In TLS 1.3 a client is through before the server has looked at its certificate (RFC 8446 §4.4.2.4): one that it does
   * not take ends the connection later, often without an alert.
   */
  get #mayHaveRefusedUs(): boolean {
    return this.flow.transport === "tls" && !this.#options.isIncoming && !this.#hasHeard;
  }

  /** A connection that breaks off in its TLS handshake, or before the peer said anything, was refused. */
  #reason(cause: unknown): TransportError {
    const error = transportError(this.#peer, cause);
    if (!this.#mayHaveRefusedUs || error.reason !== "closed") return error;
    const when = this.#isOpen
      ? "before a word: it may want another client certificate"
      : "in the TLS handshake";
    return new TransportError("handshake", `${this.#peer}: closed ${when}`, cause);
  }
}

/** What a peer's orderly end comes to while it is still owed an answer. */
const CLOSED = new TransportError("closed", "closed by the peer");
