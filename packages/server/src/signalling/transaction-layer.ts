import {
  clientTransactionKey,
  formatSipMessage,
  mergedRequestKey,
  parseSipMessage,
  type SipMessage,
  type SipParseError,
  type SipRequest,
  type SipResponse,
  serverTransactionKey,
  type TransactionEvent,
  type TransactionTimers,
} from "@callfork/protocol/sip";
import type { Random } from "@callfork/protocol/text";
import type { Clock, SipDestination, SipFlow, SipTransports } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import { ClientTransaction } from "./client-transaction.ts";
import { retryAfterSeconds, token } from "./core.ts";
import { FloodGuard } from "./flood-guard.ts";
import type { TurnedAway } from "./options.ts";
import { ServerTransaction, statelessResponse } from "./server-transaction.ts";
import type { MessageTrace } from "./trace.ts";
import { noteAlias, responseFallback, responsePath, stampVia } from "./via.ts";

export interface TransactionLayerOptions {
  readonly transports: SipTransports;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timers: TransactionTimers;
  /** For the Server header field; an empty one leaves it out. */
  serverNameFor(flow: SipFlow): string;
  readonly maximumTransactions: number;
  readonly maximumRequestsPerSecond: number;
  readonly trace: MessageTrace;
  isOverloaded(): boolean;
  /** False: the request is dropped without a sign. Asked for requests that match no transaction. */
  hears(request: SipRequest, flow: SipFlow): boolean;
  /** A request outside a dialog got an answer, provisional or final. */
  onAnswered(request: SipRequest, flow: SipFlow, status: number): void;
  onTurnedAway(why: TurnedAway): void;
  /** A request that starts a transaction; never ACK. */
  onRequest(transaction: ServerTransaction): void;
  /** An ACK that belongs to a 2xx. */
  onAck(ack: SipRequest): void;
}

/** Hears of a client transaction: any number of responses (a forked INVITE has several), or one failure. */
export interface ClientHandlers {
  onResponse(response: SipResponse): void;
  onTimeout(): void;
  onTransportError(reason: unknown): void;
}

/** Requests and responses in their transactions, over the transports (RFC 3261 §17, §18). */
export class TransactionLayer {
  readonly #options: TransactionLayerOptions;
  readonly #clients = new Map<string, ClientTransaction>();
  readonly #servers = new Map<string, ServerTransaction>();
  /** Requests outside dialogs that are being served, by what they ask: a second one is merged. */
  readonly #asked = new Map<string, ServerTransaction>();
  readonly #flood: FloodGuard;

