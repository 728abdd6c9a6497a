import {
  type Attribute,
  err,
  type MediaDescription,
  ok,
  type Result,
  type Section,
  type SessionDescription,
  withAttributes,
  withoutAttributes,
} from "../sdp/index.ts";
import { answerDirection, effectiveDirectionOf } from "./direction.ts";
import { isReachable, isUsable } from "./endpoint.ts";
import { type LocalPort, type LocalSide, padded, recordAttributes, zeroLine } from "./lines.ts";
import { type NegotiatedMedia, negotiate, refusedMedia } from "./negotiated.ts";
import { connectionTo, originOf, stampOrigin } from "./origin.ts";
import { staysOnLeg } from "./relay-attributes.ts";
import { portToAnswer, relayedLine, withOfferedFormats } from "./relayed-line.ts";
import { type MediaSecurity, securedAnswer, securedOffer } from "./security.ts";

/** Our side of the leg a description goes out on. */
export interface RelaySide extends LocalSide {
  /** Ports that face that leg, by index of the m-lines; `null` or missing refuses the line. */
  readonly ports: readonly (LocalPort | null)[];
  /** Transports we relay; default: by the policies, without any `RTP/AVP` and `RTP/AVPF`. */
  readonly protocols?: readonly string[];
  /** `relayOffer` only: what we do about SRTP on the leg the offer came from. `security` is that of the other. */
  readonly offererSecurity?: MediaSecurity | undefined;
}

/**
 * An offer of one leg as an offer for the other (a B2BUA that stays in the media path).
 *
 * Every line keeps its place, its formats and their numbers, direction, label and all attributes that are not about
 * the first leg's transport. Address and ports become ours; a line that is not relayed has port 0. A hold by
 * `c=0.0.0.0` becomes `a=sendonly` or `a=inactive`. Lines the other leg has beyond these stay, with port 0. Each leg has
 * its own keys, or none: RTP and SRTP go together in any mixture (RFC 7866 §12.2: "decrypt and re-encrypt").
 *
 * @see RFC 3264 §5, §8; RFC 7092 §3.2 (SDP-modifying B2BUA)
 */
export function relayOffer(offer: SessionDescription, side: RelaySide): SessionDescription {
  const media = offer.media.map((offered, index) => {
    const port = side.ports[index];
    if (!port || !isUsable(offer, offered, side.protocols, side.offererSecurity)) return zeroLine(offered);
    const line = relayedLine(offered, port, effectiveDirectionOf(offer, offered));
    return securedOffer(line, { index, address: side.address, previous: side.previous }, side.security);
  });
  return relayedDescription(offer, padded(media, side.previous), side);
}

export interface RelayAnswerInput extends RelaySide {
  /** What the first leg offered us. */
  readonly offer: SessionDescription;
  /** What we offered the second leg: the result of `relayOffer`. */
  readonly relayedOffer: SessionDescription;
  /** What the second leg answered. */
  readonly answer: SessionDescription;
}

export interface RelayedAnswer {
  /** The answer for the first leg. */
  readonly description: SessionDescription;
  /** Both legs as we see them, one entry for each line of `offer`, in step: a line is accepted on both or on neither. */
  readonly offererMedia: readonly NegotiatedMedia[];
  readonly answererMedia: readonly NegotiatedMedia[];
}

export interface RelayAnswerError {
  readonly code: "MEDIA_LINES_DIFFER";
  readonly message: string;
}

/**
 * The second leg's answer as an answer for the first.
 *
 * Formats keep the numbers of the second leg's answer: the first leg then sends with them, and no packet needs a new
 * number (`payloadTypesBetween` says the same of both legs). Formats that were not offered are left out, directions
 * that the offer ruled out are narrowed, and a line we did not relay is refused whatever the answer says.
 */
export function relayAnswer(input: RelayAnswerInput): Result<RelayedAnswer, RelayAnswerError> {
  const { offer, relayedOffer, answer } = input;
  if (answer.media.length !== relayedOffer.media.length || relayedOffer.media.length < offer.media.length) {
    return err({ code: "MEDIA_LINES_DIFFER", message: "the answer has not as many m-lines as its offer" });
  }
  const answererMedia = negotiate(relayedOffer, answer, "remote");
  const media = offer.media.map((offered, index) => {
    const port = input.ports[index];
    const answered = answer.media[index]!;
    const taken = answererMedia[index]?.accepted && isReachable(answer, answered);
    if (!port || !taken || !isUsable(offer, offered, input.protocols, input.security))
      return zeroLine(offered);
    const direction = answerDirection(
      effectiveDirectionOf(offer, offered),
      effectiveDirectionOf(answer, answered),
    );
    const line = withOfferedFormats(answered, offered);
    const { kind, protocol } = offered;
    const relayed = relayedLine({ ...line, kind, protocol }, portToAnswer(port, offered), direction);
    const place = { index, address: input.address, previous: input.previous };
    return securedAnswer(relayed, offered, place, input.security);
  });
  const description = relayedDescription({ ...answer, timings: offer.timings }, media, input);
  const offererMedia = negotiate(description, offer, "local");
  return ok({
    description,
    offererMedia,
    answererMedia: offererMedia.map((own, index) =>
      own.accepted ? answererMedia[index]! : refusedMedia(index, offer.media[index]!),
    ),
  });
}

/** What the side says of recording, in place of what the other leg's peer said of it; else that. */
function withRecord<S extends Section>(source: S, side: LocalSide): S {
  if (side.record === undefined) return source;
  return withAttributes(withoutAttributes(source, isRecord), ...recordAttributes(side));
}

const isRecord = ({ name }: Attribute): boolean => name === "record";

function relayedDescription(
  source: SessionDescription,
  media: readonly MediaDescription[],
  side: LocalSide,
): SessionDescription {
  const { key: _, ...rest } = withoutAttributes(source, staysOnLeg);
  const description: SessionDescription = {
    ...withRecord(rest, side),
    origin: originOf(side.origin, side.address),
    connection: connectionTo(side.address),
    media: side.record === undefined ? media : media.map((line) => withoutAttributes(line, isRecord)),
  };
  return stampOrigin(description, side.previous);
}
