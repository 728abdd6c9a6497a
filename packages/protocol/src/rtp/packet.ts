/*
 * RTP packets as regions of a slab: every function takes the slab, where the packet starts and, where it matters, how
 * long it is. Nothing is copied and nothing is allocated. RFC 3550 §5.1:
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                           timestamp                           |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |           synchronization source (SSRC) identifier            |
 *    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 *    |            contributing source (CSRC) identifiers             |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

export const RTP_FIXED_HEADER_LENGTH = 12;

/**
 * Where the payload starts, counted from the start of the packet: behind the CSRC list and the header extension.
 *
 * @returns −1 when it is no valid RTP packet: shorter than 12 octets, version not 2, CSRC list, extension or padding
 *   reaching beyond the end (RFC 3550 appendix A.1). A payload of no octets is valid.
 */
export function rtpPayloadStart(bytes: Uint8Array, at: number, length: number): number {
  if (length < RTP_FIXED_HEADER_LENGTH) return -1;
  const first = bytes[at]!;
  if (first >> 6 !== 2) return -1;
  let start = RTP_FIXED_HEADER_LENGTH + 4 * (first & 0x0f);
  if ((first & 0x10) !== 0) {
    if (start + 4 > length) return -1;
    start += 4 + 4 * readUint16(bytes, at + start + 2);
  }
  if (start > length) return -1;
  if ((first & 0x20) !== 0) {
    const padding = length > start ? bytes[at + length - 1]! : 0;
    if (padding === 0 || start + padding > length) return -1;
  }
  return start;
}

/** Where the payload ends, counted from the start of a packet that `rtpPayloadStart` found valid: before the padding. */
export function rtpPayloadEnd(bytes: Uint8Array, at: number, length: number): number {
  return (bytes[at]! & 0x20) === 0 ? length : length - bytes[at + length - 1]!;
}

export function rtpMarker(bytes: Uint8Array, at: number): boolean {
  return bytes[at + 1]! >= 0x80;
}

export function rtpPayloadType(bytes: Uint8Array, at: number): number {
  return bytes[at + 1]! & 0x7f;
}

export function rtpSequenceNumber(bytes: Uint8Array, at: number): number {
  return readUint16(bytes, at + 2);
}

export function rtpTimestamp(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at + 4);
}

export function rtpSsrc(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at + 8);
}

export function rtpCsrcCount(bytes: Uint8Array, at: number): number {
  return bytes[at]! & 0x0f;
}

/** The `index`-th contributing source; `index` below `rtpCsrcCount`. */
export function rtpCsrc(bytes: Uint8Array, at: number, index: number): number {
  return readUint32(bytes, at + RTP_FIXED_HEADER_LENGTH + 4 * index);
}

/** Changes the payload type in place and leaves the marker bit alone. */
export function setRtpPayloadType(bytes: Uint8Array, at: number, payloadType: number): void {
  bytes[at + 1] = (bytes[at + 1]! & 0x80) | (payloadType & 0x7f);
}

export function setRtpMarker(bytes: Uint8Array, at: number, marker: boolean): void {
  bytes[at + 1] = (bytes[at + 1]! & 0x7f) | (marker ? 0x80 : 0);
}

/** Replaces sequence number, timestamp and SSRC in place; version, flags, CSRC list and payload stay as they are. */
export function rewriteRtpHeader(
  bytes: Uint8Array,
  at: number,
  sequenceNumber: number,
  timestamp: number,
  ssrc: number,
): void {
  writeUint16(bytes, at + 2, sequenceNumber);
  writeUint32(bytes, at + 4, timestamp);
  writeUint32(bytes, at + 8, ssrc);
}

/** Writes a header of 12 octets: no padding, no extension, no CSRC. */
export function writeRtpHeader(
  bytes: Uint8Array,
  at: number,
  marker: boolean,
  payloadType: number,
  sequenceNumber: number,
  timestamp: number,
  ssrc: number,
): void {
  bytes[at] = 0x80;
  bytes[at + 1] = (payloadType & 0x7f) | (marker ? 0x80 : 0);
  rewriteRtpHeader(bytes, at, sequenceNumber, timestamp, ssrc);
}

export function readUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
