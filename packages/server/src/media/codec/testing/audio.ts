import { spawnSync } from "node:child_process";

export const hasFfmpeg = spawnSync("ffmpeg", ["-version"]).status === 0;
export const skipWithoutFfmpeg = { skip: hasFfmpeg ? false : "ffmpeg is not installed" };

/** ffmpeg as a filter from stdin to stdout. */
export function ffmpeg(args: readonly string[], input: NodeJS.ArrayBufferView): Buffer {
  const { stdout, stderr, status } = spawnSync("ffmpeg", ["-v", "error", ...args], {
    input,
    maxBuffer: 1 << 26,
  });
  if (status !== 0) throw new Error(`ffmpeg: ${stderr.toString()}`);
  return stdout;
}

export const samplesOf = (raw: Buffer): Int16Array => new Int16Array(Uint8Array.from(raw).buffer);

/** Something like speech: voiced bursts of a gliding pitch with formants, and pauses. */
export function babble(rateHz: number, seconds: number): Int16Array {
  let phase = 0;
  return Int16Array.from({ length: rateHz * seconds }, (_, n) => {
    const t = n / rateHz;
    phase += (2 * Math.PI * (130 + 40 * Math.sin(2 * t))) / rateHz;
    const loudness = Math.max(0, Math.sin(2 * Math.PI * 1.3 * t)) ** 0.5;
    let sum = 0;
    for (let k = 1; k <= 20; k++) sum += Math.sin(k * phase) / (1 + ((k - 5) / 3) ** 2);
    return Math.round(4000 * loudness * sum * 0.4);
  });
}

/** dB of `expected` over the difference, after the lag within `maximumLag` that fits best. */
export function bestSnrDb(expected: Int16Array, actual: Int16Array, maximumLag: number): number {
  let best = Number.NEGATIVE_INFINITY;
  for (let lag = -maximumLag; lag <= maximumLag; lag++) {
    let power = 1e-9;
    let error = 1e-9;
    for (let n = 2000; n < Math.min(expected.length, actual.length) - 2000; n++) {
      const x = expected[n]!;
      power += x * x;
      error += (x - (actual[n + lag] ?? 0)) ** 2;
    }
    best = Math.max(best, 10 * Math.log10(power / error));
  }
  return best;
}

/** Normalised correlation of 20 ms loudness, after the lag (in blocks) that fits best: 1 when both rise and fall alike. */
export function loudnessCorrelation(a: Int16Array, b: Int16Array, blockSamples: number): number {
  const levels = (samples: Int16Array) =>
    Array.from({ length: Math.floor(samples.length / blockSamples) }, (_, i) => {
      const block = samples.subarray(i * blockSamples, (i + 1) * blockSamples);
      return Math.sqrt(block.reduce((sum, x) => sum + x * x, 0) / blockSamples);
    });
  const [x, y] = [levels(a), levels(b)];
  let best = -1;
  for (let lag = -5; lag <= 5; lag++) {
    let [xx, yy, xy] = [0, 0, 0];
    for (let i = 5; i < Math.min(x.length, y.length) - 5; i++) {
      xx += x[i]! ** 2;
      yy += y[i + lag]! ** 2;
      xy += x[i]! * y[i + lag]!;
    }
    best = Math.max(best, xy / Math.sqrt(xx * yy));
  }
  return best;
}
