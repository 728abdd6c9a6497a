import type { CodecCapability } from "@callfork/protocol/offer-answer";
import type { SessionDescription } from "@callfork/protocol/sdp";
import type { SipRequest } from "@callfork/protocol/sip";
import { err, type Result } from "@callfork/protocol/text";
import type { Log } from "../observe/index.ts";
import type {
  DialogAnswer,
  DialogEnd,
  HeaderLine,
  ReceivedPart,
  SipBody,
  SipDialog,
} from "../signalling/index.ts";
import { bodyOf, descriptionIn, OWN_CAPABILITIES } from "./descriptions.ts";
import type { LegEnd } from "./end-status.ts";
import { type LegMedia, ownNumbers } from "./leg-media.ts";
import { type LegInput, type LegState, nextLegState } from "./leg-state.ts";

/** What a leg tells its call. */
export interface LegObserver {
  ringing(): void;
  /** The callee sends media before it answers; its description answers our offer. */
  earlyMedia(description: SessionDescription): void;
  /** 2xx. The description is absent when the early one counts, or when we are the one who answered. */
  answered(description: SessionDescription | undefined): void;
  /** The peer agreed to other codecs, another address or direction. */
  mediaChanged(): void;
  /** Told once. */
  ended(end: LegEnd): void;
}

/** What to answer an offer inside the dialog: the answer, or the status that refuses it. */
export type OfferVerdict = Result<SessionDescription, number>;

/** Who answers offers inside the dialog while two legs are bridged. */
export interface Negotiator {
  /** An offer is on its way from one leg to the other. */
  readonly isBusy: boolean;
  /** re-INVITE: may ask the other leg first. */
  offered(leg: Leg, offer: SessionDescription): Promise<OfferVerdict>;
  /** UPDATE: must answer at once (RFC 3311 §5.2). */
  offeredPromptly(leg: Leg, offer: SessionDescription): OfferVerdict;
  /** The peer answered an offer that it had asked for (an INVITE without description). */
  answered(leg: Leg): void;
  /** INFO and MESSAGE: what the other leg says to it. */
  request(
    leg: Leg,
    method: string,
    headers: readonly HeaderLine[],
    body: SipBody | undefined,
  ): Promise<number>;
}

/** What both kinds of leg share: state, the dialog once there is one, and offers inside it. */
export abstract class Leg {
  readonly media: LegMedia;
  /** While bridged; without one, offers are answered by our own capabilities. */
  negotiator: Negotiator | undefined;
  /** Takes REFER while bridged; without one it is declined. */
  referred: ((refer: SipRequest) => DialogAnswer) | undefined;
  protected log: Log;
  protected readonly observer: LegObserver;
  #state: LegState = "Idle";
  #dialog: SipDialog | undefined;
  #owed: SessionDescription | undefined;

  constructor(media: LegMedia, observer: LegObserver, log: Log) {
    this.media = media;
    this.observer = observer;
    this.log = log;
  }

  abstract readonly callId: string | undefined;
  /** Its peer shows by itself whether it is recorded (RFC 7866 §6.3). */
  abstract readonly isRecordAware: boolean;
  /** Ends the leg as its state asks for: refusal, CANCEL or BYE. */
  abstract hangup(options?: { readonly status?: number; readonly reasons?: readonly string[] }): void;

  get state(): LegState {
    return this.#state;
  }

  get answered(): boolean {
    return this.#state === "Answered";
  }

  get ended(): boolean {
    return this.#state === "Ended";
  }

  get dialog(): SipDialog | undefined {
    return this.#dialog;
  }

  /** Sends an offer inside the dialog, one that is made when its turn comes where others are under way. The media is agreed anew when it is accepted; otherwise all stays as it was. */
  async reoffer(
    made: SessionDescription | (() => SessionDescription),
  ): Promise<Result<SessionDescription, number>> {
    const dialog = this.#dialog;
    if (!dialog || this.ended) return err(481);
    let offer: SessionDescription | undefined;
    const renewBody = () => {
      offer = typeof made === "function" ? made() : made;
      return bodyOf(offer);
    };
    const response = await dialog.reinvite(
      typeof made === "function" ? { renewBody } : { body: renewBody() },
    );
    if (response.status >= 300) return err(response.status);
    const answer = descriptionIn([
      {
        mediaType: "application/sdp",
        contentType: "application/sdp",
        disposition: undefined,
        bytes: response.body,
      },
    ]);
    if (!answer.ok || !answer.value || !offer) return err(488);
    if (!this.media.accept(offer, answer.value)) return err(488);
    this.observer.mediaChanged();
    return { ok: true, value: answer.value };
  }

