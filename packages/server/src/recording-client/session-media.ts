import {
  createRecordingOffer,
  type MediaSecurity,
  type NegotiatedMedia,
  negotiate,
  readRecordingAnswer,
} from "@callfork/protocol/offer-answer";
import type { SessionDescription } from "@callfork/protocol/sdp";
import type { Log } from "../observe/index.ts";
import type { DialogAnswer, ReceivedPart } from "../signalling/index.ts";
import { type ForkCodecs, type ForkWay, wayOf } from "./fork-codecs.ts";
import type { ForkMedia } from "./fork-media.ts";
import { PayloadNumbers } from "./payload-numbers.ts";
import { BAD_ANSWER_CODE, DISCARDED_CODE, TRANSCODED_CODE } from "./recorder-failure.ts";
import { descriptionBody } from "./recording-body.ts";
import { answerRecorder, connectionOf, descriptionIn, offeredTracks } from "./recording-offer.ts";
import type { SessionOwner } from "./recording-session.ts";
import type { TrackLabel } from "./tracks.ts";

export interface SessionMediaOptions {
  /** Of our `o=` line. */
  readonly sessionId: string;
  readonly local: SessionDescription;
  readonly negotiated: readonly NegotiatedMedia[];
  readonly security?: MediaSecurity;
  readonly media: ForkMedia;
  /** Those of `local`, and of the call then. */
  readonly codecs: ForkCodecs;
  /** Whether `local` was `inactive`. */
  readonly isPaused: boolean;
  readonly owner: Pick<SessionOwner, "codecs" | "cname" | "isPaused" | "warn">;
  readonly log: Log;
  /** For metrics: packets of a track begin to be transcoded. */
  readonly onTranscoding?: ((from: string, to: string) => void) | undefined;
}

/**
 * What one recording session and its recorder have agreed on, line by line: makes offers and answers, and tells the
 * media plane what may flow.
 */
export class SessionMedia {
  readonly #options: SessionMediaOptions;
  /** What we sent last, agreed or not: gives `o=` its next version. */
  #sent: SessionDescription;
  #address: string;
  #negotiated: readonly NegotiatedMedia[];
  #codecs: ForkCodecs;
  /** What was last said of each track's codec. */
  readonly #said = new Map<TrackLabel, string>();
  readonly #numbers = new PayloadNumbers();
  /** The lines of our last offer that the recorder has accepted. */
  #agreed: string;

  constructor(options: SessionMediaOptions) {
    this.#options = options;
    this.#sent = options.local;
    this.#address = options.local.connection?.address ?? "0.0.0.0";
    this.#negotiated = options.negotiated;
    this.#codecs = options.codecs;
    this.#agreed = this.#lines(options.isPaused);
  }

  get negotiated(): readonly NegotiatedMedia[] {
    return this.#negotiated;
  }

  /** Lets packets flow as agreed. */
  start(): void {
    this.#apply(this.#negotiated);
  }

