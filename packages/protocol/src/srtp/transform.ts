import { writeUint16, writeUint32 } from "../rtp/index.ts";
import { type AesEcb, type AesGcm, type HmacSha1, NO_TRAILER, type SrtpCiphers } from "./ciphers.ts";
import { RTCP_CLEAR_LENGTH } from "./headers.ts";
import { deriveSessionKeys, RTCP_LABELS, RTP_LABELS } from "./key-derivation.ts";
import type { SrtpMasterKey } from "./keying.ts";
import { rolloverCounterOf } from "./packet-index.ts";
import type { Source } from "./source.ts";
import { SRTP_SUITES, type SrtpSuite, type SrtpSuiteParameters } from "./suites.ts";

/** The flag in front of the SRTCP index: the packet is encrypted (RFC 3711 §3.4). */
export const E_FLAG = 0x8000_0000;
const INDEX_LENGTH = 4;

/**
 * One master key at work. Regions are absolute offsets in `bytes`: the packet from `at`, what is encrypted from
 * `start` to `end`. Trailers lie behind `end`; the caller has made sure of the room.
 */
export interface Transform {
  readonly mki: Uint8Array;
  /** Octets that an SRTP, an SRTCP packet grows by. */
  readonly rtpTrailer: number;
  readonly rtcpTrailer: number;
  sealRtp(source: Source, bytes: Uint8Array, at: number, start: number, end: number, index: number): void;
  /** @returns whether it is authentic: then it is decrypted, else unchanged */
  openRtp(source: Source, bytes: Uint8Array, at: number, start: number, end: number, index: number): boolean;
  sealRtcp(source: Source, bytes: Uint8Array, at: number, end: number, index: number): void;
  /** @param word - E flag and index as the packet has them */
  openRtcp(source: Source, bytes: Uint8Array, at: number, end: number, word: number): boolean;
  /** Where the E flag and the index stand, counted from the end of the packet. */
  readonly rtcpWordFromEnd: number;
  /** Where the MKI starts, counted from the end of an SRTP and of an SRTCP packet. */
  readonly rtpMkiFromEnd: number;
  readonly rtcpMkiFromEnd: number;
}

/** @param keying - checked by `keyingFault` */
export function createTransform(ciphers: SrtpCiphers, suite: SrtpSuite, key: SrtpMasterKey): Transform {
  const parameters: SrtpSuiteParameters = SRTP_SUITES[suite];
  return parameters.transform === "gcm"
    ? new GcmTransform(ciphers, parameters, key)
    : new CounterModeTransform(ciphers, parameters, key);
}

interface CounterModeKeys {
  readonly aes: AesEcb;
  readonly hmac: HmacSha1;
  readonly salt: Uint8Array;
}

/**
 * AES counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1; RFC 6188).
 *
 *    SRTP:  header | payload, encrypted | MKI | tag               the tag covers header, payload and ROC
 *    SRTCP: 8 octets | rest, encrypted | E, index | MKI | tag     the tag covers all before the MKI
 */
class CounterModeTransform implements Transform {
  readonly mki: Uint8Array;
  readonly rtpTrailer: number;
  readonly rtcpTrailer: number;
  readonly rtcpWordFromEnd: number;
  readonly rtpMkiFromEnd: number;
  readonly rtcpMkiFromEnd: number;
  readonly #rtp: CounterModeKeys;
  readonly #rtcp: CounterModeKeys;
  readonly #rtpTag: number;
  readonly #rtcpTag: number;

