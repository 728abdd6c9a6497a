/** Sequence numbers before the counter rolls over. */
const SEQUENCE_MODULUS = 65_536;
const HALF = 32_768;

/**
 * The 48-bit packet index that a sequence number most likely stands for: `2^16 × ROC + SEQ` with the rollover counter
 * that puts it closest to the newest index (RFC 3711 §3.3.1, appendix A).
 *
 * @param newest - the newest index so far
 * @returns below 0 when it would lie before the first rollover counter
 */
export function estimatePacketIndex(sequenceNumber: number, newest: number): number {
  const rolloverCounter = Math.floor(newest / SEQUENCE_MODULUS);
  const highest = newest % SEQUENCE_MODULUS;
  const index = rolloverCounter * SEQUENCE_MODULUS + sequenceNumber;
  if (highest < HALF) return sequenceNumber - highest > HALF ? index - SEQUENCE_MODULUS : index;
  return highest - HALF > sequenceNumber ? index + SEQUENCE_MODULUS : index;
}

/** The rollover counter of a packet index, 32 bits. */
export function rolloverCounterOf(index: number): number {
  return Math.floor(index / SEQUENCE_MODULUS) >>> 0;
}
