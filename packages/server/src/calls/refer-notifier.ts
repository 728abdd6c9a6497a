import { describeStatus, parseCSeq, type SipRequest } from "@callfork/protocol/sip";
import { utf8Encode } from "@callfork/protocol/text";
import type { HeaderLine, SipDialog } from "../signalling/index.ts";

/** How long the referrer may expect news; a callee rings no longer. */
const SUBSCRIPTION_SECONDS = 180;

/**
 * Tells who sent a REFER what became of it (RFC 3515 §2.4.4): NOTIFY with a status line, one after the other, until a
 * final one ends the subscription. Silent where the referrer asked for that (RFC 4488).
 */
export class ReferNotifier {
  readonly #dialog: SipDialog;
  readonly #event: string;
  readonly #silent: boolean;
  #last = 0;
  #sent: Promise<unknown> = Promise.resolve();

  /** @param isFirst - the first REFER of its dialog: later subscriptions are told apart by an id (§2.4.6) */
  constructor(dialog: SipDialog, refer: SipRequest, isFirst: boolean) {
    this.#dialog = dialog;
    this.#silent = isSilent(refer);
    const cseq = parseCSeq(refer.headers.get("CSeq") ?? "");
    this.#event = isFirst || !cseq.ok ? "refer" : `refer;id=${cseq.value.sequence}`;
  }

  /** A status at least as far as the one before; repeated ones are not told. */
  tell(status: number): void {
    if (this.#silent || status <= this.#last || this.#last >= 200) return;
    this.#last = status;
    const state = status < 200 ? `active;expires=${SUBSCRIPTION_SECONDS}` : "terminated;reason=noresource";
    const headers: HeaderLine[] = [
      ["Event", this.#event],
      ["Subscription-State", state],
    ];
    const bytes = utf8Encode(`SIP/2.0 ${status} ${describeStatus(status)}\r\n`);
    const body = { contentType: "message/sipfrag;version=2.0", bytes };
    this.#sent = this.#sent
      .then(() => this.#dialog.request("NOTIFY", { headers, body }))
      .catch(() => undefined);
  }

  /** Resolves when everything told has been answered or given up. */
  flushed(): Promise<unknown> {
    return this.#sent;
  }
}

export const isSilent = (refer: SipRequest): boolean =>
  refer.headers.get("Refer-Sub")?.trim().toLowerCase() === "false";
