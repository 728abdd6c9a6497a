import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseWav, pcmOf } from "@callfork/protocol/audio";

/** The two voices that the test phones speak with: real speech, 8 kHz mono, about 12 s each. */
export type VoiceName = "alice" | "bob";

/** Samples of a voice: 16 bit linear PCM at 8 kHz. */
export function loadVoice(name: VoiceName): Int16Array {
  const bytes = readFileSync(join(import.meta.dirname, "..", "..", "voices", `${name}.wav`));
  const wav = parseWav(bytes);
  if (!wav.ok) throw new Error(`voices/${name}.wav: ${wav.error.message}`);
  const samples = pcmOf(bytes, wav.value);
  if (!samples.ok) throw new Error(`voices/${name}.wav: ${samples.error.message}`);
  return samples.value;
}
