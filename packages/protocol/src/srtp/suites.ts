/** The crypto suites of SDP Security Descriptions that we carry: RFC 4568 §6.2, RFC 6188 §6, RFC 7714 §14.1. */
export type SrtpSuite =
  | "AES_CM_128_HMAC_SHA1_80"
  | "AES_CM_128_HMAC_SHA1_32"
  | "AES_256_CM_HMAC_SHA1_80"
  | "AES_256_CM_HMAC_SHA1_32"
  | "AEAD_AES_128_GCM"
  | "AEAD_AES_256_GCM";

/** What a suite consists of; lengths in octets. */
export interface SrtpSuiteParameters {
  readonly transform: "counter-mode" | "gcm";
  readonly keyLength: number;
  readonly saltLength: number;
  /** Authentication tag of an SRTP packet. */
  readonly rtpTagLength: number;
  /** Of an SRTCP packet: 80 bits also where SRTP has 32 (RFC 4568 §6.2.2). */
  readonly rtcpTagLength: number;
}

export const SRTP_SUITES = {
  AES_CM_128_HMAC_SHA1_80: counterMode(16, 10),
  AES_CM_128_HMAC_SHA1_32: counterMode(16, 4),
  AES_256_CM_HMAC_SHA1_80: counterMode(32, 10),
  AES_256_CM_HMAC_SHA1_32: counterMode(32, 4),
  AEAD_AES_128_GCM: gcm(16),
  AEAD_AES_256_GCM: gcm(32),
} as const satisfies Record<SrtpSuite, SrtpSuiteParameters>;

/** Whether text names a suite that we carry; names are case-sensitive (RFC 4568 §9.1). */
export function isSrtpSuite(name: string): name is SrtpSuite {
  return Object.hasOwn(SRTP_SUITES, name);
}

/** Longest authentication tag, index and MKI that protection adds to a packet: room to reserve behind it. */
export const MAX_SRTP_OVERHEAD = 16 + 4 + 128;

function counterMode(keyLength: number, rtpTagLength: number): SrtpSuiteParameters {
  return { transform: "counter-mode", keyLength, saltLength: 14, rtpTagLength, rtcpTagLength: 10 };
}

function gcm(keyLength: number): SrtpSuiteParameters {
  return { transform: "gcm", keyLength, saltLength: 12, rtpTagLength: 16, rtcpTagLength: 16 };
}
