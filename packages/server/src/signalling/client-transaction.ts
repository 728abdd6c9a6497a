import {
  InviteClientTransaction,
  NonInviteClientTransaction,
  type SipRequest,
  type SipResponse,
  type TransactionEvent,
  type TransactionTimers,
} from "@callfork/protocol/sip";
import type { Clock } from "../net/index.ts";
import { TransactionDriver } from "./transaction-driver.ts";

export interface ClientTransactionOptions {
  /** Complete, our Via on top. */
  readonly request: SipRequest;
  readonly reliable: boolean;
  readonly clock: Clock;
  readonly timers: TransactionTimers;
  send(bytes: Uint8Array): Promise<void>;
  onEvent(event: TransactionEvent, reason: unknown): void;
}

/** One sent request until its last answer is dealt with. */
export class ClientTransaction {
  readonly request: SipRequest;
  readonly #machine: InviteClientTransaction | NonInviteClientTransaction;
  readonly #driver: TransactionDriver;
  readonly #clock: Clock;
  /** Why the transport failed, for the log. */
  #transportReason: unknown;

  constructor(options: ClientTransactionOptions) {
    const { request, clock, timers, reliable } = options;
    this.request = request;
    this.#clock = clock;
    this.#machine =
      request.method === "INVITE"
        ? new InviteClientTransaction(request, { reliable, timers })
        : new NonInviteClientTransaction(request, { reliable, timers });
    const send = (bytes: Uint8Array): void => {
      options.send(bytes).catch((reason: unknown) => {
        this.#transportReason = reason;
        this.#driver.carryOut(this.#machine.transportError(clock.now()));
      });
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

  /** Nobody waits any more; without effect after a final answer. */
  abandon(): void {
    this.#driver.carryOut(this.#machine.abandon(this.#clock.now()));
  }

  /** Forgets everything at once: the node stops. */
  dispose(): void {
    this.#driver.dispose();
  }
}
