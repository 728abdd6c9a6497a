import type { RecordingFilter, RecordingRecord } from "../recording-server/index.ts";

export type TermKind = "number" | "name" | "label" | "session" | "group" | "source" | "data";

export interface SearchTerm {
  readonly kind: TermKind;
  readonly value: string;
}

/** Terms of one recording that are kept; each adds a row. */
const MAX_TERMS = 400;
const MAX_VALUE = 200;

/** What a recording is found by. */
export function termsOf(record: RecordingRecord): readonly SearchTerm[] {
  const found = new Map<string, SearchTerm>();
  const add = (kind: TermKind, value: string): void => {
    const term = { kind, value: value.slice(0, MAX_VALUE) };
    if (value !== "" && found.size < MAX_TERMS) found.set(`${kind} ${term.value}`, term);
  };
  for (const { aor, name } of record.participants) {
    for (const value of numberValues(aor)) add("number", value);
    const folded = foldName(name ?? "");
    for (const value of [folded, ...folded.split(" ")]) add("name", value);
  }
  for (const { label } of record.tracks) add("label", label);
  for (const { sessionId, groupId, sipSessionIds } of record.sessions) {
    for (const value of [sessionId, ...sipSessionIds]) add("session", value.toLowerCase());
    add("group", groupId?.toLowerCase() ?? "");
  }
  add("source", hostOf(record.source.address));
  for (const [name, value] of Object.entries(record.extensionData)) add("data", dataValue(name, value));
  return [...found.values()];
}

/** A filter as terms; what has `*` at its end stands for all that begin so. */
export function askedTerms(
  filter: RecordingFilter,
): readonly (SearchTerm & { readonly isPrefix: boolean })[] {
  const asked: (SearchTerm & { readonly isPrefix: boolean })[] = [];
  const add = (kind: TermKind, text: string | undefined, fold: (text: string) => string): void => {
    if (text === undefined) return;
    const isPrefix = text.endsWith("*");
    asked.push({ kind, value: fold(isPrefix ? text.slice(0, -1) : text).slice(0, MAX_VALUE), isPrefix });
  };
  add("number", filter.number, foldNumber);
  add("name", filter.name, foldName);
  add("label", filter.label, (text) => text);
  add("session", filter.sessionId, (text) => text.toLowerCase());
  add("group", filter.groupId, (text) => text.toLowerCase());
  add("source", filter.source, (text) => text.toLowerCase());
  for (const [name, value] of Object.entries(filter.extensionData ?? {}))
    add("data", value, (text) => dataValue(name, text));
  return asked;
}

/** The first text that does not begin so. */
export const prefixEnd = (prefix: string): string => `${prefix}\u{10ffff}`;

/** The address itself, its user part, and a number without what people write between its digits. */
function numberValues(aor: string): readonly string[] {
  const folded = foldNumber(aor);
  const user = /^(?:sips?|tel):([^@;]+)/.exec(folded)?.[1];
  return user === undefined ? [folded] : [folded, foldNumber(user)];
}

/** `+1 (555) 010-0` is `+15550100`; an address loses its parameters and its case. */
export function foldNumber(text: string): string {
  const trimmed = text.trim().toLowerCase();
  if (/^\+?[\d\s().-]+\*?$/.test(trimmed)) return trimmed.replace(/[^\d+*]/g, "");
  return trimmed.replace(/^<|>$/g, "").split(";")[0]!;
}

const foldName = (text: string): string => text.normalize("NFKC").toLowerCase().trim().replace(/\s+/g, " ");

const dataValue = (name: string, value: string): string => `${name.toLowerCase()}=${value.toLowerCase()}`;

const hostOf = (address: string): string =>
  address
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();
