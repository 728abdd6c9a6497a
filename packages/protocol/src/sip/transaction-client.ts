import type { Millis } from "../text/index.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import {
  octetsOf,
  TransactionMachine,
  type TransactionOptions,
  type TransactionOutput,
  type TransactionTable,
} from "./transaction-machine.ts";

export type NonInviteClientState = "Trying" | "Proceeding" | "Completed" | "Terminated";
type Input = "1xx" | "200-699" | "timerE" | "timerF" | "timerK" | "transportError" | "abandon";
type Action = "passUp" | "resend" | "resendSlowly" | "reportTimeout" | "reportTransportError";

/** Client transaction of every request but INVITE and ACK: RFC 3261 §17.1.2.2. */
export const NON_INVITE_CLIENT = {
  Trying: {
    "1xx": { to: "Proceeding", do: ["passUp"] },
    "200-699": { to: "Completed", do: ["passUp"] },
    timerE: { to: "Trying", do: ["resend"] }, // unreliable transports only
    timerF: { to: "Terminated", do: ["reportTimeout"] },
    transportError: { to: "Terminated", do: ["reportTransportError"] },
    abandon: { to: "Terminated", do: [] },
  },
  Proceeding: {
    "1xx": { to: "Proceeding", do: ["passUp"] },
    "200-699": { to: "Completed", do: ["passUp"] },
    timerE: { to: "Proceeding", do: ["resendSlowly"] },
    timerF: { to: "Terminated", do: ["reportTimeout"] },
    transportError: { to: "Terminated", do: ["reportTransportError"] },
    abandon: { to: "Terminated", do: [] },
  },
  Completed: {
    "1xx": { to: "Completed", do: [] },
    "200-699": { to: "Completed", do: [] }, // absorbed: what Timer K is for
    timerK: { to: "Terminated", do: [] },
  },
  Terminated: {},
} as const satisfies TransactionTable<NonInviteClientState, Input, Action>;

export const NON_INVITE_CLIENT_TIMERS = {
  Trying: ["timerE", "timerF"],
  Proceeding: ["timerE", "timerF"],
  Completed: ["timerK"],
  Terminated: [],
} as const satisfies Record<NonInviteClientState, readonly Input[]>;

/** Sends a request until it is answered or 64*T1 have gone. */
export class NonInviteClientTransaction extends TransactionMachine<
  NonInviteClientState,
  Input,
  Action,
  SipResponse
> {
  readonly request: SipRequest;
  readonly #octets: Uint8Array;
  #timerEMs: number;

  /** @param request - complete, its own Via on top; must not change any more */
  constructor(request: SipRequest, options: TransactionOptions) {
    super({ table: NON_INVITE_CLIENT, liveTimers: NON_INVITE_CLIENT_TIMERS, initial: "Trying" }, options);
    this.request = request;
    this.#octets = octetsOf(request);
    this.#timerEMs = this.timers.t1Ms;
  }

  start(now: Millis): readonly TransactionOutput[] {
    this.send(this.#octets);
    this.begin(now);
    return this.flush();
  }

  /** A response whose top Via branch and CSeq method are ours. */
  response(response: SipResponse, now: Millis): readonly TransactionOutput[] {
    return this.run(response.status < 200 ? "1xx" : "200-699", now, response);
  }

  /** Nobody waits any more. */
  abandon(now: Millis): readonly TransactionOutput[] {
    return this.run("abandon", now);
  }

  protected override perform(action: Action, now: Millis, response: SipResponse | undefined): void {
    switch (action) {
      case "passUp":
        if (response !== undefined) this.emit({ type: "response", response });
        break;
      case "resend": // "If the timer fires again, it is reset to MIN(4*T1, T2)", and so on
        this.#repeat(Math.min(2 * this.#timerEMs, this.timers.t2Ms), now);
        break;
      case "resendSlowly": // in Proceeding "Timer E MUST be reset with a value of T2 seconds"
        this.#repeat(this.timers.t2Ms, now);
        break;
      case "reportTimeout":
        this.emit({ type: "timeout" });
        break;
      case "reportTransportError":
        this.emit({ type: "transportError" });
    }
  }

  #repeat(nextMs: number, now: Millis): void {
    this.#timerEMs = nextMs;
    this.send(this.#octets);
    this.setTimer("timerE", nextMs, now);
  }

  protected override delayMs(timer: Input): number | undefined {
    switch (timer) {
      case "timerE":
        return this.reliable ? undefined : this.timers.t1Ms;
      case "timerF":
        return 64 * this.timers.t1Ms;
      case "timerK":
        return this.reliable ? 0 : this.timers.t4Ms;
      default:
        return undefined;
    }
  }
}
