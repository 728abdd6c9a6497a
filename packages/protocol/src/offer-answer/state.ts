import { err, ok, type Result, type SessionDescription } from "../sdp/index.ts";

export type OfferAnswerState = "Stable" | "HaveLocalOffer" | "HaveRemoteOffer";

/** A refusal is any final answer that turns an offer down (a 488, say), or an INVITE that came to nothing. */
export type OfferAnswerInput =
  | "localOffer"
  | "remoteOffer"
  | "localAnswer"
  | "remoteAnswer"
  | "localRefusal"
  | "remoteRefusal";

type Row = { readonly to: OfferAnswerState } | { readonly refuse: OfferAnswerErrorCode };

export type OfferAnswerErrorCode =
  | "OFFER_GLARE"
  | "OFFER_BEFORE_ANSWER"
  | "OFFER_PENDING"
  | "ANSWER_OWED"
  | "NO_OFFER"
  | "MEDIA_LINES_MISSING"
  | "MEDIA_LINES_DIFFER";

/** "At any time, either agent MAY generate a new offer", but not while one is open (RFC 3264 §4). */
export const OFFER_ANSWER = {
  Stable: {
    localOffer: { to: "HaveLocalOffer" },
    remoteOffer: { to: "HaveRemoteOffer" },
    localAnswer: { refuse: "NO_OFFER" },
    remoteAnswer: { refuse: "NO_OFFER" }, // RFC 3261 §13.2.1: the SDP of a later response is ignored
    localRefusal: { refuse: "NO_OFFER" },
    remoteRefusal: { refuse: "NO_OFFER" },
  },
  HaveLocalOffer: {
    localOffer: { refuse: "OFFER_PENDING" },
    remoteOffer: { refuse: "OFFER_GLARE" }, // RFC 3261 §14.2: 491
    localAnswer: { refuse: "NO_OFFER" },
    remoteAnswer: { to: "Stable" },
    localRefusal: { refuse: "NO_OFFER" },
    remoteRefusal: { to: "Stable" },
  },
  HaveRemoteOffer: {
    localOffer: { refuse: "ANSWER_OWED" },
    remoteOffer: { refuse: "OFFER_BEFORE_ANSWER" }, // RFC 3261 §14.2: 500 with Retry-After
    localAnswer: { to: "Stable" },
    remoteAnswer: { refuse: "NO_OFFER" },
    localRefusal: { to: "Stable" },
    remoteRefusal: { to: "Stable" }, // the peer took its offer back: CANCEL, or the dialog ended
  },
} as const satisfies Record<OfferAnswerState, Record<OfferAnswerInput, Row>>;

export interface OfferAnswerError {
  readonly code: OfferAnswerErrorCode;
  readonly message: string;
  /** What to answer when the input was the peer's request; absent when it was no request, or our own mistake. */
  readonly sipStatus?: number;
  /** The answer also carries Retry-After, a random 0 to 10 seconds (RFC 3261 §14.2). */
  readonly retryAfter?: boolean;
}

const ERRORS: Readonly<Record<OfferAnswerErrorCode, Omit<OfferAnswerError, "code">>> = {
  OFFER_GLARE: { sipStatus: 491, message: "the peer offers while our offer is open" },
  OFFER_BEFORE_ANSWER: { sipStatus: 500, retryAfter: true, message: "the peer's last offer is not answered" },
  OFFER_PENDING: { message: "our last offer is not answered: wait for its answer" },
  ANSWER_OWED: { message: "the peer's offer is open: answer it first" },
  NO_OFFER: { message: "there is no open offer that this could answer" },
  MEDIA_LINES_MISSING: { sipStatus: 488, message: "an offer has fewer m-lines than the session so far" },
  MEDIA_LINES_DIFFER: { message: "an answer has not as many m-lines as its offer" },
};

/** Next state, as a pure function. */
export function nextOfferAnswerState(
  state: OfferAnswerState,
  input: OfferAnswerInput,
): Result<OfferAnswerState, OfferAnswerError> {
  const row: Row = OFFER_ANSWER[state][input];
  return "to" in row ? ok(row.to) : fail(row.refuse);
}

/**
 * Offer/answer of one dialog: whose turn it is, and what both sides last agreed on. An input that is refused leaves
 * everything as it was.
 */
export class OfferAnswer {
  #state: OfferAnswerState = "Stable";
  #open: SessionDescription | undefined;
  #local: SessionDescription | undefined;
  #remote: SessionDescription | undefined;

  get state(): OfferAnswerState {
    return this.#state;
  }

  /** The offer that waits for its answer. */
  get openOffer(): SessionDescription | undefined {
    return this.#open;
  }

  /** Our side of the last completed exchange. */
  get local(): SessionDescription | undefined {
    return this.#local;
  }

  /** The peer's side of the last completed exchange. */
  get remote(): SessionDescription | undefined {
    return this.#remote;
  }

  localOffer(offer: SessionDescription): Result<OfferAnswerState, OfferAnswerError> {
    return this.#takeOffer("localOffer", offer);
  }

  remoteOffer(offer: SessionDescription): Result<OfferAnswerState, OfferAnswerError> {
    return this.#takeOffer("remoteOffer", offer);
  }

  localAnswer(answer: SessionDescription): Result<OfferAnswerState, OfferAnswerError> {
    return this.#takeAnswer("localAnswer", answer);
  }

  remoteAnswer(answer: SessionDescription): Result<OfferAnswerState, OfferAnswerError> {
    return this.#takeAnswer("remoteAnswer", answer);
  }

  /** The open offer came to nothing; what was agreed before stays in force (RFC 3264 §8). */
  refused(by: "local" | "remote"): Result<OfferAnswerState, OfferAnswerError> {
    const next = nextOfferAnswerState(this.#state, by === "local" ? "localRefusal" : "remoteRefusal");
    if (next.ok) {
      this.#state = next.value;
      this.#open = undefined;
    }
    return next;
  }

  /** A second machine in the same state: each early dialog of a forked INVITE has its own answer. */
  fork(): OfferAnswer {
    const twin = new OfferAnswer();
    twin.#state = this.#state;
    twin.#open = this.#open;
    twin.#local = this.#local;
    twin.#remote = this.#remote;
    return twin;
  }

  #takeOffer(
    input: "localOffer" | "remoteOffer",
    offer: SessionDescription,
  ): Result<OfferAnswerState, OfferAnswerError> {
    const next = nextOfferAnswerState(this.#state, input);
    if (!next.ok) return next;
    // RFC 3264 §8: the number of m-lines never shrinks.
    const lines = Math.max(this.#local?.media.length ?? 0, this.#remote?.media.length ?? 0);
    if (offer.media.length < lines) return fail("MEDIA_LINES_MISSING");
    this.#state = next.value;
    this.#open = offer;
    return next;
  }

  #takeAnswer(
    input: "localAnswer" | "remoteAnswer",
    answer: SessionDescription,
  ): Result<OfferAnswerState, OfferAnswerError> {
    const next = nextOfferAnswerState(this.#state, input);
    if (!next.ok) return next;
    const offer = this.#open!;
    if (answer.media.length !== offer.media.length) return fail("MEDIA_LINES_DIFFER");
    this.#state = next.value;
    this.#open = undefined;
    [this.#local, this.#remote] = input === "localAnswer" ? [answer, offer] : [offer, answer];
    return next;
  }
}

function fail(code: OfferAnswerErrorCode): { readonly ok: false; readonly error: OfferAnswerError } {
  return err({ code, ...ERRORS[code] });
}
