import type { SrtpKeying } from "@callfork/protocol/srtp";

/** What the generator is asked for, and what it tells. Sent over the process channel as JSON. */
export interface OpenOrder {
  readonly kind: "open";
  readonly calls: number;
}

/** The generator's own ports: of both parties of each call, and of the recorder that gets both tracks. */
export interface GeneratorReady {
  readonly kind: "ready";
  readonly calls: readonly PartyPorts[];
  /** Where all RTCP goes. */
  readonly rtcpPort: number;
}

export interface PartyPorts {
  readonly a: number;
  readonly b: number;
  readonly recorder: number;
}

/** Ports of the device under test: where party A and where party B send to, and from which the copies of both come. */
export interface DevicePorts {
  readonly a: number;
  readonly b: number;
  readonly forks: readonly number[];
}

export interface TrafficOrder {
  readonly kind: "run";
  readonly calls: readonly DevicePorts[];
  /** "spread": packets leave evenly over 20 ms. "burst": all streams at once, every 20 ms. */
  readonly pattern: "spread" | "burst";
  readonly srtp: boolean;
  /** Ports of the device that strangers flood. */
  readonly floodedPorts: readonly number[];
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface MeasureBegins {
  readonly kind: "begin";
}

export interface MeasureEnds {
  readonly kind: "end";
}

export interface TrafficReport {
  readonly kind: "report";
  readonly sent: number;
  /** What the schedule asked for in the same time. */
  readonly scheduled: number;
  readonly relayed: number;
  readonly forked: number;
  /** Packets whose content or way was not what it should be; every one is looked at. */
  readonly wrong: number;
  readonly relayP50Ms: number;
  readonly relayP99Ms: number;
  /** How late the generator itself was, at worst. */
  readonly worstLagMs: number;
  /** Packets of strangers that left. */
  readonly strangers: number;
}

/** What strangers send, in turns: nothing, less than a header, a header alone, a full Ethernet frame, all that UDP takes. */
export const STRANGERS_OCTETS = [0, 11, 12, 1500, 65_507] as const;
/** A hundred for each packet of a party. */
export const STRANGERS_PER_MS = 100 / 20;

export type GeneratorMessage = GeneratorReady | MeasureBegins | MeasureEnds | TrafficReport;

export const PACKET_MS = 20;
export const PAYLOAD_BYTES = 160;

/** Keys of one stream, the same on both sides without telling; nothing is secret here. */
export function keyingOf(call: number, stream: "a" | "b" | "toA" | "toB" | "fork"): SrtpKeying {
  const seed = call * 8 + ["a", "b", "toA", "toB", "fork"].indexOf(stream);
  const octets = (length: number): Uint8Array<ArrayBuffer> =>
    Uint8Array.from({ length }, (_, i) => (seed * 31 + i * 17 + (seed >> 8)) & 0xff);
  return { suite: "AES_CM_128_HMAC_SHA1_80", keys: [{ key: octets(16), salt: octets(14) }] };
}

/** Where the words start that follow from a packet's number. Before them: number, stream, time of sending. */
const WORDS_AT = 16;

/** @param at - of the payload */
export function writePattern(view: DataView, at: number, number: number): void {
  for (let word = WORDS_AT; word < PAYLOAD_BYTES; word += 4)
    view.setUint32(at + word, wordOf(number, word), true);
}

export function isPattern(view: DataView, at: number, number: number): boolean {
  for (let word = WORDS_AT; word < PAYLOAD_BYTES; word += 4) {
    if (view.getUint32(at + word, true) !== wordOf(number, word)) return false;
  }
  return true;
}

const wordOf = (number: number, word: number): number => (Math.imul(number, 0x9e3779b1) + word) >>> 0;
