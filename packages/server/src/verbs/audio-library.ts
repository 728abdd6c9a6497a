import { decimateByTwo, mixDown, parseWav, pcmOf } from "@callfork/protocol/audio";
import { err, ok, type Result } from "@callfork/protocol/text";
import { PlatformError } from "../observe/index.ts";
import type { AlertDetails } from "./context.ts";
import type { DocumentLimits } from "./options.ts";
import type { DocumentFetcher } from "./ports.ts";

export interface AudioError {
  /** Twilio's. */
  readonly code: number;
  readonly message: string;
  readonly details: AlertDetails;
}

export interface AudioRequest {
  readonly accountSid: string;
  readonly callSid: string;
  readonly url: string;
  readonly signal: AbortSignal;
}

interface Entry {
  readonly samples: Int16Array;
  readonly loadedAt: number;
}

/** Audio files as linear PCM at 8 kHz mono, kept for a while: the same greeting is played to many. */
export class AudioLibrary {
  readonly #fetcher: DocumentFetcher;
  readonly #clock: { now(): number };
  readonly #limits: DocumentLimits;
  /** In the order of use, the least recent first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(fetcher: DocumentFetcher, clock: { now(): number }, limits: DocumentLimits) {
    this.#fetcher = fetcher;
    this.#clock = clock;
    this.#limits = limits;
  }

  /** WAV with 16-bit PCM, µ-law or A-law at 8 or 16 kHz, mono or more. The samples are shared: do not change them. */
  async load(request: AudioRequest): Promise<Result<Int16Array, AudioError>> {
    const key = `${request.accountSid} ${request.url}`;
    const kept = this.#entries.get(key);
    if (kept && this.#clock.now() - kept.loadedAt <= this.#limits.audioCacheMs) {
      this.#entries.delete(key);
      this.#entries.set(key, kept);
      return ok(kept.samples);
    }
    const loaded = await this.#fetch(request);
    if (loaded.ok) this.#keep(key, loaded.value);
    return loaded;
  }

  async #fetch(request: AudioRequest): Promise<Result<Int16Array, AudioError>> {
    const details = { requestMethod: "GET", requestUrl: request.url };
    try {
      const file = await this.#fetcher.fetch({
        ...request,
        method: "GET",
        parameters: [],
        maximumBytes: this.#limits.audioBytes,
      });
      const answered = { ...details, responseStatus: file.status };
      if (file.status < 200 || file.status > 299) {
        return err({ code: 11200, message: `the server answered ${file.status}`, details: answered });
      }
      if (file.truncated) {
        const message = `the file exceeds ${this.#limits.audioBytes} octets`;
        return err({ code: 11750, message, details: answered });
      }
      const samples = samplesOf(file.body);
      return samples.ok ? samples : err({ code: 12300, message: samples.error, details: answered });
    } catch (error) {
      if (!(error instanceof PlatformError) && !request.signal.aborted) throw error;
      const known = error instanceof PlatformError ? error : undefined;
      return err({ code: known?.publicCode ?? 11200, message: known?.message ?? "aborted", details });
    }
  }

  #keep(key: string, samples: Int16Array): void {
    this.#forget(key);
    if (samples.byteLength > this.#limits.audioCacheBytes) return;
    this.#entries.set(key, { samples, loadedAt: this.#clock.now() });
    this.#bytes += samples.byteLength;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#limits.audioCacheBytes) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#entries.get(key)?.samples.byteLength ?? 0;
    this.#entries.delete(key);
  }
}

/** Octets of a WAV file as linear PCM, 8 kHz mono; the error says why not. */
export function samplesOf(bytes: Uint8Array): Result<Int16Array, string> {
  const info = parseWav(bytes);
  if (!info.ok) return err(info.error.message);
  const { sampleRateHz, channels } = info.value;
  if (sampleRateHz !== 8000 && sampleRateHz !== 16_000) {
    return err(`audio of ${sampleRateHz} Hz cannot be played: 8000 or 16000 it must be`);
  }
  const pcm = pcmOf(bytes);
  if (!pcm.ok) return err(pcm.error.message);
  const mono = channels === 1 ? pcm.value : mixDown(pcm.value, channels);
  return ok(sampleRateHz === 8000 ? mono : decimateByTwo(mono));
}
