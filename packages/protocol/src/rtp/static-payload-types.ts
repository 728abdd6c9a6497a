/** An encoding that RFC 3551 §6 ties to a payload type number; no `a=rtpmap` is needed for it. */
export interface StaticPayloadType {
  readonly payloadType: number;
  readonly encodingName: string;
  readonly clockRateHz: number;
  readonly media: "audio" | "video";
}

const audio = (payloadType: number, encodingName: string, clockRateHz = 8000): StaticPayloadType => ({
  payloadType,
  encodingName,
  clockRateHz,
  media: "audio",
});
const video = (payloadType: number, encodingName: string): StaticPayloadType => ({
  payloadType,
  encodingName,
  clockRateHz: 90_000,
  media: "video",
});

/** RFC 3551 §6, tables 4 and 5. G722 samples at 16 kHz; its RTP clock of 8 kHz is an error that must stay (§4.5.2). */
export const STATIC_PAYLOAD_TYPES: ReadonlyMap<number, StaticPayloadType> = new Map(
  [
    audio(0, "PCMU"),
    audio(3, "GSM"),
    audio(4, "G723"),
    audio(5, "DVI4"),
    audio(6, "DVI4", 16_000),
    audio(7, "LPC"),
    audio(8, "PCMA"),
    audio(9, "G722"),
    audio(10, "L16", 44_100),
    audio(11, "L16", 44_100),
    audio(12, "QCELP"),
    audio(13, "CN"),
    audio(14, "MPA", 90_000),
    audio(15, "G728"),
    audio(16, "DVI4", 11_025),
    audio(17, "DVI4", 22_050),
    audio(18, "G729"),
    video(25, "CelB"),
    video(26, "JPEG"),
    video(28, "nv"),
    video(31, "H261"),
    video(32, "MPV"),
    video(33, "MP2T"),
    video(34, "H263"),
  ].map((entry) => [entry.payloadType, entry]),
);
