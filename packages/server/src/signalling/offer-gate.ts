/** Who holds the gate: INVITEs and offers of ours, of the peer, and 2xx whose ACK is missing. */
export type GateHolder = "outgoing" | "incoming" | `unacknowledged ${number}`;

const MAX_WAITING = 32;

/**
 * Lets one INVITE or offer at a time through a dialog: "a UAC MUST NOT initiate a new INVITE transaction within a
 * dialog while another INVITE transaction is in progress in either direction" (RFC 3261 §14.1). Those of ours wait in
 * line; whether the peer's may come in is asked with `heldBy`.
 */
export class OfferGate {
  readonly #holders = new Set<GateHolder>();
  readonly #waiting: (() => void)[] = [];
  #isClosed = false;

  heldBy(holder: GateHolder): boolean {
    return this.#holders.has(holder);
  }

  /** Waits until nobody holds the gate, and takes it. False when the dialog ended or too many wait. */
  async enter(holder: GateHolder): Promise<boolean> {
    while (!this.#isClosed && this.#holders.size > 0) {
      if (this.#waiting.length >= MAX_WAITING) return false;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#isClosed) return false;
    this.#holders.add(holder);
    return true;
  }

  hold(holder: GateHolder): void {
    this.#holders.add(holder);
  }

  leave(holder: GateHolder): void {
    this.#holders.delete(holder);
    if (this.#holders.size === 0) this.#waiting.shift()?.();
  }

  /** The dialog is over: nobody gets in any more. */
  close(): void {
    this.#isClosed = true;
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
