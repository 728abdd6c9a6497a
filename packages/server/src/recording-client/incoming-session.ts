import { LEGACY_METADATA_MEDIA_TYPE, METADATA_MEDIA_TYPE } from "@callfork/protocol/siprec";
import type { HeaderLine, IncomingInvite, SipDialog } from "../signalling/index.ts";
import { FirstOffer, type FirstOfferOptions } from "./first-offer.ts";
import { badAnswer, failureOfEnd, INTERNAL_CODE, type RecorderFailure } from "./recorder-failure.ts";
import { wantsOldLabel } from "./recording-body.ts";
import type { RecordingSession } from "./recording-session.ts";

export interface IncomingOutcome {
  readonly onAnswered: (session: RecordingSession) => void;
  readonly onFailed: (failure: RecorderFailure) => void;
}

/**
 * A recording session that the recorder starts (RFC 7866 §7.2): its INVITE has no SDP, our 200 has the offer and the
 * complete document, its ACK the answer. Once it is refused or answered it stays so.
 */
export class IncomingSession {
  readonly #invite: IncomingInvite;
  #dialog: SipDialog | undefined;
  #isSettled = false;

  constructor(invite: IncomingInvite) {
    this.#invite = invite;
  }

  /** CANCEL came. */
  onCanceled(handler: () => void): void {
    this.#invite.attach({
      onCanceled: () => {
        this.#isSettled = true;
        handler();
      },
    });
  }

  refuse(status: number, headers: readonly HeaderLine[] = []): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#invite.reject(status, { headers });
  }

  /** Ends in exactly one of `onAnswered` and `onFailed`; an answer that is of no use gets BYE. */
  answer(options: FirstOfferOptions, { onAnswered, onFailed }: IncomingOutcome): void {
    const { shownUri } = options.recorder;
    const fail = (failure: RecorderFailure) => onFailed({ ...failure, tryNext: false });
    if (this.#isSettled) {
      fail({ code: INTERNAL_CODE, text: `${shownUri}: its INVITE is over`, tryNext: false });
      return;
    }
    this.#isSettled = true;
    const knowsOldOnly = wantsOldLabel(415, this.#invite.request.headers.list("Accept"));
    const first = new FirstOffer(options, knowsOldOnly ? LEGACY_METADATA_MEDIA_TYPE : METADATA_MEDIA_TYPE);
    const dialog = this.#invite.answer({ body: first.body, contactParameters: ";+sip.src" });
    this.#dialog = dialog;
    let isOver = false;
    dialog.attach({
      onAcknowledged: (_ack, body) => {
        if (isOver) return;
        isOver = true;
        const session = first.session(dialog, body);
        if (!("problem" in session)) {
          onAnswered(session);
          return;
        }
        dialog.attach({ onEnded: () => {} });
        void dialog.bye().catch(() => {});
        fail(badAnswer(shownUri, session.problem));
      },
      onEnded: (end) => {
        if (isOver) return;
        isOver = true;
        fail(failureOfEnd(shownUri, end));
      },
    });
  }

  /** Our side wants it no more, before the ACK. */
  cancel(): void {
    if (this.#dialog !== undefined) void this.#dialog.bye().catch(() => {});
    else this.refuse(480);
  }
}
