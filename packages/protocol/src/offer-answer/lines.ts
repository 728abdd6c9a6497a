import {
  type Attribute,
  type Codec,
  codecAttributes,
  type Direction,
  labelOf,
  MEDIA_TIMING,
  type MediaDescription,
  type RecordIndication,
  type SessionDescription,
} from "../sdp/index.ts";
import { connectionTo, type OriginOptions, originOf, stampOrigin } from "./origin.ts";
import type { MediaSecurity } from "./security.ts";

/** A local port for one m-line. */
export interface LocalPort {
  /** RTP port, 1–65535. */
  readonly port: number;
  /** RTCP port; default `port + 1`. Any other is announced by `a=rtcp` (RFC 3605). */
  readonly rtcpPort?: number;
  /** RTP and RTCP may share the RTP port (RFC 5761): offers propose it, answers take it where it is proposed. */
  readonly rtcpMux?: boolean;
}

/** What every description of ours needs. */
export interface LocalSide {
  readonly origin: OriginOptions;
  /** Our media address, IPv4 or IPv6, as the peer shall see it. */
  readonly address: string;
  /** What we sent last in this dialog: gives `o=` its version and keeps the count of m-lines. */
  readonly previous?: SessionDescription | undefined;
  /** What we do about SRTP; default: nothing, as with the policy `never`. */
  readonly security?: MediaSecurity | undefined;
  /** What a record-aware peer is told of all lines (`a=record`, RFC 7866 §7.1.2); default: nothing. */
  readonly record?: RecordIndication | undefined;
}

/** @internal */
export interface Line extends LocalPort {
  readonly kind: string;
  readonly protocol: string;
  readonly codecs: readonly Codec[];
  readonly direction: Direction;
  readonly ptimeMs?: number | undefined;
  readonly label?: string | undefined;
  readonly mid?: string | undefined;
}

/** @internal */
export function buildLine(line: Line): MediaDescription {
  return {
    kind: line.kind,
    port: line.port,
    protocol: line.protocol,
    formats: line.codecs.map((codec) => String(codec.payloadType)),
    bandwidths: [],
    attributes: [
      ...codecAttributes(line.codecs),
      ...optional("ptime", line.ptimeMs),
      ...optional("mid", line.mid),
      ...optional("label", line.label),
      { name: line.direction },
      ...rtcpAttributes(line),
    ],
    otherLines: [],
  };
}

/** @internal `a=rtcp` when the RTCP port is not the one a peer assumes (RFC 3605 §2.1), and `a=rtcp-mux`. */
export function rtcpAttributes({ port, rtcpPort, rtcpMux }: LocalPort): readonly Attribute[] {
  return [
    ...(rtcpPort === undefined || rtcpPort === port + 1 ? [] : [{ name: "rtcp", value: String(rtcpPort) }]),
    ...(rtcpMux === true ? [{ name: "rtcp-mux" }] : []),
  ];
}

/** @internal The line with port 0; a label and at least one format stay (RFC 3264 §6). */
export function zeroLine(line: MediaDescription): MediaDescription {
  const { kind, protocol, formats } = line;
  return {
    kind,
    port: 0,
    protocol,
    formats: formats.length > 0 ? formats : ["0"],
    bandwidths: [],
    attributes: optional("label", labelOf(line)),
    otherLines: [],
  };
}

/** @internal A description of our own around lines. */
export function describe(
  side: LocalSide,
  media: readonly MediaDescription[],
  timings: SessionDescription["timings"] = [MEDIA_TIMING],
): SessionDescription {
  const description: SessionDescription = {
    origin: originOf(side.origin, side.address),
    name: "-",
    emails: [],
    phones: [],
    connection: connectionTo(side.address),
    bandwidths: [],
    timings,
    attributes: recordAttributes(side),
    otherLines: [],
    media,
  };
  return stampOrigin(description, side.previous);
}

/** @internal `a=record` for the whole session (RFC 7866 §7.1.2). */
export function recordAttributes({ record }: LocalSide): readonly Attribute[] {
  return optional("record", record);
}

/** @internal An offer never has fewer lines than the one before: what is gone has port 0 (RFC 3264 §8). */
export function padded(
  media: readonly MediaDescription[],
  previous: SessionDescription | undefined,
): readonly MediaDescription[] {
  return [...media, ...(previous?.media.slice(media.length).map(zeroLine) ?? [])];
}

function optional(name: string, value: string | number | undefined): readonly Attribute[] {
  return value === undefined ? [] : [{ name, value: String(value) }];
}
