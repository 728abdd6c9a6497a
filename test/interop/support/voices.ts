import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodePcmu, encodePcmu, parseWav, pcmOf, writeWavHeader } from "@callfork/protocol/audio";
import { type Located, loadVoice, locateInVoice, type VoiceName } from "@callfork/testkit";
import { scratchFolder } from "./scratch.ts";

/** A voice as G.711 µ-law octets, 8,000 a second. */
export function encodedVoice(name: VoiceName): Uint8Array {
  const samples = loadVoice(name);
  const octets = new Uint8Array(samples.length);
  encodePcmu(samples, octets);
  return octets;
}

/** A voice as a WAV file: 16 bit PCM, mono, 8 kHz. */
export function voiceFile(name: VoiceName): Uint8Array {
  const samples = loadVoice(name);
  const dataBytes = samples.byteLength;
  const head = writeWavHeader({
    channels: 1,
    sampleRateHz: 8_000,
    bitsPerSample: 16,
    format: "pcm",
    dataBytes,
  });
  return Buffer.concat([head, new Uint8Array(samples.buffer, samples.byteOffset, dataBytes)]);
}

/** A voice as whoever receives it over G.711 hears it. */
export function heardVoice(name: VoiceName): Int16Array {
  const octets = encodedVoice(name);
  const samples = new Int16Array(octets.length);
  decodePcmu(octets, samples);
  return samples;
}

let folder: string | undefined;

/** A folder with `alice.ulaw` and `bob.ulaw`: raw µ-law for SIPp's rtp_stream. */
export function voiceFolder(): string {
  if (folder === undefined) {
    folder = scratchFolder("voices");
    for (const name of ["alice", "bob"] as const)
      writeFileSync(join(folder, `${name}.ulaw`), encodedVoice(name));
  }
  return folder;
}

/** Where 8 kHz samples lie in a voice; undefined when nobody like that speaks in them. */
export function locate(samples: Int16Array, name: VoiceName): Located | undefined {
  return locateInVoice(samples, heardVoice(name));
}

/** Every sample is what that person said, as G.711 leaves it: bit for bit, from some place in the voice on. */
export function assertIsVoice(samples: Int16Array, name: VoiceName, what = ""): void {
  const found = locate(samples, name);
  assert.ok(found !== undefined, `${what}: ${name} is not to be heard in ${samples.length} samples`);
  assert.equal(found.firstDifference, undefined, `${what}: it differs from what ${name} said`);
}

/** Samples of a 16 bit WAV file. @throws when it cannot be read */
export function wavSamples(file: Uint8Array): { readonly channels: number; readonly samples: Int16Array } {
  const info = parseWav(file);
  if (!info.ok) throw new Error(info.error.message);
  const pcm = pcmOf(file, info.value);
  if (!pcm.ok) throw new Error(pcm.error.message);
  return { channels: info.value.channels, samples: pcm.value };
}
