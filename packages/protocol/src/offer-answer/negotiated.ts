import {
  attribute,
  type Codec,
  codecsOf,
  connectionOf,
  type Direction,
  hostOf,
  isNullAddress,
  isTelephoneEvent,
  labelOf,
  type MediaDescription,
  ptimeOf,
  rtcpAddressOf,
  type SessionDescription,
  sameCodec,
} from "../sdp/index.ts";
import { effectiveDirectionOf, intersectDirections, reverseDirection } from "./direction.ts";
import { type NegotiatedSrtp, negotiateSrtp } from "./security.ts";

/** A format both sides named, with the number each of them gave it. */
export interface NegotiatedCodec {
  readonly name: string;
  readonly clockRateHz: number;
  readonly channels: number;
  /** The peer's parameters: what it wants to receive. */
  readonly fmtp?: string;
  /** What we write into packets to the peer: the number of the peer's description (RFC 3264 §5.1). */
  readonly sendPayloadType: number;
  /** What the peer writes into packets to us: the number of our description. */
  readonly receivePayloadType: number;
}

/** Where the peer wants its packets. Addresses may be host names. */
export interface RemoteMediaAddress {
  readonly address: string;
  readonly rtpPort: number;
  readonly rtcpAddress: string;
  readonly rtcpPort: number;
}

/** One m-line after an answer, as the side that calls itself local sees it. */
export interface NegotiatedMedia {
  /** Position of the m-line: its identity within the dialog. */
  readonly index: number;
  readonly kind: string;
  readonly protocol: string;
  /** Neither side put port 0, there is a common codec, and keys agree where there are any. Otherwise no packet, RTP or RTCP, may flow. */
  readonly accepted: boolean;
  readonly localPort: number;
  /** `null` when the line is not accepted, or the peer said `c=0.0.0.0`. */
  readonly remote: RemoteMediaAddress | null;
  /** What the local side does, both descriptions and both hold styles considered. */
  readonly direction: Direction;
  /** Common codecs in the order of the answer; without telephone-event. */
  readonly codecs: readonly NegotiatedCodec[];
  /** Common telephone-event formats (RFC 4733), the one with the clock of `codecs[0]` first. */
  readonly telephoneEvents: readonly NegotiatedCodec[];
  /** The packet time the peer asks for. */
  readonly ptimeMs?: number;
  /** `a=label` of the offer's line. */
  readonly label?: string;
  /** The keys of a secured line; absent: packets go in the clear. Never log it. */
  readonly srtp?: NegotiatedSrtp;
}

/**
 * Works out what an offer and its answer mean for one side. Lines beyond the shorter of both are not accepted.
 *
 * @param local - what we sent last
 * @param remote - what the peer sent last
 * @param answerer - whose description is the answer; its order of codecs counts (RFC 3264 §6.1)
 */
export function negotiate(
  local: SessionDescription,
  remote: SessionDescription,
  answerer: "local" | "remote",
): readonly NegotiatedMedia[] {
  const offer = answerer === "local" ? remote : local;
  return offer.media.map((offered, index) => {
    const ours = local.media[index];
    const theirs = remote.media[index];
    if (!ours || !theirs) return refusedMedia(index, offered);
    const common = commonCodecs(ours, theirs, answerer);
    const codecs = common.filter((codec) => !isTelephoneEvent(codec));
    const connection = connectionOf(remote, theirs);
    const srtp = negotiateSrtp(ours, theirs, answerer);
    if (ours.port === 0 || theirs.port === 0 || codecs.length === 0 || !connection || srtp === "mismatch") {
      return refusedMedia(index, offered);
    }
    const clockRateHz = codecs[0]!.clockRateHz;
    const events = common.filter(isTelephoneEvent);
    const ptimeMs = ptimeOf(theirs);
    const label = labelOf(offered);
    return {
      index,
      kind: offered.kind,
      protocol: offered.protocol,
      accepted: true,
      localPort: ours.port,
      remote: remoteAddress(remote, theirs, ours),
      direction: intersectDirections(
        effectiveDirectionOf(local, ours),
        reverseDirection(effectiveDirectionOf(remote, theirs)),
      ),
      codecs,
      telephoneEvents: [
        ...events.filter((event) => event.clockRateHz === clockRateHz),
        ...events.filter((event) => event.clockRateHz !== clockRateHz),
      ],
      ...(ptimeMs !== undefined && { ptimeMs }),
      ...(label !== undefined && { label }),
      ...(srtp !== undefined && { srtp }),
    };
  });
}

