const SAMPLE_RATE_HZ = 8000;
const FREQUENCIES_HZ = [880, 660, 440];
const TONE_SAMPLES = 2_000;
const PAUSE_SAMPLES = 400;
/** −15 dBm0, as loud as other tones of a network. */
const AMPLITUDE = 0.126 * 32_768 * Math.SQRT2;
/** Rise and fall, so that the tones do not click. */
const RAMP_SAMPLES = 80;

/** Three tones, each lower than the one before, of a quarter of a second: something has ended. Linear PCM at 8 kHz. */
export function fallingTones(): Int16Array {
  const samples = new Int16Array(FREQUENCIES_HZ.length * (TONE_SAMPLES + PAUSE_SAMPLES));
  for (const [tone, frequency] of FREQUENCIES_HZ.entries()) {
    const start = tone * (TONE_SAMPLES + PAUSE_SAMPLES);
    for (let i = 0; i < TONE_SAMPLES; i++) {
      const ramp = Math.min(1, i / RAMP_SAMPLES, (TONE_SAMPLES - 1 - i) / RAMP_SAMPLES);
      const value = Math.sin((2 * Math.PI * frequency * i) / SAMPLE_RATE_HZ);
      samples[start + i] = Math.round(value * AMPLITUDE * ramp);
    }
  }
  return samples;
}
