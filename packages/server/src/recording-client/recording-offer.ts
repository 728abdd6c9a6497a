import {
  createAnswer,
  type MediaSecurity,
  type NegotiatedMedia,
  stampOrigin,
} from "@callfork/protocol/offer-answer";
import {
  type Codec,
  isTelephoneEvent,
  labelOf,
  parseSessionDescription,
  type SessionDescription,
  withAttributes,
} from "@callfork/protocol/sdp";
import type { CallTap } from "../calls/index.ts";
import type { ForkConnection, MediaPort } from "../media/index.ts";
import type { ReceivedPart } from "../signalling/index.ts";
import { type CarriedCodec, wayOf } from "./fork-codecs.ts";
import { isNumericAddress } from "./recorders.ts";
import type { TrackLabel } from "./tracks.ts";

/** One m-line of the recording session; without port: the recorder does not want it, or no longer. */
export interface TrackLine {
  readonly label: TrackLabel;
  readonly port: MediaPort | undefined;
}

/**
 * The codecs of the call's leg under its own numbers, so that packets can pass as they are. Telephone events are left
 * out, since they are never forwarded: a recorder need not wait for what does not come.
 */
export function forkCodecs(tap: Pick<CallTap, "codecs">): readonly CarriedCodec[] {
  const codecs = new Map<number, CarriedCodec>();
  for (const codec of tap.codecs()) {
    if (isTelephoneEvent(codec) || codecs.has(codec.payloadType)) continue;
    codecs.set(codec.payloadType, { channels: channelsOf(codec.name), ...codec });
  }
  return [...codecs.values()];
}

/** RFC 7587 §7: Opus is written with two channels, whatever it carries. Telephony knows no other such codec. */
const channelsOf = (name: string): number => (name.toLowerCase() === "opus" ? 2 : 1);

/** The ports of the offer, line by line; `inactive` while paused (RFC 7866 §7.1.1.1). */
export const offeredTracks = (lines: readonly TrackLine[], codecs: readonly Codec[], isPaused = false) =>
  lines.map(({ label, port }) => ({
    label,
    codecs,
    direction: isPaused ? ("inactive" as const) : ("sendonly" as const),
    local: port ? { port: port.rtpPort, rtcpPort: port.rtcpPort } : null,
  }));

export interface ForkAnswerOptions {
  readonly sessionId: string;
  readonly address: string;
  readonly previous: SessionDescription;
  readonly lines: readonly TrackLine[];
  readonly codecs: readonly Codec[];
  readonly isPaused?: boolean;
  readonly security?: MediaSecurity | undefined;
}

/**
 * Our answer to an offer of the recorder (RFC 7866 §7.2): at most `sendonly`, `inactive` while paused, lines it adds refused, and the labels of
 * our own offer also where it left them out.
 */
export function answerRecorder(offer: SessionDescription, options: ForkAnswerOptions): SessionDescription {
  const { sessionId, address, previous, lines, codecs, isPaused = false, security } = options;
  const direction = isPaused ? "inactive" : "sendonly";
  const { description } = createAnswer(offer, {
    origin: { sessionId },
    address,
    lines: offer.media.map((_, index) => {
      const port = lines[index]?.port;
      return port ? { port: port.rtpPort, rtcpPort: port.rtcpPort, direction } : null;
    }),
    codecs: codecs.map(({ name, clockRateHz, channels }) => ({ name, clockRateHz, channels })),
    previous,
    security,
  });
  const media = description.media.map((line, index) => {
    const label = lines[index]?.label;
    const isMissing = label !== undefined && labelOf(line) === undefined;
    return isMissing ? withAttributes(line, { name: "label", value: label }) : line;
  });
  return stampOrigin({ ...description, media }, previous);
}

/**
 * Where copies of a track go and what they become; `undefined` while nothing may be sent: the recorder is not
 * ready (`inactive`), is on hold, or names an address that is none.
 */
export function connectionOf(
  line: NegotiatedMedia,
  carried: readonly CarriedCodec[],
  cname: string,
  track?: TrackLabel,
): ForkConnection | undefined {
  const { remote, direction } = line;
  if (!line.accepted || remote === null || !isNumericAddress(remote.address)) return undefined;
  if (direction !== "sendonly" && direction !== "sendrecv") return undefined;
  const { codec: _codec, ...way } = wayOf(line, carried, track);
  const { address, rtpPort, rtcpPort } = remote;
  return {
    remote: { address, rtpPort, rtcpPort },
    ...way,
    cname,
    ...(line.srtp !== undefined && { srtp: line.srtp }),
  };
}

/** The session description in a received body; `undefined`: none there, or none that reads. */
export function descriptionIn(
  parts: readonly ReceivedPart[],
): { readonly description: SessionDescription } | { readonly problem: string } | undefined {
  const part = parts.find(({ mediaType }) => mediaType === "application/sdp");
  if (part === undefined) return undefined;
  const parsed = parseSessionDescription(part.bytes);
  return parsed.ok ? { description: parsed.value } : { problem: parsed.error.message };
}
