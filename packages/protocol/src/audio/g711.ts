/**
 * G.711 (ITU-T Recommendation, 11/88): 8-bit logarithmic codes for speech at 8 kHz.
 *
 * A code is a sign, a segment (exponent) and a step within the segment (mantissa); on the wire µ-law has all bits
 * inverted and A-law every second one:
 *
 *      7   6 5 4   3 2 1 0
 *    +---+-------+---------+
 *    | S |  segm |  step   |     µ-law: wire = ~code, A-law: wire = code ^ 0x55
 *    +---+-------+---------+
 *
 * Decoded samples are 16-bit linear: the 14 bits of µ-law are shifted left by 2, the 13 bits of A-law by 3.
 */

/** µ-law adds this before it takes logarithms: 33 steps of the 14-bit scale, in 16 bits (G.711 table 2a). */
const BIAS = 33 << 2;
/** Largest 16-bit magnitude µ-law can tell apart, 8158 of the 14-bit scale; louder samples are clipped. */
const CLIP = 8158 << 2;

/** Linear value of each of the 256 µ-law codes. 0xFF and 0x7F are both zero: positive and negative. */
export const PCMU_TO_LINEAR: Int16Array = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = ~code & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + BIAS) << ((bits >> 4) & 7)) - BIAS;
  return bits & 0x80 ? -magnitude : magnitude;
});

/** Linear value of each of the 256 A-law codes. There is no zero: the smallest are 8 and -8. */
export const PCMA_TO_LINEAR: Int16Array = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = code ^ 0x55;
  const segment = (bits >> 4) & 7;
  const step = ((bits & 0x0f) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 0x100) << (segment - 1);
  return bits & 0x80 ? magnitude : -magnitude; // in A-law a set sign bit is positive
});

const LINEAR_TO_PCMU = Uint8Array.from({ length: 65_536 }, (_, index) => linearToPcmu(index - 32_768));
const LINEAR_TO_PCMA = Uint8Array.from({ length: 65_536 }, (_, index) => linearToPcma(index - 32_768));

/** Silence: what fills a gap. */
export const PCMU_SILENCE = 0xff;
export const PCMA_SILENCE = 0xd5;

/**
 * Decodes µ-law.
 *
 * @param payload - one octet a sample
 * @param out - receives 16-bit samples from `offset` on; needs room for `payload.length` of them
 * @returns number of samples written
 * @throws RangeError when `out` is too small
 */
export function decodePcmu(payload: Uint8Array, out: Int16Array, offset = 0): number {
  return decode(PCMU_TO_LINEAR, payload, out, offset);
}

/** Decodes A-law; as `decodePcmu`. */
export function decodePcma(payload: Uint8Array, out: Int16Array, offset = 0): number {
  return decode(PCMA_TO_LINEAR, payload, out, offset);
}

/**
 * Encodes µ-law. Every code survives decoding and encoding, except 0x7F (negative zero), which becomes 0xFF.
 *
 * @param samples - 16-bit linear
 * @param out - receives one octet a sample from `offset` on
 * @returns number of octets written
 * @throws RangeError when `out` is too small
 */
export function encodePcmu(samples: Int16Array, out: Uint8Array, offset = 0): number {
  return encode(LINEAR_TO_PCMU, samples, out, offset);
}

/** Encodes A-law; every code survives decoding and encoding. As `encodePcmu`. */
export function encodePcma(samples: Int16Array, out: Uint8Array, offset = 0): number {
  return encode(LINEAR_TO_PCMA, samples, out, offset);
}

function decode(table: Int16Array, payload: Uint8Array, out: Int16Array, offset: number): number {
  const length = payload.length;
  if (offset < 0 || offset + length > out.length) throw new RangeError("no room for the samples");
  for (let i = 0; i < length; i++) out[offset + i] = table[payload[i]!]!;
  return length;
}

function encode(table: Uint8Array, samples: Int16Array, out: Uint8Array, offset: number): number {
  const length = samples.length;
  if (offset < 0 || offset + length > out.length) throw new RangeError("no room for the codes");
  for (let i = 0; i < length; i++) out[offset + i] = table[samples[i]! + 32_768]!;
  return length;
}

function linearToPcmu(sample: number): number {
  const magnitude = Math.min(Math.abs(sample), CLIP) + BIAS;
  const segment = 31 - Math.clz32(magnitude) - 7; // the biased value has its highest bit at 7 in segment 0
  const step = (magnitude >> (segment + 3)) & 0x0f;
  return ~((sample < 0 ? 0x80 : 0) | (segment << 4) | step) & 0xff;
}

function linearToPcma(sample: number): number {
  // Intervals reach from a decision value up to the next; the negative side is the positive one's mirror.
  const magnitude = Math.min(sample < 0 ? -sample - 1 : sample, 32_767);
  const segment = Math.max(31 - Math.clz32(magnitude | 1) - 7, 0);
  const step = (magnitude >> (segment === 0 ? 4 : segment + 3)) & 0x0f;
  return ((sample < 0 ? 0 : 0x80) | (segment << 4) | step) ^ 0x55;
}
