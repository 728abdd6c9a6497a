import type { NegotiatedMedia } from "@callfork/protocol/offer-answer";
import { flattenBody, mediaTypeName, partMediaType, type SipResponse } from "@callfork/protocol/sip";
import {
  EMPTY_METADATA,
  isMetadataMediaType,
  LEGACY_METADATA_MEDIA_TYPE,
  metadataCharset,
  type RecordingMetadata,
  readSnapshotOrMetadata,
  type SessionReason,
  writeRecordingMetadata,
} from "@callfork/protocol/siprec";
import type { Random } from "@callfork/protocol/text";
import type { Clock, Timer } from "../net/index.ts";
import type { DialogAnswer, DialogEnd, ReceivedPart, SipDialog } from "../signalling/index.ts";
import type { ForkCodecs } from "./fork-codecs.ts";
import { changesSince, finalMetadata } from "./metadata-changes.ts";
import { PROTOCOL_CODE } from "./recorder-failure.ts";
import {
  descriptionBody,
  type MetadataLabel,
  metadataBody,
  recordingBody,
  wantsOldLabel,
} from "./recording-body.ts";
import { descriptionIn } from "./recording-offer.ts";
import { type SentOffer, SessionMedia, type SessionMediaOptions } from "./session-media.ts";
import type { TrackLabel } from "./tracks.ts";

/** The fork, as its recording session sees it. */
export interface SessionOwner {
  /** Those of the call's leg now, and what is offered for them. */
  codecs(): ForkCodecs;
  /** The complete document of now; the same object as long as nothing has changed. */
  snapshot(): RecordingMetadata;
  cname(label: TrackLabel): string;
  /** Nothing may be recorded for now. */
  isPaused(): boolean;
  /** Something an operator should know of. */
  warn(code: number, text: string): void;
  /** The session is up and of no use: what has to be agreed on was refused. */
  unusable(text: string): void;
  /** The dialog is over, whoever ended it. */
  ended(end: DialogEnd): void;
}

export interface RecordingSessionOptions extends SessionMediaOptions {
  readonly dialog: SipDialog;
  readonly label: MetadataLabel;
  /** The complete document of the INVITE. */
  readonly told: RecordingMetadata;
  readonly owner: SessionOwner;
  readonly clock: Clock;
  readonly random: Random;
}

/** What changes within this time is told in one document. */
const COALESCE_MS = 50;

/** An answer to UPDATE that means "never". */
const UPDATE_UNKNOWN: ReadonlySet<number> = new Set([405, 501]);

/**
 * The recording session (RFC 7866): a dialog that is up. It answers what the recorder changes, keeps it informed, and
 * tells the media plane what was agreed. One exchange of ours is open at a time; wishes that come meanwhile are one.
 */
export class RecordingSession {
  readonly dialog: SipDialog;
  readonly #options: RecordingSessionOptions;
  readonly #media: SessionMedia;
  #label: MetadataLabel;
  /** What the recorder has accepted; `undefined` when it needs a complete document, since it said so. */
  #told: RecordingMetadata | undefined;
  #isDue = false;
  #soon: Timer | undefined;
  #sending = false;
  /** Our 2xx to a re-INVITE waits for its ACK; with the offer when the re-INVITE had none. */
  #unacknowledged: { readonly offer: SentOffer | undefined } | undefined;
  #updateRefused = false;
  #over = false;

  constructor(options: RecordingSessionOptions) {
    this.#options = options;
    this.dialog = options.dialog;
    this.#media = new SessionMedia(options);
    this.#label = options.label;
    this.#told = options.told;
    options.dialog.attach({
      onReinvite: (_request, body) => this.#guarded(() => this.#reinvited(body)),
      onUpdate: (_request, body) => this.#guarded(() => this.#updated(body)),
      onAcknowledged: (_ack, body) => this.#acknowledged(body),
      onEnded: (end) => this.#ended(end),
    });
  }

  get negotiated(): readonly NegotiatedMedia[] {
    return this.#media.negotiated;
  }

