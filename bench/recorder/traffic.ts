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
  | { readonly kind: "end"; readonly worstLagMs: number };

/** An octet of a stream: what stands in the file tells whose it is, and where it belongs. */
export function octetAt(stream: number, index: number, at: number): number {
  return (stream * 89 + index * 31 + (index >> 8) * 17 + at * 7 + 1) & 0xff;
}

export function fillPayload(out: Uint8Array, from: number, stream: number, index: number): void {
  const first = octetAt(stream, index, 0);
  for (let at = 0; at < PAYLOAD_BYTES; at++) out[from + at] = (first + at * 7) & 0xff;
}
