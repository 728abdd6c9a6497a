/** Randomness comes in as an argument, so that any failure can be replayed. */
export interface RandomOctets {
  bytes(length: number): Uint8Array;
}

/** A random synchronization source that differs from `taken` (RFC 3550 §8.1). 0 is legal but avoided: many take it for "none". */
export function randomSsrc(random: RandomOctets, ...taken: readonly number[]): number {
  for (;;) {
    const ssrc = randomUint32(random);
    if (ssrc !== 0 && !taken.includes(ssrc)) return ssrc;
  }
}

/** The first timestamp of a stream (RFC 3550 §5.1). */
export function randomUint32(random: RandomOctets): number {
  const [a, b, c, d] = random.bytes(4);
  return ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0;
}

/** The first sequence number of a stream (RFC 3550 §5.1). */
export function randomUint16(random: RandomOctets): number {
  return randomUint32(random) >>> 16;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * A short-term persistent CNAME: 96 random bits in base64, 16 characters (RFC 7022 §5). It holds neither address nor
 * user name, so it tells nothing about the party.
 */
export function shortTermCname(random: RandomOctets): string {
  const octets = random.bytes(12);
  let text = "";
  for (let i = 0; i < octets.length; i += 3) {
    const group = (octets[i]! << 16) | (octets[i + 1]! << 8) | octets[i + 2]!;
    for (const shift of [18, 12, 6, 0]) text += ALPHABET[(group >> shift) & 63];
  }
  return text;
}
