import type { Result } from "@callfork/protocol/text";

/** What is to be decoded or encoded: a codec as a session description has it (a `Codec` of `protocol/sdp` will do). */
export interface AudioFormat {
  /** Encoding name of `a=rtpmap`, in any case. */
  readonly name: string;
  /** The RTP clock; not the sampling rate for G722 (RFC 3551 §4.5.2). */
  readonly clockRateHz: number;
  /** As written in `a=rtpmap`: 2 for Opus, whatever it carries (RFC 7587 §7). Absent: 1. */
  readonly channels?: number | undefined;
  readonly fmtp?: string | undefined;
}

export interface CodecError {
  readonly code: "CODEC_UNSUPPORTED" | "CODEC_UNAVAILABLE";
  readonly message: string;
}

export type CodecResult<T> = Result<T, CodecError>;

/**
 * RTP payloads to linear audio; one stream of one sender. Samples are 16-bit, channels interleaved, and a *frame* is
 * one sample of each channel, so that `frames / sampleRateHz` is time.
 *
 * Nothing is allocated for a packet, and no payload makes a method throw.
 */
export interface AudioDecoder {
  readonly sampleRateHz: number;
  readonly channels: number;
  /** RTP timestamp units of one frame: `clockRateHz / sampleRateHz`; 0.5 for G722, 1 for all others. */
  readonly unitsPerFrame: number;

  /**
   * Decodes the payload of the next packet.
   *
   * @param out - receives the samples from its start on; `maximumFrames(payload.length) * channels` are room enough
   * @returns frames written; −1 when the payload is none of this codec, or `out` has no room: then nothing has
   *   happened to the decoder
   */
  decode(payload: Uint8Array, out: Int16Array): number;

  /**
   * Fills in for packets that are lost or were never sent (DTX): with what the codec makes up (Opus), with silence where
   * it knows nothing better.
   *
   * @param frames - how much is missing; no more than `out` has room for is made
   * @param next - the packet after the gap, where it is there already: Opus may find the lost audio in it (in-band FEC).
   *   It is still to be decoded
   * @returns frames written
   */
  conceal(frames: number, out: Int16Array, next?: Uint8Array): number;

  /** Upper bound of frames in a payload of that length. */
  maximumFrames(payloadLength: number): number;

  /** Forgets all audio: another source begins. */
  reset(): void;

  /** Gives back what it holds outside the JavaScript heap. No method may be called after it. */
  close(): void;
}

/** Linear audio to RTP payloads; one stream. As `AudioDecoder`: allocates nothing for a packet, never throws. */
export interface AudioEncoder {
  readonly sampleRateHz: number;
  readonly channels: number;
  /** RTP timestamp units of one frame, as with the decoder. */
  readonly unitsPerFrame: number;
  /** Frames (one sample of each channel) of one packet: what `encode` takes, always. */
  readonly packetFrames: number;
  /** Upper bound of the payload's octets. */
  readonly maximumPayload: number;
  /** Samples of a packet that come out with the next one only; a `reset` drops them. */
  readonly lookaheadFrames: number;

  /**
   * Encodes one packet.
   *
   * @param samples - `packetFrames * channels` samples, interleaved
   * @param out - receives the payload from `offset` on; needs room for `maximumPayload` octets
   * @returns octets written; 0 when nothing needs to be sent (DTX)
   */
  encode(samples: Int16Array, out: Uint8Array, offset: number): number;

  /** Forgets all audio: nothing of what went in before comes out after. */
  reset(): void;

  /** Gives back what it holds outside the JavaScript heap. No method may be called after it. */
  close(): void;
}

export interface DecoderOptions {
  /** Channels of the decoded audio. Default: what the format says (Opus: 2 with `sprop-stereo=1`, else 1); 1 mixes down. */
  readonly channels?: 1 | 2;
  /** Of Opus, which decodes at any of its rates: 8,000, 12,000, 16,000, 24,000 or 48,000 (default). The others have theirs. */
  readonly sampleRateHz?: number;
}

export interface EncoderOptions {
  /** Default 20. */
  readonly packetTimeMs?: number;
  /** Of Opus: the rate of the audio it is given, as with the decoder. The others have theirs. */
  readonly sampleRateHz?: number;
  /** Of Opus. Default 1. */
  readonly channels?: 1 | 2;
  /** Of Opus: bits a second. Default by rate and channels, within what the format's `maxaveragebitrate` allows. */
  readonly bitrate?: number;
}
