import { hasToken, ReliableProvisional, type SipRequest } from "@callfork/protocol/sip";
import { hasSessionDescription, receivedParts } from "./body.ts";
import { type Core, fraction } from "./core.ts";
import type { RespondOptions, ServerTransaction } from "./server-transaction.ts";
import { TransactionDriver } from "./transaction-driver.ts";

/** Sends the provisionals of one INVITE reliably where its sender wants or can have that (RFC 3262 §3). */
export class ReliableResponder {
  readonly #transaction: ServerTransaction;
  readonly #core: Core;
  readonly #machine: ReliableProvisional;
  readonly #driver: TransactionDriver;
  readonly #requires: boolean;
  readonly #supports: boolean;
  #hasAgreed = false;

  /** @param onGivenUp - no PRACK came in 64*T1 */
  constructor(core: Core, transaction: ServerTransaction, onGivenUp: () => void) {
    const { headers } = transaction.request;
    this.#core = core;
    this.#transaction = transaction;
    this.#requires = hasToken(headers, "Require", "100rel");
    this.#supports = this.#requires || hasToken(headers, "Supported", "100rel");
    const first = Math.floor(fraction(core.random) * 0x7fff0000);
    this.#machine = new ReliableProvisional(transaction.request, first, core.timers);
    const again = (): void => {
      const { current } = this.#machine;
      if (current !== undefined) transaction.repeat(current);
    };
    this.#driver = new TransactionDriver(core.clock, this.#machine, again, (event) => {
      if (event.type === "timeout") onGivenUp();
    });
  }

  /** A description in a provisional is worth an acknowledgement: an answer that gets lost is early media that does. */
  wants(hasDescription: boolean): boolean {
    return this.#requires || (this.#supports && hasDescription);
  }

  send(status: number, options: RespondOptions): void {
    const response = this.#transaction.prepare(status, options);
    this.#driver.carryOut(this.#machine.respond(response, this.#core.clock.now()));
  }

  /** Whether the PRACK acknowledges what waits for it. */
  acknowledge(prack: SipRequest): boolean {
    const { current } = this.#machine;
    const outputs = this.#machine.acknowledge(prack, this.#core.clock.now());
    if (outputs === undefined) return false;
    if (current !== undefined && hasSessionDescription(receivedParts(current))) this.#hasAgreed = true;
    this.#driver.carryOut(outputs);
    return true;
  }

  /** A description has come and its PRACK too: the peer may make offers by UPDATE (RFC 3311 §5.1). */
  get hasAgreed(): boolean {
    return this.#hasAgreed;
  }

  /** §3: no 2xx "until all unacknowledged reliable provisional responses" with a description are acknowledged. */
  get holdsAnswer(): boolean {
    return this.#machine.pending.some((response) => hasSessionDescription(receivedParts(response)));
  }

  final(): void {
    this.#driver.carryOut(this.#machine.final(this.#core.clock.now()));
  }
}
