import { readUint32, rtpSequenceNumber, rtpSsrc } from "../rtp/index.ts";
import type { SrtpCiphers } from "./ciphers.ts";
import { RTCP_CLEAR_LENGTH, rtcpSsrc, srtpPayloadStart } from "./headers.ts";
import { keyingFault, type SrtpKeying } from "./keying.ts";
import { DEFAULT_SRTP_LIMITS, limitsOf, type SrtpLimits } from "./limits.ts";
import { estimatePacketIndex, rolloverCounterOf } from "./packet-index.ts";
import { Source } from "./source.ts";
import { createTransform, E_FLAG, type Transform } from "./transform.ts";
import {
  SRTP_KEY_EXPIRED,
  SRTP_MALFORMED,
  SRTP_REPLAYED,
  SRTP_TOO_MANY_SOURCES,
  SRTP_UNAUTHENTICATED,
  SRTP_UNKNOWN_MKI,
  type SrtpResult,
} from "./verdicts.ts";

const SEQUENCE_MODULUS = 65_536;
/** A source first heard with a sequence number below this may have rolled over just before we could hear it. */
const EARLY_SEQUENCE = 1024;

/**
 * Takes protection off what one side receives (RFC 3711 §3.3). Packets are changed where they lie, and only when they
 * are authentic; the replay window moves only then, too. A source gets its context by its first authentic packet: late
 * binding (RFC 4568 §6.4.1).
 */
export class SrtpReceiver {
  readonly #transforms: readonly Transform[];
  readonly #limits: SrtpLimits;
  readonly #rtpSources = new Map<number, Source>();
  readonly #rtcpSources = new Map<number, Source>();
  #lastSource: Source | undefined;
  readonly #rolloverHints: ReadonlyMap<number, number>;
  /** Packets taken under each key, and how many it is good for. */
  readonly #packets: { rtp: number; rtcp: number; readonly limits: SrtpLimits }[];

  /**
   * @param before - the receiver of the same stream under the key before this one. RFC 3711 §3.3.1 keeps a source's
   *   rollover counter when its key changes, while RFC 4568 §7.1.4 starts a new context with zero; peers do either, so
   *   both are tried
   * @throws RangeError when the keying does not fit its suite: ask `keyingFault` first
   */
  constructor(
    ciphers: SrtpCiphers,
    keying: SrtpKeying,
    limits: Partial<SrtpLimits> = {},
    before?: SrtpReceiver,
  ) {
    const fault = keyingFault(keying);
    if (fault !== undefined) throw new RangeError(fault);
    this.#transforms = keying.keys.map((key) => createTransform(ciphers, keying.suite, key));
    const all = { ...DEFAULT_SRTP_LIMITS, ...limits };
    this.#limits = all;
    this.#packets = keying.keys.map((key) => ({ rtp: 0, rtcp: 0, limits: limitsOf(key, all) }));
    const hints = new Map<number, number>();
    for (const { ssrc, window } of before === undefined ? [] : before.#rtpSources.values()) {
      if (window.newest >= SEQUENCE_MODULUS) hints.set(ssrc, window.newest);
    }
    this.#rolloverHints = hints;
  }

  /** Sources that have a context, for tests and counters. */
  get sources(): number {
    return this.#rtpSources.size;
  }

  /** @returns the length of the RTP packet at `at`; below zero a verdict, and the packet is as it was */
  unprotectRtp(bytes: Uint8Array, at: number, length: number): SrtpResult {
    const which = this.#which(bytes, at + length, (transform) => transform.rtpMkiFromEnd);
    const transform = this.#transforms[which];
    if (transform === undefined) return SRTP_UNKNOWN_MKI;
    const end = length - transform.rtpTrailer;
    const start = srtpPayloadStart(bytes, at, end);
    if (start < 0) return SRTP_MALFORMED;
    const packets = this.#packets[which]!;
    if (packets.rtp >= packets.limits.rtpPackets) return SRTP_KEY_EXPIRED;
    const ssrc = rtpSsrc(bytes, at);
    const last = this.#lastSource;
    const source = last?.ssrc === ssrc ? last : this.#rtpSources.get(ssrc);
    this.#lastSource = source;
    if (source === undefined) return this.#firstRtp(transform, packets, bytes, at, start, end);
    const { window } = source;
    const index = estimatePacketIndex(rtpSequenceNumber(bytes, at), window.newest);
    if (index < 0 || !window.admits(index)) return SRTP_REPLAYED;
    if (!transform.openRtp(source, bytes, at, at + start, at + end, index)) return SRTP_UNAUTHENTICATED;
    window.take(index);
    packets.rtp++;
    return end;
  }

