/** Frames of a packet together, in units of 2.5 ms: 120 ms (RFC 6716 §3.2.5). */
const MAXIMUM_UNITS = 48;

/** Frame length by configuration number, in units of 2.5 ms (RFC 6716 table 2): SILK, hybrid, CELT. */
const SILK = [4, 8, 16, 24];
const HYBRID = [4, 8];
const CELT = [1, 2, 4, 8];
const FRAME_UNITS = Uint8Array.from({ length: 32 }, (_, config) =>
  config < 12 ? SILK[config % 4]! : config < 16 ? HYBRID[config % 2]! : CELT[config % 4]!,
);

/**
 * How much audio a packet holds, read from its table of contents (RFC 6716 §3.1):
 *
 *     0 1 2 3 4 5 6 7
 *    +-+-+-+-+-+-+-+-+
 *    | config  |s| c |     c: 0 one frame, 1 and 2 two frames, 3 their number is in the next octet
 *    +-+-+-+-+-+-+-+-+
 *
 * @returns units of 2.5 ms, 1 to 48; −1 when it is no Opus packet
 */
export function opusPacketUnits(payload: Uint8Array): number {
  const contents = payload[0];
  if (contents === undefined) return -1;
  const code = contents & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (payload[1] ?? 0) & 0x3f;
  const units = frames * FRAME_UNITS[contents >> 3]!;
  return units >= 1 && units <= MAXIMUM_UNITS ? units : -1;
}