/** @internal */
export function refusedMedia(index: number, offered: MediaDescription): NegotiatedMedia {
  const label = labelOf(offered);
  return {
    index,
    kind: offered.kind,
    protocol: offered.protocol,
    accepted: false,
    localPort: 0,
    remote: null,
    direction: "inactive",
    codecs: [],
    telephoneEvents: [],
    ...(label !== undefined && { label }),
  };
}

/** Whether anything can flow at all; if not, an offer is refused with 488 (RFC 3261 §21.4.26). */
export function anyAccepted(media: readonly NegotiatedMedia[]): boolean {
  return media.some((line) => line.accepted);
}

/** One payload type of a packet from one leg, and what it becomes on the other. */
export interface PayloadTypeMapping {
  readonly name: string;
  readonly clockRateHz: number;
  readonly from: number;
  readonly to: number;
}

/**
 * How packets from one leg are renumbered for the other: for each codec both legs know, our number on the leg it comes
 * from, and the peer's on the leg it goes to. Payload types without a row have no meaning on the other leg: do not
 * forward them. With `relayOffer` and `relayAnswer` every row has `from` equal to `to`; not so when the legs were
 * negotiated one after the other.
 */
export function payloadTypesBetween(
  from: NegotiatedMedia,
  to: NegotiatedMedia,
): readonly PayloadTypeMapping[] {
  const targets = [...to.codecs, ...to.telephoneEvents];
  return [...from.codecs, ...from.telephoneEvents].flatMap((codec) => {
    const same = targets.filter((target) => sameCodec(target, codec));
    const target = same.find((one) => one.sendPayloadType === codec.receivePayloadType) ?? same[0];
    if (!target) return [];
    const { name, clockRateHz, receivePayloadType } = codec;
    return [{ name, clockRateHz, from: receivePayloadType, to: target.sendPayloadType }];
  });
}

/**
 * What to offer on a second leg so that no transcoding is needed: the first leg's codecs and events under the first
 * peer's numbers.
 */
export function codecsForOtherLeg(media: NegotiatedMedia): readonly Codec[] {
  return [...media.codecs, ...media.telephoneEvents].map(
    ({ sendPayloadType, receivePayloadType: _, ...codec }) => ({ payloadType: sendPayloadType, ...codec }),
  );
}

function commonCodecs(
  ours: MediaDescription,
  theirs: MediaDescription,
  answerer: "local" | "remote",
): readonly NegotiatedCodec[] {
  const local = codecsOf(ours);
  const remote = codecsOf(theirs);
  const [answered, offered] = answerer === "local" ? [local, remote] : [remote, local];
  const free = new Set(offered);
  return answered.flatMap((codec) => {
    const same = [...free].filter((candidate) => sameCodec(candidate, codec));
    const partner = same.find((candidate) => candidate.payloadType === codec.payloadType) ?? same[0];
    if (!partner) return [];
    free.delete(partner);
    const [own, peer] = answerer === "local" ? [codec, partner] : [partner, codec];
    const { name, clockRateHz, channels, fmtp } = peer;
    return [
      {
        name,
        clockRateHz,
        channels,
        ...(fmtp !== undefined && { fmtp }),
        sendPayloadType: peer.payloadType,
        receivePayloadType: own.payloadType,
      },
    ];
  });
}

function remoteAddress(
  remote: SessionDescription,
  theirs: MediaDescription,
  ours: MediaDescription,
): RemoteMediaAddress | null {
  const address = hostOf(connectionOf(remote, theirs)!);
  if (isNullAddress(address)) return null;
  const mux = attribute(ours, "rtcp-mux") !== undefined;
  const rtcp = rtcpAddressOf(remote, theirs, { mux })!;
  return { address, rtpPort: theirs.port, rtcpAddress: rtcp.address, rtcpPort: rtcp.port };
}
