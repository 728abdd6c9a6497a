/** Where a recording lies in a voice that is spoken over and over, and how well it agrees. */
export interface Located {
  /** Index into the voice of the recording's first sample. */
  readonly offset: number;
  /** Samples that are equal, and how many there are. */
  readonly equal: number;
  readonly total: number;
  /** Index into the recording of the first sample that differs; undefined when it is bit for bit the voice. */
  readonly firstDifference: number | undefined;
}

/** Half a tenth of a second at 8 kHz: long enough to be unique in speech. */
const FINGERPRINT = 400;
/** Samples louder than this are speech, not pause. */
const LOUD = 1_000;

/**
 * Finds `recording` in the endless repetition of `voice` by comparing samples; no correlation, no tolerance.
 *
 * @returns undefined when no stretch of the recording is the voice
 */
export function locateInVoice(recording: Int16Array, voice: Int16Array): Located | undefined {
  for (let start = 0; start + FINGERPRINT <= recording.length; start += FINGERPRINT) {
    const loud = recording
      .subarray(start, start + FINGERPRINT)
      .findIndex((sample) => Math.abs(sample) > LOUD);
    if (loud < 0 || start + loud + FINGERPRINT > recording.length) continue;
    const fingerprint = recording.subarray(start + loud, start + loud + FINGERPRINT);
    const at = find(fingerprint, voice);
    if (at !== undefined) return compare(recording, voice, mod(at - start - loud, voice.length));
  }
  return undefined;
}

function find(needle: Int16Array, voice: Int16Array): number | undefined {
  for (let at = 0; at < voice.length; at++) {
    let i = 0;
    while (i < needle.length && needle[i] === voice[(at + i) % voice.length]) i++;
    if (i === needle.length) return at;
  }
  return undefined;
}

function compare(recording: Int16Array, voice: Int16Array, offset: number): Located {
  let equal = 0;
  let firstDifference: number | undefined;
  for (let i = 0; i < recording.length; i++) {
    if (recording[i] === voice[(offset + i) % voice.length]) equal++;
    else firstDifference ??= i;
  }
  return { offset, equal, total: recording.length, firstDifference };
}

const mod = (value: number, modulus: number): number => ((value % modulus) + modulus) % modulus;
