import { err, ok, type Result, type TextError } from "../text/index.ts";
import { formatHostPort, parseHostPort } from "./host.ts";
import type { Params, ReadonlyParams } from "./params.ts";
import { percentDecode, percentEncode, unreservedAnd } from "./percent.ts";

/**
 * A SIP or SIPS URI (RFC 3261 §19.1). All parts are decoded: no `%HH` in them.
 *
 * `host` is as it came, an IPv6 address without its brackets. Parameter names are lower-case. `headers` are the
 * `?name=value` pairs, in order; they must never become header fields unasked (RFC 4475 §3.1.2.11).
 */
export interface SipUri {
  readonly scheme: "sip" | "sips";
  /** Everything before `@` and the password: telephone numbers keep their parameters here (`+1555;ext=7`). */
  readonly user?: string;
  readonly password?: string;
  readonly host: string;
  readonly port?: number;
  readonly params: Params;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What `formatSipUri` needs: parameters and headers may be left out. */
export interface SipUriParts extends Omit<SipUri, "params" | "headers"> {
  readonly params?: ReadonlyParams;
  readonly headers?: SipUri["headers"];
}

/** Any URI of a SIP message. `uri` is the text as it came, for schemes that are only passed on. */
export type Uri =
  | SipUri
  | { readonly scheme: "tel"; readonly number: string; readonly params: Params; readonly uri: string }
  | { readonly scheme: "other"; readonly name: string; readonly uri: string };

// RFC 3261 §25.1: user, password, uri parameters, hname and hvalue each have their own set of bare characters.
const USER = unreservedAnd("&=+$,;?/");
const PASSWORD = unreservedAnd("&=+$,");
const PARAM = unreservedAnd("[]/:&+$");
const HEADER = unreservedAnd("[]/?:+$");

/**
 * Reads a `sip:` or `sips:` URI. The whole text must be the URI: no brackets, no blanks.
 *
 * Liberal where it is safe: any visible character may stand bare in user, parameters and headers.
 */
export function parseSipUri(text: string): Result<SipUri, TextError> {
  const colon = text.indexOf(":");
  const scheme = text.slice(0, Math.max(colon, 0)).toLowerCase();
  if (scheme !== "sip" && scheme !== "sips") return err({ message: "not a SIP URI", offset: 0 });
  const bad = firstForbidden(text, colon + 1);
  if (bad >= 0) return err({ message: "character not allowed in a URI", offset: bad });

  const at = text.indexOf("@", colon);
  const hostStart = at < 0 ? colon + 1 : at + 1;
  const query = indexOrEnd(text, "?", hostStart);
  const semicolon = Math.min(indexOrEnd(text, ";", hostStart), query);
  const hostPort = parseHostPort(text.slice(hostStart, semicolon));
  if (!hostPort.ok)
    return err({ message: hostPort.error.message, offset: hostStart + hostPort.error.offset });

  const userInfo = at < 0 ? undefined : parseUserInfo(text.slice(colon + 1, at));
  if (userInfo === null) return err({ message: "bad user part", offset: colon + 1 });
  const params = parseUriParams(text.slice(semicolon, query));
  if (params === undefined) return err({ message: "bad URI parameter", offset: semicolon });
  const headers = parseUriHeaders(text.slice(query));
  if (headers === undefined) return err({ message: "bad URI header", offset: query });
  return ok({ scheme, ...userInfo, ...hostPort.value, params, headers });
}

/** Reads any absolute URI; only the forms this project understands are taken apart. */
export function parseUri(text: string): Result<Uri, TextError> {
  const colon = schemeEnd(text);
  if (colon < 0) return err({ message: "expected a URI scheme", offset: 0 });
  const name = text.slice(0, colon).toLowerCase();
  if (name === "sip" || name === "sips") return parseSipUri(text);
  const bad = firstForbidden(text, colon + 1);
  if (bad >= 0) return err({ message: "character not allowed in a URI", offset: bad });
  if (colon + 1 === text.length) return err({ message: "nothing after the URI scheme", offset: colon + 1 });
  if (name !== "tel") return ok({ scheme: "other", name, uri: text });
  const semicolon = indexOrEnd(text, ";", colon);
  const params = parseUriParams(text.slice(semicolon));
  if (params === undefined) return err({ message: "bad URI parameter", offset: semicolon });
  return ok({ scheme: "tel", number: text.slice(colon + 1, semicolon), params, uri: text });
}

/** Writes a URI, escaping what may not stand bare in each part. */
export function formatSipUri(uri: SipUriParts): string {
  let text = `${uri.scheme}:`;
  if (uri.user !== undefined) {
    text += percentEncode(uri.user, USER);
    if (uri.password !== undefined) text += `:${percentEncode(uri.password, PASSWORD)}`;
    text += "@";
  }
  text += formatHostPort(uri);
  for (const [name, value] of uri.params ?? []) {
    text += `;${percentEncode(name, PARAM)}`;
    if (value !== null) text += `=${percentEncode(value, PARAM)}`;
  }
  let separator = "?";
  for (const [name, value] of uri.headers ?? []) {
    text += `${separator}${percentEncode(name, HEADER)}=${percentEncode(value, HEADER)}`;
    separator = "&";
  }
  return text;
}

/** Where the scheme's colon stands, or -1: `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) ":"`. */
export function schemeEnd(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x3a) return i > 0 ? i : -1;
    const lower = code | 0x20;
    if (lower >= 0x61 && lower <= 0x7a) continue;
    const later = (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e;
    if (i === 0 || !later) return -1;
  }
  return -1;
}

/** First blank, control, quote or angle bracket: none may stand in a URI, even liberally read. */
export function firstForbidden(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code === 0x7f || code === 0x22 || code === 0x3c || code === 0x3e) return i;
  }
  return -1;
}

function parseUserInfo(text: string): { user: string; password?: string } | null {
  const colon = text.indexOf(":");
  const user = percentDecode(colon < 0 ? text : text.slice(0, colon));
  if (user === undefined || user === "") return null;
  if (colon < 0) return { user };
  const password = percentDecode(text.slice(colon + 1));
  return password === undefined ? null : { user, password };
}

function parseUriParams(text: string): Params | undefined {
  const params: Params = new Map();
  if (text === "") return params;
  for (const part of text.slice(1).split(";")) {
    const equals = part.indexOf("=");
    const name = percentDecode(equals < 0 ? part : part.slice(0, equals))?.toLowerCase();
    const value = equals < 0 ? null : percentDecode(part.slice(equals + 1));
    if (name === undefined || name === "" || value === undefined) return undefined;
    if (!params.has(name)) params.set(name, value);
  }
  return params;
}

function parseUriHeaders(text: string): [string, string][] | undefined {
  const headers: [string, string][] = [];
  if (text === "") return headers;
  for (const part of text.slice(1).split("&")) {
    const equals = part.indexOf("=");
    const name = percentDecode(part.slice(0, Math.max(equals, 0)));
    const value = percentDecode(part.slice(equals + 1));
    if (name === undefined || name === "" || value === undefined) return undefined;
    headers.push([name, value]);
  }
  return headers;
}

function indexOrEnd(text: string, needle: string, from: number): number {
  const at = text.indexOf(needle, from);
  return at < 0 ? text.length : at;
}
