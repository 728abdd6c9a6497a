/** Compact forms of RFC 3261 §7.3.3 and §20, RFC 3515, 3841, 3892, 4028, 4474, 6665. */
const COMPACT: Readonly<Record<string, string>> = {
  a: "Accept-Contact",
  b: "Referred-By",
  c: "Content-Type",
  d: "Request-Disposition",
  e: "Content-Encoding",
  f: "From",
  i: "Call-ID",
  j: "Reject-Contact",
  k: "Supported",
  l: "Content-Length",
  m: "Contact",
  n: "Identity-Info",
  o: "Event",
  r: "Refer-To",
  s: "Subject",
  t: "To",
  u: "Allow-Events",
  v: "Via",
  x: "Session-Expires",
  y: "Identity",
};

/** Spellings worth a look-up instead of a `toLowerCase`: what most messages consist of. */
const USUAL = [
  "Accept Allow Allow-Events Authorization CSeq Call-ID Contact Content-Disposition Content-ID Content-Length",
  "Content-Transfer-Encoding Content-Type Date Expires From Max-Forwards MIME-Version Min-SE Proxy-Authenticate",
  "Proxy-Authorization Record-Route Reason Require Retry-After Route Server Session-Expires Session-ID Subject",
  "Supported To Unsupported User-Agent Via WWW-Authenticate",
]
  .join(" ")
  .split(" ");

const KEYS: Map<string, string> = new Map([
  ...USUAL.flatMap((name) => [
    [name, name.toLowerCase()] as const,
    [name.toLowerCase(), name.toLowerCase()] as const,
  ]),
  ...Object.entries(COMPACT).flatMap(([letter, name]) => [
    [letter, name.toLowerCase()] as const,
    [letter.toUpperCase(), name.toLowerCase()] as const,
  ]),
]);

for (const [name, key] of KEYS) KEYS.set(name, internalized(key));

/**
 * The same text as the engine keeps it for names of properties: comparing two such is comparing two addresses, and
 * headers are looked up by comparing.
 */
function internalized(key: string): string {
  return Object.keys({ [key]: true })[0]!;
}

/** What names compare by: lower case, compact forms made long. */
export function headerKey(name: string): string {
  return KEYS.get(name) ?? name.toLowerCase();
}

/** One of the names that most messages consist of, as we write them: a token, without a look at each letter. */
export function isUsualName(name: string): boolean {
  return KEYS.has(name);
}

/** The name as it came, compact forms made long. */
export function longHeaderName(name: string): string {
  return name.length === 1 ? (COMPACT[name.toLowerCase()] ?? name) : name;
}
