import { type Dialog, parseSipUri, type SipRequest, type SipResponse } from "@callfork/protocol/sip";
import { parseDecimal } from "@callfork/protocol/text";
import type { SipFlow, Timer } from "../net/index.ts";
import { hasSessionDescription, type ReceivedBody, receivedParts, sessionDescriptionIn } from "./body.ts";
import { type Core, retryAfterSeconds } from "./core.ts";
import { capabilityLines } from "./dialog-server.ts";
import type { DialogOwner } from "./dialog-table.ts";
import { InviteOverError } from "./errors.ts";
import { InviteDialog } from "./invite-dialog.ts";
import { type ContactOptions, formatContact, schemeOf } from "./outgoing-request.ts";
import { ReliableResponder } from "./reliable-responder.ts";
import type { ServerTransaction } from "./server-transaction.ts";
import type {
  HeaderLine,
  IncomingInvite,
  IncomingInviteHandlers,
  ReceivedPart,
  SipBody,
  SipDialog,
} from "./types.ts";

/** RFC 3261 §13.3.1.1: a UAS that takes its time "MUST send a non-100 provisional response at every minute". */
const PROVISIONAL_EVERY_MS = 60_000;

/** An INVITE outside a dialog, until it is answered, refused, canceled or expired. */
export class InviteServer implements IncomingInvite, DialogOwner {
  readonly request: SipRequest;
  readonly flow: SipFlow;
  readonly callId: string;
  readonly body: readonly ReceivedPart[];
  readonly warnings: readonly string[];
  readonly #core: Core;
  readonly #transaction: ServerTransaction;
  readonly #dialog: Dialog;
  readonly #onSettled: () => void;
  /** For our Contact: who was called. */
  readonly #user: string | undefined;
  #handlers: IncomingInviteHandlers | undefined;
  readonly #reliable: ReliableResponder;
  /** Answered by its user, but the 200 waits for a PRACK. */
  #held: { readonly dialog: InviteDialog; send(): void } | undefined;
  #isCanceled = false;
  #latest: Parameters<IncomingInvite["provisional"]> = [183];
  #minute: Timer | undefined;
  #expiry: Timer | undefined;

