import { hasSessionDescription, receivedParts } from "./body.ts";
import { ACCEPT, ALLOW, REGISTERED_METHODS, SUPPORTED } from "./capabilities.ts";
import { retryAfterSeconds } from "./core.ts";
import type { InviteDialog } from "./invite-dialog.ts";
import { formatContact, schemeOf } from "./outgoing-request.ts";
import type { ServerTransaction } from "./server-transaction.ts";
import type { DialogAnswer, HeaderLine } from "./types.ts";

/** Answers the peer's requests in a confirmed dialog (RFC 3261 §12.2.2). */
export class DialogServer {
  readonly #owner: InviteDialog;
  /** The re-INVITE that the application is thinking about. */
  #reinvite: ServerTransaction | undefined;
  #isUpdating = false;

  constructor(owner: InviteDialog) {
    this.#owner = owner;
  }

  receive(transaction: ServerTransaction): void {
    const { request } = transaction;
    if (this.#owner.dialog.receive(request) === "outOfOrder") {
      transaction.respond(500, { reason: "CSeq Out Of Order" });
      return;
    }
    if (request.method === "BYE") {
      this.#receiveBye(transaction);
      return;
    }
    if (this.#owner.isEnded) {
      transaction.respond(481);
      return;
    }
    switch (request.method) {
      case "INVITE":
        this.#receiveReinvite(transaction);
        break;
      case "UPDATE":
        this.#receiveUpdate(transaction);
        break;
      case "PRACK": // for a provisional that the 2xx has overtaken
        transaction.respond(this.#owner.reliable?.acknowledge(request) ? 200 : 481);
        break;
      case "OPTIONS":
        transaction.respond(200, { headers: capabilityLines() });
        break;
      default:
        this.#receiveOther(transaction);
    }
  }

  /** The dialog ended: whoever waits for an answer of ours gets 487 (§15.1.2). */
  dialogEnded(): void {
    this.#reinvite?.respond(487);
    this.#reinviteDone(this.#reinvite);
  }

  #receiveBye(transaction: ServerTransaction): void {
    transaction.respond(200);
    const { request } = transaction;
    const wasEnded = this.#owner.isEnded;
    this.#owner.finish({ by: "remote", cause: "bye", request, body: receivedParts(request) });
    if (!wasEnded) this.#owner.unregister(); // else our own BYE is under way and does it
  }

