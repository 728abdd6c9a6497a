import type { AudioFormat } from "../../media/index.ts";

/** Hears a recording while it is made, strictly in order on each track. */
export interface LiveListener {
  /** The payload of one packet. It is the listener's until this returns. */
  audio(label: string, payload: Uint8Array, format: AudioFormat): void;
  /** What is missing before the next audio: lost packets, pauses, silence suppression. */
  silence(label: string, durationMs: number): void;
  digit(label: string, digit: string): void;
  /** The recording is over. Nothing comes after it. */
  ended(): void;
}

/** A recording that is in progress. */
export interface LiveSource {
  readonly recordingSid: string;
  readonly accountSid: string;
  /** Of the call, where the metadata names one. */
  readonly callSid: string | null;
  readonly labels: readonly string[];
  /** What a consumer is told of the recording besides its audio. */
  readonly parameters: Readonly<Record<string, string>>;
  /** @returns the way out */
  listen(listener: LiveListener): () => void;
}