  constructor(
    core: Core,
    transaction: ServerTransaction,
    dialog: Dialog,
    body: ReceivedBody,
    onSettled: () => void,
  ) {
    this.#core = core;
    this.#transaction = transaction;
    this.#dialog = dialog;
    this.#onSettled = onSettled;
    const uri = parseSipUri(transaction.request.uri);
    this.#user = uri.ok ? uri.value.user : undefined;
    this.request = transaction.request;
    this.flow = transaction.flow;
    this.callId = transaction.callId;
    this.body = body.parts;
    this.warnings = body.warnings;
    this.#reliable = new ReliableResponder(core, transaction, () => {
      core.log.info({ callId: this.callId }, "no PRACK came to a reliable provisional");
      this.#giveUp(504);
    });
    core.dialogs.set(dialog.key, this);
    this.#everyMinute();
    this.#watchExpires();
  }

  /** Somebody has taken charge: attached, or answered. */
  get isTaken(): boolean {
    return this.#handlers !== undefined || this.#held !== undefined || this.#transaction.isAnswered;
  }

  attach(handlers: IncomingInviteHandlers): void {
    this.#handlers = handlers;
    if (this.#isCanceled) handlers.onCanceled();
  }

  provisional(
    status: number,
    options: { readonly body?: SipBody; readonly headers?: readonly HeaderLine[] } = {},
  ): void {
    if (this.#transaction.isAnswered || this.#held !== undefined) return;
    this.#everyMinute();
    const contact = this.#contact({ user: this.#user });
    const lines: HeaderLine[] = [["Contact", contact], ...capabilityLines(), ...(options.headers ?? [])];
    const response = { body: options.body, toTag: this.#dialog.localTag, headers: lines };
    if (status > 100 && this.#reliable.wants(sessionDescriptionIn(options.body) !== undefined)) {
      this.#latest = [status, { headers: options.headers ?? [] }]; // its description has arrived once and for all
      this.#reliable.send(status, response);
    } else {
      this.#latest = [status, options];
      this.#transaction.respond(status, response);
    }
  }

  answer(options: Parameters<IncomingInvite["answer"]>[0]): SipDialog {
    if (this.#transaction.isAnswered || this.#held !== undefined) {
      throw new InviteOverError("the INVITE has had its final answer");
    }
    const contact: ContactOptions = { user: this.#user, parameters: options.contactParameters };
    const dialog = new InviteDialog(this.#core, {
      dialog: this.#dialog,
      message: this.request,
      path: this.flow,
      contact,
      reliable: this.#reliable,
    });
    if (this.#reliable.holdsAnswer) this.#hold(dialog, () => this.#confirm(dialog, contact, options));
    else this.#confirm(dialog, contact, options);
    return dialog;
  }

  #confirm(
    dialog: InviteDialog,
    contact: ContactOptions,
    options: Parameters<IncomingInvite["answer"]>[0],
  ): void {
    const response = this.#accept(dialog, contact, options);
    this.#settle();
    this.#dialog.confirm();
    dialog.register();
    dialog.describe(options.body);
    dialog.awaitAck(this.#transaction, response);
  }

  /** The 200 has to wait for a PRACK; its dialog may be over before it goes out. */
  #hold(dialog: InviteDialog, send: () => void): void {
    this.#held = { dialog, send };
    dialog.whenEnded(() => {
      if (this.#held?.dialog === dialog) this.reject(480);
    });
  }

  #accept(
    dialog: InviteDialog,
    contact: ContactOptions,
    { body, headers = [] }: Parameters<IncomingInvite["answer"]>[0],
  ): SipResponse {
    try {
      const ours: HeaderLine[] = [["Contact", this.#contact(contact)], ...capabilityLines()];
      const lines = [...ours, ...dialog.timer.answer(this.request), ...headers];
      return this.#transaction.respond(200, { body, toTag: this.#dialog.localTag, headers: lines });
    } catch (error) {
      dialog.timer.stop();
      throw error;
    }
  }

  reject(
    status: number,
    options: { readonly reason?: string; readonly headers?: readonly HeaderLine[] } = {},
  ): void {
    if (this.#transaction.isAnswered) return;
    this.#settle();
    this.#core.dialogs.delete(this.#dialog.key, this);
    this.#transaction.respond(status, { ...options, toTag: this.#dialog.localTag });
    const held = this.#held;
    this.#held = undefined;
    held?.dialog.discard({ by: "remote", cause: status === 487 ? "bye" : "no-ack" });
  }

  /** A CANCEL came (its 200 is sent), the caller's BYE, or the INVITE expired: 487. */
  cancel(): void {
    this.#giveUp(487);
  }

  #giveUp(status: number): void {
    if (this.#transaction.isAnswered) return;
    const wasAnswered = this.#held !== undefined; // then the dialog tells how it ended
    this.reject(status);
    if (wasAnswered) return;
    this.#isCanceled = true;
    this.#handlers?.onCanceled();
  }

  /** A request in the early dialog. §15: "The caller's UA MAY send a BYE for … early dialogs". */
  receive(transaction: ServerTransaction): void {
    const { method } = transaction.request;
    if (this.#dialog.receive(transaction.request) === "outOfOrder") transaction.respond(500);
    else if (method === "BYE") {
      transaction.respond(200);
      this.cancel();
    } else if (method === "PRACK") this.#prack(transaction);
    else if (method === "UPDATE") this.#update(transaction);
    else if (method === "OPTIONS") transaction.respond(200, { headers: capabilityLines() });
    else {
      const retryAfter = retryAfterSeconds(this.#core.random, 0, 10); // §14.2, RFC 3311 §5.2: the INVITE comes first
      transaction.respond(500, { headers: [["Retry-After", retryAfter]] });
    }
  }

  receiveAck(): void {}

  /** RFC 3262 §3: 481 when it matches nothing, else a 2xx; a new offer in it may still be refused. */
  #prack(transaction: ServerTransaction): void {
    const { request } = transaction;
    if (!this.#reliable.acknowledge(request)) {
      transaction.respond(481);
      return;
    }
    const parts = receivedParts(request);
    const hasOffer = hasSessionDescription(parts) && hasSessionDescription(this.body);
    const answer = this.#handlers?.onPrack?.(request, parts) ?? { status: hasOffer ? 488 : 200 };
    transaction.respond(answer.status, answer);
    const held = this.#held;
    if (held === undefined || this.#reliable.holdsAnswer) return;
    this.#held = undefined;
    held.send();
  }

  /** RFC 3311 §5.2: an offer comes too early while the INVITE's own waits for its answer. */
  #update(transaction: ServerTransaction): void {
    const { request } = transaction;
    const parts = receivedParts(request);
    const hasOffer = hasSessionDescription(parts);
    if (hasOffer && (!this.#reliable.hasAgreed || this.#reliable.holdsAnswer)) {
      const retryAfter = retryAfterSeconds(this.#core.random, 0, 10);
      transaction.respond(500, { headers: [["Retry-After", retryAfter]] });
      return;
    }
    const answer = (hasOffer && this.#handlers?.onUpdate?.(request, parts)) || {
      status: hasOffer ? 488 : 200,
    };
    if (answer.status < 300) this.#dialog.refreshTarget(request);
    const contact: HeaderLine = ["Contact", this.#contact({ user: this.#user })];
    transaction.respond(answer.status, {
      ...answer,
      headers: [contact, ...capabilityLines(), ...(answer.headers ?? [])],
    });
  }

  #settle(): void {
    this.#minute?.cancel();
    this.#expiry?.cancel();
    this.#reliable.final();
    this.#onSettled();
  }

  #contact(options: ContactOptions): string {
    const { transport, remoteAddress, edge } = this.flow;
    const sentBy = this.#core.transports.sentBy(transport, remoteAddress, edge);
    return formatContact(sentBy, transport, options, schemeOf(this.request));
  }

  #everyMinute(): void {
    this.#minute?.cancel();
    this.#minute = this.#core.clock.setTimer(PROVISIONAL_EVERY_MS, () => this.provisional(...this.#latest));
  }

  /** §13.3.1: an INVITE may say itself how long it is good for. */
  #watchExpires(): void {
    const seconds = parseDecimal(this.request.headers.get("Expires")?.trim() ?? "", 2 ** 31 / 1000);
    if (seconds === undefined) return;
    this.#expiry = this.#core.clock.setTimer(seconds * 1000, () => this.cancel());
  }
}