  constructor(options: TransactionLayerOptions) {
    this.#options = options;
    this.#flood = new FloodGuard(options.maximumRequestsPerSecond);
    options.transports.attach({
      onMessage: (bytes, flow) => this.#receive(bytes, flow),
      onFlowClosed: (flow, cause) => {
        for (const client of [...this.#clients.values()]) client.flowClosed(flow, cause);
      },
      onFramingError: (error, flow) => {
        options.log.warn({ callId: "", ...error, peer: peerOf(flow) }, "SIP stream lost its framing");
      },
    });
  }

  get live(): number {
    return this.#clients.size + this.#servers.size;
  }

  get liveClients(): number {
    return this.#clients.size;
  }

  /**
   * Starts a client transaction.
   *
   * @returns undefined when there are too many already, or two with one branch
   */
  startClient(
    request: SipRequest,
    to: SipDestination | SipFlow,
    handlers: ClientHandlers,
  ): ClientTransaction | undefined {
    const { clock, timers, transports, maximumTransactions } = this.#options;
    const key = clientTransactionKey(request);
    if (key === undefined || this.#clients.has(key) || this.live >= maximumTransactions) return undefined;
    const callId = callIdOf(request);
    const transaction = new ClientTransaction({
      request,
      to,
      clock,
      timers,
      send: (bytes) => this.#send(bytes, to, callId),
      mayHaveTaken: (flow) => "id" in to || (transports.carries?.(flow, to) ?? true),
      onEvent: (event, reason) => this.#guard(callId, () => this.#clientEvent(key, event, reason, handlers)),
    });
    this.#clients.set(key, transaction);
    transaction.start();
    return transaction;
  }

  /** Sends outside any transaction: the ACK to a 2xx. */
  send(message: SipMessage, to: SipDestination | SipFlow): Promise<void> {
    return this.#send(formatSipMessage(message), to, callIdOf(message));
  }

  /** The INVITE that a CANCEL means (RFC 3261 §9.2). */
  findCanceled(cancel: SipRequest): ServerTransaction | undefined {
    const key = serverTransactionKey(cancel, "INVITE");
    return key === undefined ? undefined : this.#servers.get(key);
  }

  /** Forgets everything at once, timers included. */
  disposeAll(): void {
    for (const transaction of [...this.#clients.values(), ...this.#servers.values()]) transaction.dispose();
    this.#clients.clear();
    this.#servers.clear();
    this.#asked.clear();
  }

  #receive(bytes: Uint8Array, flow: SipFlow): void {
    // RFC 7118 §5.1: one WebSocket message is one SIP message, whatever Content-Length says or leaves out.
    const isStream = flow.transport === "tcp" || flow.transport === "tls";
    const framing = isStream ? "stream" : "datagram";
    const parsed = parseSipMessage(bytes, { framing });
    if (!parsed.ok) {
      if (parsed.error.code !== "SIP_EMPTY") this.#receiveMalformed(bytes, parsed.error, flow);
      return;
    }
    const message = parsed.value;
    const callId = callIdOf(message);
    this.#options.trace("in", flow, callId, bytes);
    this.#guard(callId, () => {
      if (message.kind === "response") this.#receiveResponse(message, flow);
      else this.#receiveRequest(message, flow);
    });
  }

  /** A request is refused as the parser says, when it says so and an answer can be built; all else is dropped. */
  #receiveMalformed(bytes: Uint8Array, error: SipParseError, flow: SipFlow): void {
    const { random, log, clock } = this.#options;
    const callId = error.request === undefined ? "" : callIdOf(error.request);
    this.#options.trace("in", flow, callId, bytes);
    const fields = { callId, code: error.code, offset: error.offset, peer: peerOf(flow) };
    log.info(fields, `malformed SIP message: ${error.message}`);
    const { request, status } = error;
    if (request === undefined || status === undefined) return;
    if (this.#flood.admit(flow.remoteAddress, clock.now()) === "drop") return;
    stampVia(request, flow);
    // A reason phrase that says what is wrong, as §21.4.1 asks; the message holds no octets of the peer's.
    const reason = status === 400 ? `Bad Request: ${error.message}` : undefined;
    this.#answerStateless(request, flow, status, { reason, toTag: token(random) });
  }

  #receiveResponse(response: SipResponse, flow: SipFlow): void {
    const key = clientTransactionKey(response);
    const transaction = key === undefined ? undefined : this.#clients.get(key);
    // §8.1.3.3: "If more than one Via header field value is present in a response, the UAC SHOULD discard the message."
    if (transaction === undefined || response.headers.list("Via").length !== 1) {
      const fields = { callId: callIdOf(response), status: response.status, peer: peerOf(flow) };
      this.#options.log.debug(fields, "response that belongs to no transaction dropped");
      return;
    }
    transaction.receive(response);
  }

  #receiveRequest(request: SipRequest, flow: SipFlow): void {
    const key = serverTransactionKey(request);
    if (key === undefined) return;
    const known = this.#servers.get(key);
    if (known !== undefined) {
      known.retransmission(request);
      return;
    }
    if (request.method === "ACK") {
      this.#options.onAck(request);
      return;
    }
    if (!this.#options.hears(request, flow)) {
      const fields = { callId: callIdOf(request), peer: peerOf(flow), method: request.method };
      this.#options.log.debug(fields, "a stranger's request was dropped");
      this.#options.onTurnedAway("silence");
      return;
    }
    noteAlias(request, flow, this.#options.transports);
    stampVia(request, flow);
    if (!this.#admit(request, flow)) return;
    this.#startServer(key, request, flow);
  }

  #admit(request: SipRequest, flow: SipFlow): boolean {
    const { clock, random, log, maximumTransactions } = this.#options;
    // What belongs to a call that stands is let through: refusing a BYE would make the load last longer.
    const isNew = request.method !== "CANCEL" && mergedRequestKey(request) !== undefined;
    const verdict = isNew ? this.#flood.admit(flow.remoteAddress, clock.now()) : "accept";
    const hasRoom = this.live < maximumTransactions && !(isNew && this.#options.isOverloaded());
    if (verdict === "accept" && hasRoom) return true;
    this.#options.onTurnedAway(verdict === "accept" ? "overload" : "flood");
    log.warn({ callId: callIdOf(request), peer: peerOf(flow), verdict }, "too many requests");
    if (verdict === "drop") return false;
    this.#answerStateless(request, flow, 503, {
      toTag: token(random),
      headers: [["Retry-After", retryAfterSeconds(random, 2, 10)]],
    });
    return false;
  }

