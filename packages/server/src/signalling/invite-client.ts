import {
  createCancel,
  Dialog,
  DigestClient,
  describeStatus,
  parseMinSe,
  type SipRequest,
  type SipResponse,
  tagOf,
} from "@callfork/protocol/sip";
import { ok } from "@callfork/protocol/text";
import type { Timer } from "../net/index.ts";
import { receivedParts } from "./body.ts";
import { type Core, token } from "./core.ts";
import { EarlyDialogs } from "./early-dialogs.ts";
import { statusOf } from "./failure.ts";
import { createInitialRequest } from "./initial-request.ts";
import { InviteDialog } from "./invite-dialog.ts";
import type { OutgoingAck } from "./outgoing-ack.ts";
import { isAddressText, OutgoingRequest, type RequestFailure } from "./outgoing-request.ts";
import { Redirects } from "./redirects.ts";
import { minimumLines, SHORTEST_INTERVAL } from "./session-timer.ts";
import type {
  HeaderLine,
  InviteFailure,
  InviteOptions,
  OutgoingInvite,
  OutgoingInviteHandlers,
} from "./types.ts";

/** How long a peer may ring: RFC 3261 §16.6 gives proxies "more than 3 minutes", started anew by each provisional. */
const RINGING_LIMIT_MS = 180_000;

/** Proxies on the way that may each insist on a longer session interval. */
const MAX_INTERVAL_REFUSALS = 3;

/** Answers to one INVITE that are acknowledged; a peer that forks it further is not followed. */
const MAX_FORKS = 16;

/**
 * An INVITE of ours outside a dialog, from request to dialog or failure.
 *
 * It ends in exactly one of `onAnswered` and `onFailed`. After that it goes on acknowledging 2xx as long as the
 * transaction lives: again to the first branch, with BYE to every other.
 */
export class InviteClient implements OutgoingInvite {
  readonly callId: string;
  readonly #core: Core;
  readonly #options: InviteOptions;
  readonly #handlers: OutgoingInviteHandlers;
  readonly #fromTag: string;
  readonly #digest: DigestClient | undefined;
  #request: OutgoingRequest;
  readonly #redirects: Redirects;
  #requestUri: string;
  readonly #early: EarlyDialogs;
  /** Acknowledged branches, by the peer's tag. */
  readonly #acks = new Map<string, OutgoingAck>();
  #sequence = 0;
  #hasProvisional = false;
  #isOver = false;
  #cancelReason: string | undefined;
  #cancelSent = false;
  /** Why it is being canceled: by the user, or because nobody answered. */
  #givingUp: "canceled" | "timeout" | undefined;
  #timer: Timer | undefined;
  #deadline = 0;
  #intervalSeconds: number | undefined;
  #minimumSeconds = SHORTEST_INTERVAL;
  #intervalRefusals = 0;
  readonly #onSettled: () => void;

  /** @param onSettled - called once when the invite has ended one way or the other */
  constructor(core: Core, options: InviteOptions, handlers: OutgoingInviteHandlers, onSettled: () => void) {
    this.#core = core;
    this.#options = options;
    this.#handlers = handlers;
    this.#onSettled = onSettled;
    this.callId = token(core.random, 16);
    this.#fromTag = token(core.random);
    this.#digest = options.credentials && new DigestClient(options.credentials, core.hashes, core.random);
    const contact = { user: options.contactUser, parameters: options.contactParameters };
    this.#early = new EarlyDialogs(core, handlers, { contact, tls: options.tls, digest: this.#digest });
    this.#requestUri = options.requestUri;
    this.#intervalSeconds = core.sessionIntervalSeconds;
    this.#redirects = new Redirects(options.requestUri);
    this.#request = this.#newRequest(options.destination);
  }

