/** Compact forms of RFC 3261 §7.3.3 and §20, RFC 3515, RFC 3891, RFC 4028, RFC 6665. */
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
  o: "Event",
  r: "Refer-To",
  s: "Subject",
  t: "To",
  u: "Allow-Events",
  v: "Via",
  x: "Session-Expires",
};

const canonicalKey = (name: string): string => {
  const lower = name.toLowerCase();
  return lower.length === 1 ? (COMPACT[lower]?.toLowerCase() ?? lower) : lower;
};

/**
 * The header fields of one SIP message, in the order they came, unknown ones included.
 *
 * Names compare without case and compact forms equal their long ones (RFC 3261 §7.3.1, §7.3.3).
 * Values are unfolded text without the surrounding white space. One entry is one header *line*:
 * `list` splits comma-separated lines into single values.
 */
export class SipHeaders {
  readonly #lines: { key: string; name: string; value: string }[] = [];

  constructor(lines: Iterable<readonly [name: string, value: string]> = []) {
    for (const [name, value] of lines) this.append(name, value);
  }

  /** The value of the first line of that name. */
  get(name: string): string | undefined {
    const key = canonicalKey(name);
    return this.#lines.find((line) => line.key === key)?.value;
  }

  /** The values of every line of that name, one entry a line, commas left alone. */
  lines(name: string): string[] {
    const key = canonicalKey(name);
    return this.#lines.filter((line) => line.key === key).map((line) => line.value);
  }

  /** Every single value of that name: lines joined, split at commas outside quotes and angle brackets (§7.3.1). */
  list(name: string): string[] {
    return this.lines(name).flatMap(splitList);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  append(name: string, value: string): this {
    this.#lines.push({ key: canonicalKey(name), name: longName(name), value });
    return this;
  }

  /** Puts a line before all others of its name (a new top Via, say); before everything where there is none. */
  prepend(name: string, value: string): this {
    const key = canonicalKey(name);
    const at = this.#lines.findIndex((line) => line.key === key);
    this.#lines.splice(Math.max(at, 0), 0, { key, name: longName(name), value });
    return this;
  }

  /** Replaces every line of that name; the first keeps its place. An empty list removes the name. */
  set(name: string, value: string | readonly string[]): this {
    const key = canonicalKey(name);
    const values = typeof value === "string" ? [value] : value;
    const first = this.#lines.findIndex((line) => line.key === key);
    this.delete(name);
    const at = first < 0 ? this.#lines.length : Math.min(first, this.#lines.length);
    this.#lines.splice(at, 0, ...values.map((each) => ({ key, name: longName(name), value: each })));
    return this;
  }

  delete(name: string): this {
    const key = canonicalKey(name);
    for (let i = this.#lines.length - 1; i >= 0; i--)
      if (this.#lines[i]!.key === key) this.#lines.splice(i, 1);
    return this;
  }

  /** Every line in order, under its long name. */
  *entries(): IterableIterator<readonly [name: string, value: string]> {
    for (const line of this.#lines) yield [line.name, line.value];
  }

  clone(): SipHeaders {
    return new SipHeaders(this.entries());
  }
}

const longName = (name: string): string => (name.length === 1 ? (COMPACT[name.toLowerCase()] ?? name) : name);

/** Splits at top-level commas: those in quoted strings and between angle brackets belong to the value. */
export function splitList(line: string): string[] {
  const values: string[] = [];
  let start = 0;
  let quoted = false;
  let depth = 0;
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    if (quoted) {
      if (c === "\\") i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === "<") depth++;
    else if (c === ">") depth = Math.max(0, depth - 1);
    else if (c === "," && depth === 0) {
      values.push(line.slice(start, i).trim());
      start = i + 1;
    }
  }
  values.push(line.slice(start).trim());
  return values.filter((value) => value !== "");
}
