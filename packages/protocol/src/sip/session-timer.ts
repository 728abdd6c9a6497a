import { err, ok, parseDecimal, type Result, type TextError, trimBlanks } from "../text/index.ts";
import { formatParams, type Params, parseParams, type ReadonlyParams } from "./params.ts";

/** Session-Expires (RFC 4028 §4). */
export interface SessionExpires {
  readonly seconds: number;
  readonly refresher?: "uac" | "uas";
  readonly params: Params;
}

/** Min-SE (RFC 4028 §5). */
export interface MinSe {
  readonly seconds: number;
  readonly params: Params;
}

/** What the formatters need. */
export interface SessionTimerParts {
  readonly seconds: number;
  readonly refresher?: "uac" | "uas";
  readonly params?: ReadonlyParams;
}

export function parseSessionExpires(text: string): Result<SessionExpires, TextError> {
  const timer = parseMinSe(text);
  if (!timer.ok) return timer;
  const { seconds, params } = timer.value;
  const refresher = params.get("refresher")?.toLowerCase();
  if (refresher !== undefined && refresher !== "uac" && refresher !== "uas")
    return err({ message: "refresher is neither uac nor uas", offset: 0 });
  params.delete("refresher");
  return ok(refresher === undefined ? { seconds, params } : { seconds, refresher, params });
}

export function parseMinSe(text: string): Result<MinSe, TextError> {
  const semicolon = text.indexOf(";");
  const end = semicolon < 0 ? text.length : semicolon;
  const seconds = parseDecimal(trimBlanks(text.slice(0, end)), 2 ** 32 - 1);
  if (seconds === undefined) return err({ message: "expected seconds", offset: 0 });
  const params = parseParams(text, end);
  return params.ok ? ok({ seconds, params: params.value }) : params;
}

/** Writes Session-Expires, and Min-SE when there is no `refresher`. */
export function formatSessionTimer({ seconds, refresher, params }: SessionTimerParts): string {
  const role = refresher === undefined ? "" : `;refresher=${refresher}`;
  return `${seconds}${role}${params ? formatParams(params) : ""}`;
}
