import {
  codecsOf,
  connectionOf,
  type Direction,
  directionOf,
  hostOf,
  parseSessionDescription,
} from "@callfork/protocol/sdp";

export type PhoneCodec = "PCMU" | "PCMA";

export const PAYLOAD_TYPES: Readonly<Record<PhoneCodec, number>> = { PCMU: 0, PCMA: 8 };

/** One audio line in both directions, one codec and telephone-event: all that a test phone offers or answers. */
export function phoneDescription(options: {
  readonly address: string;
  readonly port: number;
  readonly codec: PhoneCodec;
  readonly version: number;
  /** `sendonly` puts the other side on hold (RFC 3264 §8.4). */
  readonly direction: Direction;
}): Uint8Array {
  const family = options.address.includes(":") ? "IP6" : "IP4";
  const payloadType = PAYLOAD_TYPES[options.codec];
  const lines = [
    "v=0",
    `o=- 1 ${options.version} IN ${family} ${options.address}`,
    "s=-",
    `c=IN ${family} ${options.address}`,
    "t=0 0",
    `m=audio ${options.port} RTP/AVP ${payloadType} 101`,
    `a=rtpmap:${payloadType} ${options.codec}/8000`,
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
  /** As the other side sees it. */
  readonly direction: Direction;
}

/** What an answer says to an offered direction (RFC 3264 §6.1). */
export function answerTo(offered: Direction): Direction {
  if (offered === "sendonly") return "recvonly";
  return offered === "recvonly" ? "sendonly" : offered;
}

/** Where the other side wants its audio, and whether it takes `codec`; undefined when there is no usable audio line. */
export function remoteAudio(bytes: Uint8Array, codec: PhoneCodec): RemoteAudio | undefined {
  const parsed = parseSessionDescription(bytes);
  if (!parsed.ok) return undefined;
  const media = parsed.value.media.find((line) => line.kind === "audio" && line.port !== 0);
  const connection = media && connectionOf(parsed.value, media);
  if (media === undefined || connection === undefined) return undefined;
  if (!codecsOf(media).some((offered) => offered.name.toUpperCase() === codec)) return undefined;
  const direction = directionOf(parsed.value, media);
  return { address: hostOf(connection), port: media.port, direction };
}
