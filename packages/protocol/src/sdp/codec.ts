import type { Codec, MediaDescription } from "./description.ts";
import { attributes } from "./read.ts";

/** Static payload types that peers use without `a=rtpmap`: [name, RTP clock, channels] (RFC 3551 §6). */
const STATIC_PAYLOAD_TYPES: Readonly<Record<number, readonly [string, number, number]>> = {
  0: ["PCMU", 8000, 1],
  3: ["GSM", 8000, 1],
  4: ["G723", 8000, 1],
  5: ["DVI4", 8000, 1],
  6: ["DVI4", 16000, 1],
  7: ["LPC", 8000, 1],
  8: ["PCMA", 8000, 1],
  9: ["G722", 8000, 1], // RFC 3551 §4.5.2: samples at 16 kHz; the clock stays 8000 for history's sake
  10: ["L16", 44100, 2],
  11: ["L16", 44100, 1],
  12: ["QCELP", 8000, 1],
  13: ["CN", 8000, 1],
  14: ["MPA", 90000, 1],
  15: ["G728", 8000, 1],
  16: ["DVI4", 11025, 1],
  17: ["DVI4", 22050, 1],
  18: ["G729", 8000, 1],
  25: ["CelB", 90000, 1],
  26: ["JPEG", 90000, 1],
  28: ["nv", 90000, 1],
  31: ["H261", 90000, 1],
  32: ["MPV", 90000, 1],
  33: ["MP2T", 90000, 1],
  34: ["H263", 90000, 1],
};

/** Whether the transport is one of the RTP profiles, in the clear or secured: `RTP/AVP`, `UDP/TLS/RTP/SAVPF` … */
export function isRtpProtocol(protocol: string): boolean {
  return /(^|\/)RTP\/S?AVPF?$/.test(protocol);
}

/**
 * The RTP formats of an m-line, in its order of preference. Formats that are no payload type, repeats, and dynamic
 * types without a readable `a=rtpmap` are left out.
 *
 * `G722/16000`, which some peers write, is read as the G722/8000 they mean (RFC 3551 §4.5.2).
 */
export function codecsOf(media: MediaDescription): readonly Codec[] {
  if (!isRtpProtocol(media.protocol)) return [];
  const rtpmaps = byPayloadType(attributes(media, "rtpmap"));
  const fmtps = byPayloadType(attributes(media, "fmtp"));
  const codecs = new Map<number, Codec>();
  for (const format of media.formats) {
    const payloadType = payloadTypeOf(format);
    if (payloadType === undefined || codecs.has(payloadType)) continue;
    const encoding = parseEncoding(rtpmaps.get(payloadType)) ?? STATIC_PAYLOAD_TYPES[payloadType];
    if (!encoding) continue;
    const [name, clock, channels] = encoding;
    const clockRateHz = clock === 16000 && name.toUpperCase() === "G722" ? 8000 : clock;
    const fmtp = fmtps.get(payloadType);
    codecs.set(payloadType, {
      payloadType,
      name,
      clockRateHz,
      channels,
      ...(fmtp !== undefined && { fmtp }),
    });
  }
  return [...codecs.values()];
}

/** A format as RTP payload type, 0–127. */
export function payloadTypeOf(format: string): number | undefined {
  return /^\d{1,3}$/.test(format) && Number(format) <= 127 ? Number(format) : undefined;
}

/** Same encoding name (without case), clock and channels; payload type and `fmtp` do not matter. */
export function sameCodec(
  a: Pick<Codec, "name" | "clockRateHz" | "channels">,
  b: Pick<Codec, "name" | "clockRateHz" | "channels">,
): boolean {
  return (
    a.clockRateHz === b.clockRateHz &&
    a.channels === b.channels &&
    a.name.toUpperCase() === b.name.toUpperCase()
  );
}

/** Rate of the decoded audio, which differs from the RTP clock for G722 (RFC 3551 §4.5.2). */
export function samplingRateHzOf(codec: Pick<Codec, "name" | "clockRateHz">): number {
  return codec.name.toUpperCase() === "G722" ? 16000 : codec.clockRateHz;
}

/** Named events such as DTMF (RFC 4733), not speech. */
export function isTelephoneEvent(codec: Pick<Codec, "name">): boolean {
  return codec.name.toLowerCase() === "telephone-event";
}

function byPayloadType(values: readonly string[]): Map<number, string> {
  const found = new Map<number, string>();
  for (const value of values) {
    const [, format, rest] = /^(\d{1,3}) +(.*)$/.exec(value) ?? [];
    const payloadType = payloadTypeOf(format ?? "");
    if (payloadType !== undefined && !found.has(payloadType)) found.set(payloadType, rest ?? "");
  }
  return found;
}

function parseEncoding(text: string | undefined): readonly [string, number, number] | undefined {
  const [, name, clock, channels] = /^([^/ ]+)\/(\d{1,9})(?:\/(\d{1,3}))? *$/.exec(text ?? "") ?? [];
  if (!name || !clock || Number(clock) === 0) return undefined;
  return [name, Number(clock), channels && Number(channels) > 0 ? Number(channels) : 1];
}
