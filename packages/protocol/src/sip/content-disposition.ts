import { err, ok, type Result, skipBlanks, skipToken, type TextError } from "../text/index.ts";
import { formatParams, type Params, parseParams, type ReadonlyParams } from "./params.ts";

/** RFC 3261 §20.11, RFC 3204 §4.2. */
export interface ContentDisposition {
  /** Lower-case: session, render, recording-session, … */
  readonly type: string;
  /** Lower-case; absent when the parameter is. Ask `isHandlingRequired`: absent and unknown mean required. */
  readonly handling?: string;
  /** The other parameters. */
  readonly params: Params;
}

/** What `formatContentDisposition` needs. */
export interface ContentDispositionParts extends Omit<ContentDisposition, "params"> {
  readonly params?: ReadonlyParams;
}

export function parseContentDisposition(text: string): Result<ContentDisposition, TextError> {
  const start = skipBlanks(text, 0);
  const end = skipToken(text, start);
  if (end === start) return err({ message: "expected a disposition type", offset: start });
  const params = parseParams(text, end);
  if (!params.ok) return params;
  const type = text.slice(start, end).toLowerCase();
  const handling = params.value.get("handling")?.toLowerCase();
  params.value.delete("handling");
  return ok(handling ? { type, handling, params: params.value } : { type, params: params.value });
}

export function formatContentDisposition({ type, handling, params }: ContentDispositionParts): string {
  const handlingText = handling === undefined ? "" : `;handling=${handling}`;
  return `${type}${handlingText}${params ? formatParams(params, undefined, "token") : ""}`;
}

/** RFC 3261 §20.11: "If this parameter is missing, the value is "required"." */
export function isHandlingRequired(disposition: ContentDisposition | undefined): boolean {
  return disposition?.handling !== "optional";
}
