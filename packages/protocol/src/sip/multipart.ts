import { err, ok, type Result, utf8Encode } from "../text/index.ts";
import { cleanValue, SipFormatError } from "./format-message.ts";
import type { SipHeaders } from "./headers.ts";
import { type MediaType, parseMediaType } from "./media-type.ts";
import { readPart } from "./multipart-part.ts";

/** One part of a multipart body: its own header fields, and its octets after transfer decoding. */
export interface BodyPart {
  readonly headers: SipHeaders;
  /** A view into the body it was read from, unless it had to be decoded. */
  readonly body: Uint8Array;
}

export interface MultipartLimits {
  readonly parts: number;
  readonly headersPerPart: number;
  readonly headerLineBytes: number;
  /** Multiparts within multiparts, the outermost counted (`flattenBody`). */
  readonly depth: number;
}

export const DEFAULT_MULTIPART_LIMITS: MultipartLimits = {
  parts: 64,
  headersPerPart: 32,
  headerLineBytes: 8_192,
  depth: 4,
};

export interface MultipartOptions {
  readonly limits?: MultipartLimits;
  /**
   * Turns into a warning what is not worth losing a recording for: a missing closing delimiter, bare LF, a bad part
   * header line, an odd boundary, a transfer encoding that does not decode. Default: false.
   */
  readonly lenient?: boolean;
}

export interface MultipartBody {
  /** The subtype says how the parts relate: mixed, alternative, related, … */
  readonly mediaType: MediaType;
  readonly parts: readonly BodyPart[];
  /** Octets before the first delimiter; to be ignored, here for the curious. */
  readonly preamble: Uint8Array;
  readonly epilogue: Uint8Array;
  /** What leniency let pass, in plain words. */
  readonly warnings: readonly string[];
}

export interface MultipartError {
  readonly code:
    | "MULTIPART_NOT_MULTIPART"
    | "MULTIPART_BOUNDARY"
    | "MULTIPART_NO_PARTS"
    | "MULTIPART_UNCLOSED"
    | "MULTIPART_LINE_END"
    | "MULTIPART_PART_HEADER"
    | "MULTIPART_ENCODING"
    | "MULTIPART_TOO_LARGE";
  readonly message: string;
  /** Octets from the start of the body. */
  readonly offset: number;
}

/**
 * Takes a multipart body apart (RFC 2046 §5.1.1). One level: a part that is itself multipart stays whole; `flattenBody`
 * goes down.
 *
 * Binary-safe: only delimiter lines are looked for, the rest is never decoded. Base64 and quoted-printable parts are
 * decoded and lose their Content-Transfer-Encoding header; 7bit, 8bit and binary are left as they are (RFC 5621 §3.2).
 *
 * @param contentType - the value of Content-Type, boundary included
 */
export function parseMultipart(
  body: Uint8Array,
  contentType: string,
  options: MultipartOptions = {},
): Result<MultipartBody, MultipartError> {
  const limits = options.limits ?? DEFAULT_MULTIPART_LIMITS;
  const lenient = options.lenient ?? false;
  const mediaType = parseMediaType(contentType);
  if (!mediaType.ok || mediaType.value.type !== "multipart")
    return fail("MULTIPART_NOT_MULTIPART", "Content-Type is not multipart", 0);
  const warnings: string[] = [];
  const boundary = mediaType.value.params.get("boundary");
  if (!boundary || boundary.length > 200)
    return fail("MULTIPART_BOUNDARY", "no usable boundary parameter", 0);
  if (!isBoundary(boundary)) {
    if (!lenient) return fail("MULTIPART_BOUNDARY", "boundary is not 1 to 70 permitted characters", 0);
    warnings.push("boundary is not 1 to 70 permitted characters");
  }

  const found = findDelimiters(body, boundary, limits.parts + 1);
  if (found.length > limits.parts && !found.some((each) => each.closes))
    return fail("MULTIPART_TOO_LARGE", "too many parts", found[limits.parts]!.start);
  const last = found.at(-1);
  if (last === undefined || found[0]!.closes)
    return fail("MULTIPART_NO_PARTS", "no delimiter line opens a part", body.length);
  if (!last.closes) {
    if (!lenient) return fail("MULTIPART_UNCLOSED", "closing delimiter missing", body.length);
    warnings.push("closing delimiter missing");
  }
  const bareLf = found.find((each) => each.bareLf);
  if (bareLf !== undefined) {
    if (!lenient) return fail("MULTIPART_LINE_END", "bare LF at a delimiter line", bareLf.start);
    warnings.push("bare LF at a delimiter line");
  }

  const parts: BodyPart[] = [];
  for (let i = 0; i < found.length && !found[i]!.closes; i++) {
    const part = readPart(body, found[i]!.end, found[i + 1]?.start ?? body.length, limits, lenient, warnings);
    if (!part.ok) return part;
    parts.push(part.value);
  }
  return ok({
    mediaType: mediaType.value,
    parts,
    preamble: body.subarray(0, found[0]!.start),
    epilogue: last.closes ? body.subarray(last.end) : body.subarray(body.length),
    warnings,
  });
}

