import type { SrtpMasterKey } from "./keying.ts";

/** What one `SrtpSender` or `SrtpReceiver` does at most. */
export interface SrtpLimits {
  /** SRTP packets under one master key: 2^48 (RFC 3711 §9.2). */
  readonly rtpPackets: number;
  /** SRTCP packets under one master key: 2^31. */
  readonly rtcpPackets: number;
  /** Synchronization sources, of SRTP and of SRTCP each. None is forgotten: that would forget its replay window. */
  readonly sources: number;
}

/** What a key may protect: its own lifetime where it names a shorter one. */
export function limitsOf({ lifetimePackets = 2 ** 48 }: SrtpMasterKey, limits: SrtpLimits): SrtpLimits {
  return {
    ...limits,
    rtpPackets: Math.min(limits.rtpPackets, lifetimePackets),
    rtcpPackets: Math.min(limits.rtcpPackets, lifetimePackets),
  };
}

export const DEFAULT_SRTP_LIMITS: SrtpLimits = { rtpPackets: 2 ** 48, rtcpPackets: 2 ** 31, sources: 256 };
