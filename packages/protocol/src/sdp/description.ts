/** `o=` (RFC 8866 §5.2). Numbers stay text: they may need 64 bits and are only compared for equality. */
export interface Origin {
  /** `-` when the host has no notion of user. */
  readonly username: string;
  readonly sessionId: string;
  readonly version: string;
  readonly netType: string;
  readonly addressType: string;
  readonly address: string;
}

/** `c=` (RFC 8866 §5.7). `address` is the text of the wire: IPv4, IPv6 or a host name, with `/ttl` for multicast. */
export interface Connection {
  readonly netType: string;
  readonly addressType: string;
  readonly address: string;
}

/** `b=` (RFC 8866 §5.8). `value` is the text after the colon: kbit/s for `AS` and `CT`, bit/s for `TIAS`, `RS`, `RR`. */
export interface Bandwidth {
  readonly type: string;
  readonly value: string;
}

/** `t=` with its `r=` lines (RFC 8866 §5.9, §5.10). Times are NTP seconds as text. */
export interface Timing {
  readonly start: string;
  readonly stop: string;
  readonly repeats: readonly string[];
}

/** `a=` (RFC 8866 §5.13). A flag such as `a=recvonly` has no `value`; `a=x:` has the empty one. */
export interface Attribute {
  readonly name: string;
  readonly value?: string;
}

/** A line the model has no field for: an unknown type letter, or the repeat of a line that stands once. */
export interface OtherLine {
  readonly type: string;
  readonly value: string;
  /** It is written after the `nth` line (from 1) of type `type` of its section; at the end when there is none. */
  readonly follows: { readonly type: string; readonly nth: number };
}

/** `m=` and the lines below it (RFC 8866 §5.14). */
export interface MediaDescription {
  /** `audio`, `video`, `application`, `image` … */
  readonly kind: string;
  /** 0–65535; 0 in an offer: do not use; in an answer: refused (RFC 3264 §5.1, §6). */
  readonly port: number;
  /** The 2 of `m=audio 10000/2 RTP/AVP 0`. */
  readonly portCount?: number;
  /** Transport as on the wire: `RTP/AVP`, `RTP/SAVPF`, `udptl` … */
  readonly protocol: string;
  /** RTP payload types as text for RTP profiles, anything for others. */
  readonly formats: readonly string[];
  readonly information?: string;
  readonly connection?: Connection;
  readonly bandwidths: readonly Bandwidth[];
  /** `k=`, obsolete; kept as data. */
  readonly key?: string;
  readonly attributes: readonly Attribute[];
  readonly otherLines: readonly OtherLine[];
}

/** An SDP body (RFC 8866 §5). Values are immutable; make a changed one with the functions of `edit.ts`. */
export interface SessionDescription {
  readonly origin: Origin;
  /** `s=`; `-` when the session has no name. */
  readonly name: string;
  readonly information?: string;
  readonly uri?: string;
  readonly emails: readonly string[];
  readonly phones: readonly string[];
  readonly connection?: Connection;
  readonly bandwidths: readonly Bandwidth[];
  /** At least one; `0 0` for a call. */
  readonly timings: readonly Timing[];
  /** `z=`. */
  readonly timeZones?: string;
  readonly key?: string;
  readonly attributes: readonly Attribute[];
  readonly otherLines: readonly OtherLine[];
  /** In the order of the wire; the index is the identity of a line (RFC 3264 §8). */
  readonly media: readonly MediaDescription[];
}

/** Anything with attributes. */
export type Section = Pick<MediaDescription, "attributes">;

export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** One RTP payload format of an m-line. */
export interface Codec {
  /** 0–127. */
  readonly payloadType: number;
  /** Encoding name as written; compare without case (`sameCodec`). */
  readonly name: string;
  /** RTP clock. 8000 for G722 although it samples at 16 kHz (RFC 3551 §4.5.2). */
  readonly clockRateHz: number;
  readonly channels: number;
  /** Text of `a=fmtp` after the payload type. */
  readonly fmtp?: string;
}

export const MEDIA_TIMING: Timing = { start: "0", stop: "0", repeats: [] };
