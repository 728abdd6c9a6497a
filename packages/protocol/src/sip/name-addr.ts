import { err, ok, quote, type Result, readQuoted, skipBlanks, type TextError } from "../text/index.ts";
import { FEATURE_TAGS } from "./feature-tag.ts";
import { formatParams, type Params, parseParams, type ReadonlyParams } from "./params.ts";
import { firstForbidden, schemeEnd } from "./uri.ts";

/**
 * `name-addr` or `addr-spec` with header parameters: To, From, Contact, Route, Record-Route, P-Asserted-Identity,
 * Refer-To, Referred-By (RFC 3261 §20.10).
 *
 * `uri` is the text between the brackets: parameters inside belong to the URI (`parseUri(uri)`), those outside to the
 * header (`params`). Without brackets every parameter belongs to the header.
 */
export interface NameAddr {
  /** Quotes and escapes taken off; absent when there is none, or an empty quoted-string. */
  readonly displayName?: string;
  readonly uri: string;
  readonly params: Params;
}

/** What `formatNameAddr` needs. */
export interface NameAddrParts {
  readonly displayName?: string | undefined;
  readonly uri: string;
  readonly params?: ReadonlyParams;
}

/**
 * Reads one value (split a line with `SipHeaders.list` first).
 *
 * An unquoted display name may hold more than tokens and need not be followed by a blank (RFC 4475 §3.1.1.6), but no
 * comma, semicolon, quote or bracket. Blanks inside the angle brackets are refused, and so are `,` and `?` in a bare
 * addr-spec, where RFC 3261 §20.10 demands brackets.
 */
export function parseNameAddr(text: string): Result<NameAddr, TextError> {
  let at = skipBlanks(text, 0);
  let displayName: string | undefined;
  if (text.charCodeAt(at) === 0x22) {
    const quoted = readQuoted(text, at);
    if (quoted === undefined) return err({ message: "unterminated quoted-string", offset: at });
    displayName = quoted.value;
    at = skipBlanks(text, quoted.end);
    if (text.charCodeAt(at) !== 0x3c)
      return err({ message: "expected '<' after the display name", offset: at });
  } else {
    const open = text.indexOf("<", at);
    if (open < 0 || isBareAddrSpec(text, at, open)) return parseAddrSpec(text, at);
    if (open > at) {
      displayName = text.slice(at, open).trimEnd();
      const bad = displayName.search(/[,;"\\>\0]/);
      if (bad >= 0) return err({ message: "character must be quoted in a display name", offset: at + bad });
    }
    at = open;
  }
  const close = text.indexOf(">", at);
  if (close < 0) return err({ message: "address without closing '>'", offset: at });
  const uri = text.slice(at + 1, close);
  const bad = uriProblem(uri);
  if (bad >= 0) return err({ message: "not a URI", offset: at + 1 + bad });
  const params = parseParams(text, close + 1);
  if (!params.ok) return params;
  return ok(displayName ? { displayName, uri, params: params.value } : { uri, params: params.value });
}

/** As `parseNameAddr`, and `*` for the Contact of a REGISTER that removes all bindings (RFC 3261 §20.10). */
export function parseContact(text: string): Result<NameAddr | "*", TextError> {
  return text.trim() === "*" ? ok("*") : parseNameAddr(text);
}

/** Writes `"name" <uri>;params`, always with brackets: then no URI can lose its parameters to the header. */
export function formatNameAddr({ displayName, uri, params }: NameAddrParts): string {
  const name = displayName ? `${quote(displayName)} ` : "";
  return `${name}<${uri}>${params ? formatParams(params, FEATURE_TAGS) : ""}`;
}

/** `sip:a@b;p="<x>"`: the first bracket stands in a parameter of a bare addr-spec, not before an address. */
function isBareAddrSpec(text: string, from: number, open: number): boolean {
  const semicolon = text.indexOf(";", from);
  return semicolon >= 0 && semicolon < open && schemeEnd(text.slice(from)) > 0;
}

function parseAddrSpec(text: string, at: number): Result<NameAddr, TextError> {
  const semicolon = text.indexOf(";", at);
  const end = semicolon < 0 ? text.length : semicolon;
  const uri = text.slice(at, end).trimEnd();
  const bad = uriProblem(uri);
  if (bad >= 0) return err({ message: "not a URI", offset: at + bad });
  const bare = uri.search(/[,?]/);
  if (bare >= 0) return err({ message: "URI with ',' or '?' needs angle brackets", offset: at + bare });
  const params = parseParams(text, end);
  return params.ok ? ok({ uri, params: params.value }) : params;
}

/** Offset of what keeps `uri` from being an absolute URI, or -1. */
function uriProblem(uri: string): number {
  const colon = schemeEnd(uri);
  if (colon < 0 || colon + 1 === uri.length) return 0;
  return firstForbidden(uri, colon + 1);
}
