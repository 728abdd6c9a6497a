import {
  createRecordingOffer,
  type MediaSecurity,
  readRecordingAnswer,
  suitesAtLeast,
} from "@callfork/protocol/offer-answer";
import type { Codec, CryptoSuite, SessionDescription } from "@callfork/protocol/sdp";
import {
  LEGACY_METADATA_MEDIA_TYPE,
  METADATA_MEDIA_TYPE,
  type RecordingMetadata,
  writeRecordingMetadata,
} from "@callfork/protocol/siprec";
import type { Log } from "../observe/index.ts";
import type {
  HeaderLine,
  InviteFailure,
  OutgoingInvite,
  ReceivedPart,
  SipDialog,
} from "../signalling/index.ts";
import type { ClientContext } from "./context.ts";
import { edgeParts } from "./edges.ts";
import type { ForkMedia } from "./fork-media.ts";
import {
  badAnswer,
  failureOfInvite,
  INTERNAL_CODE,
  type RecorderFailure,
  TIMEOUT_CODE,
} from "./recorder-failure.ts";
import { type ConnectorPlan, isNumericAddress, type Recorder } from "./recorders.ts";
import { type MetadataLabel, recordingBody, wantsOldLabel } from "./recording-body.ts";
import { descriptionIn, offeredTracks } from "./recording-offer.ts";
import { RecordingSession, type SessionOwner } from "./recording-session.ts";

export interface AttemptOptions {
  readonly context: ClientContext;
  readonly log: Log;
  readonly recorder: Recorder;
  readonly plan: ConnectorPlan;
  readonly media: ForkMedia;
  readonly codecs: readonly Codec[];
  /** What protects the call: a copy that is secured is offered nothing weaker (RFC 7866 §12.2). */
  readonly encryption: CryptoSuite | undefined;
  /** Custom parameters that go as header fields. */
  readonly headers: readonly HeaderLine[];
  readonly owner: SessionOwner;
  /** The recorder answered with something we can send to. Media has not been started. */
  readonly onAnswered: (session: RecordingSession) => void;
  readonly onFailed: (failure: RecorderFailure) => void;
}

/** What an INVITE said. */
interface Invited {
  readonly offer: SessionDescription;
  readonly told: RecordingMetadata;
  readonly isPaused: boolean;
  readonly sessionId: string;
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
    const { context, recorder, plan, log, owner } = this.#options;
    const sessionId = String(randomNumber(context.random.bytes(6)));
    const offer = this.#offer(sessionId);
    const told = owner.snapshot();
    const isPaused = owner.isPaused();
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
          body: recordingBody(offer, writeRecordingMetadata(told), this.#label, context.random),
          timeoutMs: context.limits.answerTimeoutMs,
          ...(plan.credentials && { credentials: plan.credentials }),
          ...(plan.tls && { tls: plan.tls }),
        },
        {
          onAnswered: (dialog, _response, body) => {
            this.#answered(dialog, { offer, told, isPaused, sessionId }, body);
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

  #offer(sessionId: string): SessionDescription {
    const { media, codecs } = this.#options;
    const lines = media.lines;
    return createRecordingOffer({
      origin: { sessionId },
      address: lines.find(({ port }) => port)?.port?.address ?? "0.0.0.0",
      tracks: offeredTracks(lines, codecs, this.#options.owner.isPaused()),
      security: this.#security,
    });
  }

  /** `secure=true`: SRTP or nothing. Without it offers are in the clear, and a recorder that asks for SRTP gets it. */
  get #security(): MediaSecurity {
    const { recorder, encryption, context, plan } = this.#options;
    const policy = recorder.secure ? "required" : "offered";
    const wanted = plan.settings.cryptoSuites;
    const suites = suitesAtLeast(encryption, wanted.length > 0 ? wanted : undefined);
    return { policy, suites, random: context.random };
  }

  #answered(
    dialog: SipDialog,
    { offer, told, isPaused, sessionId }: Invited,
    body: readonly ReceivedPart[],
  ): void {
    const { recorder, media, codecs, owner, context, log } = this.#options;
    const answer = usableAnswer(offer, body);
    if ("problem" in answer) {
      dialog.attach({ onEnded: () => {} });
      void dialog.bye().catch(() => {});
      this.#options.onFailed(badAnswer(recorder.shownUri, answer.problem));
      return;
    }
    const session = new RecordingSession({
      dialog,
      sessionId,
      local: offer,
      negotiated: answer.media,
      media,
      codecs,
      label: this.#label,
      told,
      isPaused,
      security: this.#security,
      owner,
      clock: context.clock,
      random: context.random,
      log: log.child({ recordingCallId: dialog.callId }),
    });
    this.#options.onAnswered(session);
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

/** The lines agreed on, or why nothing can be sent. */
function usableAnswer(
  offer: SessionDescription,
  body: readonly ReceivedPart[],
): { readonly media: RecordingSession["negotiated"] } | { readonly problem: string } {
  const found = descriptionIn(body);
  if (found === undefined) return { problem: "its 200 has no session description" };
  if ("problem" in found) return { problem: `its session description does not read: ${found.problem}` };
  const answer = readRecordingAnswer(offer, found.description);
  if (!answer.ok) return { problem: answer.error.message };
  const accepted = answer.value.filter((line) => line.accepted);
  if (accepted.length === 0) return { problem: "it accepts none of the streams" };
  if (accepted.every(({ remote }) => remote !== null && !isNumericAddress(remote.address))) {
    return { problem: "its media address is no IP address" };
  }
  return { media: answer.value };
}

/** 48 bits: fits a double, differs between dialogs (RFC 8866 §5.2). */
const randomNumber = (bytes: Uint8Array): number => bytes.reduce((sum, octet) => sum * 256 + octet, 0);
