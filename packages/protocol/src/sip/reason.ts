import { err, ok, parseDecimal, type Result, skipBlanks, skipToken, type TextError } from "../text/index.ts";
import { formatParams, type Params, parseParams, type ReadonlyParams } from "./params.ts";

/** One value of Reason (RFC 3326 §2): `SIP;cause=200;text="Call completed elsewhere"`, `Q.850;cause=16`. */
export interface Reason {
  /** As it came; SIP and Q.850 compare without case. */
  readonly protocol: string;
  readonly cause?: number;
  readonly text?: string;
  readonly params: Params;
}

/** What `formatReason` needs. */
export interface ReasonParts extends Omit<Reason, "params"> {
  readonly params?: ReadonlyParams;
}

const TEXT_IS_QUOTED: ReadonlySet<string> = new Set(["text"]);

export function parseReason(value: string): Result<Reason, TextError> {
  const start = skipBlanks(value, 0);
  const end = skipToken(value, start);
  if (end === start) return err({ message: "expected a protocol", offset: start });
  const params = parseParams(value, end);
  if (!params.ok) return params;
  const cause = parseDecimal(params.value.get("cause") ?? "", 2 ** 31 - 1);
  if (params.value.has("cause") && cause === undefined) return err({ message: "bad cause", offset: end });
  const text = params.value.get("text") ?? undefined;
  params.value.delete("cause");
  params.value.delete("text");
  return ok({
    protocol: value.slice(start, end),
    ...(cause === undefined ? {} : { cause }),
    ...(text === undefined ? {} : { text }),
    params: params.value,
  });
}

export function formatReason({ protocol, cause, text, params }: ReasonParts): string {
  const known = new Map<string, string | null>();
  if (cause !== undefined) known.set("cause", String(cause));
  if (text !== undefined) known.set("text", text);
  return `${protocol}${formatParams(known, TEXT_IS_QUOTED)}${params ? formatParams(params) : ""}`;
}
