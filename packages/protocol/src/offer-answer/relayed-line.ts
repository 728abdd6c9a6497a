import {
  type Attribute,
  attribute,
  codecsOf,
  type Direction,
  type MediaDescription,
  payloadTypeOf,
  sameCodec,
  withAttributes,
  withoutAttributes,
} from "../sdp/index.ts";
import { type LocalPort, rtcpAttributes } from "./lines.ts";
import { staysOnLeg } from "./relay-attributes.ts";

/** @internal A line with our port and this direction, and nothing in it that speaks of another leg's transport. */
export function relayedLine(
  line: MediaDescription,
  local: LocalPort,
  direction: Direction,
): MediaDescription {
  const { connection: _c, key: _k, portCount: _p, ...rest } = withoutAttributes(line, staysOnLeg);
  return withAttributes({ ...rest, port: local.port }, { name: direction }, ...rtcpAttributes(local));
}

/** @internal The answered line with only such formats as the offer has, and without the attributes of the others. */
export function withOfferedFormats(answered: MediaDescription, offered: MediaDescription): MediaDescription {
  const offeredCodecs = codecsOf(offered);
  const answeredCodecs = codecsOf(answered);
  const formats = answered.formats.filter((format) => {
    const codec = answeredCodecs.find(({ payloadType }) => payloadType === payloadTypeOf(format));
    return codec ? offeredCodecs.some((one) => sameCodec(one, codec)) : offered.formats.includes(format);
  });
  const dropped = new Set(answered.formats.filter((format) => !formats.includes(format)));
  const speaksOfDropped = ({ name, value = "" }: Attribute) =>
    ["rtpmap", "fmtp", "rtcp-fb"].includes(name) && dropped.has(value.split(" ", 1)[0]!);
  return { ...withoutAttributes(answered, speaksOfDropped), formats };
}

/**
 * @internal Our port as an answer may name it: RTP and RTCP share it only where the offer proposes that (RFC 5761
 * §5.1.1: "the answerer MUST NOT include" the attribute otherwise).
 */
export function portToAnswer(local: LocalPort, offered: MediaDescription): LocalPort {
  const isProposed = attribute(offered, "rtcp-mux") !== undefined;
  return { ...local, rtcpMux: local.rtcpMux === true && isProposed };
}
