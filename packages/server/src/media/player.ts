import { encodePcma, encodePcmu, PCMA_SILENCE, PCMU_SILENCE } from "@callfork/protocol/audio";
import type { LegCodec } from "./types.ts";

const SAMPLES_PER_MS = 8;
/** Fallen behind by more than this (the thread was held up), the schedule moves instead of sending a burst. */
const MAX_BURST_FRAMES = 5;
/** Players start on this grid, so that many of them share one wake-up. */
const GRID_MS = 5;

/** Audio on its way to a party: G.711 frames, each due at its own time on one absolute schedule. */
export class Player {
  readonly #samples: Int16Array;
  readonly #loops: number;
  readonly #frameMs: number;
  #startedAt: number;
  #frame = 0;
  #encoded: Uint8Array | undefined;
  #encodedAs = "";

  /**
   * @param samples - 8 kHz mono; kept, not copied
   * @param loop - how often; 0: until stopped
   */
  constructor(samples: Int16Array, loop: number, frameMs: number, now: number) {
    this.#samples = samples;
    this.#loops = loop;
    this.#frameMs = frameMs;
    this.#startedAt = Math.ceil(now / GRID_MS) * GRID_MS;
  }

  /** When the next frame is to be sent; when all are sent, when the last one has been heard. */
  get dueAt(): number {
    return this.#startedAt + this.#frame * this.#frameMs;
  }

  /** Has every frame been sent? */
  get finished(): boolean {
    return (
      this.#samples.length === 0 || (this.#loops > 0 && this.#frame >= this.#framesPerLoop * this.#loops)
    );
  }

  /** Moves the schedule when the thread was held up for too long. */
  catchUp(now: number): void {
    const behind = Math.floor((now - this.dueAt) / this.#frameMs);
    if (behind > MAX_BURST_FRAMES) this.#startedAt += behind * this.#frameMs;
  }

  /** It waited meanwhile, and goes on where it was. */
  postpone(byMs: number): void {
    this.#startedAt += Math.ceil(byMs / GRID_MS) * GRID_MS;
  }

  get frameLength(): number {
    return this.#frameMs * SAMPLES_PER_MS;
  }

  /** Writes the next frame's payload, `frameLength` octets; the end of the audio is filled up with silence. */
  writeFrame(codec: LegCodec, out: Uint8Array, at: number): void {
    const encoded = this.#encode(codec);
    const length = this.frameLength;
    const from = (this.#frame % this.#framesPerLoop) * length;
    const part = encoded.subarray(from, from + length);
    out.set(part, at);
    if (part.length < length) out.fill(silenceOf(codec), at + part.length, at + length);
    this.#frame++;
  }

  /** Lets a frame's time pass unsent: the party cannot hear now. */
  skipFrame(): void {
    this.#frame++;
  }

  get #framesPerLoop(): number {
    return Math.ceil(this.#samples.length / this.frameLength);
  }

  #encode(codec: LegCodec): Uint8Array {
    if (this.#encoded !== undefined && this.#encodedAs === codec.name) return this.#encoded;
    const encoded = new Uint8Array(this.#samples.length);
    if (codec.name.toUpperCase() === "PCMA") encodePcma(this.#samples, encoded);
    else encodePcmu(this.#samples, encoded);
    this.#encoded = encoded;
    this.#encodedAs = codec.name;
    return encoded;
  }
}

/** The first codec of a leg that a player can speak. */
export function playableCodec(codecs: readonly LegCodec[]): LegCodec | undefined {
  return codecs.find(({ name, clockRateHz }) => clockRateHz === 8000 && /^PCM[UA]$/i.test(name));
}

function silenceOf(codec: LegCodec): number {
  return codec.name.toUpperCase() === "PCMA" ? PCMA_SILENCE : PCMU_SILENCE;
}
