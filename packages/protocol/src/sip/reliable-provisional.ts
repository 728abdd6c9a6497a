import { type Millis, parseDecimal, trimBlanks } from "../text/index.ts";
import { parseCSeq, parseRAck } from "./cseq.ts";
import type { SipHeaders } from "./headers.ts";
import type { SipMessage, SipRequest, SipResponse } from "./message.ts";
import { hasToken } from "./tokens.ts";
import {
  octetsOf,
  TransactionMachine,
  type TransactionOutput,
  type TransactionTable,
} from "./transaction-machine.ts";
import type { TransactionTimers } from "./transaction-timers.ts";

export type ReliableProvisionalState = "Settled" | "Unacknowledged" | "Terminated";
type Input = "1xx" | "PRACK" | "timerRetransmit" | "timerGiveUp" | "final" | "transportError";
type Action = "transmit" | "queue" | "repeat" | "reportTimeout";

/** Reliable provisional responses of a UAS to one INVITE: RFC 3262 §3. They go one after the other. */
export const RELIABLE_PROVISIONAL = {
  Settled: {
    "1xx": { to: "Unacknowledged", do: ["transmit"] },
    final: { to: "Terminated", do: [] },
  },
  Unacknowledged: {
    "1xx": { to: "Unacknowledged", do: ["queue"] }, // "MUST NOT send a second … until the first is acknowledged"
    timerRetransmit: { to: "Unacknowledged", do: ["repeat"] },
    timerGiveUp: { to: "Terminated", do: ["reportTimeout"] }, // the INVITE "SHOULD" be refused with a 5xx
    PRACK: { to: "Settled", do: [] }, // the next in line follows as an input of its own
    final: { to: "Terminated", do: [] }, // "SHOULD NOT continue to retransmit"
  },
  Terminated: {},
} as const satisfies TransactionTable<ReliableProvisionalState, Input, Action>;

export const RELIABLE_PROVISIONAL_TIMERS = {
  Settled: [],
  Unacknowledged: ["timerRetransmit", "timerGiveUp"],
  Terminated: [],
} as const satisfies Record<ReliableProvisionalState, readonly Input[]>;

/** Provisionals of ours that wait for their turn; an application that makes more is told nothing of the rest. */
const MAX_QUEUED = 8;

/**
 * Sends provisionals of one INVITE reliably: repeated after T1, at doubled intervals, on every transport, until PRACK;
 * `timeout` after 64*T1. A PRACK that comes after the final answer still finds its match.
 */
export class ReliableProvisional extends TransactionMachine<
  ReliableProvisionalState,
  Input,
  Action,
  SipMessage
> {
  readonly #invite: SipRequest;
  readonly #queue: SipResponse[] = [];
  #responseNumber: number;
  #current: SipResponse | undefined;
  #isUnacknowledged = false;
  #intervalMs: number;

  /** @param firstNumber - the first RSeq less one: "chosen uniformly between 1 and 2**31 - 1" (§3), by the driver's dice */
  constructor(invite: SipRequest, firstNumber: number, timers?: TransactionTimers) {
    super(
      { table: RELIABLE_PROVISIONAL, liveTimers: RELIABLE_PROVISIONAL_TIMERS, initial: "Settled" },
      { reliable: false, ...(timers && { timers }) },
    );
    this.#invite = invite;
    this.#responseNumber = firstNumber;
    this.#intervalMs = this.timers.t1Ms;
  }

  /** The provisional on its way, or acknowledged last. */
  get current(): SipResponse | undefined {
    return this.#current;
  }

  /** Provisionals wait for their PRACK or their turn. */
  get pending(): readonly SipResponse[] {
    return this.#isUnacknowledged && this.#current ? [this.#current, ...this.#queue] : this.#queue;
  }

  /**
   * Sends a provisional, or keeps it until those before are acknowledged. RSeq and Require are put on it here.
   *
   * @throws SipFormatError for an answer that cannot be written
   */
  respond(response: SipResponse, now: Millis): readonly TransactionOutput[] {
    octetsOf(response);
    if (this.#queue.length >= MAX_QUEUED) return [];
    return this.run("1xx", now, response);
  }

  /**
   * Takes a PRACK; undefined when it acknowledges nothing that waits: 481 (§3). A match is final: the same PRACK
   * again is its transaction's business.
   */
  acknowledge(prack: SipRequest, now: Millis): readonly TransactionOutput[] | undefined {
    const rack = parseRAck(prack.headers.get("RAck") ?? "");
    const cseq = parseCSeq(this.#invite.headers.get("CSeq") ?? "");
    if (!rack.ok || !cseq.ok || !this.#isUnacknowledged) return undefined;
    const { responseNumber, sequence, method } = rack.value;
    if (method !== "INVITE" || sequence !== cseq.value.sequence) return undefined;
    if (responseNumber !== this.#responseNumber) return undefined;
    this.#isUnacknowledged = false;
    const next = this.#queue.shift();
    return [...this.run("PRACK", now, prack), ...(next === undefined ? [] : this.run("1xx", now, next))];
  }

  /** The INVITE has its final answer: nothing is repeated any more. */
  final(now: Millis): readonly TransactionOutput[] {
    this.#queue.length = 0;
    return this.run("final", now);
  }

  protected override perform(action: Action, now: Millis, message: SipMessage | undefined): void {
    switch (action) {
      case "transmit":
        if (message?.kind === "response") this.#transmit(message);
        break;
      case "queue":
        if (message?.kind === "response") this.#queue.push(message);
        break;
      case "repeat":
        this.#intervalMs *= 2; // "The retransmission … starts with T1 and doubles": no T2 here
        if (this.#current !== undefined) this.send(octetsOf(this.#current));
        this.setTimer("timerRetransmit", this.#intervalMs, now);
        break;
      case "reportTimeout":
        this.emit({ type: "timeout" });
    }
  }

  protected override delayMs(timer: Input): number | undefined {
    if (timer === "timerRetransmit") return this.timers.t1Ms;
    return timer === "timerGiveUp" ? 64 * this.timers.t1Ms : undefined;
  }

  #transmit(response: SipResponse): void {
    this.#responseNumber += 1;
    this.#isUnacknowledged = true;
    this.#intervalMs = this.timers.t1Ms;
    response.headers.append("Require", "100rel");
    response.headers.append("RSeq", String(this.#responseNumber));
    this.#current = response;
    this.send(octetsOf(response));
  }
}

/** RSeq of a response that is to be acknowledged (RFC 3262 §4): 101 to 199 with `Require: 100rel`. */
export function reliableNumberOf(response: SipResponse): number | undefined {
  if (response.status <= 100 || response.status >= 200) return undefined;
  if (!hasToken(response.headers, "Require", "100rel")) return undefined;
  return parseRSeq(response.headers);
}

function parseRSeq(headers: SipHeaders): number | undefined {
  const number = parseDecimal(trimBlanks(headers.get("RSeq") ?? ""), 2 ** 32 - 1);
  return number === 0 ? undefined : number;
}