/**
 * Writes a multipart body as fresh octets; label it `multipart/…;boundary=…` with `formatMediaType`. Header values are
 * cleaned of line ends as in `formatSipMessage`.
 *
 * @param boundary - from `chooseBoundary`
 * @throws SipFormatError for no parts, a boundary that is none, or one that occurs in a part
 */
export function formatMultipart(parts: readonly BodyPart[], boundary: string): Uint8Array {
  if (parts.length === 0) throw new SipFormatError("a multipart body needs a part");
  if (!isBoundary(boundary)) throw new SipFormatError("not a boundary");
  if (occursIn(parts, boundary)) throw new SipFormatError("the boundary occurs in a part");
  const chunks: Uint8Array[] = [];
  for (const part of parts) {
    let head = `${chunks.length === 0 ? "" : "\r\n"}--${boundary}\r\n`;
    for (const [name, value] of part.headers.entries()) head += `${name}: ${cleanValue(value)}\r\n`;
    chunks.push(utf8Encode(`${head}\r\n`), part.body);
  }
  chunks.push(utf8Encode(`\r\n--${boundary}--\r\n`));
  return concat(chunks);
}

/** `seed`, or the first of `seed-1`, `seed-2`, … that occurs in no part. `seed`: at most 60 token characters. */
export function chooseBoundary(parts: readonly BodyPart[], seed: string): string {
  let boundary = seed;
  for (let n = 1; occursIn(parts, boundary); n++) boundary = `${seed}-${n}`;
  return boundary;
}

/** `bcharsnospace` and blanks, the last one no blank; 1 to 70 (RFC 2046 §5.1.1). */
function isBoundary(text: string): boolean {
  return /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/.test(text);
}

function occursIn(parts: readonly BodyPart[], boundary: string): boolean {
  const needle = utf8Encode(`--${boundary}`);
  return parts.some((part) => indexOfBytes(part.body, needle, 0) >= 0);
}

interface Delimiter {
  /** Where the part before it ends: the line end in front belongs to the delimiter. */
  readonly start: number;
  /** Where the part behind it starts. */
  readonly end: number;
  readonly closes: boolean;
  readonly bareLf: boolean;
}

/** Every delimiter line up to the closing one, at most `max`. */
function findDelimiters(body: Uint8Array, boundary: string, max: number): Delimiter[] {
  const needle = utf8Encode(`--${boundary}`);
  const found: Delimiter[] = [];
  let at = indexOfBytes(body, needle, 0);
  while (at >= 0 && found.length < max) {
    const delimiter = delimiterAt(body, at, at + needle.length, found.at(-1)?.end ?? 0);
    if (delimiter !== undefined) found.push(delimiter);
    if (delimiter?.closes) break;
    // The line end behind one delimiter may be the one in front of the next: an empty part.
    at = indexOfBytes(body, needle, at + needle.length);
  }
  return found;
}

/** A delimiter must start a line and, but for `--` and white space, fill it. */
function delimiterAt(body: Uint8Array, at: number, after: number, floor: number): Delimiter | undefined {
  if (at > 0 && body[at - 1] !== LF) return undefined;
  const closes = body[after] === DASH && body[after + 1] === DASH;
  let end = closes ? after + 2 : after;
  while (body[end] === 0x20 || body[end] === 0x09) end++;
  let bareLf = false;
  if (end < body.length) {
    if (body[end] === CR && body[end + 1] === LF) end += 2;
    else if (body[end] === LF) {
      end++;
      bareLf = true;
    } else if (!closes) return undefined;
  } else if (!closes) return undefined;
  let start = at;
  if (at > 0) {
    const hasCr = body[at - 2] === CR;
    if (!hasCr) bareLf = true;
    start = at - (hasCr ? 2 : 1);
  }
  return { start: Math.max(start, floor), end, closes, bareLf };
}

function indexOfBytes(haystack: Uint8Array, needle: Uint8Array, from: number): number {
  const first = needle[0]!;
  const lastStart = haystack.length - needle.length;
  for (
    let at = haystack.indexOf(first, from);
    at >= 0 && at <= lastStart;
    at = haystack.indexOf(first, at + 1)
  ) {
    let i = 1;
    while (i < needle.length && haystack[at + i] === needle[i]) i++;
    if (i === needle.length) return at;
  }
  return -1;
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

const fail = (code: MultipartError["code"], message: string, offset: number) =>
  err({ code, message, offset });

const LF = 0x0a;
const CR = 0x0d;
const DASH = 0x2d;
