import type { KeyObject } from "node:crypto";
import {
  type Answer,
  createRecordingAnswer,
  type MediaSecurity,
  type NegotiatedMedia,
  negotiate,
  OfferAnswer,
  usableLines,
} from "@callfork/protocol/offer-answer";
import { shortTermCname } from "@callfork/protocol/rtp";
import {
  codecsOf,
  connectionOf,
  hostOf,
  isNullAddress,
  labelOf,
  type MediaDescription,
  type SessionDescription,
} from "@callfork/protocol/sdp";
import type { Random } from "@callfork/protocol/text";
import type { MediaPlane, MediaTarget } from "../media/index.ts";
import type { Clock } from "../net/index.ts";
import { PlatformError } from "../observe/index.ts";
import type { Refusal } from "./errors.ts";
import { badDescription } from "./intake.ts";
import {
  capabilitiesOf,
  chosenFormat,
  decodableOffer,
  formatsOf,
  isDecodable,
  mediaKindOf,
} from "./line-formats.ts";
import { createOwnOffer } from "./own-offer.ts";
import { RecordedTrack, type TrackEvents } from "./recorded-track.ts";
import type { TrackWriter } from "./tracks/writer.ts";
import type { WarningCode } from "./warnings.ts";

/** How often all lines of a recording may be replaced by others. */
const MAX_TURNS = 16;

export interface MediaLinesOptions {
  readonly media: MediaPlane;
  readonly writer: TrackWriter;
  readonly clock: Clock;
  readonly random: Random;
  readonly recordingSid: string;
  readonly folder: string;
  /** The recording's key, known before the first line is opened; undefined: its files are plain. */
  readonly key: () => KeyObject | undefined;
  /** Where signalling comes from: the way to the media when the description names no address. */
  readonly remoteAddress: string;
  readonly maximumTracks: number;
  readonly security: MediaSecurity;
  readonly events: TrackEvents;
}

/** An offer that could be taken: everything it needs is open, nothing has changed yet. */
export interface PreparedOffer {
  /** The client's; our own when it made none. */
  readonly offer: SessionDescription;
  /** What we send; `media` is empty while it is an offer. */
  readonly answer: Answer;
  readonly isOurs: boolean;
  /** By m-line. */
  readonly opened: ReadonlyMap<number, RecordedTrack>;
  /** All tracks of the recording, the new ones included. */
  readonly tracks: readonly RecordedTrack[];
  /** Tracks that are on a line, by m-line. */
  readonly onLine: ReadonlyMap<number, RecordedTrack>;
  readonly warnings: readonly (readonly [WarningCode, string])[];
}

/**
 * The m-lines of one recording session and the tracks on them (RFC 7866 §7.2): which lines are taken, on which ports,
 * what is paused and what has ended. An offer is first prepared, then committed or given up.
 */
export class MediaLines {
  readonly #options: MediaLinesOptions;
  readonly #offerAnswer = new OfferAnswer();
  readonly #sessionId: string;
  readonly #cname: string;
  #tracks: readonly RecordedTrack[] = [];
  #onLine: ReadonlyMap<number, RecordedTrack> = new Map();
  readonly #refusedLabels = new Set<string>();
  #numbered = 0;
  #isHeard = false;
  readonly #listening = new Map<RecordedTrack, () => void>();
  #isClosed = false;

  constructor(options: MediaLinesOptions) {
    this.#options = options;
    this.#sessionId = String(Math.floor(options.clock.wallNow()));
    this.#cname = shortTermCname(options.random);
  }

  /** In the order they were opened, ended ones included. */
  get tracks(): readonly RecordedTrack[] {
    return this.#tracks;
  }

  /** Of lines that were never recorded: what the metadata says of them is no sign of a loss. */
  get refusedLabels(): ReadonlySet<string> {
    return this.#refusedLabels;
  }

  get onLine(): ReadonlyMap<number, RecordedTrack> {
    return this.#onLine;
  }

