import type { Millis, Output } from "../text/index.ts";
import { formatSipMessage } from "./format-message.ts";
import type { SipMessage, SipRequest, SipResponse } from "./message.ts";
import { RFC3261_TIMERS, type TransactionTimers } from "./transaction-timers.ts";

/** One row of a transaction table: the next state and what is done on the way, in order. */
export interface TransactionRow<State extends string, Action extends string> {
  readonly to: State;
  readonly do: readonly Action[];
}

export type TransactionTable<State extends string, Input extends string, Action extends string> = Readonly<
  Record<State, Partial<Readonly<Record<Input, TransactionRow<State, Action>>>>>
>;

/** What a transaction tells its user. */
export type TransactionEvent =
  /** Client: a response to pass up. */
  | { readonly type: "response"; readonly response: SipResponse }
  /** INVITE server in Accepted: an ACK that matched, as those of RFC 2543 elements do. */
  | { readonly type: "ack"; readonly request: SipRequest }
  /** Timer B or F (no answer), or H (no ACK). */
  | { readonly type: "timeout" }
  | { readonly type: "transportError" }
  /** The last event: the driver forgets the transaction. */
  | { readonly type: "terminated" };

export type TransactionOutput = Output<TransactionEvent>;

export interface TransactionOptions {
  /** TCP, TLS: no retransmissions, and no waiting for them. */
  readonly reliable: boolean;
  /** RFC values when left out. */
  readonly timers?: TransactionTimers;
}

/** What differs between the four machines, besides their inputs. */
export interface TransactionDefinition<State extends string, Input extends string, Action extends string> {
  readonly table: TransactionTable<State, Input, Action>;
  /** Timers that may run in a state; entering it stops all others and starts those that do not run yet. */
  readonly liveTimers: Readonly<Record<State, readonly Input[]>>;
  readonly initial: State;
}

/**
 * Runs one transaction's table. The driver carries out every output before the next input.
 *
 * A timer is an input like any other. Its first delay comes from `delayMs`: `undefined` means that it does not run
 * here (Timer A over TCP), 0 that it fires at once (Timer D over TCP). An input without a row is counted and dropped.
 */
export abstract class TransactionMachine<
  State extends string,
  Input extends string,
  Action extends string,
  Message extends SipMessage,
> {
  /** Inputs that no row of the state takes. */
  unexpectedInputs = 0;

  protected readonly reliable: boolean;
  protected readonly timers: TransactionTimers;
  readonly #definition: TransactionDefinition<State, Input, Action>;
  #state: State;
  #outputs: TransactionOutput[] = [];
  readonly #running = new Set<Input>();

  constructor(
    definition: TransactionDefinition<State, Input, Action>,
    { reliable, timers = RFC3261_TIMERS }: TransactionOptions,
  ) {
    this.#definition = definition;
    this.#state = definition.initial;
    this.reliable = reliable;
    this.timers = timers;
  }

  get state(): State {
    return this.#state;
  }

  /** A timer that a `setTimer` output asked for is due. */
  timer(name: string, now: Millis): readonly TransactionOutput[] {
    const timer = name as Input;
    return this.#running.delete(timer) ? this.run(timer, now) : [];
  }

  /** The transport could not take what the transaction sent. */
  transportError(now: Millis): readonly TransactionOutput[] {
    return this.run("transportError" as Input, now);
  }

  /** Carries out one action of a row; `message` is the one that came with the input, if one did. */
  protected abstract perform(action: Action, now: Millis, message: Message | undefined): void;

  /** First delay of a timer; see the class. */
  protected abstract delayMs(timer: Input): number | undefined;

  protected begin(now: Millis): void {
    this.#enter(this.#state, now);
  }

  protected run(input: Input, now: Millis, message?: Message): readonly TransactionOutput[] {
    this.#step(input, now, message);
    return this.flush();
  }

  protected flush(): readonly TransactionOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  protected emit(event: TransactionEvent): void {
    this.#outputs.push({ kind: "event", event });
  }

  protected send(bytes: Uint8Array): void {
    this.#outputs.push({ kind: "send", bytes });
  }

  protected setTimer(timer: Input, delayMs: number, now: Millis): void {
    this.#running.add(timer);
    this.#outputs.push({ kind: "setTimer", timer, at: now + delayMs });
  }

  #step(input: Input, now: Millis, message: Message | undefined): void {
    const row = this.#definition.table[this.#state][input];
    if (row === undefined) {
      this.unexpectedInputs++;
      return;
    }
    const from = this.#state;
    this.#state = row.to;
    for (const action of row.do) this.perform(action, now, message);
    if (row.to !== from) this.#enter(row.to, now);
  }

  #enter(state: State, now: Millis): void {
    const live = this.#definition.liveTimers[state];
    for (const timer of this.#running) {
      if (live.includes(timer)) continue;
      this.#running.delete(timer);
      this.#outputs.push({ kind: "clearTimer", timer });
    }
    if (state === "Terminated") this.emit({ type: "terminated" });
    for (const timer of live) {
      if (this.#running.has(timer)) continue;
      const delayMs = this.delayMs(timer);
      if (delayMs === undefined) continue;
      if (delayMs > 0) this.setTimer(timer, delayMs, now);
      else this.#step(timer, now, undefined);
    }
  }
}

/** A message's octets, made once: retransmissions are the same octets. */
export const octetsOf = (message: SipMessage): Uint8Array => formatSipMessage(message);
