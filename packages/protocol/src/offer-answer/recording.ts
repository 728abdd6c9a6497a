import {
  type Codec,
  connectionOf,
  type Direction,
  err,
  hostOf,
  isNullAddress,
  isToken,
  ok,
  type Result,
  type SessionDescription,
} from "../sdp/index.ts";
import { type Answer, type CodecCapability, createAnswer, createOffer } from "./endpoint.ts";
import type { LocalPort, LocalSide } from "./lines.ts";
import { type NegotiatedMedia, negotiate } from "./negotiated.ts";

/** One recorded stream in a recording client's offer. */
export interface RecordingTrack {
  /** `a=label`, a token, unique among the tracks; `stream/label` of the metadata repeats it (RFC 7866 §7.1.1). */
  readonly label: string;
  /** The first is the one the stream has now. */
  readonly codecs: readonly Codec[];
  /** Where we send from and hear RTCP; `null` when the track has ended: its line stays with port 0. */
  readonly local: LocalPort | null;
  /** Default `sendonly`; `inactive` while paused (RFC 7866 §7.1.1.1). */
  readonly direction?: "sendonly" | "inactive";
  readonly ptimeMs?: number;
}

export interface RecordingOfferOptions extends LocalSide {
  /** By m-line, in an order that never changes; a new track goes to the end or takes the place of an ended one. */
  readonly tracks: readonly RecordingTrack[];
  /** Default `RTP/AVP`. */
  readonly protocol?: string;
}

/**
 * The offer of a recording client: one line a track, each with its label.
 *
 * @throws RangeError for a label that is no token, or twice among the living tracks: both are our own mistakes
 * @see RFC 7866 §7.1.1, RFC 4574 §4
 */
export function createRecordingOffer(options: RecordingOfferOptions): SessionDescription {
  const labels = options.tracks.flatMap((track) => (track.local ? [track.label] : []));
  const wrong = labels.find((label, index) => !isToken(label) || labels.indexOf(label) !== index);
  if (wrong !== undefined) throw new RangeError(`not a unique token: label ${JSON.stringify(wrong)}`);
  const { protocol = "RTP/AVP" } = options;
  return createOffer({
    ...options,
    media: options.tracks.map((track) => ({ direction: "sendonly", ...track, protocol })),
  });
}

export interface RecordingAnswerError {
  readonly code: "MEDIA_LINES_DIFFER";
  readonly message: string;
}

/**
 * What a recorder's answer means for the client. Send on a line when it is accepted, its direction is `sendonly` and
 * it has a `remote`; the payload type is `codecs[…].sendPayloadType`, the number of the answer (RFC 3264 §5.1). A
 * recorder that is not ready answers `inactive` and offers again later (RFC 7866 §7.2).
 */
export function readRecordingAnswer(
  offer: SessionDescription,
  answer: SessionDescription,
): Result<readonly NegotiatedMedia[], RecordingAnswerError> {
  if (answer.media.length !== offer.media.length) {
    return err({ code: "MEDIA_LINES_DIFFER", message: "the answer has not as many m-lines as the offer" });
  }
  return ok(negotiate(offer, answer, "remote"));
}

export interface RecordingAnswerOptions extends LocalSide {
  /** By index of the offer's lines; `null` or missing refuses the line. */
  readonly ports: readonly (LocalPort | null)[];
  readonly codecs: readonly CodecCapability[];
  /** Transports we can handle; default `RTP/AVP` and `RTP/AVPF`. */
  readonly protocols?: readonly string[];
  /** False: answer `inactive` for now (RFC 7866 §7.2). Default true. */
  readonly ready?: boolean;
  /** As in `createAnswer`; default `all`. */
  readonly choose?: "all" | "first";
}

/**
 * The answer of a recording server (RFC 7866 §7.2): `recvonly` on what it takes, also where the offer has no direction,
 * and `inactive` where the client sends nothing (`inactive`, `recvonly`, or `c=0.0.0.0`).
 */
export function createRecordingAnswer(offer: SessionDescription, options: RecordingAnswerOptions): Answer {
  const direction = (index: number): Direction => {
    const connection = connectionOf(offer, offer.media[index]!);
    const held = connection !== undefined && isNullAddress(hostOf(connection));
    return held || options.ready === false ? "inactive" : "recvonly";
  };
  const lines = offer.media.map((_, index) => {
    const port = options.ports[index];
    return port ? { ...port, direction: direction(index) } : null;
  });
  return createAnswer(offer, { ...options, lines });
}
