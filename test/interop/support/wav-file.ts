import { writeWavHeader } from "@callfork/protocol/audio";
import type { VoiceName } from "@callfork/testkit";
import { heardVoice } from "./voices.ts";

/**
 * A WAV file, 8 kHz, 16 bit, mono, that says a voice over and over. Its samples are those that µ-law has values for, so
 * that a phone which neither resamples nor changes the level sends the very octets that we would.
 */
export function voiceWav(voice: VoiceName, seconds: number): Uint8Array {
  const samples = heardVoice(voice);
  const data = Buffer.alloc(seconds * 8_000 * 2);
  for (let at = 0; at < data.length / 2; at++) data.writeInt16LE(samples[at % samples.length]!, at * 2);
  const header = writeWavHeader({
    channels: 1,
    sampleRateHz: 8_000,
    bitsPerSample: 16,
    format: "pcm",
    dataBytes: data.length,
  });
  return Buffer.concat([header, data]);
}
