import {
  codecsOf,
  connectionOf,
  type Direction,
  directionOf,
  hostOf,
  parseSessionDescription,
} from "@callfork/protocol/sdp";

/** What a phone encodes and decodes by itself. */
export type PhoneCodec = "PCMU" | "PCMA" | "G722";

/** A codec that the phone does not speak by itself, with something to say in it. */
export interface EncodedVoice {
  /** As in `a=rtpmap`. */
  readonly name: string;
  readonly payloadType: number;
  readonly clockRateHz: number;
  readonly channels?: number;
  readonly fmtp?: string;
  /** 20 ms each; said over and over. */
  readonly packets: readonly Uint8Array[];
}

/** One line of a description. */
export type PhoneFormat = Omit<EncodedVoice, "packets">;

const FORMATS: Readonly<Record<PhoneCodec, PhoneFormat>> = {
  PCMU: { name: "PCMU", payloadType: 0, clockRateHz: 8000 },
  PCMA: { name: "PCMA", payloadType: 8, clockRateHz: 8000 },
  G722: { name: "G722", payloadType: 9, clockRateHz: 8000 },
};

export const formatOf = (codec: PhoneCodec | EncodedVoice): PhoneFormat =>
  typeof codec === "string" ? FORMATS[codec] : codec;

/** One audio line in both directions, one codec and telephone-event: all that a test phone offers or answers. */
export function phoneDescription(options: {
  readonly address: string;
  readonly port: number;
  readonly format: PhoneFormat;
  readonly version: number;
  /** `sendonly` puts the other side on hold (RFC 3264 §8.4). */
  readonly direction: Direction;
}): Uint8Array {
  const family = options.address.includes(":") ? "IP6" : "IP4";
  const { payloadType, name, clockRateHz, channels = 1, fmtp } = options.format;
  const lines = [
    "v=0",
    `o=- 1 ${options.version} IN ${family} ${options.address}`,
    "s=-",
    `c=IN ${family} ${options.address}`,
    "t=0 0",
    `m=audio ${options.port} RTP/AVP ${payloadType} 101`,
    `a=rtpmap:${payloadType} ${name}/${clockRateHz}${channels === 1 ? "" : `/${channels}`}`,
    ...(fmtp === undefined ? [] : [`a=fmtp:${payloadType} ${fmtp}`]),
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-16",
    "a=ptime:20",
    `a=${options.direction}`,
  ];
  return new TextEncoder().encode(`${lines.join("\r\n")}\r\n`);
}

/** The audio line of the other side. */
export interface RemoteAudio {
  readonly address: string;
  readonly port: number;
  /** The number that the other side wants to see in our packets (RFC 3264 §5.1). */
  readonly payloadType: number;
  /** As the other side sees it. */
  readonly direction: Direction;
}

/** What an answer says to an offered direction (RFC 3264 §6.1). */
export function answerTo(offered: Direction): Direction {
  if (offered === "sendonly") return "recvonly";
  return offered === "recvonly" ? "sendonly" : offered;
}

/** Where the other side wants its audio, if it takes the format; undefined when there is no usable audio line. */
export function remoteAudio(bytes: Uint8Array, { name }: PhoneFormat): RemoteAudio | undefined {
  const parsed = parseSessionDescription(bytes);
  if (!parsed.ok) return undefined;
  const media = parsed.value.media.find((line) => line.kind === "audio" && line.port !== 0);
  const connection = media && connectionOf(parsed.value, media);
  if (media === undefined || connection === undefined) return undefined;
  const codec = codecsOf(media).find((offered) => offered.name.toUpperCase() === name.toUpperCase());
  if (codec === undefined) return undefined;
  const direction = directionOf(parsed.value, media);
  return { address: hostOf(connection), port: media.port, payloadType: codec.payloadType, direction };
}
