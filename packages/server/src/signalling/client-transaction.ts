import {
  InviteClientTransaction,
  NonInviteClientTransaction,
  type SipRequest,
  type SipResponse,
  type TransactionEvent,
  type TransactionTimers,
} from "@callfork/protocol/sip";
import type { Clock, SipDestination, SipFlow } from "../net/index.ts";
import { addressOf } from "./targets.ts";
import { TransactionDriver } from "./transaction-driver.ts";

export interface ClientTransactionOptions {
  /** Complete, our Via on top. */
  readonly request: SipRequest;
  readonly to: SipDestination | SipFlow;
  readonly clock: Clock;
  readonly timers: TransactionTimers;
  send(bytes: Uint8Array): Promise<void>;
  /** Whether what goes to `to` may have gone by that connection to the same address. */
  mayHaveTaken(flow: SipFlow): boolean;
  onEvent(event: TransactionEvent, reason: unknown): void;
}

/** One sent request until its last answer is dealt with. */
export class ClientTransaction {
  readonly request: SipRequest;
  readonly #machine: InviteClientTransaction | NonInviteClientTransaction;
  readonly #driver: TransactionDriver;
  readonly #clock: Clock;
  readonly #to: SipDestination | SipFlow;
  readonly #mayHaveTaken: (flow: SipFlow) => boolean;
  /** Why the transport failed, for the log. */
  #transportReason: unknown;
  /** The transport has the octets. Before that it says itself what went wrong. */
  #taken = false;

  constructor(options: ClientTransactionOptions) {
    const { request, clock, timers, to } = options;
    const reliable = to.transport !== "udp";
    this.request = request;
    this.#to = to;
    this.#mayHaveTaken = options.mayHaveTaken;
    this.#clock = clock;
    this.#machine =
      request.method === "INVITE"
        ? new InviteClientTransaction(request, { reliable, timers })
        : new NonInviteClientTransaction(request, { reliable, timers });
    const send = (bytes: Uint8Array): void => {
      options.send(bytes).then(
        () => {
          this.#taken = true;
        },
        (reason: unknown) => {
          this.#transportReason = reason;
          this.#driver.carryOut(this.#machine.transportError(clock.now()));
        },
      );
    };
    this.#driver = new TransactionDriver(clock, this.#machine, send, (event) =>
      options.onEvent(event, this.#transportReason),
    );
  }

  start(): void {
    this.#driver.carryOut(this.#machine.start(this.#clock.now()));
  }

  receive(response: SipResponse): void {
    this.#driver.carryOut(this.#machine.response(response, this.#clock.now()));
  }

  /**
   * A connection was closed. When it is the one that took our INVITE and nothing has come back yet, waiting for Timer B
   * would help nobody: the next address is tried.
   */
  flowClosed(flow: SipFlow, cause?: Error): void {
    if (!this.#taken || this.request.method !== "INVITE" || this.#to.transport !== flow.transport) return;
    const address = addressOf(this.#to);
    const port = "port" in this.#to ? this.#to.port : this.#to.remotePort;
    if (address !== flow.remoteAddress || port !== flow.remotePort) return;
    if (!this.#mayHaveTaken(flow)) return;
    this.#transportReason = cause ?? new Error("the connection was closed before an answer came");
    this.#driver.carryOut(this.#machine.transportError(this.#clock.now()));
  }

  /** Nobody waits any more; without effect after a final answer. */
  abandon(): void {
    this.#driver.carryOut(this.#machine.abandon(this.#clock.now()));
  }

  /** Forgets everything at once: the node stops. */
  dispose(): void {
    this.#driver.dispose();
  }
}
