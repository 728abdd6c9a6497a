import type { SipResponse } from "@callfork/protocol/sip";
import type { Timer } from "../net/index.ts";
import type { Core } from "./core.ts";
import type { ServerTransaction } from "./server-transaction.ts";

/**
 * Repeats a 2xx to INVITE until its ACK comes, whatever the transport: after T1, then doubling up to T2. After 64*T1
 * without ACK it gives up (RFC 3261 §13.3.1.4).
 */
export class AnswerRepeater {
  readonly #core: Core;
  readonly #transaction: ServerTransaction;
  readonly #response: SipResponse;
  #repeat: Timer;
  readonly #giveUp: Timer;

  constructor(core: Core, transaction: ServerTransaction, response: SipResponse, onGivenUp: () => void) {
    this.#core = core;
    this.#transaction = transaction;
    this.#response = response;
    this.#repeat = this.#schedule(core.timers.t1Ms);
    this.#giveUp = core.clock.setTimer(64 * core.timers.t1Ms, () => {
      this.stop();
      onGivenUp();
    });
  }

  stop(): void {
    this.#repeat.cancel();
    this.#giveUp.cancel();
  }

  #schedule(intervalMs: number): Timer {
    return this.#core.clock.setTimer(intervalMs, () => {
      this.#repeat = this.#schedule(Math.min(2 * intervalMs, this.#core.timers.t2Ms));
      this.#transaction.repeat(this.#response);
    });
  }
}
