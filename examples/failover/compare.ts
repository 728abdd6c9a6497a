import { decodePcmu, encodePcmu, parseWav, pcmOf } from "@callfork/protocol/audio";
import { locateInVoice } from "@callfork/testkit";

const SAMPLES_PER_MS = 8;

/** A stretch of a voice that is spoken over and over, as a recorder has it. */
export interface Heard {
  /** Index into the voice of its first sample. */
  readonly offset: number;
  readonly samples: number;
  /** Samples of the voice before it begins again. */
  readonly period: number;
  /** Every sample is the voice's. */
  readonly isWhole: boolean;
}

/** @returns undefined when there is nothing of the voice in it */
export function heardOf(wav: Uint8Array, voice: Int16Array): Heard | undefined {
  const parsed = parseWav(wav);
  if (!parsed.ok) return undefined;
  const samples = pcmOf(wav, parsed.value);
  if (!samples.ok) return undefined;
  const found = locateInVoice(samples.value, asHeard(voice));
  if (found === undefined) return undefined;
  const { offset, firstDifference, total } = found;
  return { offset, samples: total, period: voice.length, isWhole: firstDifference === undefined };
}

/** What was said between the end of one stretch and the beginning of the next, if that is less than the voice. */
export function missingMs(before: Heard, after: Heard): number {
  const { period } = before;
  const end = before.offset + before.samples;
  return ((((after.offset - end) % period) + period) % period) / SAMPLES_PER_MS;
}

/** What G.711 leaves of a voice: the phone encodes it, the recorder decodes it. */
function asHeard(voice: Int16Array): Int16Array {
  const encoded = new Uint8Array(voice.length);
  encodePcmu(voice, encoded);
  const decoded = new Int16Array(voice.length);
  decodePcmu(encoded, decoded);
  return decoded;
}