  /** Ours of the last exchange. */
  get local(): SessionDescription | undefined {
    return this.#offerAnswer.local;
  }

  /** The client's of the last exchange. */
  get remote(): SessionDescription | undefined {
    return this.#offerAnswer.remote;
  }

  /** Works out the answer and opens what it needs. When that fails, all is as before. */
  async prepare(
    offer: SessionDescription,
  ): Promise<{ readonly prepared: PreparedOffer } | { readonly refusal: Refusal }> {
    const taken = this.#offerAnswer.remoteOffer(offer);
    if (!taken.ok) {
      const { sipStatus = 488, message } = taken.error;
      return { refusal: { status: sipStatus, message, reason: "offer" } };
    }
    const give = (refusal: Refusal): { readonly refusal: Refusal } => {
      this.#offerAnswer.refused("local");
      return { refusal };
    };
    const { security } = this.#options;
    const usable = usableLines(offer, undefined, security);
    const takes = offer.media.map(
      (line, index) => usable[index] === true && chosenFormat(line) !== undefined,
    );
    const warnings: [WarningCode, string][] = [];
    const isAsking = offer.media.some(({ port }) => port !== 0);
    if (!takes.includes(true) && (isAsking || this.#tracks.length === 0)) {
      return give(
        badDescription("no m-line is audio or video over RTP, or SRTP with a crypto line that we know"),
      );
    }
    const fresh = takes.flatMap((take, index) => (take && !this.#onLine.has(index) ? [index] : []));
    for (const index of fresh.splice(this.#room(takes))) takes[index] = false;
    if (!takes.includes(true) && isAsking) {
      const message = "the recording has all the tracks it may have";
      return give({ status: 488, message, reason: "track-limit" });
    }
    for (const [index, line] of offer.media.entries()) {
      if (line.port === 0 || takes[index]) continue;
      warnings.push(["LINE_REFUSED", refusedLine(line, index)]);
      this.#refusedLabels.add(labelOf(line) ?? String(index + 1));
    }

    const opened = await this.#open(offer, fresh, warnings);
    if ("refusal" in opened) return give(opened.refusal);
    const onLine = new Map<number, RecordedTrack>();
    for (const [index, take] of takes.entries()) {
      const track = this.#onLine.get(index) ?? opened.get(index);
      if (take && track !== undefined) onLine.set(index, track);
    }
    const answer = createRecordingAnswer(decodableOffer(offer), {
      origin: { sessionId: this.#sessionId },
      address: this.#address(onLine),
      ports: offer.media.map((_, index) => {
        const port = onLine.get(index)?.port;
        return port === undefined ? null : { port: port.rtpPort, rtcpPort: port.rtcpPort };
      }),
      codecs: capabilitiesOf(offer),
      choose: "first",
      previous: this.local,
      security,
    });
    const tracks = [...this.#tracks, ...opened.values()];
    return { prepared: { offer, answer, isOurs: false, opened, tracks, onLine, warnings } };
  }

  /** The client made no offer: works out ours, a line a label. The answer comes with the ACK. */
  async prepareOwn(
    labels: readonly string[],
  ): Promise<{ readonly prepared: PreparedOffer } | { readonly refusal: Refusal }> {
    const common = { sessionId: this.#sessionId, labels, security: this.#options.security };
    // Where its media will come from is not known yet, but for the way that signalling came.
    const places = labels.map((_, index) => ({ port: index + 1 }));
    const draft = createOwnOffer({ ...common, address: "0.0.0.0", ports: places });
    const warnings: [WarningCode, string][] = [];
    const onLine = await this.#open(
      draft,
      labels.map((_, index) => index),
      warnings,
    );
    if ("refusal" in onLine) return onLine;
    const ports = labels.map((_, index) => {
      const { port } = onLine.get(index)!;
      return { port: port.rtpPort, rtcpPort: port.rtcpPort };
    });
    const offer = createOwnOffer({ ...common, address: this.#address(onLine), ports });
    const answer = { description: offer, media: [] };
    const tracks = [...onLine.values()];
    return { prepared: { offer, answer, isOurs: true, opened: onLine, tracks, onLine, warnings } };
  }

  /** The offer is answered with 2xx: its lines go live, change and end as it says. */
  commit({ offer, answer, isOurs, tracks, onLine }: PreparedOffer): void {
    if (isOurs) this.#offerAnswer.localOffer(offer);
    else this.#offerAnswer.localAnswer(answer.description);
    this.#tracks = tracks;
    for (const [index, track] of this.#onLine) {
      // A line that gets port 0 has ended; another stream may take its slot later (RFC 3264 §8.1, §8.2).
      if (onLine.get(index) !== track) void track.close();
    }
    this.#onLine = onLine;
    this.#connect(offer, answer.media);
    if (this.#isClosed) void this.close();
  }

  /** Resolves when whatever was committed can be received: the answer may go out. */
  async ready(): Promise<void> {
    await Promise.all([...this.#onLine.values()].map((track) => track.ready()));
  }

  /** The offer is refused after all. */
  async abandon({ opened }: PreparedOffer): Promise<void> {
    this.#offerAnswer.refused("local");
    await Promise.all([...opened.values()].map((track) => track.close()));
  }

  /**
   * The client's answer to our description, which went out in the 2xx of an INVITE without offer.
   *
   * @returns whether there is anything to record by it
   */
  takeAnswer(description: SessionDescription): boolean {
    const offer = this.#offerAnswer.openOffer ?? this.local;
    if (offer === undefined || description.media.length !== offer.media.length) return false;
    if (this.#offerAnswer.openOffer === undefined && !this.#offerAnswer.localOffer(offer).ok) return false;
    if (!this.#offerAnswer.remoteAnswer(description).ok) return false;
    const media = negotiate(offer, description, "remote");
    this.#connect(description, media);
    return media.some(({ accepted }) => accepted);
  }

  /** Whether somebody listens while the audio comes: without, none of it leaves the writer. */
  setHeard(isHeard: boolean): void {
    this.#isHeard = isHeard;
    if (isHeard) for (const track of this.#onLine.values()) this.#listen(track);
    else {
      for (const stop of this.#listening.values()) stop();
      this.#listening.clear();
    }
  }

  #listen(track: RecordedTrack): void {
    if (this.#listening.has(track) || track.kind !== "audio") return;
    const stop = track.listen((heard) => this.#options.events.onHeard(track, heard));
    this.#listening.set(track, stop);
  }

  /** Closes every receiver and file; resolves when the disk has them. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#tracks.map((track) => track.close()));
  }

  #connect(theirs: SessionDescription, media: readonly NegotiatedMedia[]): void {
    const changed: RecordedTrack[] = [];
    for (const negotiated of media) {
      const track = this.#onLine.get(negotiated.index);
      const line = theirs.media[negotiated.index];
      if (track === undefined || line === undefined || !negotiated.accepted) continue;
      const active = negotiated.direction === "recvonly" || negotiated.direction === "sendrecv";
      // Also what is not recorded: telephone events and comfort noise share the numbers of the audio (RFC 4733 §2.6.1).
      const payloadTypes = codecsOf(line).map(({ payloadType }) => payloadType);
      const wasHeld = track.isHeld;
      track.connect(targetOf(negotiated), payloadTypes, formatsOf(line), active, negotiated.srtp);
      if (track.isHeld !== wasHeld) changed.push(track);
      if (this.#isHeard) this.#listen(track);
    }
    if (changed.length > 0) this.#options.events.onHeld(changed, [...this.#onLine.values()]);
  }

  async #open(
    offer: SessionDescription,
    fresh: readonly number[],
    warnings: [WarningCode, string][],
  ): Promise<Map<number, RecordedTrack> | { readonly refusal: Refusal }> {
    const { media, writer, clock, recordingSid, folder, events } = this.#options;
    const taken = new Set(this.#tracks.map(({ label }) => label));
    const openings = fresh.map((line) => {
      const description = offer.media[line]!;
      const label = uniqueLabel(description, line, taken, warnings);
      taken.add(label);
      const { codec, clockRateHz } = chosenFormat(description)!;
      const kind = mediaKindOf(description)!;
      const base = `${++this.#numbered}-${fileSafe(label)}`;
      if (kind === "audio" && !isDecodable(chosenFormat(description)!)) {
        const text = `track ${label}: ${codec} is kept as it comes; what is heard of it takes a decoder from outside`;
        warnings.push(["CODEC_NOT_DECODED", text]);
      }
      return RecordedTrack.open({
        media,
        writer,
        clock,
        recordingSid,
        folder,
        key: this.#options.key(),
        line,
        label,
        kind,
        base,
        formats: formatsOf(description),
        codec,
        clockRateHz,
        remoteAddress: mediaAddress(offer, description) ?? this.#options.remoteAddress,
        cname: this.#cname,
        events,
      });
    });
    const results = await Promise.allSettled(openings);
    const opened = new Map<number, RecordedTrack>();
    let failure: unknown;
    for (const [at, result] of results.entries()) {
      if (result.status === "fulfilled") opened.set(fresh[at]!, result.value);
      else failure ??= result.reason;
    }
    if (failure === undefined) return opened;
    await Promise.all([...opened.values()].map((track) => track.close()));
    const status = failure instanceof PlatformError ? failure.sipStatus : 500;
    const message = failure instanceof Error ? failure.message : String(failure);
    return {
      refusal: { status, message, reason: "media", ...(status === 503 && { retryAfterSeconds: 10 }) },
    };
  }

  /** How many tracks may be added: so many at once, and some more in all, for lines that come and go. */
  #room(takes: readonly boolean[]): number {
    const { maximumTracks } = this.#options;
    const stay = takes.filter((take, index) => take && this.#onLine.has(index)).length;
    return Math.max(0, Math.min(maximumTracks - stay, MAX_TURNS * maximumTracks - this.#tracks.length));
  }

  /** All receivers of one recording have one address; a session without any keeps the one it had. */
  #address(onLine: ReadonlyMap<number, RecordedTrack>): string {
    const [track] = [...onLine.values(), ...this.#tracks];
    return track?.port.address ?? "0.0.0.0";
  }
}

function targetOf({ remote }: NegotiatedMedia): MediaTarget | null {
  if (remote === null) return null;
  return { address: remote.address, rtpPort: remote.rtpPort, rtcpPort: remote.rtcpPort };
}

/** A numeric address to find the way by; undefined for a held line and for a host name. */
function mediaAddress(description: SessionDescription, line: MediaDescription): string | undefined {
  const connection = connectionOf(description, line);
  if (connection === undefined) return undefined;
  const host = hostOf(connection);
  return !isNullAddress(host) && /^[0-9.]+$|:/.test(host) ? host : undefined;
}

function refusedLine({ kind, protocol, formats }: MediaDescription, index: number): string {
  return `m-line ${index + 1} (${kind} ${protocol} ${formats.slice(0, 8).join(" ")}) is not recorded`;
}

function uniqueLabel(
  description: MediaDescription,
  line: number,
  taken: ReadonlySet<string>,
  warnings: [WarningCode, string][],
): string {
  const stated = labelOf(description);
  if (stated === undefined || stated === "") {
    warnings.push(["LABEL_MISSING", `m-line ${line + 1} has no label: its place stands in`]);
  }
  const label = (stated || String(line + 1)).slice(0, 128);
  if (!taken.has(label)) return label;
  let copy = 2;
  while (taken.has(`${label}-${copy}`)) copy++;
  warnings.push(["LABEL_NOT_UNIQUE", `a track called ${label} is there already: this is ${label}-${copy}`]);
  return `${label}-${copy}`;
}

/** A label is a token (RFC 4574 §4), which may hold what a file name must not. */
function fileSafe(label: string): string {
  return label.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 40);
}
