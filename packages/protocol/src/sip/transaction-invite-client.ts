import type { Millis } from "../text/index.ts";
import { createTransactionAck } from "./create-ack.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import {
  octetsOf,
  TransactionMachine,
  type TransactionOptions,
  type TransactionOutput,
  type TransactionTable,
} from "./transaction-machine.ts";

export type InviteClientState = "Calling" | "Proceeding" | "Accepted" | "Completed" | "Terminated";
type Input =
  | "1xx"
  | "2xx"
  | "300-699"
  | "timerA"
  | "timerB"
  | "timerD"
  | "timerM"
  | "transportError"
  | "abandon";
type Action = "passUp" | "sendAck" | "resend" | "reportTimeout" | "reportTransportError";

/** INVITE client transaction: RFC 3261 §17.1.1.2 as amended by RFC 6026 §7.2. */
export const INVITE_CLIENT = {
  Calling: {
    "1xx": { to: "Proceeding", do: ["passUp"] },
    "2xx": { to: "Accepted", do: ["passUp"] }, // RFC 6026 §7.2
    "300-699": { to: "Completed", do: ["sendAck", "passUp"] },
    timerA: { to: "Calling", do: ["resend"] }, // unreliable transports only
    timerB: { to: "Terminated", do: ["reportTimeout"] },
    transportError: { to: "Terminated", do: ["reportTransportError"] }, // RFC 3261 §17.1.4
    abandon: { to: "Terminated", do: [] },
  },
  Proceeding: {
    "1xx": { to: "Proceeding", do: ["passUp"] },
    "2xx": { to: "Accepted", do: ["passUp"] },
    "300-699": { to: "Completed", do: ["sendAck", "passUp"] },
    abandon: { to: "Terminated", do: [] }, // RFC 3261 §9.1: no final answer 64*T1 after CANCEL
  },
  Accepted: {
    "2xx": { to: "Accepted", do: ["passUp"] }, // retransmitted and forked ones alike: the user acknowledges each
    timerM: { to: "Terminated", do: [] },
  },
  Completed: {
    "300-699": { to: "Completed", do: ["sendAck"] },
    timerD: { to: "Terminated", do: [] },
    transportError: { to: "Terminated", do: ["reportTransportError"] },
  },
  Terminated: {},
} as const satisfies TransactionTable<InviteClientState, Input, Action>;

export const INVITE_CLIENT_TIMERS = {
  Calling: ["timerA", "timerB"],
  Proceeding: [],
  Accepted: ["timerM"],
  Completed: ["timerD"],
  Terminated: [],
} as const satisfies Record<InviteClientState, readonly Input[]>;

/** Sends an INVITE until answered, acknowledges refusals, and passes every 2xx up. */
export class InviteClientTransaction extends TransactionMachine<
  InviteClientState,
  Input,
  Action,
  SipResponse
> {
  readonly request: SipRequest;
  readonly #octets: Uint8Array;
  #ack: Uint8Array | undefined;
  #timerAMs: number;

  /** @param request - complete, its own Via on top; must not change any more */
  constructor(request: SipRequest, options: TransactionOptions) {
    super({ table: INVITE_CLIENT, liveTimers: INVITE_CLIENT_TIMERS, initial: "Calling" }, options);
    this.request = request;
    this.#octets = octetsOf(request);
    this.#timerAMs = this.timers.t1Ms;
  }

  start(now: Millis): readonly TransactionOutput[] {
    this.send(this.#octets);
    this.begin(now);
    return this.flush();
  }

  /** A response whose top Via branch and CSeq method are ours. */
  response(response: SipResponse, now: Millis): readonly TransactionOutput[] {
    const { status } = response;
    return this.run(status < 200 ? "1xx" : status < 300 ? "2xx" : "300-699", now, response);
  }

  /** Nobody waits any more; only before a final answer. */
  abandon(now: Millis): readonly TransactionOutput[] {
    return this.run("abandon", now);
  }

  protected override perform(action: Action, now: Millis, response: SipResponse | undefined): void {
    switch (action) {
      case "passUp":
        if (response !== undefined) this.emit({ type: "response", response });
        break;
      case "sendAck":
        // §17.1.1.2: "Any retransmissions of the final response … MUST cause the ACK to be re-passed to the transport"
        if (response !== undefined) this.#ack ??= octetsOf(createTransactionAck(this.request, response));
        if (this.#ack !== undefined) this.send(this.#ack);
        break;
      case "resend":
        this.#timerAMs *= 2;
        this.send(this.#octets);
        this.setTimer("timerA", this.#timerAMs, now);
        break;
      case "reportTimeout":
        this.emit({ type: "timeout" });
        break;
      case "reportTransportError":
        this.emit({ type: "transportError" });
    }
  }

  protected override delayMs(timer: Input): number | undefined {
    switch (timer) {
      case "timerA":
        return this.reliable ? undefined : this.timers.t1Ms;
      case "timerB":
      case "timerM":
        return 64 * this.timers.t1Ms;
      case "timerD":
        return this.reliable ? 0 : this.timers.timerDMs;
      default:
        return undefined;
    }
  }
}
