import { LEGACY_METADATA_MEDIA_TYPE, METADATA_MEDIA_TYPE } from "@callfork/protocol/siprec";
import type {
  HeaderLine,
  InviteFailure,
  OutgoingInvite,
  ReceivedPart,
  SipDialog,
} from "../signalling/index.ts";
import { edgeParts } from "./edges.ts";
import { FirstOffer, type FirstOfferOptions } from "./first-offer.ts";
import {
  badAnswer,
  failureOfInvite,
  INTERNAL_CODE,
  type RecorderFailure,
  TIMEOUT_CODE,
} from "./recorder-failure.ts";
import { type MetadataLabel, wantsOldLabel } from "./recording-body.ts";
import type { RecordingSession } from "./recording-session.ts";

export interface AttemptOptions extends FirstOfferOptions {
  /** Custom parameters, and what else the connector wants as header fields. */
  readonly headers: readonly HeaderLine[];
  /** The recorder answered with something we can send to. Media has not been started. */
  readonly onAnswered: (session: RecordingSession) => void;
  readonly onFailed: (failure: RecorderFailure) => void;
}

/**
 * One recorder called: the INVITE of RFC 7866 §6.1.1, once more under the old metadata label when it knows only that,
 * and its answer read. Ends in exactly one of `onAnswered` and `onFailed`; an answer that is of no use gets BYE.
 */
export class RecorderAttempt {
  readonly #options: AttemptOptions;
  #invite: OutgoingInvite | undefined;
  #label: MetadataLabel = METADATA_MEDIA_TYPE;
  #canceled = false;

  constructor(options: AttemptOptions) {
    this.#options = options;
  }

  start(): void {
    const { context, recorder, plan } = this.#options;
    if (!plan.settings.optionsFirst) {
      this.#send();
      return;
    }
    const { shownUri } = recorder;
    const failed = (code: number, text: string) =>
      this.#options.onFailed({ code, text: `${shownUri}: ${text}`, tryNext: true });
    context.health.answers(plan, recorder).then(
      (isThere) => {
        if (this.#canceled) failed(TIMEOUT_CODE, "canceled");
        else if (isThere) this.#send();
        else failed(TIMEOUT_CODE, "it does not answer OPTIONS");
      },
      (error: unknown) => {
        this.#options.log.error({ err: error }, "siprec: OPTIONS was not sent");
        failed(INTERNAL_CODE, "OPTIONS could not be sent");
      },
    );
  }

  #send(): void {
    const { context, recorder, plan, log } = this.#options;
    const first = new FirstOffer(this.#options, this.#label);
    const { route, ...way } = edgeParts(recorder.edge, context.sipHost);
    try {
      this.#invite = context.userAgent.invite(
        {
          ...way,
          requestUri: recorder.uri,
          to: `<${recorder.uri}>`,
          headers: [...route, ["Require", "siprec"], ...plan.headers, ...this.#options.headers],
          contactUser: "SRC",
          contactParameters: ";+sip.src",
          body: first.body,
          timeoutMs: context.limits.answerTimeoutMs,
          ...(plan.credentials && { credentials: plan.credentials }),
          ...(plan.tls && { tls: plan.tls }),
        },
        {
          onAnswered: (dialog, _response, body) => {
            this.#answered(dialog, first, body);
            return undefined;
          },
          onFailed: (failure) => this.#failed(failure),
        },
      );
      log.info({ recorder: recorder.shownUri, recordingCallId: this.#invite.callId }, "siprec: inviting");
    } catch (error) {
      log.error({ err: error }, "siprec: the INVITE was not sent");
      const text = `${recorder.shownUri}: the INVITE could not be made`;
      this.#options.onFailed({ code: INTERNAL_CODE, text, tryNext: true });
    }
  }

  /** `onFailed` follows, or `onAnswered` when the 2xx was on its way. */
  cancel(): void {
    this.#canceled = true;
    this.#invite?.cancel();
  }

  #answered(dialog: SipDialog, first: FirstOffer, body: readonly ReceivedPart[]): void {
    const session = first.session(dialog, body);
    if ("problem" in session) {
      dialog.attach({ onEnded: () => {} });
      void dialog.bye().catch(() => {});
      this.#options.onFailed(badAnswer(this.#options.recorder.shownUri, session.problem));
    } else this.#options.onAnswered(session);
  }

  #failed(failure: InviteFailure): void {
    const accept = failure.response?.headers.list("Accept") ?? [];
    const isNew = this.#label === METADATA_MEDIA_TYPE;
    if (isNew && !this.#canceled && wantsOldLabel(failure.status, accept)) {
      this.#options.log.info({}, "siprec: the recorder knows only the old metadata label");
      this.#label = LEGACY_METADATA_MEDIA_TYPE;
      this.#send();
      return;
    }
    this.#options.onFailed(failureOfInvite(this.#options.recorder.shownUri, failure));
  }
}
