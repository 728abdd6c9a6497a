import { err, ok } from "@callfork/protocol/text";
import type {
  AudioDecoder,
  AudioEncoder,
  AudioFormat,
  CodecResult,
  DecoderOptions,
  EncoderOptions,
} from "./audio-codec.ts";
import { MixedDownDecoder } from "./mixed-down.ts";
import { OPUS_RATES_HZ, OpusDecoder } from "./opus-decoder.ts";
import { OPUS_PACKET_TIMES_MS, OpusEncoder } from "./opus-encoder.ts";
import { readOpusParameters } from "./opus-fmtp.ts";
import { opusLibrary } from "./opus-wasm.ts";
import {
  G722AudioDecoder,
  G722AudioEncoder,
  WAVEFORMS,
  WaveformDecoder,
  WaveformEncoder,
} from "./pcm-codecs.ts";

const DEFAULT_PACKET_TIME_MS = 20;
const MAXIMUM_PACKET_TIME_MS = 200;
const LOWEST_RATE_HZ = 8000;
const HIGHEST_RATE_HZ = 48_000;

/**
 * A decoder for PCMU, PCMA, G722 (64 kbit/s), opus (RFC 7587) or L16 of one or two channels.
 *
 * @returns `CODEC_UNSUPPORTED` for everything else; `CODEC_UNAVAILABLE` when the library has no room for another
 */
export function createAudioDecoder(
  format: AudioFormat,
  options: DecoderOptions = {},
): CodecResult<AudioDecoder> {
  const name = codecName(format);
  if (name === undefined) return unsupported(format);
  const { channels: written = 1 } = format;
  if (name === "OPUS") {
    const rate = options.sampleRateHz ?? 48_000;
    if (!OPUS_RATES_HZ.includes(rate)) return unsupported(format);
    const channels = options.channels ?? (readOpusParameters(format.fmtp).sendsStereo ? 2 : 1);
    return attempt(() => new OpusDecoder(opusLibrary(), rate, channels));
  }
  if (name === "G722") return ok(new G722AudioDecoder());
  const decoder = new WaveformDecoder(WAVEFORMS.get(name)!, format.clockRateHz, written);
  return ok(options.channels === 1 && written > 1 ? new MixedDownDecoder(decoder) : decoder);
}

/** An encoder for one of the codecs that `createAudioDecoder` knows; `format.fmtp` is the receiver's. As that. */
export function createAudioEncoder(
  format: AudioFormat,
  options: EncoderOptions = {},
): CodecResult<AudioEncoder> {
  const name = codecName(format);
  const packetTimeMs = options.packetTimeMs ?? DEFAULT_PACKET_TIME_MS;
  if (name === undefined || !(packetTimeMs >= 1 && packetTimeMs <= MAXIMUM_PACKET_TIME_MS)) {
    return unsupported(format);
  }
  if (name === "G722") return ok(new G722AudioEncoder(packetTimeMs));
  if (name !== "OPUS") {
    return ok(
      new WaveformEncoder(WAVEFORMS.get(name)!, format.clockRateHz, format.channels ?? 1, packetTimeMs),
    );
  }
  const receiver = readOpusParameters(format.fmtp);
  const { bitrate, channels = 1, sampleRateHz: wanted = HIGHEST_RATE_HZ } = options;
  if (!OPUS_RATES_HZ.includes(wanted) || !OPUS_PACKET_TIMES_MS.includes(packetTimeMs))
    return unsupported(format);
  return attempt(
    () => new OpusEncoder(opusLibrary(), { sampleRateHz: wanted, channels, packetTimeMs, bitrate, receiver }),
  );
}

/** Whether there are a decoder and an encoder for it. */
export function isTranscodable(format: AudioFormat): boolean {
  return codecName(format) !== undefined;
}

/** The codec's name in capitals, when it is one of ours with a clock and channels that make sense. */
function codecName({ name, clockRateHz, channels = 1 }: AudioFormat): string | undefined {
  const codec = name.toUpperCase();
  if (codec === "OPUS") return clockRateHz === 48_000 && channels <= 2 ? codec : undefined;
  if (codec === "G722") return clockRateHz === 8000 && channels === 1 ? codec : undefined;
  if (!WAVEFORMS.has(codec)) return undefined;
  const isRate = clockRateHz >= LOWEST_RATE_HZ && clockRateHz <= HIGHEST_RATE_HZ;
  return isRate && (channels === 1 || (channels === 2 && codec === "L16")) ? codec : undefined;
}

function unsupported({ name, clockRateHz, channels = 1 }: AudioFormat): CodecResult<never> {
  return err({ code: "CODEC_UNSUPPORTED", message: `no codec for ${name}/${clockRateHz}/${channels}` });
}

function attempt<T>(create: () => T): CodecResult<T> {
  try {
    return ok(create());
  } catch (error) {
    return err({
      code: "CODEC_UNAVAILABLE",
      message: error instanceof Error ? error.message : String(error),
    });
  }
}
