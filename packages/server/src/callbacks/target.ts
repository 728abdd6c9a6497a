import { WebhookError } from "./errors.ts";

/** Where a request goes, in the spelling that is both sent and signed. */
export interface Target {
  readonly protocol: "http:" | "https:";
  /** With the port where it is not the scheme's own. */
  readonly origin: string;
  /** Host name or numeric address, without brackets. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
  /** Value of the Authorization header that user and password in the URL stand for. */
  readonly authorization: string | undefined;
  /** With its "#", or empty. */
  readonly fragment: string;
}

const URL_CHARACTERS = 8192;

/**
 * Takes a URL apart.
 *
 * @param base - what a relative one is resolved against
 * @throws `WebhookError` (`badUrl`)
 */
export function readTarget(text: string, base?: Target): Target {
  const parsed = text.length > URL_CHARACTERS ? null : URL.parse(text, base && `${base.origin}${base.path}`);
  if (parsed === null) throw new WebhookError("badUrl", `"${text.slice(0, 100)}" is not a URL`);
  const { protocol } = parsed;
  if (protocol !== "http:" && protocol !== "https:")
    throw new WebhookError("badUrl", `${protocol}// is neither http nor https`);
  const { origin, hostname, username, password, hash } = parsed;
  parsed.username = "";
  parsed.password = "";
  parsed.hash = "";
  return {
    protocol,
    origin,
    host: hostname.replace(/^\[|\]$/g, ""),
    // Not pathname + search: an empty query keeps its "?" here, as the receiver would see it.
    path: parsed.href.slice(origin.length),
    authorization: basic(username, password),
    fragment: hash,
  };
}

/** The target as a URL: what a signature covers and an alert may show. */
export const urlOf = ({ origin, path }: Target): string => origin + path;

/** A URL fit for logs and alerts: no user, no password. */
export function shownUrl(text: string): string {
  const parsed = URL.parse(text);
  if (parsed === null) return text.slice(0, 200).replace(/\/\/[^/@]*@/, "//");
  parsed.username = "";
  parsed.password = "";
  return parsed.href;
}

/** Adds form parameters to the query, keeping what is there. */
export function withQuery(target: Target, parameters: readonly (readonly [string, string])[]): Target {
  if (parameters.length === 0) return target;
  const { path } = target;
  const query = path.indexOf("?");
  const joint = query < 0 ? "?" : query === path.length - 1 ? "" : "&";
  return { ...target, path: path + joint + formOf(parameters) };
}

/** application/x-www-form-urlencoded */
export function formOf(parameters: readonly (readonly [string, string])[]): string {
  return new URLSearchParams(parameters as readonly [string, string][]).toString();
}

function basic(username: string, password: string): string | undefined {
  if (username === "" && password === "") return undefined;
  const text = `${decoded(username)}:${decoded(password)}`;
  return `Basic ${Buffer.from(text, "utf8").toString("base64")}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
