import {
  createCancel,
  formatRAck,
  parseCSeq,
  reliableNumberOf,
  type SipResponse,
} from "@callfork/protocol/sip";
import type { Timer } from "../net/index.ts";
import { hasSessionDescription, receivedParts, sessionDescriptionIn } from "./body.ts";
import { fraction } from "./core.ts";
import { localResponse, statusOf } from "./failure.ts";
import type { InviteDialog } from "./invite-dialog.ts";
import type { OutgoingAck } from "./outgoing-ack.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import type { ReceivedPart, ReinviteOptions, SipBody } from "./types.ts";

/** Times that one request of ours is sent again after 491; two peers whose dice agree so often are broken. */
const MAX_GLARES = 10;

/** A peer may think about a re-INVITE as long as about an INVITE. */
const REINVITE_LIMIT_MS = 180_000;

/**
 * Sends a re-INVITE or UPDATE when none is under way in either direction, and again after a 491 (RFC 3261 §14.1,
 * RFC 3311 §5.3).
 */
export async function sendWithoutGlare(
  owner: InviteDialog,
  method: "INVITE" | "UPDATE",
  options: ReinviteOptions,
): Promise<SipResponse> {
  const { gate } = owner;
  const { renewBody } = options;
  const needsGate =
    method === "INVITE" || renewBody !== undefined || sessionDescriptionIn(options.body) !== undefined;
  for (let glares = 0; ; glares++) {
    if (needsGate && !(await gate.enter("outgoing"))) return localResponse(owner.isEnded ? 481 : 500);
    if (owner.isEnded) return localResponse(481); // BYE was said while this one waited
    let response: SipResponse;
    try {
      const request = renewBody === undefined ? options : { ...options, body: renewBody() };
      response = await (method === "INVITE" ? reinvite(owner, request) : update(owner, request));
    } finally {
      if (needsGate) gate.leave("outgoing");
    }
    if (response.status !== 491 || glares >= MAX_GLARES || owner.isEnded) return response;
    await delay(owner, glareDelayMs(owner));
  }
}

/** §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, both in steps of 10 ms. */
function glareDelayMs({ dialog, core }: InviteDialog): number {
  const [from, to] = dialog.role === "uac" ? [210, 400] : [0, 200];
  return (from + Math.floor(fraction(core.random) * (to - from + 1))) * 10;
}

async function update(owner: InviteDialog, options: ReinviteOptions): Promise<SipResponse> {
  return new Promise((resolve) => {
    const done = (response: SipResponse): void => {
      if (response.status < 200) return;
      if (response.status < 300) owner.modified(response, options.body);
      resolve(response);
      if (response.status === 481 || !options.mayGoUnanswered) owner.checkFatal(response);
    };
    owner
      .outgoing("UPDATE", options, {
        onResponse: done,
        onFailure: ({ cause, message }) => done(localResponse(statusOf(cause), message)),
      })
      .start();
  });
}

function reinvite(owner: InviteDialog, options: ReinviteOptions): Promise<SipResponse> {
  return new Promise((resolve) => new Reinvite(owner, options, resolve).start());
}

/** One re-INVITE of ours: ACK to its 2xx, again for each repeated one, and CANCEL when the peer thinks for ever. */
class Reinvite {
  readonly #owner: InviteDialog;
  readonly #options: ReinviteOptions;
  readonly #resolve: (response: SipResponse) => void;
  readonly #request: OutgoingRequest;
  #ack: OutgoingAck | undefined;
  #timer: Timer | undefined;
  #canceled = false;
  #hasFinal = false;
  #forgetEnd: (() => void) | undefined;
  /** RSeq of the last reliable provisional, and the answer that came with one. */
  #lastNumber: number | undefined;
  #answer: readonly ReceivedPart[] | undefined;

  constructor(owner: InviteDialog, options: ReinviteOptions, resolve: (response: SipResponse) => void) {
    this.#owner = owner;
    this.#options = options;
    this.#resolve = resolve;
    this.#request = owner.outgoing("INVITE", options, {
      onResponse: (response) => this.#respond(response),
      onFailure: ({ cause, message }) => this.#final(localResponse(statusOf(cause), message)),
    });
  }

  start(): void {
    this.#forgetEnd = this.#owner.whenEnded(() => this.#abandonLater());
    this.#request.start();
  }

  #respond(response: SipResponse): void {
    if (response.status < 200) {
      this.#acknowledgeProvisional(response);
      if (!this.#canceled && !this.#owner.isEnded) this.#startTimer(REINVITE_LIMIT_MS, () => this.#cancel());
      return;
    }
    if (response.status >= 300) {
      this.#final(response);
      return;
    }
    if (this.#ack !== undefined) {
      this.#ack.send();
      return;
    }
    this.#owner.modified(response, this.#options.body);
    this.#ack = this.#owner.acknowledge(this.#request.sent!, this.#answerBody(response));
    this.#final(response);
  }

  /** RFC 3262 §4: in order, each once. An answer in one need not come again in the 2xx. */
  #acknowledgeProvisional(response: SipResponse): void {
    const number = reliableNumberOf(response);
    const cseq = parseCSeq(this.#request.sent?.headers.get("CSeq") ?? "");
    if (number === undefined || !cseq.ok || this.#owner.isEnded) return;
    if (this.#lastNumber !== undefined && number !== this.#lastNumber + 1) return;
    this.#lastNumber = number;
    const parts = receivedParts(response);
    if (hasSessionDescription(parts)) this.#answer = parts;
    const headers = [["RAck", formatRAck({ responseNumber: number, ...cseq.value })]] as const;
    // Whatever comes of it, the re-INVITE's own answer decides.
    this.#owner.outgoing("PRACK", { headers }, { onResponse: () => {}, onFailure: () => {} }).start();
  }

  #answerBody(response: SipResponse): SipBody | undefined {
    const parts = receivedParts(response);
    try {
      return this.#options.onAnswered?.(
        response,
        hasSessionDescription(parts) ? parts : (this.#answer ?? parts),
      );
    } catch (error) {
      const { core, callId } = this.#owner;
      core.log.error({ callId, err: error }, "the re-INVITE's answer handler threw");
      return undefined;
    }
  }

  #final(response: SipResponse): void {
    this.#timer?.cancel();
    this.#forgetEnd?.();
    if (this.#hasFinal) return;
    this.#hasFinal = true;
    this.#resolve(response);
    this.#owner.checkFatal(response);
  }

  #cancel(): void {
    const { sent, sentTo } = this.#request;
    if (sent === undefined || sentTo === undefined) return;
    this.#canceled = true;
    const ignore = { onResponse: () => {}, onTimeout: () => {}, onTransportError: () => {} };
    this.#owner.core.transactions.startClient(createCancel(sent), sentTo, ignore);
    this.#abandonLater();
  }

  /** Lets a final answer come for 64*T1 more, then forgets the transaction. */
  #abandonLater(): void {
    if (this.#hasFinal) return;
    if (this.#owner.isEnded) this.#resolve(localResponse(481));
    this.#startTimer(64 * this.#owner.core.timers.t1Ms, () => {
      if (this.#hasFinal) return;
      this.#request.abandon();
      this.#final(localResponse(408));
    });
  }

  #startTimer(delayMs: number, run: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#owner.core.clock.setTimer(delayMs, run);
  }
}

function delay(owner: InviteDialog, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = owner.core.clock.setTimer(delayMs, () => {
      forget();
      resolve();
    });
    const forget = owner.whenEnded(() => {
      timer.cancel();
      resolve();
    });
  });
}
