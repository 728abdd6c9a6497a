import type { AudioFormat } from "../../media/index.ts";
import type { LiveListener, LiveSource } from "./live-source.ts";

/** What a recording says of itself when somebody begins to listen. */
export interface SourceFacts {
  readonly labels: readonly string[];
  readonly callSid: string | null;
  readonly parameters: Readonly<Record<string, string>>;
}

export interface RecordingSourceOptions {
  readonly recordingSid: string;
  readonly accountSid: string;
  readonly facts: () => SourceFacts;
  /** The first listener came, or the last one left: without any, audio need not come here at all. */
  readonly onHeard: (isHeard: boolean) => void;
}

/** A recording as its listeners have it: what its tracks tell goes to each of them. */
export class RecordingSource implements LiveSource {
  readonly recordingSid: string;
  readonly accountSid: string;
  readonly #options: RecordingSourceOptions;
  readonly #listeners = new Set<LiveListener>();

  constructor(options: RecordingSourceOptions) {
    this.#options = options;
    this.recordingSid = options.recordingSid;
    this.accountSid = options.accountSid;
  }

  get labels(): readonly string[] {
    return this.#options.facts().labels;
  }

  get callSid(): string | null {
    return this.#options.facts().callSid;
  }

  get parameters(): Readonly<Record<string, string>> {
    return this.#options.facts().parameters;
  }

  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  listen(listener: LiveListener): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#options.onHeard(true);
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#options.onHeard(false);
    };
  }

  audio(label: string, payload: Uint8Array, format: AudioFormat): void {
    for (const listener of this.#listeners) listener.audio(label, payload, format);
  }

  silence(label: string, durationMs: number): void {
    for (const listener of this.#listeners) listener.silence(label, durationMs);
  }

  digit(label: string, digit: string): void {
    for (const listener of this.#listeners) listener.digit(label, digit);
  }
}
