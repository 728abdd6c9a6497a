import { isBlank, skipBlanks, skipToken, utf8Decode, utf8Encode } from "../text/index.ts";
import { headerKey, longHeaderName } from "./header-names.ts";
import { linesOf, SipHeaders } from "./headers.ts";
import type { SipLimits } from "./limits.ts";
import type { SipParseError, SipParseErrorCode } from "./parse-error.ts";

/** What is wrong with a message, before it is known whether that will be answered. */
export interface Problem {
  readonly code: SipParseErrorCode;
  readonly message: string;
  readonly offset: number;
  readonly status: NonNullable<SipParseError["status"]>;
}

/** Start line and header fields of a message, read in one pass. */
export interface Head {
  readonly startLine: string;
  readonly headers: SipHeaders;
  /** The first thing wrong with the header lines. */
  readonly problem: Problem | undefined;
}

/**
 * Headers of which two would leave open which one counts (RFC 3261 §20, table 2; RFC 4028, 3262, 3515, 3891, 6665),
 * a bit for each.
 */
const ONCE: ReadonlyMap<string, number> = new Map(
  [
    "call-id",
    "content-disposition",
    "content-length",
    "content-type",
    "cseq",
    "event",
    "expires",
    "from",
    "max-forwards",
    "min-se",
    "rack",
    "refer-to",
    "replaces",
    "rseq",
    "session-expires",
    "to",
  ].map((key, i) => [key, 1 << i]),
);

const LF = 0x0a;
const CR = 0x0d;

/** Where line ends before a message end: §7.5 has them ignored. */
export function skipLineEnds(bytes: Uint8Array, at: number): number {
  let i = at;
  while (bytes[i] === LF || (bytes[i] === CR && bytes[i + 1] === LF)) i += bytes[i] === LF ? 1 : 2;
  return i;
}

/**
 * Finds the empty line that ends the head which starts at `start`.
 *
 * A line ends with CRLF or, tolerated, with a bare LF; a bare CR ends nothing. Parser and stream framer share this
 * function, so both always see the same end.
 *
 * @param from - where to look on, when bytes up to there were looked through before
 * @returns the offset of the empty line and of what follows it; `undefined` when there is none up to `end`
 */
export function findHeadEnd(
  bytes: Uint8Array,
  from: number,
  end: number,
): { readonly emptyLine: number; readonly bodyStart: number } | undefined {
  for (let lf = bytes.indexOf(LF, from); lf >= 0 && lf < end; lf = bytes.indexOf(LF, lf + 1)) {
    const next = bytes[lf + 1];
    if (next === LF) return { emptyLine: lf + 1, bodyStart: lf + 2 };
    if (next === CR && bytes[lf + 2] === LF) return { emptyLine: lf + 1, bodyStart: lf + 3 };
  }
  return undefined;
}

/** Reads the head in `bytes[start, end)`, the empty line left out. Decodes it once. */
export function readHead(bytes: Uint8Array, start: number, end: number, limits: SipLimits): Head {
  const text = utf8Decode(bytes.subarray(start, end));
  const isAscii = text.length === end - start;
  const octets = (from: number, to: number) =>
    isAscii ? to - from : utf8Encode(text.slice(from, to)).length;
  let problem: Problem | undefined;
  // U+FFFD may be longer than the octet it stands for, hence the minimum.
  const report = (code: SipParseErrorCode, message: string, at: number, status: Problem["status"] = 400) => {
    problem ??= { code, message, offset: Math.min(start + octets(0, at), end), status };
  };

  const nul = text.indexOf("\0");
  if (nul >= 0 && /(?<!\\)\0/.test(text)) report("SIP_HEADER_SYNTAX", "NUL outside a quoted pair", nul);

  let lineEnd = endOfLine(text, 0);
  const startLine = text.slice(0, withoutCr(text, 0, lineEnd));
  if (octets(0, startLine.length) > limits.startLineBytes)
    report("SIP_TOO_LARGE", "start line too long", limits.startLineBytes, 414);
  const bareCr = startLine.indexOf("\r");
  if (bareCr >= 0) report("SIP_START_LINE", "bare CR in the start line", bareCr);

  const headers = new SipHeaders();
  const lines = linesOf(headers);
  let seen = 0;
  let count = 0;
  for (let at = lineEnd + 1; at < text.length; at = lineEnd + 1) {
    if (++count > limits.headerCount) {
      report("SIP_TOO_LARGE", "too many header lines", at, 513);
      break;
    }
    lineEnd = endOfLine(text, at);
    const nameEnd = skipToken(text, at);
    const colon = skipBlanks(text, nameEnd);
    let value = readLineValue(text, colon + 1, lineEnd);
    while (isBlank(text.charCodeAt(lineEnd + 1))) {
      // §7.3.1: folded lines count as one, with one SP where the fold was.
      const from = lineEnd + 1;
      lineEnd = endOfLine(text, from);
      const more = readLineValue(text, from, lineEnd);
      if (more !== "") value = value === "" ? more : `${value} ${more}`;
    }
    if (octets(at, lineEnd) > limits.headerLineBytes) {
      report("SIP_TOO_LARGE", "header line too long", at, 513);
      continue;
    }
    if (nameEnd === at || text.charCodeAt(colon) !== 0x3a) {
      report("SIP_HEADER_SYNTAX", "header line without name and colon", at);
      continue;
    }
    const hasBareCr = value.includes("\r");
    if (hasBareCr) report("SIP_HEADER_SYNTAX", "bare CR in a header line", at);
    const name = text.slice(at, nameEnd);
    const key = headerKey(name);
    const once = ONCE.get(key) ?? 0;
    if ((seen & once) !== 0) report("SIP_HEADER_REPEATED", `${key} comes twice`, at);
    seen |= once;
    lines.push({ key, name: longHeaderName(name), value, wasRead: !hasBareCr && nul < 0 });
  }
  return { startLine, headers, problem };
}

/** Offset of the LF that ends the line, or of the text's end. */
function endOfLine(text: string, from: number): number {
  const lf = text.indexOf("\n", from);
  return lf < 0 ? text.length : lf;
}

function withoutCr(text: string, from: number, end: number): number {
  return end > from && text.charCodeAt(end - 1) === CR ? end - 1 : end;
}

function readLineValue(text: string, from: number, lineEnd: number): string {
  const start = skipBlanks(text, from);
  let end = withoutCr(text, from, lineEnd);
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return start < end ? text.slice(start, end) : "";
}