  /** The same for a compound RTCP packet. */
  unprotectRtcp(bytes: Uint8Array, at: number, length: number): SrtpResult {
    const which = this.#which(bytes, at + length, (transform) => transform.rtcpMkiFromEnd);
    const transform = this.#transforms[which];
    if (transform === undefined) return SRTP_UNKNOWN_MKI;
    const end = length - transform.rtcpTrailer;
    if (end < RTCP_CLEAR_LENGTH || bytes[at]! >> 6 !== 2) return SRTP_MALFORMED;
    const packets = this.#packets[which]!;
    if (packets.rtcp >= packets.limits.rtcpPackets) return SRTP_KEY_EXPIRED;
    const ssrc = rtcpSsrc(bytes, at);
    const known = this.#rtcpSources.get(ssrc);
    if (known === undefined && this.#rtcpSources.size >= this.#limits.sources) return SRTP_TOO_MANY_SOURCES;
    const source = known ?? new Source(ssrc);
    const word = readUint32(bytes, at + length - transform.rtcpWordFromEnd);
    const index = word >= E_FLAG ? word - E_FLAG : word;
    if (!source.window.admits(index)) return SRTP_REPLAYED;
    if (!transform.openRtcp(source, bytes, at, at + end, word)) return SRTP_UNAUTHENTICATED;
    if (known === undefined) this.#rtcpSources.set(ssrc, source);
    source.window.take(index);
    packets.rtcp++;
    return end;
  }

  #firstRtp(
    transform: Transform,
    packets: { rtp: number },
    bytes: Uint8Array,
    at: number,
    start: number,
    end: number,
  ): SrtpResult {
    if (this.#rtpSources.size >= this.#limits.sources) return SRTP_TOO_MANY_SOURCES;
    const ssrc = rtpSsrc(bytes, at);
    const source = new Source(ssrc);
    for (const index of this.#firstIndexes(ssrc, rtpSequenceNumber(bytes, at))) {
      if (!transform.openRtp(source, bytes, at, at + start, at + end, index)) continue;
      source.window.take(index);
      packets.rtp++;
      this.#rtpSources.set(ssrc, source);
      return end;
    }
    return SRTP_UNAUTHENTICATED;
  }

  /** "ROC is initialized to zero" (RFC 3711 §3.3.1); then what else it may be. */
  #firstIndexes(ssrc: number, sequenceNumber: number): readonly number[] {
    const indexes = [sequenceNumber];
    if (sequenceNumber < EARLY_SEQUENCE) indexes.push(SEQUENCE_MODULUS + sequenceNumber);
    const newest = this.#rolloverHints.get(ssrc);
    if (newest !== undefined) {
      const index = estimatePacketIndex(sequenceNumber, newest);
      if (rolloverCounterOf(index) > 0 && !indexes.includes(index)) indexes.push(index);
    }
    return indexes;
  }

  /** Which master key a packet names; −1: none of ours. */
  #which(bytes: Uint8Array, end: number, mkiFromEnd: (transform: Transform) => number): number {
    const transforms = this.#transforms;
    if (transforms.length === 1 && transforms[0]!.mki.length === 0) return 0;
    return transforms.findIndex((transform) => {
      const from = end - mkiFromEnd(transform);
      return from >= 0 && transform.mki.every((octet, i) => bytes[from + i] === octet);
    });
  }
}