  /** Lets packets flow as agreed. */
  start(): void {
    this.#media.start();
  }

  /** Something of the call has changed: what it comes to is sent soon, with what else changes until then. */
  changed({ atOnce = false } = {}): void {
    if (this.#over) return;
    this.#media.refreshCodecs();
    if (atOnce) this.#send();
    else this.#soon ??= this.#options.clock.setTimer(COALESCE_MS, () => this.#send());
  }

  /** @param isCallOver - as `finalMetadata` has it: the last document goes along */
  bye(isCallOver: boolean, reasons: readonly SessionReason[] = []): Promise<void> {
    this.#close();
    const { owner, clock } = this.#options;
    const now = owner.snapshot();
    const last = finalMetadata(this.#told ?? now, now, clock.wallNow(), isCallOver, reasons);
    return this.dialog.bye({ body: metadataBody(writeRecordingMetadata(last), this.#label) });
  }

  #send(): void {
    this.#soon?.cancel();
    this.#soon = undefined;
    this.#isDue = true;
    void this.#pump();
  }

  async #pump(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#isDue && !this.#over && this.#unacknowledged === undefined) {
        this.#isDue = false;
        await this.#tell();
      }
    } catch (error) {
      this.#options.log.error({ err: error }, "siprec: an update was not sent");
    } finally {
      this.#sending = false;
    }
  }

  /**
   * Brings the recorder from what it has accepted to what is now: by UPDATE where it allows it, by re-INVITE elsewhere.
   * "If the metadata refers to SDP labels, the message carries the SDP that defines them" (RFC 7866 §9.1), and a
   * re-INVITE without SDP would ask the recorder for an offer (RFC 3261 §14.1): only an UPDATE whose document has no
   * stream in it goes without.
   */
  async #tell(): Promise<void> {
    const { owner, clock } = this.#options;
    this.#media.refreshCodecs();
    if (this.#media.mayGoOnAsAgreed) this.#media.start();
    const snapshot = owner.snapshot();
    const changes = this.#told && changesSince(this.#told, snapshot, clock.wallNow());
    const isOfferDue = this.#media.isOfferDue;
    if (this.#told !== undefined && changes === undefined && !isOfferDue) return;
    const byUpdate = this.dialog.remoteAllow.has("UPDATE") && !this.#updateRefused;
    const needsOffer = !byUpdate || isOfferDue || (changes ?? snapshot).streams.length > 0;
    if (needsOffer) await this.#tellWithOffer(byUpdate);
    else await this.#tellAlone(changes ?? snapshot, snapshot);
  }

  async #tellAlone(document: RecordingMetadata, snapshot: RecordingMetadata): Promise<void> {
    const body = metadataBody(writeRecordingMetadata(document), this.#label);
    const response = await this.dialog.update({ body });
    if (this.#over) return;
    if (response.status >= 200 && response.status < 300) this.#told = snapshot;
    else this.#refused(response, true);
  }

  /** Offer and document are made when the request goes out: both may have changed while it waited for its turn. */
  async #tellWithOffer(byUpdate: boolean): Promise<void> {
    const { owner, clock, random } = this.#options;
    let offer: SentOffer | undefined;
    let snapshot = owner.snapshot();
    const renewBody = () => {
      snapshot = owner.snapshot();
      offer = this.#media.offer();
      const changes = this.#told && changesSince(this.#told, snapshot, clock.wallNow());
      // Whenever media changes its streams are told again (RFC 7865 §6.7): the labels belong to this very offer.
      const document =
        this.#told === undefined
          ? snapshot
          : { ...(changes ?? { ...EMPTY_METADATA, dataMode: "partial" }), streams: snapshot.streams };
      return recordingBody(offer.description, writeRecordingMetadata(document), this.#label, random);
    };
    const response = await (byUpdate
      ? this.dialog.update({ renewBody })
      : this.dialog.reinvite({ renewBody }));
    if (this.#over) return;
    if (response.status >= 200 && response.status < 300) {
      this.#told = snapshot;
      if (offer !== undefined) this.#media.take(offer, answerParts(response));
    } else this.#refused(response, byUpdate);
  }

  #refused(response: SipResponse, byUpdate: boolean): void {
    const { owner, log } = this.#options;
    const { status, reason } = response;
    if (byUpdate && UPDATE_UNKNOWN.has(status)) {
      this.#updateRefused = true;
      this.#isDue = true;
    } else if (
      this.#label !== LEGACY_METADATA_MEDIA_TYPE &&
      wantsOldLabel(status, response.headers.list("Accept"))
    ) {
      this.#label = LEGACY_METADATA_MEDIA_TYPE;
      this.#isDue = true;
    } else if (this.#media.mayNotResume) {
      owner.unusable(`the recorder refused to go on after a pause: ${status} ${reason}`);
    } else {
      // RFC 3261 §14.1: the session goes on as it was, and the next change takes along what was refused.
      log.warn({ status, reason }, "siprec: the recorder refused an update");
      owner.warn(PROTOCOL_CODE, `the recorder refused an update of its session: ${status} ${reason}`);
    }
  }

  #reinvited(body: readonly ReceivedPart[]): DialogAnswer {
    const found = descriptionIn(body);
    if (found === undefined) {
      // No offer: ours goes into the 200, the answer comes with the ACK (RFC 3261 §14.2).
      const offer = this.#media.offer();
      this.#unacknowledged = { offer };
      return { status: 200, body: descriptionBody(offer.description) };
    }
    const answer = this.#media.answerTo(found);
    if (answer.status === 200) this.#unacknowledged = { offer: undefined };
    return answer;
  }

  #updated(body: readonly ReceivedPart[]): DialogAnswer {
    const found = descriptionIn(body);
    if (found !== undefined) return this.#media.answerTo(found);
    const document = body.find(({ mediaType }) => isMetadataMediaType(mediaType));
    if (document === undefined) return { status: 200 }; // a session refresh
    const read = readSnapshotOrMetadata(document.bytes, { charset: metadataCharset(document.contentType) });
    if (!read.ok || read.value.kind !== "snapshotRequest") {
      this.#options.log.warn({}, "siprec: an UPDATE of the recorder is neither refresh nor snapshot request");
      return { status: 400, reason: "Not a Snapshot Request" };
    }
    this.#options.log.info({}, "siprec: the recorder asks for a snapshot");
    // Never in the 200 (RFC 7866 §9.2), so after it.
    this.#told = undefined;
    queueMicrotask(() => this.#send());
    return { status: 200 };
  }

  #acknowledged(body: readonly ReceivedPart[]): void {
    const waiting = this.#unacknowledged;
    this.#unacknowledged = undefined;
    if (waiting?.offer !== undefined && !this.#over) this.#media.take(waiting.offer, body);
    if (this.#isDue) void this.#pump();
  }

  #close(): void {
    this.#over = true;
    this.#soon?.cancel();
  }

  #ended(end: DialogEnd): void {
    this.#close();
    this.#options.owner.ended(end);
  }

  /** Whatever a recorder sends, it gets an answer, and nothing is thrown at the user agent. */
  #guarded(run: () => DialogAnswer): DialogAnswer {
    try {
      return run();
    } catch (error) {
      this.#options.log.error({ err: error }, "siprec: a request of the recorder was not handled");
      return { status: 500 };
    }
  }
}

/** The leaves of a response's body; none when it does not read. */
function answerParts(response: SipResponse): readonly ReceivedPart[] {
  const flat = flattenBody(response);
  if (!flat.ok) return [];
  return flat.value.parts.map((part) => {
    const mediaType = partMediaType(part);
    return {
      mediaType: mediaType === undefined ? "" : mediaTypeName(mediaType),
      contentType: part.headers.get("Content-Type") ?? "",
      disposition: undefined,
      bytes: part.body,
    };
  });
}
