import {
  err,
  isToken,
  ok,
  quote,
  type Result,
  readQuoted,
  skipBlanks,
  skipToken,
  type TextError,
  trimBlanks,
} from "../text/index.ts";

/**
 * A challenge or credentials: WWW-Authenticate, Proxy-Authenticate, Authorization, Proxy-Authorization,
 * Authentication-Info's parameters behind an empty scheme excepted (RFC 7616 §3, RFC 3261 §20.7).
 */
export interface AuthParams {
  /** As it came; compares without case. */
  readonly scheme: string;
  /** Lower-case name → value without quotes. Empty for the one-value form. */
  readonly params: Map<string, string>;
  /** The one-value form, as Basic and Bearer use it. */
  readonly token68?: string;
}

/** What `formatAuthParams` needs. */
export interface AuthParamsParts extends Omit<AuthParams, "params"> {
  readonly params?: ReadonlyMap<string, string>;
}

/**
 * Reads one header *line* (`SipHeaders.lines`, not `list`: the commas are inside).
 *
 * A name that comes twice is an error: which of two nonces counts is nothing to guess about.
 */
export function parseAuthParams(line: string): Result<AuthParams, TextError> {
  const start = skipBlanks(line, 0);
  const schemeEnd = skipToken(line, start);
  if (schemeEnd === start) return err({ message: "expected an authentication scheme", offset: start });
  const scheme = line.slice(start, schemeEnd);
  const rest = trimBlanks(line.slice(schemeEnd));
  if (/^[A-Za-z0-9\-._~+/]+=*$/.test(rest)) return ok({ scheme, params: new Map(), token68: rest });
  return parseAuthParamList(line, schemeEnd, scheme);
}

/** The bare list of Authentication-Info (RFC 7616 §3.5): no scheme in front, so `scheme` is empty. */
export function parseAuthenticationInfo(line: string): Result<AuthParams, TextError> {
  return parseAuthParamList(line, 0, "");
}

function parseAuthParamList(line: string, from: number, scheme: string): Result<AuthParams, TextError> {
  const params = new Map<string, string>();
  let at = skipBlanks(line, from);
  while (at < line.length) {
    const nameEnd = skipToken(line, at);
    if (nameEnd === at) return err({ message: "expected a parameter name", offset: at });
    const name = line.slice(at, nameEnd).toLowerCase();
    at = skipBlanks(line, nameEnd);
    if (line.charCodeAt(at) !== 0x3d) return err({ message: "expected '='", offset: at });
    at = skipBlanks(line, at + 1);
    let value: string;
    if (line.charCodeAt(at) === 0x22) {
      const quoted = readQuoted(line, at);
      if (quoted === undefined) return err({ message: "unterminated quoted-string", offset: at });
      value = quoted.value;
      at = quoted.end;
    } else {
      const end = skipBareValue(line, at);
      value = line.slice(at, end);
      at = end;
    }
    if (params.has(name)) return err({ message: `parameter ${name} comes twice`, offset: at });
    params.set(name, value);
    at = skipBlanks(line, at);
    if (at === line.length) break;
    if (line.charCodeAt(at) !== 0x2c) return err({ message: "expected ','", offset: at });
    at = skipBlanks(line, at + 1);
  }
  return ok({ scheme, params });
}

/** Liberal: some devices send values bare that ought to be quoted (`uri=sip:example.com`). */
function skipBareValue(line: string, at: number): number {
  let i = at;
  while (i < line.length && line.charCodeAt(i) > 0x20 && line[i] !== "," && line[i] !== '"') i++;
  return i;
}

/** Bare in every message (RFC 7616 §3.3, §3.4); `qop` is quoted in a challenge and bare in credentials. */
const BARE: ReadonlySet<string> = new Set(["algorithm", "stale", "nc", "userhash"]);

/** Writes a header line, quoting as RFC 7616 asks of challenges and of credentials (those hold a `response`). */
export function formatAuthParams({ scheme, params = new Map(), token68 }: AuthParamsParts): string {
  if (token68 !== undefined) return `${scheme} ${token68}`;
  const isCredentials = params.has("response") || params.has("rspauth");
  const list = [...params].map(([name, value]) => {
    const bare = (BARE.has(name) || (name === "qop" && isCredentials)) && isToken(value);
    return `${name}=${bare ? value : quote(value)}`;
  });
  return scheme === "" ? list.join(", ") : `${scheme} ${list.join(", ")}`;
}
