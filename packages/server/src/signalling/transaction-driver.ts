import type { TransactionEvent, TransactionOutput } from "@callfork/protocol/sip";
import type { Clock, Timer } from "../net/index.ts";

/** What the driver needs of a machine: timers and failures as inputs. */
interface Machine {
  timer(name: string, now: number): readonly TransactionOutput[];
}

/**
 * Carries out what a transaction machine asks for: octets to the transport, timers on the clock, events to the user.
 * Outputs of an input that an event handler caused wait until those before them are done.
 */
export class TransactionDriver {
  readonly #clock: Clock;
  readonly #machine: Machine;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #onEvent: (event: TransactionEvent) => void;
  readonly #timers = new Map<string, Timer>();
  readonly #queue: TransactionOutput[] = [];
  #draining = false;
  #isDisposed = false;

  constructor(
    clock: Clock,
    machine: Machine,
    send: (bytes: Uint8Array) => void,
    onEvent: (event: TransactionEvent) => void,
  ) {
    this.#clock = clock;
    this.#machine = machine;
    this.#send = send;
    this.#onEvent = onEvent;
  }

  carryOut(outputs: readonly TransactionOutput[]): void {
    if (this.#isDisposed) return;
    this.#queue.push(...outputs);
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#one(next);
    } finally {
      this.#draining = false;
    }
  }

  /** Stops every timer; nothing is carried out any more. */
  dispose(): void {
    this.#isDisposed = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#queue.length = 0;
  }

  #one(output: TransactionOutput): void {
    switch (output.kind) {
      case "send":
        this.#send(output.bytes);
        break;
      case "setTimer":
        this.#setTimer(output.timer, output.at);
        break;
      case "clearTimer":
        this.#timers.get(output.timer)?.cancel();
        this.#timers.delete(output.timer);
        break;
      case "event":
        this.#onEvent(output.event);
    }
  }

  #setTimer(name: string, at: number): void {
    this.#timers.get(name)?.cancel();
    const timer = this.#clock.setTimer(at - this.#clock.now(), () => {
      this.#timers.delete(name);
      this.carryOut(this.#machine.timer(name, this.#clock.now()));
    });
    this.#timers.set(name, timer);
  }
}
