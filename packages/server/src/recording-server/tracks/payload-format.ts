/**
 * What a payload type of a track stands for: plain data, which crosses threads.
 *
 * "comfort" (RFC 3389) and "event" (RFC 4733) share the sequence numbers of the audio, but are none.
 */
export interface PayloadFormat {
  readonly payloadType: number;
  readonly kind: "audio" | "comfort" | "event";
  /** Encoding name of `a=rtpmap`, in upper case. */
  readonly codec: string;
  /** RTP clock, which is not the sampling rate for G722 (RFC 3551 §4.5.2). */
  readonly clockRateHz: number;
  readonly channels: number;
  readonly fmtp?: string | undefined;
}

/** A format of one channel at 8 kHz. */
export function narrowbandFormat(payloadType: number, codec: string): PayloadFormat {
  return { payloadType, kind: "audio", codec, clockRateHz: 8_000, channels: 1 };
}

export function isG711(codec: string): codec is "PCMU" | "PCMA" {
  return codec === "PCMU" || codec === "PCMA";
}

/**
 * How much of the RTP clock a payload lasts.
 *
 * @returns ticks; undefined when the payload does not tell: it lasts until the next one
 */
export function ticksOf(format: PayloadFormat, payload: Uint8Array): number | undefined {
  const { codec, clockRateHz, channels } = format;
  switch (codec) {
    case "PCMU":
    case "PCMA":
    case "G722":
    case "L8":
      return payload.length / channels;
    case "L16":
      return payload.length / 2 / channels;
    case "OPUS":
      return (opusSamples(payload) * clockRateHz) / 48_000;
    case "G729":
    case "G729A":
    case "G729D":
      // RFC 3551 §4.5.6: frames of 10 octets for 10 ms; the last may be comfort noise, of 2.
      return (Math.floor(payload.length / 10) + (payload.length % 10 > 0 ? 1 : 0)) * 80;
    case "G723":
      // RFC 3551 §4.5.3: 30 ms in 24, 20 or 4 octets, by the two lowest bits of the first.
      return g723Frames(payload) * 240;
    case "G726-16":
    case "G726-24":
    case "G726-32":
    case "G726-40":
      return (payload.length * 8) / (Number(codec.slice(5)) / 8);
    case "GSM":
      return Math.floor(payload.length / 33) * 160;
    case "ILBC":
      return payload.length % 50 === 0 ? (payload.length / 50) * 240 : (payload.length / 38) * 160;
    default:
      return undefined;
  }
}

function g723Frames(payload: Uint8Array): number {
  let frames = 0;
  for (let at = 0; at < payload.length; frames++) at += [24, 20, 4, 1][payload[at]! & 3]!;
  return frames;
}

/** Octets a tick where a payload may be cut anywhere; undefined where it consists of frames. */
export function octetsPerTick({ codec, channels }: PayloadFormat): number | undefined {
  if (isG711(codec)) return channels;
  return codec === "L16" ? 2 * channels : undefined;
}

/** Frame sizes by configuration number, samples at 48 kHz (RFC 6716 §3.1, table 2). */
const SILK_FRAMES = [480, 960, 1_920, 2_880];
const CELT_FRAMES = [120, 240, 480, 960];

/** Samples at 48 kHz that an Opus packet lasts; 0 for one that is malformed. */
export function opusSamples(packet: Uint8Array): number {
  const toc = packet[0];
  if (toc === undefined) return 0;
  const configuration = toc >> 3;
  const frame =
    configuration < 12
      ? SILK_FRAMES[configuration & 3]!
      : configuration < 16
        ? [480, 960][configuration & 1]!
        : CELT_FRAMES[configuration & 3]!;
  const code = toc & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 0x3f;
  // RFC 6716 §3.2.5: at most 120 ms.
  return frames * frame > 5_760 ? 0 : frames * frame;
}
