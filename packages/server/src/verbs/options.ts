import type { Director, Forks } from "../calls/index.ts";
import type { Alerts, Log } from "../observe/index.ts";
import type { DocumentFetcher } from "./ports.ts";

/** What the interpreter needs from the house; the composition root fills it. */
export interface DirectorOptions {
  readonly fetcher: DocumentFetcher;
  /**
   * The forks of calls. `recording-client` is built on `calls`, which is built on the director: pass a function
   * that returns the forks once they exist.
   */
  readonly forks: () => Forks;
  /** Monotonic milliseconds: how old a cached file is. */
  readonly clock: { now(): number };
  readonly log: Log;
  readonly alerts: Alerts;
  readonly limits?: Partial<DocumentLimits>;
}

/** The type of `createDirector`. */
export type CreateDirector = (options: DirectorOptions) => Director;

export interface DocumentLimits {
  /** Octets of a TwiML document. Default 65,536: Twilio's 64 kB (11750). */
  readonly documentBytes: number;
  /** Octets of an audio file. Default 8 MiB, some eight minutes of G.711. */
  readonly audioBytes: number;
  /** Octets of decoded audio that are kept for the next `<Play>`. Default 64 MiB. */
  readonly audioCacheBytes: number;
  /** How long decoded audio is used again without asking for it. Default 60,000. */
  readonly audioCacheMs: number;
  /** Documents in a row without a verb that takes time. Default 30. */
  readonly documentsWithoutPause: number;
}

export const DEFAULT_DOCUMENT_LIMITS: DocumentLimits = {
  documentBytes: 65_536,
  audioBytes: 8 * 1_048_576,
  audioCacheBytes: 64 * 1_048_576,
  audioCacheMs: 60_000,
  documentsWithoutPause: 30,
};