  constructor(ciphers: SrtpCiphers, parameters: SrtpSuiteParameters, key: SrtpMasterKey) {
    this.mki = (key.mki ?? NO_MKI).slice();
    const keysFor = (labels: typeof RTP_LABELS | typeof RTCP_LABELS): CounterModeKeys => {
      const { encryption, authentication, salt } = deriveSessionKeys(ciphers, key, parameters, labels);
      return { aes: ciphers.aesEcb(encryption), hmac: ciphers.hmacSha1(authentication), salt };
    };
    this.#rtp = keysFor(RTP_LABELS);
    this.#rtcp = keysFor(RTCP_LABELS);
    this.#rtpTag = parameters.rtpTagLength;
    this.#rtcpTag = parameters.rtcpTagLength;
    this.rtpMkiFromEnd = this.mki.length + this.#rtpTag;
    this.rtcpMkiFromEnd = this.mki.length + this.#rtcpTag;
    this.rtpTrailer = this.rtpMkiFromEnd;
    this.rtcpTrailer = INDEX_LENGTH + this.rtcpMkiFromEnd;
    this.rtcpWordFromEnd = this.rtcpTrailer;
  }

  sealRtp(source: Source, bytes: Uint8Array, at: number, start: number, end: number, index: number): void {
    const { aes, hmac, salt } = this.#rtp;
    source.keystream(aes, salt).apply(bytes, start, end, index);
    const tagAt = end + this.mki.length;
    hmac.sign(bytes, at, end - at, rolloverCounterOf(index), tagAt, this.#rtpTag);
    if (this.mki.length > 0) bytes.set(this.mki, end);
  }

  openRtp(source: Source, bytes: Uint8Array, at: number, start: number, end: number, index: number): boolean {
    const { aes, hmac, salt } = this.#rtp;
    const tagAt = end + this.mki.length;
    if (!hmac.verify(bytes, at, end - at, rolloverCounterOf(index), tagAt, this.#rtpTag)) return false;
    source.keystream(aes, salt).apply(bytes, start, end, index);
    return true;
  }

  sealRtcp(source: Source, bytes: Uint8Array, at: number, end: number, index: number): void {
    const { aes, hmac, salt } = this.#rtcp;
    source.keystream(aes, salt).apply(bytes, at + RTCP_CLEAR_LENGTH, end, index);
    writeUint32(bytes, end, (E_FLAG | index) >>> 0);
    const mkiAt = end + INDEX_LENGTH;
    if (this.mki.length > 0) bytes.set(this.mki, mkiAt);
    hmac.sign(bytes, at, mkiAt - at, NO_TRAILER, mkiAt + this.mki.length, this.#rtcpTag);
  }

  openRtcp(source: Source, bytes: Uint8Array, at: number, end: number, word: number): boolean {
    const { aes, hmac, salt } = this.#rtcp;
    const mkiAt = end + INDEX_LENGTH;
    const tagAt = mkiAt + this.mki.length;
    if (!hmac.verify(bytes, at, mkiAt - at, NO_TRAILER, tagAt, this.#rtcpTag)) return false;
    if (word >= E_FLAG) {
      source.keystream(aes, salt).apply(bytes, at + RTCP_CLEAR_LENGTH, end, word - E_FLAG);
    }
    return true;
  }
}

interface GcmKeys {
  readonly aes: AesGcm;
  readonly salt: Uint8Array;
}

const GCM_TAG = 16;
const NONCE = 12;

/**
 * AES-GCM (RFC 7714).
 *
 *    SRTP:  header | payload, encrypted | tag | MKI               the header is associated data
 *    SRTCP: 8 octets | rest, encrypted | tag | E, index | MKI     the 8 octets, E and index are associated data
 */
class GcmTransform implements Transform {
  readonly mki: Uint8Array;
  readonly rtpTrailer: number;
  readonly rtcpTrailer: number;
  readonly rtcpWordFromEnd: number;
  readonly rtpMkiFromEnd: number;
  readonly rtcpMkiFromEnd: number;
  readonly #rtp: GcmKeys;
  readonly #rtcp: GcmKeys;
  readonly #nonce = new Uint8Array(NONCE);

  constructor(ciphers: SrtpCiphers, parameters: SrtpSuiteParameters, key: SrtpMasterKey) {
    this.mki = (key.mki ?? NO_MKI).slice();
    const keysFor = (labels: typeof RTP_LABELS | typeof RTCP_LABELS): GcmKeys => {
      const { encryption, salt } = deriveSessionKeys(ciphers, key, parameters, labels);
      return { aes: ciphers.aesGcm(encryption), salt };
    };
    this.#rtp = keysFor(RTP_LABELS);
    this.#rtcp = keysFor(RTCP_LABELS);
    this.rtpMkiFromEnd = this.mki.length;
    this.rtcpMkiFromEnd = this.mki.length;
    this.rtpTrailer = GCM_TAG + this.mki.length;
    this.rtcpWordFromEnd = INDEX_LENGTH + this.mki.length;
    this.rtcpTrailer = GCM_TAG + this.rtcpWordFromEnd;
  }

  sealRtp(source: Source, bytes: Uint8Array, at: number, start: number, end: number, index: number): void {
    const { aes, salt } = this.#rtp;
    aes.seal(rtpNonce(this.#nonce, salt, source.ssrc, index), bytes.subarray(at, start), bytes, start, end);
    if (this.mki.length > 0) bytes.set(this.mki, end + GCM_TAG);
  }

  openRtp(source: Source, bytes: Uint8Array, at: number, start: number, end: number, index: number): boolean {
    const { aes, salt } = this.#rtp;
    const nonce = rtpNonce(this.#nonce, salt, source.ssrc, index);
    return aes.open(nonce, bytes.subarray(at, start), bytes, start, end);
  }

  sealRtcp(source: Source, bytes: Uint8Array, at: number, end: number, index: number): void {
    const { aes, salt } = this.#rtcp;
    const word = (E_FLAG | index) >>> 0;
    const associated = new Uint8Array(RTCP_CLEAR_LENGTH + INDEX_LENGTH);
    associated.set(bytes.subarray(at, at + RTCP_CLEAR_LENGTH));
    writeUint32(associated, RTCP_CLEAR_LENGTH, word);
    const nonce = rtcpNonce(this.#nonce, salt, source.ssrc, index);
    aes.seal(nonce, associated, bytes, at + RTCP_CLEAR_LENGTH, end);
    writeUint32(bytes, end + GCM_TAG, word);
    if (this.mki.length > 0) bytes.set(this.mki, end + GCM_TAG + INDEX_LENGTH);
  }

  openRtcp(source: Source, bytes: Uint8Array, at: number, end: number, word: number): boolean {
    const { aes, salt } = this.#rtcp;
    const encrypted = word >= E_FLAG;
    // "If the E flag is 0, the entire packet is associated data" (RFC 7714 §9.3).
    const from = encrypted ? at + RTCP_CLEAR_LENGTH : end;
    const associated = new Uint8Array(from - at + INDEX_LENGTH);
    associated.set(bytes.subarray(at, from));
    writeUint32(associated, from - at, word);
    const nonce = rtcpNonce(this.#nonce, salt, source.ssrc, encrypted ? word - E_FLAG : word);
    return aes.open(nonce, associated, bytes, from, end);
  }
}

const NO_MKI = new Uint8Array(0);

/** 2 octets of zero, SSRC, ROC and SEQ, all XOR salt (RFC 7714 §8.1). */
function rtpNonce(nonce: Uint8Array, salt: Uint8Array, ssrc: number, index: number): Uint8Array {
  writeUint16(nonce, 0, 0);
  writeUint32(nonce, 2, ssrc);
  writeUint32(nonce, 6, rolloverCounterOf(index));
  writeUint16(nonce, 10, index & 0xffff);
  return salted(nonce, salt);
}

/** 2 octets of zero, SSRC, 2 octets of zero and the index, all XOR salt (RFC 7714 §9.1). */
function rtcpNonce(nonce: Uint8Array, salt: Uint8Array, ssrc: number, index: number): Uint8Array {
  writeUint16(nonce, 0, 0);
  writeUint32(nonce, 2, ssrc);
  writeUint16(nonce, 6, 0);
  writeUint32(nonce, 8, index);
  return salted(nonce, salt);
}

function salted(nonce: Uint8Array, salt: Uint8Array): Uint8Array {
  for (let i = 0; i < NONCE; i++) nonce[i]! ^= salt[i]!;
  return nonce;
}
