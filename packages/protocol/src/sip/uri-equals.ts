import type { SipUri } from "./uri.ts";

/** Parameters whose absence on one side makes two URIs differ (RFC 3261 §19.1.4, last rule of the parameter list). */
const NEVER_IGNORED = ["user", "ttl", "method", "maddr", "transport"] as const;

/**
 * Do two SIP URIs name the same thing (RFC 3261 §19.1.4)? The relation is not transitive.
 *
 * User and password compare with case, all else without. An absent port is not 5060. Works on decoded parts, so an
 * escaped reserved character equals the bare one: `%3B` and `;` in a user part are one and the same here.
 */
export function sipUriEquals(a: SipUri, b: SipUri): boolean {
  if (a.scheme !== b.scheme || a.user !== b.user || a.password !== b.password || a.port !== b.port)
    return false;
  if (a.host.toLowerCase() !== b.host.toLowerCase()) return false;
  for (const name of NEVER_IGNORED) if (a.params.has(name) !== b.params.has(name)) return false;
  for (const [name, value] of a.params) {
    if (!b.params.has(name)) continue;
    const other = b.params.get(name)!;
    if (fold(value) !== fold(other)) return false;
  }
  return headersKey(a) === headersKey(b);
}

const fold = (value: string | null | undefined): string | null => value?.toLowerCase() ?? null;

/** Header components are never ignored; their order does not matter. */
function headersKey(uri: SipUri): string {
  const pairs = uri.headers.map(([name, value]) => [name.toLowerCase(), value.toLowerCase()]);
  return JSON.stringify(pairs.map((pair) => JSON.stringify(pair)).sort());
}
