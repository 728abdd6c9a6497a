import { trimBlanks } from "../text/index.ts";
import { headerKey, longHeaderName } from "./header-names.ts";

/**
 * A header line; `key` is `headerKey(name)`, `name` the long one. `wasRead`: the parser made it, so its name is a token
 * and no line end is in its value.
 */
export interface HeaderLine {
  readonly key: string;
  readonly name: string;
  readonly value: string;
  readonly wasRead: boolean;
}

/** The lines themselves, for the parser and the writer of whole messages: both pass over every line once. */
export let linesOf: (headers: SipHeaders) => HeaderLine[];

/**
 * The header fields of one SIP message, in the order they came, unknown ones included.
 *
 * Names compare without case and compact forms equal their long ones (RFC 3261 §7.3.1, §7.3.3).
 * Values are unfolded text without the surrounding white space. One entry is one header *line*:
 * `list` splits comma-separated lines into single values.
 */
export class SipHeaders {
  readonly #lines: HeaderLine[] = [];

  static {
    linesOf = (headers) => headers.#lines;
  }

  constructor(lines: Iterable<readonly [name: string, value: string]> = []) {
    for (const [name, value] of lines) this.append(name, value);
  }

  /** The value of the first line of that name. */
  get(name: string): string | undefined {
    const key = headerKey(name);
    for (const line of this.#lines) if (line.key === key) return line.value;
    return undefined;
  }

  /** The values of every line of that name, one entry a line, commas left alone. */
  lines(name: string): string[] {
    const key = headerKey(name);
    return this.#lines.filter((line) => line.key === key).map((line) => line.value);
  }

  /** Every single value of that name: lines joined, split at commas outside quotes and angle brackets (§7.3.1). */
  list(name: string): string[] {
    const key = headerKey(name);
    const values: string[] = [];
    for (const line of this.#lines) if (line.key === key) splitInto(values, line.value);
    return values;
  }

  /** The first single value of that name: the topmost Via, the first Route. */
  first(name: string): string | undefined {
    const key = headerKey(name);
    for (const line of this.#lines) {
      if (line.key !== key) continue;
      const value = splitList(line.value)[0];
      if (value !== undefined) return value;
    }
    return undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  append(name: string, value: string): this {
    this.#lines.push({ key: headerKey(name), name: longHeaderName(name), value, wasRead: false });
    return this;
  }

  /** Puts a line before all others of its name (a new top Via, say); before everything where there is none. */
  prepend(name: string, value: string): this {
    const key = headerKey(name);
    const at = this.#lines.findIndex((line) => line.key === key);
    this.#lines.splice(Math.max(at, 0), 0, { key, name: longHeaderName(name), value, wasRead: false });
    return this;
  }

  /** Replaces every line of that name; the first keeps its place. An empty list removes the name. */
  set(name: string, value: string | readonly string[]): this {
    const key = headerKey(name);
    const values = typeof value === "string" ? [value] : value;
    const first = this.#lines.findIndex((line) => line.key === key);
    this.delete(name);
    const at = first < 0 ? this.#lines.length : Math.min(first, this.#lines.length);
    const longName = longHeaderName(name);
    const lines = values.map((each) => ({ key, name: longName, value: each, wasRead: false }));
    this.#lines.splice(at, 0, ...lines);
    return this;
  }

  delete(name: string): this {
    const key = headerKey(name);
    for (let i = this.#lines.length - 1; i >= 0; i--)
      if (this.#lines[i]!.key === key) this.#lines.splice(i, 1);
    return this;
  }

  /** Every line in order, under its long name. */
  *entries(): IterableIterator<readonly [name: string, value: string]> {
    for (const line of this.#lines) yield [line.name, line.value];
  }

  clone(): SipHeaders {
    const copy = new SipHeaders();
    copy.#lines.push(...this.#lines); // lines are never changed, only replaced
    return copy;
  }
}

/**
 * Splits at top-level commas: those in quoted strings and between angle brackets belong to the value. Empty elements
 * are passed over.
 */
export function splitList(line: string): string[] {
  const values: string[] = [];
  splitInto(values, line);
  return values;
}

function splitInto(values: string[], line: string): void {
  if (!line.includes(",")) {
    const only = trimBlanks(line);
    if (only !== "") values.push(only);
    return;
  }
  const take = (from: number, to: number) => {
    const value = trimBlanks(line.slice(from, to));
    if (value !== "") values.push(value);
  };
  let start = 0;
  let quoted = false;
  let bracketed = false;
  for (let i = 0; i < line.length; i++) {
    const code = line.charCodeAt(i);
    if (quoted) {
      if (code === 0x5c) i++;
      else if (code === 0x22) quoted = false;
    } else if (code === 0x22) quoted = true;
    else if (code === 0x3c) bracketed = true;
    else if (code === 0x3e) bracketed = false;
    else if (code === 0x2c && !bracketed) {
      take(start, i);
      start = i + 1;
    }
  }
  take(start, line.length);
}
