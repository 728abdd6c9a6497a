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
