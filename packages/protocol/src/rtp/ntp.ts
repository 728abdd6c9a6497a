/** A 64-bit NTP timestamp (RFC 3550 §4): seconds since 1900 and a binary fraction, both unsigned 32 bits. */
export interface NtpTime {
  readonly seconds: number;
  readonly fraction: number;
}

/** 1 January 1900 to 1 January 1970, in seconds. */
const NTP_UNIX_OFFSET = 2_208_988_800;

export function ntpFromEpochMs(epochMs: number): NtpTime {
  const whole = Math.floor(epochMs / 1000);
  const fraction = Math.round(((epochMs - whole * 1000) / 1000) * 2 ** 32);
  // Rounding may reach a full second.
  return fraction === 2 ** 32
    ? { seconds: (whole + 1 + NTP_UNIX_OFFSET) >>> 0, fraction: 0 }
    : { seconds: (whole + NTP_UNIX_OFFSET) >>> 0, fraction };
}

/** Of the era that reaches to 2036, or of the next one for values below 2^31 (RFC 4330 §3). */
export function epochMsFromNtp(ntp: NtpTime): number {
  const seconds = ntp.seconds >= 2 ** 31 ? ntp.seconds : ntp.seconds + 2 ** 32;
  return (seconds - NTP_UNIX_OFFSET) * 1000 + (ntp.fraction / 2 ** 32) * 1000;
}

/** The middle 32 bits: seconds with 16 bits of fraction, as LSR carries it (RFC 3550 §6.4.1). */
export function compactNtp(ntp: NtpTime): number {
  return (((ntp.seconds & 0xffff) << 16) | (ntp.fraction >>> 16)) >>> 0;
}

/** Milliseconds as the 1/65,536 s of DLSR, cut off at its 32 bits. */
export function compactNtpFromMs(ms: number): number {
  return Math.min(0xffffffff, Math.max(0, Math.round((ms * 65_536) / 1000)));
}

/**
 * Round-trip time from a report block (RFC 3550 §6.4.1): `A − LSR − DLSR`.
 *
 * @param receivedAt - compact NTP time at which the report came
 * @returns milliseconds, or `undefined` when the peer had no sender report yet (LSR 0) or the clocks make it negative
 */
export function roundTripMs(
  receivedAt: number,
  lastSenderReport: number,
  delaySince: number,
): number | undefined {
  if (lastSenderReport === 0) return undefined;
  const units = (receivedAt - lastSenderReport - delaySince) | 0;
  return units < 0 ? undefined : (units * 1000) / 65_536;
}
