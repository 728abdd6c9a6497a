import { RTP_FIXED_HEADER_LENGTH, readUint16, readUint32 } from "../rtp/index.ts";

/** Header and SSRC of the first packet of a compound: what SRTCP leaves in the clear (RFC 3711 §3.4). */
export const RTCP_CLEAR_LENGTH = 8;

/**
 * Where the encrypted portion of an SRTP packet starts. Unlike `rtpPayloadStart` it leaves padding alone: that is
 * encrypted too.
 *
 * @param end - where header and payload together must end, counted from the start of the packet
 * @returns −1 when it is no RTP packet
 */
export function srtpPayloadStart(bytes: Uint8Array, at: number, end: number): number {
  if (end < RTP_FIXED_HEADER_LENGTH) return -1;
  const first = bytes[at]!;
  if (first >> 6 !== 2) return -1;
  let start = RTP_FIXED_HEADER_LENGTH + 4 * (first & 0x0f);
  if ((first & 0x10) !== 0) {
    if (start + 4 > end) return -1;
    start += 4 + 4 * readUint16(bytes, at + start + 2);
  }
  return start > end ? -1 : start;
}

/** The SSRC of the first packet of a compound: its context counts for all of it (RFC 3711 §3.4). */
export function rtcpSsrc(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at + 4);
}
