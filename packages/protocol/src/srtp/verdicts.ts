/** Lengths that protection and its removal return; everything below zero says why there is none. */
export type SrtpResult = number;

/** Too short, or no RTP or RTCP of version 2. */
export const SRTP_MALFORMED = -1;
/** The tag is wrong: forged, damaged, or protected with another key. */
export const SRTP_UNAUTHENTICATED = -2;
/** This index came before, or is older than the replay window (RFC 3711 §3.3.2). */
export const SRTP_REPLAYED = -3;
/** More synchronization sources than one stream may have. */
export const SRTP_TOO_MANY_SOURCES = -4;
/** The key has protected as many packets as it may (RFC 3711 §9.2). */
export const SRTP_KEY_EXPIRED = -5;
/** The packet names no master key that was agreed (RFC 3711 §3.1). */
export const SRTP_UNKNOWN_MKI = -6;
