import type { NegotiatedMedia } from "@callfork/protocol/offer-answer";
import { type Codec, sameCodec } from "@callfork/protocol/sdp";
import { type ForkConnection, type ForkTranscoding, isTranscodable } from "../media/index.ts";
import type { TrackLabel } from "./tracks.ts";

/** A codec of the call's leg, under the number that packets to its party have. */
export interface CarriedCodec extends Codec {
  /** Of packets from its party, where that is another one (RFC 3264 §5.1). */
  readonly receivePayloadType?: number;
}

/** The codecs of a fork: what the call's leg carries, and what is offered to a recorder for it. */
export interface ForkCodecs {
  /** Those of the call's leg; the one in use first. */
  readonly carried: readonly CarriedCodec[];
  /** Of these what the connector lets be, as they are; then what they can be transcoded to, where they can. */
  readonly offered: readonly Codec[];
}

/** What a fork can be transcoded to. What comes nearest to the call's codec is offered first. */
const TARGETS = [
  { name: "PCMU", clockRateHz: 8000, channels: 1, payloadType: 0 },
  { name: "PCMA", clockRateHz: 8000, channels: 1, payloadType: 8 },
  { name: "G722", clockRateHz: 8000, channels: 1, payloadType: 9 },
  { name: "opus", clockRateHz: 48_000, channels: 2 },
] as const;

const NARROWBAND = ["PCMA", "PCMU", "G722", "OPUS"];
/** Opus and G722 keep the band that each other have. */
const WIDEBAND = ["OPUS", "G722", "PCMU", "PCMA"];

const DYNAMIC_PAYLOAD_TYPES = Array.from({ length: 32 }, (_, i) => 96 + ((i + 11) % 32));
const DEFAULT_PACKET_TIME_MS = 20;
/** Packet times that all codecs have (of RFC 7587 §6.1, and whole numbers of samples). */
const PACKET_TIMES_MS: readonly number[] = [10, 20, 40, 60];

/**
 * "Call's codec first, then what we can transcode to": a recorder that takes the call's codec gets it untouched.
 *
 * @param names - what the connector lets be offered, in its order; empty: everything
 */
export function forkCodecsOf(carried: readonly CarriedCodec[], names: readonly string[]): ForkCodecs {
  const wanted = names.map((name) => name.toUpperCase());
  const isWanted = ({ name }: Codec) => wanted.length === 0 || wanted.includes(name.toUpperCase());
  const passing = carried.filter(isWanted);
  if (!carried.some(isTranscodable)) return { carried, offered: passing };
  const order = wanted.length > 0 ? wanted : isWideband(carried[0]) ? WIDEBAND : NARROWBAND;
  const taken = new Set(carried.map(({ payloadType }) => payloadType));
  const more: Codec[] = [];
  for (const name of order) {
    const target = TARGETS.find((each) => each.name.toUpperCase() === name);
    if (target === undefined || [...passing, ...more].some((codec) => sameCodec(codec, target))) continue;
    const own = "payloadType" in target && !taken.has(target.payloadType) ? target.payloadType : undefined;
    const payloadType = own ?? DYNAMIC_PAYLOAD_TYPES.find((number) => !taken.has(number));
    if (payloadType === undefined) continue;
    taken.add(payloadType);
    more.push({ ...target, payloadType });
  }
  return { carried, offered: [...passing, ...more] };
}

/** How packets of the call become packets that the recorder takes. */
export type ForkWay = Pick<
  ForkConnection,
  "payloadTypes" | "clockRateHz" | "clockRatesHz" | "transcodings"
> & {
  /** What comes of the call's codec in use: as it is, as another, or nothing. */
  readonly codec: { readonly name: string; readonly transcodedFrom: string | null } | undefined;
};

/**
 * @param line - agreed on with the recorder
 * @param track - whose packets: numbers may differ by direction
 */
export function wayOf(
  line: NegotiatedMedia,
  carried: readonly CarriedCodec[],
  track: TrackLabel = "outbound",
): ForkWay {
  const numberOf = ({ payloadType, receivePayloadType = payloadType }: CarriedCodec): number =>
    track === "inbound" ? receivePayloadType : payloadType;
  const payloadTypes = new Map<number, number>();
  const rates = new Map<number, number>();
  for (const codec of carried) {
    const same = line.codecs.filter((candidate) => sameCodec(candidate, codec));
    const match = same.find((each) => each.receivePayloadType === codec.payloadType) ?? same[0];
    if (match === undefined) continue;
    payloadTypes.set(numberOf(codec), match.sendPayloadType);
    rates.set(numberOf(codec), codec.clockRateHz);
  }
  const passing = carried.filter((codec) => payloadTypes.has(numberOf(codec)));
  // One codec towards the recorder, whichever of its own the call uses.
  const target =
    line.codecs.find((codec) => isTranscodable(codec) && passing.some((one) => sameCodec(one, codec))) ??
    line.codecs.find(isTranscodable);
  const transcodings: ForkTranscoding[] = [];
  for (const codec of carried) {
    if (target === undefined || payloadTypes.has(numberOf(codec)) || !isTranscodable(codec)) continue;
    const { sendPayloadType: payloadType, name, clockRateHz, channels, fmtp } = target;
    const { receivePayloadType: _, ...from } = codec;
    transcodings.push({
      from: { ...from, payloadType: numberOf(codec) },
      to: { payloadType, name, clockRateHz, channels, ...(fmtp !== undefined && { fmtp }) },
      packetTimeMs: packetTimeOf(line),
    });
  }
  const first = carried[0];
  const becomes = transcodings.find(({ from }) => first && from.payloadType === numberOf(first))?.to;
  const clockRateHz = becomes?.clockRateHz ?? passing[0]?.clockRateHz ?? 8000;
  const others = [...rates].filter(([, rate]) => rate !== clockRateHz);
  return {
    payloadTypes,
    clockRateHz,
    ...(others.length > 0 && { clockRatesHz: new Map(others) }),
    ...(transcodings.length > 0 && { transcodings }),
    codec: becomes
      ? { name: becomes.name, transcodedFrom: first!.name }
      : passing[0] && { name: passing[0].name, transcodedFrom: null },
  };
}

function packetTimeOf({ ptimeMs }: NegotiatedMedia): number {
  return ptimeMs !== undefined && PACKET_TIMES_MS.includes(ptimeMs) ? ptimeMs : DEFAULT_PACKET_TIME_MS;
}

function isWideband(codec: Codec | undefined): boolean {
  return codec !== undefined && WIDEBAND.slice(0, 2).includes(codec.name.toUpperCase());
}
