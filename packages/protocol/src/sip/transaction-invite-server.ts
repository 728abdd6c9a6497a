import type { Millis } from "../text/index.ts";
import { createResponse } from "./create-response.ts";
import type { SipMessage, SipRequest, SipResponse } from "./message.ts";
import {
  octetsOf,
  TransactionMachine,
  type TransactionOptions,
  type TransactionOutput,
  type TransactionTable,
} from "./transaction-machine.ts";

export type InviteServerState = "Proceeding" | "Accepted" | "Completed" | "Confirmed" | "Terminated";
type Input =
  | "INVITE"
  | "ACK"
  | "1xx"
  | "2xx"
  | "300-699"
  | "timerG"
  | "timerH"
  | "timerI"
  | "timerL"
  | "transportError"
  | "abandon";
type Action = "send" | "resend" | "repeat" | "passAck" | "reportTimeout" | "reportTransportError";

/** INVITE server transaction: RFC 3261 §17.2.1 as amended by RFC 6026 §7.1. */
export const INVITE_SERVER = {
  Proceeding: {
    INVITE: { to: "Proceeding", do: ["resend"] }, // the latest provisional
    "1xx": { to: "Proceeding", do: ["send"] },
    "2xx": { to: "Accepted", do: ["send"] },
    "300-699": { to: "Completed", do: ["send"] },
    transportError: { to: "Proceeding", do: ["reportTransportError"] }, // RFC 6026: stays where it is
    abandon: { to: "Terminated", do: [] },
  },
  Accepted: {
    INVITE: { to: "Accepted", do: [] }, // RFC 6026 §7.1: absorbed, the 2xx is the user's to repeat
    ACK: { to: "Accepted", do: ["passAck"] },
    "2xx": { to: "Accepted", do: ["send"] },
    timerL: { to: "Terminated", do: [] },
    transportError: { to: "Accepted", do: ["reportTransportError"] },
    abandon: { to: "Terminated", do: [] },
  },
  Completed: {
    INVITE: { to: "Completed", do: ["resend"] },
    ACK: { to: "Confirmed", do: [] },
    timerG: { to: "Completed", do: ["repeat"] }, // unreliable transports only
    timerH: { to: "Terminated", do: ["reportTimeout"] },
    transportError: { to: "Completed", do: ["reportTransportError"] },
    abandon: { to: "Terminated", do: [] },
  },
  Confirmed: {
    INVITE: { to: "Confirmed", do: [] },
    ACK: { to: "Confirmed", do: [] }, // absorbed: what Timer I is for
    timerI: { to: "Terminated", do: [] },
    abandon: { to: "Terminated", do: [] },
  },
  Terminated: {},
} as const satisfies TransactionTable<InviteServerState, Input, Action>;

export const INVITE_SERVER_TIMERS = {
  Proceeding: [],
  Accepted: ["timerL"],
  Completed: ["timerG", "timerH"],
  Confirmed: ["timerI"],
  Terminated: [],
} as const satisfies Record<InviteServerState, readonly Input[]>;

/** Answers an INVITE: 100 at once, the latest answer again for each repeated INVITE, refusals until ACK. */
export class InviteServerTransaction extends TransactionMachine<
  InviteServerState,
  Input,
  Action,
  SipMessage
> {
  readonly request: SipRequest;
  #next: Uint8Array | undefined;
  #latest: Uint8Array | undefined;
  #timerGMs: number;

  constructor(request: SipRequest, options: TransactionOptions) {
    super({ table: INVITE_SERVER, liveTimers: INVITE_SERVER_TIMERS, initial: "Proceeding" }, options);
    this.request = request;
    this.#timerGMs = this.timers.t1Ms;
  }

  /** §17.2.1 allows 200 ms to wait for a better answer than 100; sent at once it spares the peer all doubt. */
  start(now: Millis): readonly TransactionOutput[] {
    this.begin(now);
    return this.respond(createResponse(this.request, 100), now);
  }

  /** INVITE again, or an ACK that matches. */
  retransmission(request: SipRequest, now: Millis): readonly TransactionOutput[] {
    return this.run(request.method === "ACK" ? "ACK" : "INVITE", now, request);
  }

  /**
   * The user's answer; a repeated 2xx too.
   *
   * @throws SipFormatError for an answer that cannot be written, before anything has changed
   */
  respond(response: SipResponse, now: Millis): readonly TransactionOutput[] {
    const { status } = response;
    this.#next = octetsOf(response);
    return this.run(status < 200 ? "1xx" : status < 300 ? "2xx" : "300-699", now, response);
  }

  /** Forgets everything at once: the node stops. */
  abandon(now: Millis): readonly TransactionOutput[] {
    return this.run("abandon", now);
  }

  protected override perform(action: Action, now: Millis, message: SipMessage | undefined): void {
    switch (action) {
      case "send":
        this.#latest = this.#next;
        if (this.#latest !== undefined) this.send(this.#latest);
        break;
      case "resend":
        if (this.#latest !== undefined) this.send(this.#latest);
        break;
      case "repeat": // Timer G: "reset with a value of MIN(2*T1, T2)", and so on
        this.#timerGMs = Math.min(2 * this.#timerGMs, this.timers.t2Ms);
        if (this.#latest !== undefined) this.send(this.#latest);
        this.setTimer("timerG", this.#timerGMs, now);
        break;
      case "passAck":
        if (message?.kind === "request") this.emit({ type: "ack", request: message });
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
      case "timerG":
        return this.reliable ? undefined : this.timers.t1Ms;
      case "timerH":
      case "timerL":
        return 64 * this.timers.t1Ms;
      case "timerI":
        return this.reliable ? 0 : this.timers.t4Ms;
      default:
        return undefined;
    }
  }
}
