import {
  decimateByTwo,
  decodePcma,
  decodePcmu,
  encodePcma,
  encodePcmu,
  G722Decoder,
  G722Encoder,
  Resampler,
} from "@callfork/protocol/audio";
import type { PhoneCodec } from "./session-description.ts";

/** A voice at 8 kHz as octets of a codec, 160 of them for 20 ms. */
export function encodeVoice(samples: Int16Array, codec: PhoneCodec): Uint8Array {
  const payload = new Uint8Array(samples.length);
  if (codec === "PCMU") encodePcmu(samples, payload);
  else if (codec === "PCMA") encodePcma(samples, payload);
  else {
    const resampler = new Resampler(8000, 16_000);
    const wide = new Int16Array(resampler.maximumOutput(samples.length));
    resampler.process(samples, wide);
    new G722Encoder().encode(wide.subarray(0, 2 * samples.length), payload);
  }
  return payload;
}

/** Octets of a codec as samples at 8 kHz. */
export function decodeVoice(payload: Uint8Array, codec: PhoneCodec): Int16Array {
  const samples = new Int16Array(payload.length);
  if (codec === "PCMU") decodePcmu(payload, samples);
  else if (codec === "PCMA") decodePcma(payload, samples);
  else {
    const wide = new Int16Array(2 * payload.length);
    new G722Decoder().decode(payload, wide);
    return decimateByTwo(wide);
  }
  return samples;
}
