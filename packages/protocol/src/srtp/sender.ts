import { rtpSequenceNumber, rtpSsrc } from "../rtp/index.ts";
import type { SrtpCiphers } from "./ciphers.ts";
import { RTCP_CLEAR_LENGTH, rtcpSsrc, srtpPayloadStart } from "./headers.ts";
import { keyingFault, type SrtpKeying } from "./keying.ts";
import { DEFAULT_SRTP_LIMITS, limitsOf, type SrtpLimits } from "./limits.ts";
import { estimatePacketIndex } from "./packet-index.ts";
import { Source } from "./source.ts";
import { createTransform, type Transform } from "./transform.ts";
import {
  SRTP_KEY_EXPIRED,
  SRTP_MALFORMED,
  SRTP_REPLAYED,
  SRTP_TOO_MANY_SOURCES,
  type SrtpResult,
} from "./verdicts.ts";

/**
 * Protects what one side sends: RTP and RTCP under one master key (RFC 3711 §3.3). Packets are changed where they lie.
 *
 * An index is never protected twice: two packets under one keystream would give both away. So a repeated packet is
 * refused, and the caller sends what it made of it before, or nothing.
 */
export class SrtpSender {
  /** Octets that an SRTP packet grows by, and an SRTCP packet. */
  readonly rtpOverhead: number;
  readonly rtcpOverhead: number;
  readonly #transform: Transform;
  readonly #limits: SrtpLimits;
  readonly #rtpSources = new Map<number, Source>();
  readonly #rtcpSources = new Map<number, Source>();
  #lastSource: Source | undefined;
  #rtpPackets = 0;
  #rtcpPackets = 0;

  /**
   * @param keying - of several keys the first is used
   * @throws RangeError when the keying does not fit its suite: ask `keyingFault` first
   */
  constructor(ciphers: SrtpCiphers, keying: SrtpKeying, limits: Partial<SrtpLimits> = {}) {
    const fault = keyingFault(keying);
    if (fault !== undefined) throw new RangeError(fault);
    const key = keying.keys[0]!;
    this.#transform = createTransform(ciphers, keying.suite, key);
    this.#limits = limitsOf(key, { ...DEFAULT_SRTP_LIMITS, ...limits });
    this.rtpOverhead = this.#transform.rtpTrailer;
    this.rtcpOverhead = this.#transform.rtcpTrailer;
  }

  /**
   * @param length - of the RTP packet at `at`; `rtpOverhead` octets behind it are the packet's too
   * @returns the length of the SRTP packet; below zero a verdict, and the packet must not be sent
   */
  protectRtp(bytes: Uint8Array, at: number, length: number): SrtpResult {
    const start = srtpPayloadStart(bytes, at, length);
    if (start < 0) return SRTP_MALFORMED;
    if (this.#rtpPackets >= this.#limits.rtpPackets) return SRTP_KEY_EXPIRED;
    const ssrc = rtpSsrc(bytes, at);
    const last = this.#lastSource;
    const source = last?.ssrc === ssrc ? last : sourceOf(this.#rtpSources, ssrc, this.#limits.sources);
    if (source === undefined) return SRTP_TOO_MANY_SOURCES;
    this.#lastSource = source;
    const { window } = source;
    const sequenceNumber = rtpSequenceNumber(bytes, at);
    const index = window.newest < 0 ? sequenceNumber : estimatePacketIndex(sequenceNumber, window.newest);
    if (index < 0 || !window.admits(index)) return SRTP_REPLAYED;
    window.take(index);
    this.#rtpPackets++;
    this.#transform.sealRtp(source, bytes, at, at + start, at + length, index);
    return length + this.rtpOverhead;
  }

  /** The same for a compound RTCP packet; `rtcpOverhead` octets behind it are the packet's too. */
  protectRtcp(bytes: Uint8Array, at: number, length: number): SrtpResult {
    if (length < RTCP_CLEAR_LENGTH || bytes[at]! >> 6 !== 2) return SRTP_MALFORMED;
    if (this.#rtcpPackets >= this.#limits.rtcpPackets) return SRTP_KEY_EXPIRED;
    const source = sourceOf(this.#rtcpSources, rtcpSsrc(bytes, at), this.#limits.sources);
    if (source === undefined) return SRTP_TOO_MANY_SOURCES;
    const index = source.window.newest + 1;
    source.window.take(index);
    this.#rtcpPackets++;
    this.#transform.sealRtcp(source, bytes, at, at + length, index);
    return length + this.rtcpOverhead;
  }

  /** Whether a source's sequence has rolled over under this key. */
  hasRolledOver(ssrc: number): boolean {
    return (this.#rtpSources.get(ssrc)?.window.newest ?? 0) > 0xffff;
  }
}

function sourceOf(sources: Map<number, Source>, ssrc: number, most: number): Source | undefined {
  const known = sources.get(ssrc);
  if (known !== undefined) return known;
  if (sources.size >= most) return undefined;
  const source = new Source(ssrc);
  sources.set(ssrc, source);
  return source;
}
