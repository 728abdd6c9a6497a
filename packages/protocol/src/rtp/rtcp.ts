import type { NtpTime } from "./ntp.ts";

/** Packet types of RFC 3550 §12.1 and RFC 4585 §6.1. */
export const RTCP_SR = 200;
export const RTCP_RR = 201;
export const RTCP_SDES = 202;
export const RTCP_BYE = 203;
export const RTCP_APP = 204;

/** Item types of SDES (RFC 3550 §6.5). */
export const SDES_CNAME = 1;

/** One report block of SR or RR: what the sender of the report received of `ssrc` (RFC 3550 §6.4.1). */
export interface ReportBlock {
  readonly ssrc: number;
  /** In 1/256, since the report before. */
  readonly fractionLost: number;
  /** From −2^23 to 2^23 − 1; negative when duplicates outweigh losses. */
  readonly cumulativeLost: number;
  /** Cycles in the high 16 bits. */
  readonly extendedHighestSequence: number;
  /** In timestamp units. */
  readonly jitter: number;
  /** Compact NTP time of the last SR from `ssrc`, 0 when there was none. */
  readonly lastSenderReport: number;
  /** Since that SR came, in 1/65,536 s. */
  readonly delaySinceLastSenderReport: number;
}

export interface SenderReport {
  readonly kind: "sr";
  readonly ssrc: number;
  /** Denotes the same instant as `rtpTimestamp`. */
  readonly ntp: NtpTime;
  readonly rtpTimestamp: number;
  readonly packets: number;
  readonly octets: number;
  /** At most 31. */
  readonly reports: readonly ReportBlock[];
}

export interface ReceiverReport {
  readonly kind: "rr";
  readonly ssrc: number;
  readonly reports: readonly ReportBlock[];
}

export interface SdesChunk {
  /** SSRC or CSRC. */
  readonly source: number;
  /** `value`: UTF-8, at most 255 octets on the wire. */
  readonly items: readonly { readonly type: number; readonly value: string }[];
}

export interface SourceDescription {
  readonly kind: "sdes";
  readonly chunks: readonly SdesChunk[];
}

export interface Goodbye {
  readonly kind: "bye";
  readonly sources: readonly number[];
  readonly reason?: string | undefined;
}

/** APP, feedback, XR and whatever else: kept whole. */
export interface OtherRtcp {
  readonly kind: "other";
  readonly packetType: number;
  /** The five bits behind the padding bit: subtype or FMT. */
  readonly count: number;
  /** What follows the first four octets; a view into the datagram. */
  readonly body: Uint8Array;
}

export type RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | OtherRtcp;
