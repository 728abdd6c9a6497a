import {
  createRecordingOffer,
  type MediaSecurity,
  readRecordingAnswer,
  suitesAtLeast,
} from "@callfork/protocol/offer-answer";
import type { CryptoSuite, SessionDescription } from "@callfork/protocol/sdp";
import { type RecordingMetadata, writeRecordingMetadata } from "@callfork/protocol/siprec";
import type { Log } from "../observe/index.ts";
import type { ReceivedPart, SipBody, SipDialog } from "../signalling/index.ts";
import type { ClientContext } from "./context.ts";
import type { ForkCodecs } from "./fork-codecs.ts";
import type { ForkMedia } from "./fork-media.ts";
import { type ConnectorPlan, isNumericAddress, type Recorder } from "./recorders.ts";
import { type MetadataLabel, recordingBody } from "./recording-body.ts";
import { descriptionIn, offeredTracks } from "./recording-offer.ts";
import { RecordingSession, type SessionOwner } from "./recording-session.ts";

export interface FirstOfferOptions {
  readonly context: ClientContext;
  readonly log: Log;
  readonly recorder: Recorder;
  readonly plan: ConnectorPlan;
  readonly media: ForkMedia;
  readonly codecs: ForkCodecs;
  /** What protects the call: a copy that is secured is offered nothing weaker (RFC 7866 §12.2). */
  readonly encryption: CryptoSuite | undefined;
  readonly owner: SessionOwner;
}

/** The offer and the complete document that open a recording session, whichever side called (RFC 7866 §7.1.1, §7.2). */
export class FirstOffer {
  readonly #options: FirstOfferOptions;
  readonly #label: MetadataLabel;
  readonly #sessionId: string;
  readonly #offer: SessionDescription;
  readonly #told: RecordingMetadata;
  readonly #isPaused: boolean;
  readonly #security: MediaSecurity;

  constructor(options: FirstOfferOptions, label: MetadataLabel) {
    const { context, media, codecs, owner } = options;
    this.#options = options;
    this.#label = label;
    this.#sessionId = String(randomNumber(context.random.bytes(6)));
    this.#security = securityOf(options);
    this.#isPaused = owner.isPaused();
    const lines = media.lines;
    this.#offer = createRecordingOffer({
      origin: { sessionId: this.#sessionId },
      address: lines.find(({ port }) => port)?.port?.address ?? "0.0.0.0",
      tracks: offeredTracks(lines, codecs.offered, this.#isPaused),
      security: this.#security,
    });
    this.#told = owner.snapshot();
  }

  get body(): SipBody {
    const { random } = this.#options.context;
    return recordingBody(this.#offer, writeRecordingMetadata(this.#told), this.#label, random);
  }

  /** The session that the recorder's answer makes, or why nothing can be sent. */
  session(dialog: SipDialog, body: readonly ReceivedPart[]): RecordingSession | { readonly problem: string } {
    const answer = usableAnswer(this.#offer, body);
    if ("problem" in answer) return answer;
    const { media, codecs, owner, context, log } = this.#options;
    return new RecordingSession({
      dialog,
      sessionId: this.#sessionId,
      local: this.#offer,
      negotiated: answer.media,
      media,
      codecs,
      label: this.#label,
      told: this.#told,
      isPaused: this.#isPaused,
      security: this.#security,
      owner,
      clock: context.clock,
      random: context.random,
      log: log.child({ recordingCallId: dialog.callId }),
      onTranscoding: context.onTranscoding,
    });
  }
}

/** `secure=true`: SRTP or nothing. Without it offers are in the clear, and a recorder that asks for SRTP gets it. */
function securityOf({ recorder, encryption, context, plan }: FirstOfferOptions): MediaSecurity {
  const policy = recorder.secure ? "required" : "offered";
  const wanted = plan.settings.cryptoSuites;
  const suites = suitesAtLeast(encryption, wanted.length > 0 ? wanted : undefined);
  return { policy, suites, random: context.random };
}

/** The lines agreed on, or why nothing can be sent. */
function usableAnswer(
  offer: SessionDescription,
  body: readonly ReceivedPart[],
): { readonly media: RecordingSession["negotiated"] } | { readonly problem: string } {
  const found = descriptionIn(body);
  if (found === undefined) return { problem: "its answer has no session description" };
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
