import {
  Dialog,
  formatRAck,
  parseCSeq,
  reliableNumberOf,
  type SipRequest,
  type SipResponse,
  tagOf,
} from "@callfork/protocol/sip";
import { hasSessionDescription, putBody, receivedParts } from "./body.ts";
import type { Core } from "./core.ts";
import { capabilityLines } from "./dialog-server.ts";
import type { DialogOwner } from "./dialog-table.ts";
import { putCapabilities } from "./initial-request.ts";
import {
  type ContactOptions,
  formatContact,
  OutgoingRequest,
  type OutgoingRequestOptions,
  schemeOf,
} from "./outgoing-request.ts";
import type { ServerTransaction } from "./server-transaction.ts";
import type { Target } from "./targets.ts";
import type { OutgoingInviteHandlers, SipBody } from "./types.ts";

/** Early dialogs of one INVITE that are kept; a peer that forks it further is not followed. */
const MAX_EARLY_DIALOGS = 16;

/** What requests in them are made with, as the INVITE was. */
interface Means extends Pick<OutgoingRequestOptions, "tls" | "digest"> {
  readonly contact: ContactOptions;
}

/**
 * The early dialogs of one INVITE of ours whose provisionals are reliable (RFC 3262 §4): by the peer's tag, each with
 * its own RSeq, CSeq and route set. They answer what the peer asks before its 2xx.
 */
export class EarlyDialogs {
  readonly #core: Core;
  readonly #handlers: OutgoingInviteHandlers;
  readonly #means: Means;
  readonly #byTag = new Map<string, EarlyDialog>();

  constructor(core: Core, handlers: OutgoingInviteHandlers, means: Means) {
    this.#core = core;
    this.#handlers = handlers;
    this.#means = means;
  }

  /**
   * Whether a provisional is to be told: an unreliable one always, a reliable one when it is the next of its dialog.
   * §4: a repeated or skipped one "MUST NOT be acknowledged … and MUST NOT be processed further".
   *
   * @returns for a reliable one what acknowledges it, with the answer when the INVITE had no offer
   */
  take(
    invite: SipRequest,
    response: SipResponse,
    path: Target | undefined,
  ): "plain" | "ignore" | ((body: SipBody | undefined) => void) {
    const number = reliableNumberOf(response);
    if (number === undefined) return "plain";
    const early = this.#find(invite, response);
    if (early === undefined || !early.isNext(number)) return "ignore";
    return (body) => early.acknowledge(number, invite, path, body);
  }

  /** The dialog that a 2xx confirms, with the CSeq that its PRACKs have used; undefined when it had no early one. */
  confirm(response: SipResponse): Dialog | undefined {
    const early = this.#byTag.get(tagOf(response.headers.get("To")) ?? "");
    early?.dialog.confirm(response);
    return early?.dialog;
  }

  /** Nobody is answered in them any more. Their state stays for 2xx that come late. */
  close(): void {
    for (const early of this.#byTag.values()) this.#core.dialogs.delete(early.dialog.key, early);
  }

  /** The INVITE goes out anew, with credentials: what there was belongs to the one before. */
  restart(): void {
    this.close();
    this.#byTag.clear();
  }

  #find(invite: SipRequest, response: SipResponse): EarlyDialog | undefined {
    const tag = tagOf(response.headers.get("To"));
    if (tag === undefined) return undefined;
    const known = this.#byTag.get(tag);
    if (known !== undefined || this.#byTag.size >= MAX_EARLY_DIALOGS) return known;
    const dialog = Dialog.asClient(invite, response);
    if (!dialog.ok) return undefined;
    const early = new EarlyDialog(this.#core, dialog.value, this.#handlers, this.#means);
    this.#byTag.set(tag, early);
    this.#core.dialogs.set(dialog.value.key, early);
    return early;
  }
}

class EarlyDialog implements DialogOwner {
  readonly dialog: Dialog;
  readonly #core: Core;
  readonly #handlers: OutgoingInviteHandlers;
  readonly #means: Means;
  #lastNumber: number | undefined;

  constructor(core: Core, dialog: Dialog, handlers: OutgoingInviteHandlers, means: Means) {
    this.#core = core;
    this.dialog = dialog;
    this.#handlers = handlers;
    this.#means = means;
  }

  isNext(number: number): boolean {
    return this.#lastNumber === undefined || number === this.#lastNumber + 1;
  }

  acknowledge(number: number, invite: SipRequest, path: Target | undefined, body: SipBody | undefined): void {
    this.#lastNumber = number;
    const cseq = parseCSeq(invite.headers.get("CSeq") ?? "");
    if (!cseq.ok) return;
    const rack = formatRAck({ responseNumber: number, ...cseq.value });
    const create = (): ReturnType<Dialog["createRequest"]> => {
      const routed = this.dialog.createRequest("PRACK");
      routed.request.headers.append("RAck", rack);
      putCapabilities(routed.request.headers, "PRACK", this.#core.userAgentName);
      routed.request.body = putBody(routed.request.headers, body);
      return routed;
    };
    const { tls, digest } = this.#means;
    new OutgoingRequest(
      this.#core,
      { create, path, tls, digest },
      // Whatever comes of it, the INVITE's own answer decides.
      { onResponse: () => {}, onFailure: () => {} },
    ).start();
  }

  receive(transaction: ServerTransaction): void {
    const { request, flow } = transaction;
    if (this.dialog.receive(request) === "outOfOrder") transaction.respond(500);
    else if (request.method === "UPDATE") {
      const parts = receivedParts(request);
      const answer = this.#handlers.onUpdate?.(request, parts) ?? {
        status: hasSessionDescription(parts) ? 488 : 200,
      };
      if (answer.status < 300) this.dialog.refreshTarget(request);
      const sentBy = this.#core.transports.sentBy(flow.transport, flow.remoteAddress, flow.edge);
      const contact = formatContact(sentBy, flow.transport, this.#means.contact, schemeOf(request));
      const lines = [["Contact", contact] as const, ...capabilityLines(), ...(answer.headers ?? [])];
      transaction.respond(answer.status, { ...answer, headers: lines });
    } else if (request.method === "OPTIONS" || request.method === "INFO") {
      transaction.respond(200, { headers: capabilityLines() });
    } else transaction.respond(request.method === "BYE" ? 200 : 481);
  }

  receiveAck(): void {}
}
