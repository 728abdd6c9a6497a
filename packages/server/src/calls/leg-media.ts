import {
  type Answer,
  type CodecCapability,
  createAnswer,
  createOffer,
  type LocalPort,
  type LocalSide,
  type MediaSecurity,
  type NegotiatedMedia,
  negotiate,
  relayOffer,
  usableLines,
} from "@callfork/protocol/offer-answer";
import {
  attribute,
  type Codec,
  type Direction,
  type RecordIndication,
  type RecordPreference,
  recordIndicationOf,
  recordPreferenceOf,
  type SessionDescription,
} from "@callfork/protocol/sdp";
import type { MediaPlane, MediaPort, MediaTone } from "../media/index.ts";
import { numericAddress } from "../net/index.ts";
import { CallEndedError } from "./errors.ts";
import { LegPassages } from "./leg-passages.ts";
import { legCodecsOf, targetOf } from "./media-target.ts";

/**
 * The media of one leg: its port pair, the descriptions both sides sent last, and the one audio line they came to.
 * Video passes through to the other leg, on ports of its own; all other lines (a second audio, T.38, data channels)
 * are refused with port 0.
 */
export class LegMedia {
  readonly #plane: MediaPlane;
  /** Ports of one group live in one media worker. */
  readonly group: string;
  readonly #sessionId: string;
  readonly #security: MediaSecurity;
  #opening: Promise<MediaPort> | undefined;
  #port: MediaPort | undefined;
  #closed = false;
  #local: SessionDescription | undefined;
  #remote: SessionDescription | undefined;
  #line: NegotiatedMedia | undefined;
  #media: readonly NegotiatedMedia[] = [];
  #remoteAddress: string | undefined;
  /** What our descriptions say of recording to a peer that shows it by itself (RFC 7866 §7.1.2). */
  record: RecordIndication | undefined;
  #tone: MediaTone | undefined;
  #preference: RecordPreference = "nopreference";
  readonly passages: LegPassages;

  /**
   * @param group - the SID of the call whose worker carries it: the parent's for a leg of `<Dial>`
   * @param sessionId - for `o=`: decimal, another one for each leg
   */
  constructor(plane: MediaPlane, group: string, sessionId: string, security: MediaSecurity) {
    this.#plane = plane;
    this.group = group;
    this.#sessionId = sessionId;
    this.#security = security;
    this.passages = new LegPassages(plane, group);
  }

  get port(): MediaPort | undefined {
    return this.#port;
  }

  /** What we sent last and the peer agreed to, or was told as an answer. */
  get local(): SessionDescription | undefined {
    return this.#local;
  }

  get remote(): SessionDescription | undefined {
    return this.#remote;
  }

  /** What the peer was told of recording last. */
  get told(): RecordIndication | undefined {
    const line = this.#local?.media[this.#line?.index ?? 0];
    return this.#local && line ? recordIndicationOf(this.#local, line) : undefined;
  }

  /** What the peer says of recording: it, or somebody beyond it, records us. */
  get recordIndication(): RecordIndication | undefined {
    const line = this.#remote?.media[this.#line?.index ?? 0];
    return this.#remote && line ? recordIndicationOf(this.#remote, line) : undefined;
  }

