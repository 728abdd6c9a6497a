export { decimateByTwo, mixDown } from "./decimate.ts";
export {
  decodePcma,
  decodePcmu,
  encodePcma,
  encodePcmu,
  PCMA_SILENCE,
  PCMA_TO_LINEAR,
  PCMU_SILENCE,
  PCMU_TO_LINEAR,
} from "./g711.ts";
export { G722_DELAY_SAMPLES, G722_SAMPLE_RATE_HZ, G722Decoder, G722Encoder } from "./g722.ts";
export type { G722Mode } from "./g722-band.ts";
export {
  joinOpusPackets,
  type OggOpusOptions,
  OggOpusWriter,
  type OggPage,
  OPUS_CLOCK_HZ,
  oggCrc,
  readOggPage,
} from "./ogg.ts";
export { Resampler } from "./resampler.ts";
export {
  maxWavDataBytes,
  parseWav,
  pcmOf,
  type WavError,
  type WavErrorCode,
  type WavFormat,
  type WavHeaderOptions,
  type WavInfo,
  type WavResult,
  wavHeaderBytes,
  writeWavHeader,
} from "./wav.ts";
