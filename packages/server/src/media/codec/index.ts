export type {
  AudioDecoder,
  AudioEncoder,
  AudioFormat,
  CodecError,
  CodecResult,
  DecoderOptions,
  EncoderOptions,
} from "./audio-codec.ts";
export { createAudioDecoder, createAudioEncoder, isTranscodable } from "./registry.ts";
