/**
 * What a datagram on a media port is, by its first two octets.
 *
 * RFC 7983 §7 reads the first octet (0–3 STUN, 16–19 ZRTP, 20–63 DTLS, 64–79 TURN channel, 128–191 RTP or RTCP); RFC
 * 5761 §4 reads the second: 192–223 is an RTCP packet type, everything else RTP.
 */
export type MediaPacketKind = "rtp" | "rtcp" | "stun" | "zrtp" | "dtls" | "turn-channel" | "unknown";

export function classifyMediaPacket(bytes: Uint8Array, at: number, length: number): MediaPacketKind {
  if (length < 2) return "unknown";
  const first = bytes[at]!;
  if (first >= 128 && first <= 191) return isRtcp(bytes, at, length) ? "rtcp" : "rtp";
  if (first <= 3) return "stun";
  if (first >= 16 && first <= 19) return "zrtp";
  if (first >= 20 && first <= 63) return "dtls";
  return first >= 64 && first <= 79 ? "turn-channel" : "unknown";
}

/** Version 2 and an RTCP packet type in the second octet: the quick question of the packet path. */
export function isRtcp(bytes: Uint8Array, at: number, length: number): boolean {
  if (length < 4 || bytes[at]! >> 6 !== 2) return false;
  const type = bytes[at + 1]!;
  return type >= 192 && type <= 223;
}