  #newRequest(destination: InviteOptions["destination"]): OutgoingRequest {
    const { contactUser: user, contactParameters: parameters } = this.#options;
    const request: OutgoingRequest = new OutgoingRequest(
      this.#core,
      {
        create: () => this.#create(),
        destination,
        edge: this.#options.edge,
        tls: this.#options.tls,
        contact: { user, parameters },
        digest: this.#digest,
        isWanted: () => this.#givingUp === undefined,
      },
      {
        // What an address says after another has been asked is of no use any more.
        onResponse: (response) => request === this.#request && this.#respond(response),
        onFailure: (failure) => request === this.#request && this.#requestFailed(failure),
      },
    );
    return request;
  }

  start(): void {
    if (this.#isOver) return; // canceled before it began
    if (!isAddressText(this.#options.from) || !isAddressText(this.#options.to)) {
      this.#requestFailed({ cause: "unresolvable", message: "From or To is no address" });
      return;
    }
    if (this.#options.timeoutMs !== undefined) {
      this.#deadline = this.#core.clock.now() + this.#options.timeoutMs;
      this.#startTimer(this.#options.timeoutMs);
    }
    this.#request.start();
  }

  cancel(reason?: string): void {
    if (this.#isOver || this.#givingUp !== undefined) return;
    this.#giveUp("canceled", reason);
  }

  #create(): ReturnType<typeof createInitialRequest> {
    this.#sequence += 1;
    this.#hasProvisional = false;
    this.#early.restart();
    return createInitialRequest({
      ...this.#options,
      headers: [...this.#timerLines(), ...(this.#options.headers ?? [])],
      requestUri: this.#requestUri,
      method: "INVITE",
      callId: this.callId,
      fromTag: this.#fromTag,
      sequence: this.#sequence,
      userAgentName: this.#core.userAgentName,
    });
  }

  #respond(response: SipResponse): void {
    if (response.status < 200) this.#provisional(response);
    else if (response.status < 300) this.#answered(response);
    else this.#rejected(response);
  }

  #provisional(response: SipResponse): void {
    this.#hasProvisional = true;
    if (this.#givingUp !== undefined) {
      this.#sendCancel(); // §9.1: a CANCEL that had to wait for the first provisional
      return;
    }
    const invite = this.#request.sent;
    if (this.#isOver || response.status === 100 || invite === undefined) return;
    const taken = this.#early.take(invite, response, this.#request.sentTo);
    if (taken === "ignore") return;
    if (this.#options.timeoutMs === undefined) this.#startTimer(RINGING_LIMIT_MS);
    const parts = receivedParts(response);
    this.#handlers.onProvisional?.(response, parts);
    if (taken !== "plain") taken(this.#handlers.answerProvisional?.(response, parts));
  }

  #answered(response: SipResponse): void {
    const invite = this.#request.sent;
    if (invite === undefined) return;
    this.#timer?.cancel();
    const tag = tagOf(response.headers.get("To")) ?? "";
    const known = this.#acks.get(tag);
    if (known !== undefined) {
      known.send(); // "the UAC core MUST generate an ACK for each 2xx", repeated ones too
      return;
    }
    if (this.#acks.size >= MAX_FORKS) return;
    const early = this.#early.confirm(response);
    const dialog = early === undefined ? Dialog.asClient(invite, response) : ok(early);
    if (!dialog.ok) {
      this.#core.log.warn({ callId: this.callId }, `2xx without a usable dialog: ${dialog.error.message}`);
      this.#fail({ ...this.#ownFailure(502), cause: "rejected", response });
      return;
    }
    const path = this.#request.sentTo;
    const inviteDialog = new InviteDialog(this.#core, {
      dialog: dialog.value,
      message: response,
      path,
      tls: this.#options.tls,
      contact: { user: this.#options.contactUser, parameters: this.#options.contactParameters },
      digest: this.#digest,
    });
    if (this.#isOver || this.#givingUp !== undefined) this.#refuseAnswer(inviteDialog, invite, response, tag);
    else this.#accept(inviteDialog, invite, response, tag);
  }

  #accept(dialog: InviteDialog, invite: SipRequest, response: SipResponse, tag: string): void {
    this.#settle();
    dialog.register();
    dialog.timer.takeResponse(response);
    dialog.describe(this.#options.body);
    let body: ReturnType<OutgoingInviteHandlers["onAnswered"]>;
    try {
      body = this.#handlers.onAnswered(dialog, response, receivedParts(response));
    } catch (error) {
      this.#core.log.error({ callId: this.callId, err: error }, "the answer's handler threw");
      void dialog.bye();
    }
    this.#acks.set(tag, dialog.acknowledge(invite, body));
  }

  /** A branch that nobody wants: a second one of a forked INVITE, or one that crossed our CANCEL (§9.1, §13.2.2.4). */
  #refuseAnswer(dialog: InviteDialog, invite: SipRequest, response: SipResponse, tag: string): void {
    dialog.register();
    this.#acks.set(tag, dialog.acknowledge(invite, undefined));
    void dialog.bye();
    if (!this.#isOver) this.#fail({ ...this.#gaveUp(), response });
  }

  #rejected(response: SipResponse): void {
    this.#timer?.cancel();
    if (this.#isOver) return;
    if (this.#givingUp !== undefined) {
      this.#fail({ ...this.#gaveUp(), response });
      return;
    }
    const { status, reason } = response;
    if (status === 422 && this.#lengthenInterval(response)) return;
    if (Redirects.isRedirect(status)) this.#redirects.take(response);
    if (status < 600 && this.#redirect()) return; // §21.6: a 6xx speaks for every address
    this.#fail({ status, reason, response, cause: "rejected", message: `${status} ${reason}` });
  }

  #requestFailed({ cause, message, transportReason }: RequestFailure): void {
    if (this.#isOver) return;
    if (this.#givingUp !== undefined) {
      this.#fail(this.#gaveUp());
      return;
    }
    if (this.#redirect()) return;
    const told = cause === "unsendable" ? "unresolvable" : cause;
    const why = transportReason && { transportReason };
    this.#fail({ ...this.#ownFailure(statusOf(cause)), cause: told, message, ...why });
  }

  #timerLines(): HeaderLine[] {
    if (this.#intervalSeconds === undefined) return [];
    return [["Session-Expires", String(this.#intervalSeconds)], ...minimumLines(this.#minimumSeconds)];
  }

  /** RFC 4028 §7.3: after 422 the same again, with the interval that somebody on the way insists on. */
  #lengthenInterval(response: SipResponse): boolean {
    const minimum = parseMinSe(response.headers.get("Min-SE") ?? "");
    if (!minimum.ok || this.#intervalSeconds === undefined || this.#intervalRefusals >= MAX_INTERVAL_REFUSALS)
      return false;
    if (minimum.value.seconds <= this.#minimumSeconds) return false;
    this.#intervalRefusals += 1;
    this.#minimumSeconds = minimum.value.seconds;
    this.#intervalSeconds = Math.max(this.#intervalSeconds, minimum.value.seconds);
    this.#again(this.#redirects.followed.length > 0 ? undefined : this.#options.destination);
    return true;
  }

  #again(destination: InviteOptions["destination"]): void {
    if (this.#options.timeoutMs !== undefined) this.#startTimer(this.#deadline - this.#core.clock.now());
    this.#request = this.#newRequest(destination);
    this.#request.start();
  }

  /** §8.1.3.4: the same To, From and Call-ID to the next address that a 3xx has named. */
  #redirect(): boolean {
    const uri = this.#redirects.next();
    if (uri === undefined) return false;
    this.#core.log.info({ callId: this.callId, uri }, "INVITE: redirected");
    this.#requestUri = uri;
    this.#again(undefined);
    return true;
  }

  #giveUp(why: "canceled" | "timeout", reason?: string): void {
    this.#givingUp = why;
    this.#cancelReason = reason;
    this.#timer?.cancel();
    if (this.#request.sent === undefined) {
      this.#request.abandon();
      this.#fail(this.#gaveUp());
    } else if (this.#hasProvisional) this.#sendCancel();
    else if (why === "timeout") {
      // Nothing ever came back, so there is nothing to cancel yet; a late answer still finds us.
      this.#fail(this.#gaveUp());
    }
  }

  #sendCancel(): void {
    const invite = this.#request.sent;
    const to = this.#request.sentTo;
    if (this.#cancelSent || invite === undefined || to === undefined) return;
    this.#cancelSent = true;
    const reason = this.#cancelReason === undefined ? [] : ([["Reason", this.#cancelReason]] as const);
    this.#core.transactions.startClient(createCancel(invite, reason), to, {
      onResponse: () => {},
      onTimeout: () => {},
      onTransportError: () => {},
    });
    // §9.1: "If there is no final response for the original request in 64*T1 seconds …, the client SHOULD then
    // consider the original transaction cancelled and SHOULD destroy the client transaction".
    this.#startTimer(64 * this.#core.timers.t1Ms);
    if (this.#givingUp === "timeout" && !this.#isOver) this.#fail(this.#gaveUp());
  }

  #startTimer(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#core.clock.setTimer(delayMs, () => this.#expire());
  }

  #expire(): void {
    if (this.#cancelSent) {
      this.#request.abandon();
      if (!this.#isOver) this.#fail(this.#gaveUp());
    } else if (this.#givingUp === undefined) this.#giveUp("timeout");
  }

  #ownFailure(status: number): { status: number; reason: string; message: string } {
    const reason = describeStatus(status);
    return { status, reason, message: `${status} ${reason}` };
  }

  #gaveUp(): InviteFailure {
    return this.#givingUp === "timeout"
      ? { ...this.#ownFailure(408), cause: "timeout", message: "no final answer in time" }
      : { ...this.#ownFailure(487), cause: "canceled", message: "canceled" };
  }

  #fail(failure: InviteFailure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#early.close();
    this.#onSettled();
    const redirects = this.#redirects.followed;
    this.#handlers.onFailed(redirects.length > 0 ? { ...failure, redirects } : failure);
  }

  #settle(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#early.close();
    this.#onSettled();
  }
}
