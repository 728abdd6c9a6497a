import { PlatformError } from "../observe/index.ts";
import { AudioLibrary, samplesOf } from "./audio-library.ts";
import { DEFAULT_DOCUMENT_LIMITS } from "./options.ts";
import type { DocumentFetcher } from "./ports.ts";

/** Nothing can be announced: no audio is configured, or it cannot be had, or read. */
export class AnnouncementError extends PlatformError {
  override readonly name = "AnnouncementError";
  readonly code = "ANNOUNCEMENT_UNAVAILABLE";
  readonly fault = "operator";
  override readonly publicCode = 98030;
}

export interface AnnouncementOptions {
  readonly fetcher: DocumentFetcher;
  /** Monotonic milliseconds. */
  readonly clock: { now(): number };
  /** What is announced where a call says nothing of its own: octets of a WAV file, or its URL. */
  readonly standard: Uint8Array | string | undefined;
}

export type Announcements = (request: {
  readonly accountSid: string;
  readonly callSid: string;
  /** Null: the standard. */
  readonly url: string | null;
}) => Promise<Int16Array>;

/** How long the server of an announcement may take: whoever is recorded meanwhile has not been told. */
const FETCH_LIMIT_MS = 5_000;

/**
 * Audio of announcements, 8 kHz mono, fetched as `<Play>` fetches and kept for a while.
 *
 * @throws AnnouncementError when the standard is a file that cannot be played
 */
export function createAnnouncements({ fetcher, clock, standard }: AnnouncementOptions): Announcements {
  const library = new AudioLibrary(fetcher, clock, DEFAULT_DOCUMENT_LIMITS);
  const own = standard instanceof Uint8Array ? samplesOf(standard) : undefined;
  if (own?.ok === false) throw new AnnouncementError(`the announcement cannot be played: ${own.error}`);
  return async ({ accountSid, callSid, url }) => {
    const asked = url ?? (typeof standard === "string" ? standard : undefined);
    if (asked === undefined) {
      if (own) return own.value;
      throw new AnnouncementError("no announcement is configured");
    }
    const signal = AbortSignal.timeout(FETCH_LIMIT_MS);
    const loaded = await library.load({ accountSid, callSid, url: asked, signal });
    if (!loaded.ok) throw new AnnouncementError(`${asked}: ${loaded.error.message}`);
    return loaded.value;
  };
}
