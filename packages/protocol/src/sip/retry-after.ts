import { err, ok, parseDecimal, type Result, skipBlanks, type TextError } from "../text/index.ts";
import { formatParams, type Params, parseParams, type ReadonlyParams } from "./params.ts";

/** RFC 3261 §20.33: seconds, an optional comment, an optional `duration`. */
export interface RetryAfter {
  readonly seconds: number;
  readonly comment?: string;
  /** How long the called party will then be reachable. */
  readonly durationSeconds?: number;
  readonly params: Params;
}

/** What `formatRetryAfter` needs. */
export interface RetryAfterParts extends Omit<RetryAfter, "params"> {
  readonly params?: ReadonlyParams;
}

/** `delta-seconds` fits 32 bits (§25.1). */
const MAX_SECONDS = 2 ** 32 - 1;

export function parseRetryAfter(text: string): Result<RetryAfter, TextError> {
  const digits = /^[ \t]*(\d+)/.exec(text);
  const seconds = digits === null ? undefined : parseDecimal(digits[1]!, MAX_SECONDS);
  if (digits === null || seconds === undefined) return err({ message: "expected seconds", offset: 0 });
  let at = skipBlanks(text, digits[0].length);
  let comment: string | undefined;
  if (text.charCodeAt(at) === 0x28) {
    const read = readComment(text, at);
    if (read === undefined) return err({ message: "unterminated comment", offset: at });
    comment = read.value;
    at = read.end;
  }
  const params = parseParams(text, at);
  if (!params.ok) return params;
  const duration = params.value.get("duration");
  const durationSeconds = parseDecimal(duration ?? "", MAX_SECONDS);
  if (duration !== undefined && durationSeconds === undefined)
    return err({ message: "bad duration", offset: at });
  params.value.delete("duration");
  return ok({
    seconds,
    ...(comment === undefined ? {} : { comment }),
    ...(durationSeconds === undefined ? {} : { durationSeconds }),
    params: params.value,
  });
}

export function formatRetryAfter({ seconds, comment, durationSeconds, params }: RetryAfterParts): string {
  let text = `${seconds}`;
  if (comment !== undefined) text += ` (${comment.replace(/[\\()]/g, "\\$&")})`;
  if (durationSeconds !== undefined) text += `;duration=${durationSeconds}`;
  return params ? text + formatParams(params) : text;
}

/** Comments nest (§25.1); the value keeps inner brackets but not escapes. */
function readComment(text: string, at: number): { value: string; end: number } | undefined {
  let depth = 0;
  let value = "";
  for (let i = at; i < text.length; i++) {
    const c = text[i]!;
    if (c === "\\") {
      value += text[++i] ?? "";
      continue;
    }
    if (c === "(" && depth++ === 0) continue;
    if (c === ")" && --depth === 0) return { value, end: i + 1 };
    value += c;
  }
  return undefined;
}
