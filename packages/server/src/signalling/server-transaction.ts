import {
  createResponse,
  formatSipMessage,
  InviteServerTransaction,
  NonInviteServerTransaction,
  type SipRequest,
  type SipResponse,
  type TransactionEvent,
  type TransactionTimers,
} from "@callfork/protocol/sip";
import type { Clock, SipFlow } from "../net/index.ts";
import { putBody, putHeaders } from "./body.ts";
import { TransactionDriver } from "./transaction-driver.ts";
import type { HeaderLine, SipBody } from "./types.ts";

export interface RespondOptions {
  readonly reason?: string | undefined;
  readonly headers?: readonly HeaderLine[] | undefined;
  readonly body?: SipBody | undefined;
  /** For To, when the request's To has none. */
  readonly toTag?: string | undefined;
}

export interface ServerTransactionOptions {
  readonly request: SipRequest;
  readonly flow: SipFlow;
  readonly clock: Clock;
  readonly timers: TransactionTimers;
  readonly serverName: string;
  /** To tag of answers whose maker gives none. */
  readonly toTag: string;
  /** Octets out; resolves when the transport took them. */
  send(bytes: Uint8Array): Promise<void>;
  onEvent(event: TransactionEvent): void;
  /** An answer is on its way: a provisional other than the automatic 100, or the final one. */
  onAnswer(status: number): void;
}

/** One received request and the answers to it. */
export class ServerTransaction {
  readonly request: SipRequest;
  readonly flow: SipFlow;
  readonly callId: string;
  /** To tag of every answer to this request that makes no dialog of its own. */
  readonly toTag: string;
  readonly #machine: InviteServerTransaction | NonInviteServerTransaction;
  readonly #driver: TransactionDriver;
  readonly #clock: Clock;
  readonly #serverName: string;
  readonly #onAnswer: (status: number) => void;
  #finalSent = false;

  constructor(options: ServerTransactionOptions) {
    const { request, flow, clock, timers } = options;
    this.request = request;
    this.flow = flow;
    this.callId = request.headers.get("Call-ID") ?? "";
    this.toTag = options.toTag;
    this.#clock = clock;
    this.#serverName = options.serverName;
    this.#onAnswer = options.onAnswer;
    const machineOptions = { reliable: flow.transport !== "udp", timers };
    this.#machine =
      request.method === "INVITE"
        ? new InviteServerTransaction(request, machineOptions)
        : new NonInviteServerTransaction(request, machineOptions);
    const send = (bytes: Uint8Array): void => {
      options.send(bytes).catch(() => this.#driver.carryOut(this.#machine.transportError(clock.now())));
    };
    this.#driver = new TransactionDriver(clock, this.#machine, send, options.onEvent);
  }

  /** A final answer was given. */
  get isAnswered(): boolean {
    return this.#finalSent;
  }

  start(): void {
    this.#driver.carryOut(this.#machine.start(this.#clock.now()));
  }

  retransmission(request: SipRequest): void {
    this.#driver.carryOut(this.#machine.retransmission(request, this.#clock.now()));
  }

  /**
   * Answers; after a final answer further ones are dropped.
   *
   * @throws SipFormatError for a header name that is none; nothing has been answered then
   */
  respond(status: number, options: RespondOptions = {}): SipResponse {
    const response = this.prepare(status, options);
    if (this.#finalSent) return response;
    const outputs = this.#machine.respond(response, this.#clock.now());
    this.#finalSent = status >= 200;
    this.#driver.carryOut(outputs);
    this.#onAnswer(status);
    return response;
  }

  /** An answer as `respond` would send it. */
  prepare(status: number, options: RespondOptions): SipResponse {
    const toTag = options.toTag ?? this.toTag;
    return buildResponse(this.request, status, this.#serverName, { ...options, toTag });
  }

  /**
   * Sends an answer made before: a 2xx to INVITE again, which RFC 3261 §13.3.1.4 makes the user's duty, or a reliable
   * provisional.
   */
  repeat(response: SipResponse): void {
    this.#driver.carryOut(this.#machine.respond(response, this.#clock.now()));
  }

  /** Forgets everything at once: the node stops. */
  dispose(): void {
    this.#driver.dispose();
  }
}

export function buildResponse(
  request: SipRequest,
  status: number,
  serverName: string,
  { reason, headers, body, toTag }: RespondOptions,
): SipResponse {
  const response = createResponse(request, status, { reason, toTag });
  if (serverName !== "") response.headers.append("Server", serverName);
  putHeaders(response.headers, headers);
  response.body = putBody(response.headers, body);
  return response;
}

/** Answers without a transaction: for what could not be read, and for what there is no room for. */
export function statelessResponse(
  request: SipRequest,
  status: number,
  serverName: string,
  options: RespondOptions,
): Uint8Array {
  return formatSipMessage(buildResponse(request, status, serverName, options));
}
