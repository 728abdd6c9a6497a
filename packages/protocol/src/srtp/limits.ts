/** What one `SrtpSender` or `SrtpReceiver` does at most. */
export interface SrtpLimits {
  /** SRTP packets under one master key: 2^48 (RFC 3711 §9.2). */
  readonly rtpPackets: number;
  /** SRTCP packets under one master key: 2^31. */
  readonly rtcpPackets: number;
  /** Synchronization sources, of SRTP and of SRTCP each. None is forgotten: that would forget its replay window. */
  readonly sources: number;
}

export const DEFAULT_SRTP_LIMITS: SrtpLimits = { rtpPackets: 2 ** 48, rtcpPackets: 2 ** 31, sources: 256 };
