import {
  attribute,
  type Codec,
  codecsOf,
  connectionOf,
  type Direction,
  isTelephoneEvent,
  labelOf,
  type MediaDescription,
  ptimeOf,
  type SessionDescription,
} from "../sdp/index.ts";
import { answerDirection, effectiveDirectionOf } from "./direction.ts";
import { buildLine, describe, type LocalPort, type LocalSide, padded, zeroLine } from "./lines.ts";
import { type NegotiatedMedia, negotiate } from "./negotiated.ts";
import { portToAnswer, relayedLine, withOfferedFormats } from "./relayed-line.ts";
import { isSecurable, type MediaSecurity, protocolsFor, securedAnswer, securedOffer } from "./security.ts";

/** One m-line of an offer. */
export interface OfferedMedia {
  /** Default `audio`. */
  readonly kind?: string;
  /** `null` for a line that is removed, or not wanted: port 0. */
  readonly local: LocalPort | null;
  /** Default `RTP/AVP`; `security` makes `RTP/SAVP` of it where it is to be secured. */
  readonly protocol?: string;
  /** In order of preference, at least one; payload types of our choice. */
  readonly codecs: readonly Codec[];
  /** Default `sendrecv`. */
  readonly direction?: Direction;
  readonly ptimeMs?: number;
  readonly label?: string;
  /** Says the line again as it stood, with `local` and `direction`, in place of what is made of the fields above. */
  readonly repeats?: MediaDescription;
}

export interface OfferOptions extends LocalSide {
  readonly media: readonly OfferedMedia[];
}

/** Makes an offer (RFC 3264 §5). Lines of `previous` that `media` no longer has are kept with port 0. */
export function createOffer(options: OfferOptions): SessionDescription {
  const { address, previous, security } = options;
  const media = options.media.map((offered, index) => {
    const { kind = "audio", protocol = "RTP/AVP", direction = "sendrecv", local, repeats } = offered;
    const line =
      repeats && local
        ? relayedLine(repeats, local, direction)
        : buildLine({ ...offered, kind, protocol, direction, ...(local ?? { port: 0 }) });
    const secured = security ? securedOffer(line, { index, address, previous }, security) : line;
    return local ? secured : zeroLine(secured);
  });
  return describe(options, padded(media, options.previous));
}

/** A format we can handle. */
export interface CodecCapability {
  /** Without case. */
  readonly name: string;
  readonly clockRateHz: number;
  /** Default 1. */
  readonly channels?: number;
  /** Default `audio`. */
  readonly kind?: string;
}

/** What to do with one offered m-line; `null` refuses it. */
export interface AnswerLine extends LocalPort {
  /** The most we want; what the offer rules out is taken away. Default `sendrecv`. */
  readonly direction?: Direction;
  /**
   * What our last description says of a line of any codecs, to be said again: of its formats those that are offered,
   * with their attributes. `codecs` and `choose` do not matter then.
   */
  readonly repeats?: MediaDescription;
}

export interface AnswerOptions extends LocalSide {
  /** By index of the offer's lines; a missing entry refuses the line. */
  readonly lines: readonly (AnswerLine | null)[];
  readonly codecs: readonly CodecCapability[];
  /** Transports we can handle; default: by the policy of `security`, without it `RTP/AVP` and `RTP/AVPF`. */
  readonly protocols?: readonly string[];
  /** `first`: only the most preferred common codec (and telephone-event), so that the peer cannot change it. Default `all`. */
  readonly choose?: "all" | "first";
}

export interface Answer {
  readonly description: SessionDescription;
  /** One entry a line. When none is accepted, the offer deserves a 488 (`anyAccepted`). */
  readonly media: readonly NegotiatedMedia[];
}

/** What is taken without any word of security. */
export const DEFAULT_PROTOCOLS: readonly string[] = protocolsFor(undefined);

