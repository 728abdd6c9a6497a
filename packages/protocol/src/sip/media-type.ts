import { err, ok, type Result, skipBlanks, skipToken, type TextError } from "../text/index.ts";
import { formatParams, type Params, parseParams, type ReadonlyParams } from "./params.ts";

/** Content-Type, or one value of Accept (RFC 3261 §20.1, §20.15). Type and subtype are lower-case; `*` in Accept. */
export interface MediaType {
  readonly type: string;
  readonly subtype: string;
  readonly params: Params;
}

/** What `formatMediaType` needs. */
export interface MediaTypeParts extends Omit<MediaType, "params"> {
  readonly params?: ReadonlyParams;
}

export function parseMediaType(text: string): Result<MediaType, TextError> {
  const typeStart = skipBlanks(text, 0);
  const typeEnd = skipToken(text, typeStart);
  const slash = skipBlanks(text, typeEnd);
  const subtypeStart = skipBlanks(text, slash + 1);
  const subtypeEnd = skipToken(text, subtypeStart);
  if (typeEnd === typeStart || text.charCodeAt(slash) !== 0x2f || subtypeEnd === subtypeStart)
    return err({ message: "expected type/subtype", offset: typeStart });
  const params = parseParams(text, subtypeEnd);
  if (!params.ok) return params;
  return ok({
    type: text.slice(typeStart, typeEnd).toLowerCase(),
    subtype: text.slice(subtypeStart, subtypeEnd).toLowerCase(),
    params: params.value,
  });
}

export function formatMediaType({ type, subtype, params }: MediaTypeParts): string {
  return `${type}/${subtype}${params ? formatParams(params, undefined, "token") : ""}`;
}

/** `type/subtype` in lower case, without parameters: what to compare with `"application/sdp"`. */
export function mediaTypeName({ type, subtype }: MediaType): string {
  return `${type}/${subtype}`;
}

/**
 * Does a list of Accept values take `name` (`"application/sdp"`)? The most specific range decides; `q=0` refuses
 * (RFC 9110 §12.5.1, which RFC 3261 §20.1 points to). Values that do not parse are passed over.
 */
export function acceptsMediaType(accept: readonly string[], name: string): boolean {
  const [type, subtype] = name.toLowerCase().split("/");
  let best = -1;
  let accepted = false;
  for (const value of accept) {
    const range = parseMediaType(value);
    if (!range.ok) continue;
    const exactType = range.value.type === type;
    const exactSubtype = range.value.subtype === subtype;
    if (!exactType && range.value.type !== "*") continue;
    if (!exactSubtype && range.value.subtype !== "*") continue;
    const rank = (exactType ? 1 : 0) + (exactSubtype ? 1 : 0);
    if (rank < best) continue;
    best = rank;
    accepted = !/^0(\.0*)?$/.test(range.value.params.get("q") ?? "1");
  }
  return accepted;
}