  /** Takes the step when the table has a row for it. */
  protected step(input: LegInput): boolean {
    const next = nextLegState(this.#state, input);
    if (next === undefined) {
      this.log.debug({ state: this.#state, input }, "leg: nothing to do for this input");
      return false;
    }
    this.#state = next;
    return true;
  }

  protected end(input: "refuse" | "cancel" | "end", end: LegEnd): void {
    if (this.step(input)) this.observer.ended(end);
  }

  protected confirm(dialog: SipDialog): void {
    this.#dialog = dialog;
    dialog.attach({
      onAcknowledged: (_ack, body) => this.#acknowledged(body),
      onReinvite: (_request, body) => this.#reinvited(body),
      onUpdate: (_request, body) => this.#updated(body),
      onRequest: (request, body) => {
        if (request.method === "REFER") return this.referred?.(request) ?? { status: 603 };
        return this.#requested(request.method, [...request.headers.entries()], body);
      },
      onEnded: (why) => this.#dialogEnded(why),
    });
  }

  /** A 2xx of ours carries this offer; the answer comes with ACK (RFC 3261 §13.2.2.4). */
  protected owe(offer: SessionDescription): void {
    this.#owed = offer;
  }

  protected bye(reasons: readonly string[]): void {
    const headers = reasons.map((reason): HeaderLine => ["Reason", reason]);
    void this.#dialog?.bye({ headers }).catch((error: unknown) => {
      this.log.warn({ error }, "leg: BYE failed");
    });
    this.end("end", { cause: "bye", by: "local", sipStatus: 200, reasons });
  }

  #acknowledged(body: readonly ReceivedPart[]): void {
    const offer = this.#owed;
    if (!offer) return;
    this.#owed = undefined;
    const answer = descriptionIn(body);
    if (!answer.ok || !answer.value || !this.media.accept(offer, answer.value)) {
      this.log.warn({}, "leg: the ACK carries no answer that we could use");
      // RFC 3261 §13.3.1.4 leaves it to the UAS; a call without media helps nobody.
      if (!this.media.line) this.hangup({ reasons: ['SIP;cause=488;text="Not Acceptable Here"'] });
      return;
    }
    this.negotiator?.answered(this);
    this.observer.mediaChanged();
  }

  async #reinvited(body: readonly ReceivedPart[]): Promise<DialogAnswer> {
    const offer = descriptionIn(body);
    if (!offer.ok) return { status: 400, reason: "Bad Session Description" };
    if (!offer.value) return this.#offerAgain();
    const verdict = await (this.negotiator
      ? this.negotiator.offered(this, offer.value)
      : this.answerWithin(offer.value));
    return this.#answerTo(verdict);
  }

  #updated(body: readonly ReceivedPart[]): DialogAnswer {
    const offer = descriptionIn(body);
    if (!offer.ok) return { status: 400, reason: "Bad Session Description" };
    if (!offer.value) return { status: 200 }; // a target refresh or a session refresh
    const verdict = this.negotiator
      ? this.negotiator.offeredPromptly(this, offer.value)
      : this.answerWithin(offer.value);
    return this.#answerTo(verdict);
  }

  #answerTo(verdict: OfferVerdict): DialogAnswer {
    if (!verdict.ok) return { status: verdict.error };
    this.observer.mediaChanged();
    return { status: 200, body: bodyOf(verdict.value) };
  }

  /** A re-INVITE without description asks for an offer (RFC 3261 §14.2): everything that is agreed, not on hold. */
  #offerAgain(): DialogAnswer {
    const line = this.media.line;
    if (!line) return { status: 488 };
    const offer = this.media.offer(ownNumbers(line));
    this.#owed = offer;
    return { status: 200, body: bodyOf(offer) };
  }

  /** An offer in an early dialog (UPDATE, PRACK): answered within what was agreed, so that early media goes on. */
  protected answerEarly(body: readonly ReceivedPart[]): DialogAnswer {
    const offer = descriptionIn(body);
    if (!offer.ok) return { status: 400, reason: "Bad Session Description" };
    if (!offer.value) return { status: 200 };
    const agreed = this.media.line;
    if (!agreed) return { status: 488 };
    const codecs = [...agreed.codecs, ...agreed.telephoneEvents];
    const answer = this.media.answer(offer.value, codecs, { choose: "all", passages: true });
    if (!this.media.agree(answer.description, offer.value, answer.media)) return { status: 488 };
    return this.#answerTo({ ok: true, value: answer.description });
  }

  /** Answers by what we can speak ourselves, or by these. */
  protected answerWithin(
    offer: SessionDescription,
    codecs: readonly CodecCapability[] = OWN_CAPABILITIES,
  ): OfferVerdict {
    const answer = this.media.answer(offer, codecs);
    this.media.passages.keep([]);
    if (!this.media.agree(answer.description, offer, answer.media)) return err(488);
    return { ok: true, value: answer.description };
  }

  async #requested(
    method: string,
    headers: readonly HeaderLine[],
    body: readonly ReceivedPart[],
  ): Promise<DialogAnswer> {
    if (method !== "INFO" && method !== "MESSAGE") return { status: 405 };
    if (!this.negotiator) return { status: method === "INFO" ? 200 : 405 };
    const passed = headers.filter(([name]) => /^(info-package|content-disposition)$/i.test(name));
    const part = body[0];
    const status = await this.negotiator.request(
      this,
      method,
      passed,
      part && { contentType: part.contentType, bytes: part.bytes },
    );
    return { status };
  }

  #dialogEnded(why: DialogEnd): void {
    this.end("end", {
      cause: why.cause === "bye" ? "bye" : "failed",
      by: why.by,
      sipStatus: why.cause === "no-ack" ? 408 : why.cause === "bye" ? 200 : 481,
      reasons: why.request?.headers.lines("Reason") ?? [],
    });
  }
}
