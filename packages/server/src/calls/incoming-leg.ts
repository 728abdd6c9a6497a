import type { CodecCapability } from "@callfork/protocol/offer-answer";
import { type Codec, codecsOf, type SessionDescription } from "@callfork/protocol/sdp";
import { hasToken } from "@callfork/protocol/sip";
import type { Log } from "../observe/index.ts";
import type { HeaderLine, IncomingInvite } from "../signalling/index.ts";
import { bodyOf, descriptionIn, OWN_CODECS } from "./descriptions.ts";
import { NoCommonCodecError } from "./errors.ts";
import { Leg, type LegObserver } from "./leg.ts";
import { type LegMedia, ownNumbers } from "./leg-media.ts";

/** The leg of a call that came in: we are the UAS. */
export class IncomingLeg extends Leg {
  readonly callId: string;
  /** The caller's offer; `undefined` when the INVITE had none: then our 200 carries one. */
  readonly offer: SessionDescription | undefined;
  readonly #invite: IncomingInvite;

  /** @throws BadDescriptionError when the INVITE's description cannot be read */
  constructor(invite: IncomingInvite, media: LegMedia, observer: LegObserver, log: Log) {
    super(media, observer, log);
    this.#invite = invite;
    this.callId = invite.callId;
    const offer = descriptionIn(invite.body);
    if (!offer.ok) throw offer.error;
    this.offer = offer.value;
    invite.attach({
      onUpdate: (_request, body) => this.answerEarly(body),
      onPrack: (_request, body) => this.answerEarly(body),
      onCanceled: () => this.end("cancel", { cause: "canceled", by: "remote", sipStatus: 487, reasons: [] }),
    });
  }

  get isRecordAware(): boolean {
    return hasToken(this.#invite.request.headers, "Supported", "record-aware");
  }

  /** Whether its offer, if there is one, has an audio line that we could take. */
  get isUsable(): boolean {
    return this.offer === undefined || this.media.audioIndexOf(this.offer) >= 0;
  }

  /** Of the audio line that we could take. */
  get offeredCodecs(): readonly Codec[] | undefined {
    const index = this.offer ? this.media.audioIndexOf(this.offer) : -1;
    return this.offer && index >= 0 ? codecsOf(this.offer.media[index]!) : undefined;
  }

  get remoteAddress(): string {
    return this.#invite.flow.remoteAddress;
  }

  /** 180. */
  ring(): void {
    if (this.step("ring")) this.#invite.provisional(180);
  }

  /** 183 with the answer to the caller's offer: it hears the callee before the call is answered. */
  sendEarlyMedia(description: SessionDescription): void {
    if (this.state === "EarlyMedia") return; // it has its answer; what is heard may change behind it
    if (this.step("earlyMedia")) this.#invite.provisional(183, { body: bodyOf(description) });
  }

  /** 200 with this description: the answer, or our offer when the INVITE had none. */
  answer(description: SessionDescription): void {
    if (!this.step("answer")) return;
    if (!this.offer) this.owe(description);
    this.confirm(this.#invite.answer({ body: bodyOf(description) }));
    this.observer.answered(undefined);
  }

  /**
   * Answers with what we can speak ourselves; the ports must be open.
   *
   * @throws NoCommonCodecError
   */
  answerAlone(): void {
    if (this.ended || this.answered) return;
    // Early media has settled it already: the answer in the 200 must be the same (RFC 3261 §13.2.1).
    this.answer(
      this.media.local ?? (this.offer ? this.#ownAnswer(this.offer) : this.media.offer(OWN_CODECS)),
    );
  }

  /**
   * Answers in the place of another leg, whose media it has: within what was agreed there, so that whoever it talks to
   * need not change. That this is possible has been seen before.
   */
  answerFor(codecs: readonly CodecCapability[]): void {
    const { offer, negotiator, media } = this;
    if (!offer) {
      const { line } = media;
      this.answer(media.offer(line ? ownNumbers(line) : OWN_CODECS));
      return;
    }
    const verdict =
      negotiator && media.line ? negotiator.offeredPromptly(this, offer) : this.answerWithin(offer, codecs);
    if (verdict.ok) this.answer(verdict.value);
    else this.refuse(verdict.error);
  }

  refuse(status: number, headers: readonly HeaderLine[] = []): void {
    if (this.answered || this.ended) return;
    this.#invite.reject(status, { headers });
    this.end("refuse", { cause: "refused", by: "local", sipStatus: status, reasons: [] });
  }

  override hangup({
    status = 480,
    reasons = [],
  }: {
    readonly status?: number;
    readonly reasons?: readonly string[];
  } = {}): void {
    if (this.answered) this.bye(reasons);
    else
      this.refuse(
        status,
        reasons.map((reason): HeaderLine => ["Reason", reason]),
      );
  }

  #ownAnswer(offer: SessionDescription): SessionDescription {
    const verdict = this.answerWithin(offer);
    if (!verdict.ok) throw new NoCommonCodecError("the caller offers no codec that we can speak ourselves");
    return verdict.value;
  }
}