  /** What the party hears on top of everything else. */
  set tone(tone: MediaTone | undefined) {
    if (tone === this.#tone) return;
    this.#tone = tone;
    if (this.#port && this.#line && !this.#closed) this.#connect(this.#port, this.#line);
  }

  /** What the peer wishes about the recording of its audio, as it said last. */
  get recordPreference(): RecordPreference {
    return this.#preference;
  }

  /** The audio line as both sides agreed; `undefined` before the first answer. */
  get line(): NegotiatedMedia | undefined {
    return this.#line;
  }

  /**
   * Opens the port pair once; later calls return the same.
   *
   * @param remoteAddress - the peer's address, to pick ours by the route to it
   * @throws CallEndedError when the leg was closed meanwhile; what the media plane rejects with, when no port is free
   */
  async open(remoteAddress: string | undefined): Promise<MediaPort> {
    this.#remoteAddress ??= remoteAddress === undefined ? undefined : numericAddress(remoteAddress);
    this.#opening ??= this.#plane.openLeg({
      group: this.group,
      ...(this.#remoteAddress !== undefined && { remoteAddress: this.#remoteAddress }),
    });
    const port = await this.#opening;
    if (this.#closed) throw new CallEndedError("the leg was over before its ports were open");
    this.#port = port;
    return port;
  }

  /** Opens ports for the lines that pass through, before they are offered to this peer or answered. Never rejects. */
  openPassages(indices: readonly number[]): Promise<void> {
    return this.passages.open(indices, this.#remoteAddress);
  }

  /** The lines of this peer's offer that pass through to another leg, where that takes them. */
  passagesIn(offer: SessionDescription): readonly number[] {
    const usable = usableLines(offer, undefined, this.#security);
    return offer.media.flatMap((line, index) => (line.kind === "video" && usable[index] ? [index] : []));
  }

  /** Whether both sides took that line. */
  isLive(index: number): boolean {
    return this.#media[index]?.accepted === true;
  }

  /** The lines that pass through now. */
  get livePassages(): readonly number[] {
    return this.passages.indices.filter((index) => this.isLive(index));
  }

  /**
   * Another peer takes this one's place: what was said to the old one binds nobody, and its keys are for nobody else.
   * The codecs that were agreed stay, so that whoever the peer talks to need not change.
   */
  startOver(): void {
    this.#local = undefined;
    this.#remote = undefined;
    this.#media = [];
    this.#preference = "nopreference";
    this.passages.keep([]);
  }

  /** An offer of our own: audio as given, and the lines that pass through as they were. The port must be open. */
  offer(codecs: readonly Codec[], direction: Direction = "sendrecv"): SessionDescription {
    const audio = this.#line?.index ?? 0;
    const live = this.livePassages;
    const media = Array.from({ length: Math.max(audio, ...live) + 1 }, (_, index) => {
      const said = this.#local?.media[index];
      if (index === audio) return { local: this.#portToOffer(this.#localPort(), index), codecs, direction };
      const port = live.includes(index) ? this.#passagePort(index) : undefined;
      return {
        local: port ? this.#portToOffer(port, index) : null,
        codecs,
        direction,
        kind: said?.kind ?? "audio",
        ...(port && said && { repeats: said }),
      };
    });
    return createOffer({ ...this.#side(), media });
  }

  /** An answer of our own to the peer's offer; nothing is agreed yet (`agree`). */
  answer(
    offer: SessionDescription,
    codecs: readonly CodecCapability[],
    { direction = "sendrecv", choose = "first", passages = false }: AnswerWishes = {},
  ): Answer {
    const audio = this.audioIndexOf(offer);
    const live = passages ? this.livePassages : [];
    const lines = offer.media.map((line, index) => {
      if (index === audio) return { ...this.#localPort(), direction };
      const port = line.kind === "video" && live.includes(index) ? this.#passagePort(index) : undefined;
      const said = this.#local?.media[index];
      return port && said ? { ...port, direction, repeats: said } : null;
    });
    return createAnswer(offer, { ...this.#side(), lines, codecs, choose });
  }

  /** The offer that came on another leg as ours to this peer. */
  relayedOffer(offer: SessionDescription, from: LegMedia): SessionDescription {
    const ports = this.#portsBy(from.audioIndexOf(offer), offer, from.passages).map(
      (port, index) => port && this.#portToOffer(port, index, offer),
    );
    return relayOffer(offer, { ...this.#side(), ports, offererSecurity: from.#security });
  }

  /** Our ports in the places of this peer's offer, for `relayAnswer`. */
  portsFor(offer: SessionDescription): readonly (LocalPort | null)[] {
    return this.#portsBy(this.audioIndexOf(offer), offer, this.passages);
  }

  /** Position of the first audio line of this peer's offer that we could take, or -1. */
  audioIndexOf(offer: SessionDescription): number {
    const usable = usableLines(offer, undefined, this.#security);
    return offer.media.findIndex((line, index) => line.kind === "audio" && usable[index]);
  }

  side(): LocalSide {
    return this.#side();
  }

  /**
   * What an answer of the peer to our offer means. `undefined` when no audio came of it: nothing has changed then.
   */
  accept(offer: SessionDescription, answer: SessionDescription): NegotiatedMedia | undefined {
    const media = negotiate(offer, answer, "remote");
    const preference = this.#preference;
    const line = this.agree(offer, answer, media);
    // Who answers an offer of ours without a word on recording has not changed its mind.
    if (line && !speaksOfPreference(answer, line)) this.#preference = preference;
    return line;
  }

  /**
   * Both sides agreed on these lines: tells the media plane.
   *
   * @returns the audio line; `undefined` when there is none: nothing has changed then
   */
  agree(
    local: SessionDescription,
    remote: SessionDescription,
    media: readonly NegotiatedMedia[],
  ): NegotiatedMedia | undefined {
    const line = audioOf(media);
    if (!line) return undefined;
    this.#local = local;
    this.#remote = remote;
    this.#line = line;
    this.#media = media;
    this.#preference = recordPreferenceOf(remote, remote.media[line.index]!);
    if (this.#port && !this.#closed) this.#connect(this.#port, line);
    return line;
  }

  #connect(port: MediaPort, line: NegotiatedMedia): void {
    this.#plane.connectLeg(port.id, {
      remote: targetOf(line),
      direction: line.direction,
      codecs: legCodecsOf(line),
      telephoneEventPayloadType: line.telephoneEvents[0]?.sendPayloadType,
      packetTimeMs: line.ptimeMs,
      srtp: line.srtp,
      ...(this.#tone && { tone: this.#tone }),
    });
    this.passages.agree(this.#media);
  }

  /** Frees the ports; whatever is still being opened is closed when it is there. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.passages.close();
    void this.#opening?.then((port) => this.#plane.close(port.id)).catch(() => undefined);
  }

  #side(): LocalSide {
    return {
      origin: { sessionId: this.#sessionId },
      address: this.#openPort().address,
      previous: this.#local,
      security: this.#security,
      record: this.record,
    };
  }

  /** @param others - a line passes through where both legs have a port for it */
  #portsBy(audio: number, offer: SessionDescription, others: LegPassages): readonly (LocalPort | null)[] {
    return offer.media.map((line, index) => {
      if (index === audio) return this.#localPort();
      return (line.kind === "video" && others.port(index) && this.#passagePort(index)) || null;
    });
  }

  #localPort(): LocalPort {
    return localPortOf(this.#openPort());
  }

  #passagePort(index: number): LocalPort | undefined {
    const port = this.passages.port(index);
    return port && localPortOf(port);
  }

  /** One port for RTP and RTCP is proposed to this peer when the other one proposed it, or when that is agreed. */
  #portToOffer(port: LocalPort, index: number, offer?: SessionDescription): LocalPort {
    const [ours, theirs] = [this.#local?.media[index], this.#remote?.media[index]];
    const isMuxed = [ours, theirs].every((line) => line && attribute(line, "rtcp-mux") !== undefined);
    const proposed = offer?.media[index];
    const isProposed = proposed !== undefined && attribute(proposed, "rtcp-mux") !== undefined;
    return { ...port, rtcpMux: isMuxed || isProposed };
  }

  #openPort(): MediaPort {
    if (!this.#port) throw new CallEndedError("the leg has no ports");
    return this.#port;
  }
}

export interface AnswerWishes {
  /** At most this; default `sendrecv`. */
  readonly direction?: Direction;
  /** `first` (default) leaves the peer no choice of codec: then a second leg can be offered just that one. */
  readonly choose?: "first" | "all";
  /** Lines that pass through go on; default false: there is nobody they could pass to. */
  readonly passages?: boolean;
}

function speaksOfPreference(description: SessionDescription, { index }: NegotiatedMedia): boolean {
  const line = description.media[index];
  return [description, ...(line ? [line] : [])].some(
    (section) => attribute(section, "recordpref") !== undefined,
  );
}

/** RTP and RTCP share the port where the peer proposes it. */
const localPortOf = ({ rtpPort, rtcpPort }: MediaPort): LocalPort => ({
  port: rtpPort,
  rtcpPort,
  rtcpMux: true,
});

/** What was agreed as codecs of an offer of ours: under the numbers the peer sends with. */
export function ownNumbers(line: NegotiatedMedia): readonly Codec[] {
  return [...line.codecs, ...line.telephoneEvents].map(
    ({ receivePayloadType, sendPayloadType: _, ...codec }) => ({
      payloadType: receivePayloadType,
      ...codec,
    }),
  );
}

/** The accepted audio line, if any. */
export function audioOf(media: readonly NegotiatedMedia[]): NegotiatedMedia | undefined {
  return media.find((line) => line.accepted && line.kind === "audio");
}
