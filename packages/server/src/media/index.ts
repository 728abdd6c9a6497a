export {
  type AudioDecoder,
  type AudioEncoder,
  type AudioFormat,
  type CodecError,
  type CodecResult,
  createAudioDecoder,
  createAudioEncoder,
  type DecoderOptions,
  type EncoderOptions,
  isTranscodable,
} from "./codec/index.ts";
export { createMediaPlane, type MediaPlaneOptions } from "./media-plane.ts";
export { type ReceivedPacket, readReceivedBatch } from "./received-batch.ts";
export type {
  BridgeOptions,
  Direction,
  ForkConnection,
  ForkOptions,
  LegCodec,
  LegConnection,
  LegOptions,
  MediaEdge,
  MediaEvent,
  MediaId,
  MediaPlane,
  MediaPort,
  MediaSrtp,
  MediaStats,
  MediaTarget,
  PlayOptions,
  ReceiverOptions,
  StreamStats,
} from "./types.ts";
