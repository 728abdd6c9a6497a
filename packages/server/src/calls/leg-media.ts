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
  type Codec,
  type Direction,
  type RecordPreference,
  recordPreferenceOf,
  type SessionDescription,
} from "@callfork/protocol/sdp";
import type { LegCodec, MediaPlane, MediaPort, MediaTarget } from "../media/index.ts";
import { parseAddressRange } from "./address-range.ts";
import { CallEndedError } from "./errors.ts";

/**
 * The media of one leg: its port pair, the descriptions both sides sent last, and the one audio line they came to.
 * Other lines (video, T.38) are refused with port 0.
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

  /**
   * @param group - the SID of the call whose worker carries it: the parent's for a leg of `<Dial>`
   * @param sessionId - for `o=`: decimal, another one for each leg
   */
  constructor(plane: MediaPlane, group: string, sessionId: string, security: MediaSecurity) {
    this.#plane = plane;
    this.group = group;
    this.#sessionId = sessionId;
    this.#security = security;
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

  /** What the peer wishes about the recording of its audio, as it said last. */
  get recordPreference(): RecordPreference {
    const line = this.#remote?.media[this.#line?.index ?? 0];
    return this.#remote && line ? recordPreferenceOf(this.#remote, line) : "nopreference";
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
    this.#opening ??= this.#plane.openLeg({
      group: this.group,
      ...(remoteAddress !== undefined && isNumeric(remoteAddress) && { remoteAddress }),
    });
    const port = await this.#opening;
    if (this.#closed) throw new CallEndedError("the leg was over before its ports were open");
    this.#port = port;
    return port;
  }

  /** An offer of our own. The port must be open. */
  offer(codecs: readonly Codec[], direction: Direction = "sendrecv"): SessionDescription {
    const index = this.#line?.index ?? 0;
    const media = Array.from({ length: index + 1 }, (_, line) => ({
      local: line === index ? this.#localPort() : null,
      codecs,
      direction,
      ...(line !== index && { kind: this.#local?.media[line]?.kind ?? "audio" }),
    }));
    return createOffer({ ...this.#side(), media });
  }

  /** An answer of our own to the peer's offer; nothing is agreed yet (`agree`). */
  answer(
    offer: SessionDescription,
    codecs: readonly CodecCapability[],
    { direction = "sendrecv", choose = "first" }: AnswerWishes = {},
  ): Answer {
    const audio = this.audioIndexOf(offer);
    const lines = offer.media.map((_, index) =>
      index === audio ? { ...this.#localPort(), direction } : null,
    );
    return createAnswer(offer, { ...this.#side(), lines, codecs, choose });
  }

  /** The offer that came on another leg as ours to this peer. */
  relayedOffer(offer: SessionDescription, from: LegMedia): SessionDescription {
    const ports = this.#portAt(from.audioIndexOf(offer), offer);
    return relayOffer(offer, { ...this.#side(), ports, offererSecurity: from.#security });
  }

  /** Our port in the place of the audio line of this peer's offer, for `relayAnswer`. */
  portsFor(offer: SessionDescription): readonly (LocalPort | null)[] {
    return this.#portAt(this.audioIndexOf(offer), offer);
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
    const line = audioOf(negotiate(offer, answer, "remote"));
    if (line) this.agree(offer, answer, line);
    return line;
  }

  /** Both sides agreed: tells the media plane. */
  agree(local: SessionDescription, remote: SessionDescription, line: NegotiatedMedia): void {
    this.#local = local;
    this.#remote = remote;
    this.#line = line;
    if (!this.#port || this.#closed) return;
    this.#plane.connectLeg(this.#port.id, {
      remote: targetOf(line),
      direction: line.direction,
      codecs: legCodecsOf(line),
      telephoneEventPayloadType: line.telephoneEvents[0]?.sendPayloadType,
      packetTimeMs: line.ptimeMs,
      srtp: line.srtp,
    });
  }

  /** Frees the ports; whatever is still being opened is closed when it is there. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    void this.#opening?.then((port) => this.#plane.close(port.id)).catch(() => undefined);
  }

  #side(): LocalSide {
    return {
      origin: { sessionId: this.#sessionId },
      address: this.#openPort().address,
      previous: this.#local,
      security: this.#security,
    };
  }

  #portAt(audio: number, offer: SessionDescription): readonly (LocalPort | null)[] {
    return offer.media.map((_, index) => (index === audio ? this.#localPort() : null));
  }

  #localPort(): LocalPort {
    const { rtpPort, rtcpPort } = this.#openPort();
    return { port: rtpPort, rtcpPort };
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
}

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

function targetOf({ remote }: NegotiatedMedia): MediaTarget | null {
  // A name in c= is left to latching: the peer's first packet tells the address.
  if (!remote || !isNumeric(remote.address)) return null;
  return { address: remote.address, rtpPort: remote.rtpPort, rtcpPort: remote.rtcpPort };
}

/** Numbers we send with first; those that the peer uses the other way follow, so that its packets are known. */
function legCodecsOf(line: NegotiatedMedia): readonly LegCodec[] {
  const sent = line.codecs.map(({ name, clockRateHz, sendPayloadType }) => ({
    name,
    clockRateHz,
    payloadType: sendPayloadType,
  }));
  const received = line.codecs
    .filter(({ receivePayloadType }) => !sent.some(({ payloadType }) => payloadType === receivePayloadType))
    .map(({ name, clockRateHz, receivePayloadType }) => ({
      name,
      clockRateHz,
      payloadType: receivePayloadType,
    }));
  return [...sent, ...received];
}

const isNumeric = (address: string): boolean => parseAddressRange(address) !== undefined;
