/*
 * Arithmetic on numbers that wrap: sequence numbers (16 bits) and timestamps (32 bits). "Newer" is the shorter way
 * round the circle, as RFC 1982 defines it for serial numbers.
 */

/** `a − b` on the circle of 2^16, from −32,768 to 32,767. */
export function sequenceDelta(a: number, b: number): number {
  return ((a - b) << 16) >> 16;
}

export function isNewerSequence(a: number, b: number): boolean {
  return sequenceDelta(a, b) > 0;
}

/** `sequence + delta` on the circle of 2^16. */
export function addToSequence(sequence: number, delta: number): number {
  return (sequence + delta) & 0xffff;
}

/** `a − b` on the circle of 2^32, from −2^31 to 2^31 − 1. */
export function timestampDelta(a: number, b: number): number {
  return (a - b) | 0;
}

/** `timestamp + delta` on the circle of 2^32; `delta` may be any integer below 2^52. */
export function addToTimestamp(timestamp: number, delta: number): number {
  return (timestamp + delta) >>> 0;
}