  /**
   * The codecs of the call's leg may be others now; a leg that has none for the moment keeps those it had. Packets in a
   * new codec go on at once, as what the recorder has agreed to; an offer of the new one is due then.
   */
  refreshCodecs(): void {
    const codecs = this.#options.owner.codecs();
    if (codecs.carried.length === 0) return;
    const isChanged = JSON.stringify(codecs.carried) !== JSON.stringify(this.#codecs.carried);
    this.#codecs = codecs;
    if (isChanged) this.#connect({ isAsked: false });
  }

  /** An offer of now would say something else than what was agreed on. */
  get isOfferDue(): boolean {
    return this.#lines() !== this.#agreed;
  }

  /** A pause that the recorder refused ends with nothing to agree on. */
  get mayGoOnAsAgreed(): boolean {
    const { owner, media } = this.#options;
    return !this.isOfferDue && !owner.isPaused() && media.isFenced;
  }

  /** Paused for the recorder, and not for us: it has refused what would end that. */
  get mayNotResume(): boolean {
    return !this.#options.owner.isPaused() && this.#agreed === this.#lines(true);
  }

  /** Offers what is now. `take` is for its answer; what it agrees on are the lines of this moment. */
  offer(): SentOffer {
    const { media, sessionId, owner, security } = this.#options;
    this.#sent = createRecordingOffer({
      origin: { sessionId },
      address: this.#address,
      tracks: offeredTracks(media.lines, this.#numbers.give(this.#codecs.offered), owner.isPaused()),
      previous: this.#sent,
      security,
    });
    return { description: this.#sent, lines: this.#lines() };
  }

  /** The recorder's answer to an offer of ours. */
  take({ description, lines }: SentOffer, body: readonly ReceivedPart[]): void {
    this.#agreed = lines;
    const found = descriptionIn(body);
    const answer =
      found !== undefined && "description" in found
        ? readRecordingAnswer(description, found.description)
        : undefined;
    if (answer?.ok) this.#apply(answer.value);
    else {
      this.#options.log.warn({}, "siprec: an offer of ours got no answer that reads");
      this.#options.owner.warn(BAD_ANSWER_CODE, "the recorder accepted an offer without a usable answer");
    }
  }

  /** What the recorder's own offer gets. */
  answerTo(found: NonNullable<ReturnType<typeof descriptionIn>>): DialogAnswer {
    if ("problem" in found) return { status: 488 };
    const offer = found.description;
    const { security, sessionId, media, owner } = this.#options;
    if (offer.media.length < this.#sent.media.length) return { status: 488 }; // RFC 3264 §8: lines never go
    const answer = answerRecorder(offer, {
      security,
      sessionId,
      address: this.#address,
      previous: this.#sent,
      lines: media.lines,
      codecs: this.#codecs.offered,
      isPaused: owner.isPaused(),
    });
    // A line we send on, offered without a codec of the call: to refuse the offer loses less than to refuse the line.
    const loses = offer.media.some(
      ({ port }, index) => port !== 0 && answer.media[index]!.port === 0 && media.lines[index]?.port,
    );
    if (loses) return { status: 488 };
    this.#sent = answer;
    this.#apply(negotiate(answer, offer, "local"));
    return { status: 200, body: descriptionBody(answer) };
  }

  #apply(negotiated: readonly NegotiatedMedia[]): void {
    const { media, owner } = this.#options;
    this.#negotiated = negotiated;
    if (!owner.isPaused()) media.release();
    this.#connect({ isAsked: true });
  }

  /** @param isAsked - the recorder has answered an offer with the present codecs */
  #connect({ isAsked }: { readonly isAsked: boolean }): void {
    const { media, owner, log } = this.#options;
    for (const [index, { label, port }] of media.lines.entries()) {
      const line = this.#negotiated[index];
      if (port === undefined || line === undefined) continue;
      const { carried } = this.#codecs;
      const connection = connectionOf(line, carried, owner.cname(label), label);
      if (!line.accepted) {
        media.closeTrack(label);
        log.warn({ track: label }, "siprec: the recorder does not take this track");
        owner.warn(DISCARDED_CODE, `the recorder does not take the ${label} track`);
      } else if (connection === undefined) {
        media.pause(label);
        log.info({ track: label, direction: line.direction }, "siprec: nothing flows on this track for now");
      } else {
        const { codec } = wayOf(line, carried, label);
        if (isAsked) this.#sayCodec(label, codec);
        media.connect(label, connection, codec?.name);
      }
    }
  }

  /** What the call's codec comes to at the recorder, where that is not itself. */
  #sayCodec(label: TrackLabel, codec: ForkWay["codec"]): void {
    const { log, owner, onTranscoding } = this.#options;
    const { carried, offered } = this.#codecs;
    const first = carried[0];
    if (first === undefined || codec?.transcodedFrom === null) return;
    const what = codec === undefined ? `${first.name} discarded` : `${codec.transcodedFrom} as ${codec.name}`;
    if (this.#said.get(label) === what) return;
    this.#said.set(label, what);
    log.warn(
      { track: label, codec: first.name, as: codec?.name },
      "siprec: the recorder takes another codec",
    );
    if (codec === undefined) {
      const text = `the recorder does not take ${first.name}, which the call uses: ${label} packets in it are discarded`;
      owner.warn(DISCARDED_CODE, text);
      return;
    }
    onTranscoding?.(first.name, codec.name);
    // A connector that does not let the codec be offered says so on purpose.
    if (offered.includes(first)) {
      const text = `the recorder does not take ${first.name}, which the call uses: it gets ${codec.name}, transcoded`;
      owner.warn(TRANSCODED_CODE, text);
    }
  }

  /** All that an offer of ours says of its lines; equal text: nothing new to offer. */
  #lines(isPaused = this.#options.owner.isPaused()): string {
    const codecs = this.#numbers.give(this.#codecs.offered);
    return JSON.stringify(offeredTracks(this.#options.media.lines, codecs, isPaused));
  }
}

/** An offer that is out, and what its lines say. */
export interface SentOffer {
  readonly description: SessionDescription;
  readonly lines: string;
}
