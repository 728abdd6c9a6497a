import type { SipRequest } from "@callfork/protocol/sip";
import type { ServerTransaction } from "./server-transaction.ts";

/** Whoever answers requests of one dialog: an INVITE that is not answered yet, or a confirmed dialog. */
export interface DialogOwner {
  receive(transaction: ServerTransaction): void;
  receiveAck(ack: SipRequest): void;
}

/** The dialogs of the node by Call-ID, local and remote tag. Its bound is kept by whoever lets INVITEs in. */
export class DialogTable {
  readonly #owners = new Map<string, DialogOwner>();

  get size(): number {
    return this.#owners.size;
  }

  get(key: string): DialogOwner | undefined {
    return this.#owners.get(key);
  }

  set(key: string, owner: DialogOwner): void {
    this.#owners.set(key, owner);
  }

  /** Removes the owner unless another has taken its place: a confirmed dialog follows its early one under one key. */
  delete(key: string, owner: DialogOwner): void {
    if (this.#owners.get(key) === owner) this.#owners.delete(key);
  }

  owners(): DialogOwner[] {
    return [...this.#owners.values()];
  }
}