  /** §14.2: 500 while an earlier INVITE of the peer waits for its answer, 491 while one of ours does. */
  #receiveReinvite(transaction: ServerTransaction): void {
    const { gate, core } = this.#owner;
    if (gate.heldBy("incoming")) {
      transaction.respond(500, { headers: [["Retry-After", retryAfterSeconds(core.random, 0, 10)]] });
      return;
    }
    if (gate.heldBy("outgoing")) {
      transaction.respond(491);
      return;
    }
    gate.hold("incoming");
    this.#reinvite = transaction;
    const { handlers } = this.#owner;
    this.#answerWith(
      transaction,
      () =>
        handlers?.onReinvite?.(transaction.request, receivedParts(transaction.request)) ?? { status: 488 },
      (answer) => {
        if (this.#reinvite !== transaction) return; // canceled, or the dialog ended
        const response = this.#respond(transaction, answer, true);
        if (answer.status < 300) {
          this.#owner.dialog.refreshTarget(transaction.request);
          this.#owner.awaitAck(transaction, response);
        }
        this.#reinviteDone(transaction);
      },
    );
  }

  /** A CANCEL for the re-INVITE at hand; its 200 has been sent. */
  cancel(transaction: ServerTransaction): void {
    if (transaction !== this.#reinvite) return;
    transaction.respond(487);
    this.#reinviteDone(transaction);
  }

  #reinviteDone(transaction: ServerTransaction | undefined): void {
    if (transaction === undefined || this.#reinvite !== transaction) return;
    this.#reinvite = undefined;
    this.#owner.gate.leave("incoming");
  }

  /**
   * RFC 3311 §5.2: an offer that meets an open one of ours gets 491, one that meets the peer's own gets 500, and so does
   * an UPDATE, with offer or without, that comes before the answer to another.
   */
  #receiveUpdate(transaction: ServerTransaction): void {
    const { gate, core, handlers, dialog } = this.#owner;
    const parts = receivedParts(transaction.request);
    const hasOffer = hasSessionDescription(parts);
    if (hasOffer && gate.heldBy("outgoing")) {
      transaction.respond(491);
      return;
    }
    if (this.#isUpdating || (hasOffer && gate.heldBy("incoming"))) {
      transaction.respond(500, { headers: [["Retry-After", retryAfterSeconds(core.random, 0, 10)]] });
      return;
    }
    this.#isUpdating = true;
    if (hasOffer) gate.hold("incoming"); // ours wait until this one is answered
    this.#answerWith(
      transaction,
      () => handlers?.onUpdate?.(transaction.request, parts) ?? { status: parts.length === 0 ? 200 : 488 },
      (answer) => {
        this.#isUpdating = false;
        this.#respond(transaction, answer, true);
        if (answer.status < 300) dialog.refreshTarget(transaction.request);
        if (hasOffer) gate.leave("incoming");
      },
    );
  }

  #receiveOther(transaction: ServerTransaction): void {
    const { method } = transaction.request;
    const { handlers } = this.#owner;
    this.#answerWith(
      transaction,
      () => handlers?.onRequest?.(transaction.request, receivedParts(transaction.request)) ?? refusal(method),
      (answer) => this.#respond(transaction, answer, false),
    );
  }

  #respond(
    transaction: ServerTransaction,
    { status, reason, body, headers = [] }: DialogAnswer,
    isRefresh: boolean,
  ): ReturnType<ServerTransaction["respond"]> {
    const lines: HeaderLine[] = [];
    if (isRefresh && status < 300) {
      const { core, contact } = this.#owner;
      const { transport, remoteAddress, edge } = transaction.flow;
      const sentBy = core.transports.sentBy(transport, remoteAddress, edge);
      const uri = formatContact(sentBy, transport, contact, schemeOf(transaction.request));
      lines.push(["Contact", uri], ...capabilityLines());
      lines.push(...this.#owner.timer.answer(transaction.request));
      this.#owner.describe(body);
    }
    return transaction.respond(status, { reason, body, headers: [...lines, ...headers] });
  }

  /** Runs a handler, now or later; whatever goes wrong in it is a 500 and a log line. */
  #answerWith(
    transaction: ServerTransaction,
    ask: () => DialogAnswer | Promise<DialogAnswer>,
    answer: (answer: DialogAnswer) => void,
  ): void {
    const failed = (error: unknown): void => {
      const { callId, core } = this.#owner;
      core.log.error({ callId, err: error }, `${transaction.request.method} handler failed`);
      answer({ status: 500 });
    };
    let asked: DialogAnswer | Promise<DialogAnswer>;
    try {
      asked = ask();
    } catch (error) {
      failed(error);
      return;
    }
    if (asked instanceof Promise) asked.then(answer).catch(failed);
    else answer(asked);
  }
}

/** INFO without a package needs no more than an acknowledgement (RFC 6086 §4.2.2 for the legacy kind). */
function refusal(method: string): DialogAnswer {
  if (method === "INFO") return { status: 200 };
  if (method === "REFER") return { status: 603 }; // RFC 3515 §2.4.2: understood, and declined
  return { status: REGISTERED_METHODS.has(method) ? 405 : 501, headers: [["Allow", ALLOW]] };
}

export function capabilityLines(): HeaderLine[] {
  return [
    ["Allow", ALLOW],
    ["Supported", SUPPORTED],
    ["Accept", ACCEPT],
  ];
}