/**
 * Answers an offer as an endpoint (RFC 3264 §6): every line in its place, refused ones with port 0; of the offered
 * formats those we can handle, in the offer's order and under its numbers; direction, label and packet time in kind.
 */
export function createAnswer(offer: SessionDescription, options: AnswerOptions): Answer {
  const { address, previous, security } = options;
  const media = offer.media.map((offered, index) => {
    const line = options.lines[index];
    if (!line || !isUsable(offer, offered, options.protocols, security)) return zeroLine(offered);
    const direction = answerDirection(effectiveDirectionOf(offer, offered), line.direction ?? "sendrecv");
    const answered = line.repeats
      ? repeatedLine(line.repeats, offered, line, direction)
      : ownLine(offered, line, direction, chosenCodecs(offered, options));
    if (answered.formats.length === 0) return zeroLine(offered);
    return securedAnswer(answered, offered, { index, address, previous }, security);
  });
  const description = describe(options, media, offer.timings);
  return { description, media: negotiate(description, offer, "local") };
}

function ownLine(
  offered: MediaDescription,
  line: AnswerLine,
  direction: Direction,
  codecs: readonly Codec[],
): MediaDescription {
  const { port, rtcpPort, rtcpMux } = portToAnswer(line, offered);
  return buildLine({
    kind: offered.kind,
    protocol: offered.protocol,
    port,
    ...(rtcpPort !== undefined && { rtcpPort }),
    ...(rtcpMux !== undefined && { rtcpMux }),
    codecs,
    direction,
    ptimeMs: ptimeOf(offered),
    mid: attribute(offered, "mid"),
    label: labelOf(offered),
  });
}

function repeatedLine(
  said: MediaDescription,
  offered: MediaDescription,
  line: AnswerLine,
  direction: Direction,
): MediaDescription {
  const { kind, protocol } = offered;
  const kept = withOfferedFormats({ ...said, kind, protocol }, offered);
  return relayedLine(kept, portToAnswer(line, offered), direction);
}

/**
 * Which lines of an offer an answer or a relay can take, so that the caller knows how many ports to find: a transport
 * we speak, a port (only one), an address, and keys of a suite we carry where it is secured.
 *
 * @param protocols - default: by the policy of `security`
 */
export function usableLines(
  offer: SessionDescription,
  protocols?: readonly string[],
  security?: MediaSecurity,
): readonly boolean[] {
  return offer.media.map((offered) => isUsable(offer, offered, protocols, security));
}

/** @internal */
export function isUsable(
  description: SessionDescription,
  media: MediaDescription,
  protocols?: readonly string[],
  security?: MediaSecurity,
): boolean {
  return (
    isReachable(description, media) &&
    (protocols ?? protocolsFor(security)).includes(media.protocol) &&
    isSecurable(media, security)
  );
}

/** @internal A port, only one, and an address. */
export function isReachable(description: SessionDescription, media: MediaDescription): boolean {
  return media.port !== 0 && (media.portCount ?? 1) === 1 && connectionOf(description, media) !== undefined;
}

function chosenCodecs(offered: MediaDescription, options: AnswerOptions): readonly Codec[] {
  const common = codecsOf(offered).filter((codec) =>
    options.codecs.some(
      ({ name, clockRateHz, channels = 1, kind = "audio" }) =>
        kind === offered.kind &&
        name.toUpperCase() === codec.name.toUpperCase() &&
        clockRateHz === codec.clockRateHz &&
        channels === codec.channels,
    ),
  );
  const first = common.find(carriesMedia);
  if (!first) return [];
  if (options.choose !== "first") return common;
  return common.filter(
    (codec) => codec === first || (isTelephoneEvent(codec) && codec.clockRateHz === first.clockRateHz),
  );
}

/** Events and comfort noise alone are no conversation. */
function carriesMedia(codec: Codec): boolean {
  return !isTelephoneEvent(codec) && codec.name.toUpperCase() !== "CN";
}
