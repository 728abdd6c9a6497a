import type { Millis } from "../text/index.ts";
import type { SipMessage, SipRequest, SipResponse } from "./message.ts";
import {
  octetsOf,
  TransactionMachine,
  type TransactionOptions,
  type TransactionOutput,
  type TransactionTable,
} from "./transaction-machine.ts";

export type NonInviteServerState = "Trying" | "Proceeding" | "Completed" | "Terminated";
type Input = "request" | "1xx" | "200-699" | "timerJ" | "transportError" | "abandon";
type Action = "send" | "resend" | "reportTransportError";

/** Server transaction of every request but INVITE and ACK: RFC 3261 §17.2.2. */
export const NON_INVITE_SERVER = {
  Trying: {
    request: { to: "Trying", do: [] },
    "1xx": { to: "Proceeding", do: ["send"] },
    "200-699": { to: "Completed", do: ["send"] },
    abandon: { to: "Terminated", do: [] },
  },
  Proceeding: {
    request: { to: "Proceeding", do: ["resend"] },
    "1xx": { to: "Proceeding", do: ["send"] },
    "200-699": { to: "Completed", do: ["send"] },
    transportError: { to: "Proceeding", do: ["reportTransportError"] }, // RFC 6026: stays where it is
    abandon: { to: "Terminated", do: [] },
  },
  Completed: {
    request: { to: "Completed", do: ["resend"] },
    "200-699": { to: "Completed", do: [] }, // "Any other final responses passed by the TU … MUST be discarded"
    timerJ: { to: "Terminated", do: [] },
    transportError: { to: "Completed", do: ["reportTransportError"] },
    abandon: { to: "Terminated", do: [] },
  },
  Terminated: {},
} as const satisfies TransactionTable<NonInviteServerState, Input, Action>;

export const NON_INVITE_SERVER_TIMERS = {
  Trying: [],
  Proceeding: [],
  Completed: ["timerJ"],
  Terminated: [],
} as const satisfies Record<NonInviteServerState, readonly Input[]>;

/** Answers a request, and its retransmissions with the same octets. */
export class NonInviteServerTransaction extends TransactionMachine<
  NonInviteServerState,
  Input,
  Action,
  SipMessage
> {
  readonly request: SipRequest;
  #next: Uint8Array | undefined;
  #latest: Uint8Array | undefined;

  constructor(request: SipRequest, options: TransactionOptions) {
    super({ table: NON_INVITE_SERVER, liveTimers: NON_INVITE_SERVER_TIMERS, initial: "Trying" }, options);
    this.request = request;
  }

  start(now: Millis): readonly TransactionOutput[] {
    this.begin(now);
    return this.flush();
  }

  retransmission(request: SipRequest, now: Millis): readonly TransactionOutput[] {
    return this.run("request", now, request);
  }

  /**
   * The user's answer.
   *
   * @throws SipFormatError for an answer that cannot be written, before anything has changed
   */
  respond(response: SipResponse, now: Millis): readonly TransactionOutput[] {
    this.#next = octetsOf(response);
    return this.run(response.status < 200 ? "1xx" : "200-699", now, response);
  }

  /** Forgets everything at once: the node stops. */
  abandon(now: Millis): readonly TransactionOutput[] {
    return this.run("abandon", now);
  }

  protected override perform(action: Action): void {
    switch (action) {
      case "send":
        this.#latest = this.#next;
        if (this.#latest !== undefined) this.send(this.#latest);
        break;
      case "resend":
        if (this.#latest !== undefined) this.send(this.#latest);
        break;
      case "reportTransportError":
        this.emit({ type: "transportError" });
    }
  }

  protected override delayMs(timer: Input): number | undefined {
    if (timer !== "timerJ") return undefined;
    return this.reliable ? 0 : 64 * this.timers.t1Ms;
  }
}
