import type { Director } from "../calls/index.ts";
import { AudioLibrary } from "./audio-library.ts";
import { DEFAULT_DOCUMENT_LIMITS, type DirectorOptions } from "./options.ts";
import { Program } from "./program.ts";

/** Builds the interpreter. All calls share its cache of audio files. */
export function createDirector(options: DirectorOptions): Director {
  const limits = { ...DEFAULT_DOCUMENT_LIMITS, ...options.limits };
  const audio = new AudioLibrary(options.fetcher, options.clock, limits);
  return {
    direct(call, source) {
      void new Program(options, limits, audio, call, source).run();
    },
  };
}
