import type { Log } from "./types.ts";

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  /** Takes whole lines (JSON and a newline); standard output when absent. */
  readonly destination?: { write(line: string): void };
}

/** A pino logger that writes no secret: see `redact`. */
export function createLog(options: LogOptions): Log {
  throw new Error(`log at ${options.level}`);
}