  #startServer(key: string, request: SipRequest, flow: SipFlow): void {
    const { clock, timers, random } = this.#options;
    const callId = callIdOf(request);
    const merged = request.method === "CANCEL" ? undefined : mergedRequestKey(request);
    const transaction: ServerTransaction = new ServerTransaction({
      request,
      flow,
      clock,
      timers,
      serverName: this.#options.serverNameFor(flow),
      toTag: token(random),
      send: (bytes) => this.#sendResponse(bytes, request, flow),
      onAnswer: (status) => merged !== undefined && this.#options.onAnswered(request, flow, status),
      onEvent: (event) => {
        if (event.type === "terminated") {
          this.#servers.delete(key);
          if (merged !== undefined && this.#asked.get(merged) === transaction) this.#asked.delete(merged);
        } else if (event.type === "ack") this.#guard(callId, () => this.#options.onAck(event.request));
        else this.#options.log.debug({ callId }, `${request.method} server transaction: ${event.type}`);
      },
    });
    this.#servers.set(key, transaction);
    const isMerged = merged !== undefined && this.#asked.has(merged);
    if (merged !== undefined && !isMerged) this.#asked.set(merged, transaction);
    transaction.start();
    if (isMerged) {
      transaction.respond(482); // §8.2.2.2
      return;
    }
    try {
      this.#options.onRequest(transaction);
    } catch (error) {
      this.#options.log.error({ callId, err: error }, `${request.method} failed here`);
      transaction.respond(500);
    }
  }

  #clientEvent(key: string, event: TransactionEvent, reason: unknown, handlers: ClientHandlers): void {
    if (event.type === "response") handlers.onResponse(event.response);
    else if (event.type === "timeout") handlers.onTimeout();
    else if (event.type === "transportError") handlers.onTransportError(reason);
    else if (event.type === "terminated") this.#clients.delete(key);
  }

  #answerStateless(
    request: SipRequest,
    flow: SipFlow,
    status: number,
    options: Parameters<typeof statelessResponse>[3],
  ): void {
    if (request.method === "ACK") return;
    const serverName = this.#options.serverNameFor(flow);
    const bytes = statelessResponse(request, status, serverName, options);
    this.#sendResponse(bytes, request, flow).catch(() => {});
  }

  async #sendResponse(bytes: Uint8Array, request: SipRequest, flow: SipFlow): Promise<void> {
    const callId = callIdOf(request);
    const fallback = responseFallback(request, flow);
    try {
      await this.#send(bytes, responsePath(request, flow), callId);
    } catch (error) {
      if (fallback === undefined) throw error;
      await this.#send(bytes, fallback, callId);
    }
  }

  async #send(bytes: Uint8Array, to: SipDestination | SipFlow, callId: string): Promise<void> {
    this.#options.trace("out", to, callId, bytes);
    try {
      await this.#options.transports.send(bytes, to);
    } catch (error) {
      this.#options.log.info({ callId, err: error, transport: to.transport }, "SIP message was not sent");
      throw error;
    }
  }

  /** A handler that throws must not stop the messages after it. */
  #guard(callId: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#options.log.error({ callId, err: error }, "a SIP handler threw");
    }
  }
}

export function callIdOf(message: SipMessage): string {
  return message.headers.get("Call-ID") ?? "";
}

const peerOf = (flow: SipFlow): string => `${flow.transport}:${flow.remoteAddress}:${flow.remotePort}`;
