import { PCMU_SILENCE } from "@callfork/protocol/audio";

/** What the generator is told, and what it tells. */
export const PACKET_MS = 20;
export const PAYLOAD_BYTES = 160;

export interface TrafficOrder {
  /** Where each stream goes. */
  readonly ports: readonly number[];
  /** Packets of each stream before the measured part, and in it. */
  readonly warmUpPackets: number;
  readonly packets: number;
}

export type GeneratorMessage =
  | { readonly kind: "ready"; readonly port: number }
  | { readonly kind: "begin" }
  | { readonly kind: "end"; readonly worstLagMs: number; readonly gaps: readonly Gap[] };

/** Where the generator was held up: it goes on with timestamps that say so, as a sender that suppresses silence does. */
export interface Gap {
  /** Of the first packet behind it, all streams counted together. */
  readonly number: number;
  readonly samples: number;
}

/** What is to stand in a stream's file. */
export function meantOctets(
  stream: number,
  streams: number,
  packets: number,
  gaps: readonly Gap[],
): Uint8Array {
  const before = new Map<number, number>();
  let length = packets * PAYLOAD_BYTES;
  for (const { number, samples } of gaps) {
    const index = Math.ceil((number - stream) / streams);
    if (index <= 0 || index >= packets) continue;
    before.set(index, (before.get(index) ?? 0) + samples);
    length += samples;
  }
  const octets = new Uint8Array(length).fill(PCMU_SILENCE);
  let at = 0;
  for (let index = 0; index < packets; index++) {
    at += before.get(index) ?? 0;
    fillPayload(octets, at, stream, index);
    at += PAYLOAD_BYTES;
  }
  return octets;
}

/** An octet of a stream: what stands in the file tells whose it is, and where it belongs. */
export function octetAt(stream: number, index: number, at: number): number {
  return (stream * 89 + index * 31 + (index >> 8) * 17 + at * 7 + 1) & 0xff;
}

export function fillPayload(out: Uint8Array, from: number, stream: number, index: number): void {
  const first = octetAt(stream, index, 0);
  for (let at = 0; at < PAYLOAD_BYTES; at++) out[from + at] = (first + at * 7) & 0xff;
}
