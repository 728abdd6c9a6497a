import { type Logger, pino } from "pino";
import { redact, redactText } from "./redact.ts";
import type { Log } from "./types.ts";

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  /** Takes whole lines (JSON and a newline); standard output when absent. */
  readonly destination?: { write(line: string): void };
}

/** A pino logger that writes no secret: fields, bindings and messages all pass `redact` first. */
export function createLog(options: LogOptions): Log {
  const settings = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return face(options.destination === undefined ? pino(settings) : pino(settings, options.destination));
}

function face(logger: Logger): Log {
  const write = (level: "debug" | "info" | "warn" | "error") => (fields: object, message: string) => {
    if (logger.isLevelEnabled(level)) logger[level](bindings(fields), redactText(message));
  };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (fields) => face(logger.child(bindings(fields))),
  };
}

/** An error handed over bare goes under `error`, like one handed over by name. */
function bindings(fields: object): object {
  const safe = redact(fields instanceof Error ? { error: fields } : fields);
  return typeof safe === "object" && safe !== null ? safe : {};
}
