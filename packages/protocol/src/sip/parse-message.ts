import { err, isToken, ok, parseDecimal, type Result } from "../text/index.ts";
import { parseCSeq } from "./cseq.ts";
import { findHeadEnd, type Head, type Problem, readHead, skipLineEnds } from "./head.ts";
import type { SipHeaders } from "./headers.ts";
import { DEFAULT_SIP_LIMITS, type SipLimits } from "./limits.ts";
import { NO_BODY, type SipMessage, type SipRequest } from "./message.ts";
import { parseContact, parseNameAddr } from "./name-addr.ts";
import type { SipParseError } from "./parse-error.ts";
import { isPlainHead, readPlainRequestLine } from "./plain.ts";
import { parseUri } from "./uri.ts";
import { parseVia } from "./via.ts";

export interface SipParseOptions {
  readonly limits?: SipLimits;
  /**
   * `"datagram"` (default): without Content-Length the body runs to the end, octets beyond it are dropped.
   * `"stream"`: what `SipStreamFramer` cut out; Content-Length must be there.
   */
  readonly framing?: "datagram" | "stream";
}

/**
 * Reads one SIP message (RFC 3261 §7).
 *
 * Strict in what decides about transactions, dialogs and framing: the start line, the five headers every message has
 * (Via, To, From, Call-ID, CSeq), Contact, Content-Length, and headers that come twice. Everything else is kept as text
 * for whoever needs it. Tolerated: bare LF as line end, a missing Max-Forwards, line ends before the start line,
 * octets that are no UTF-8 (they read as U+FFFD).
 *
 * @returns the message; its body is a view into `bytes`
 * @throws never
 */
export function parseSipMessage(
  bytes: Uint8Array,
  options: SipParseOptions = {},
): Result<SipMessage, SipParseError> {
  const limits = options.limits ?? DEFAULT_SIP_LIMITS;
  const start = skipLineEnds(bytes, 0);
  if (start === bytes.length) return err({ code: "SIP_EMPTY", message: "no message", offset: start });

  const headLimit = Math.min(bytes.length, start + limits.headBytes);
  const end = findHeadEnd(bytes, start, headLimit);
  const head = readHead(bytes, start, end?.emptyLine ?? headLimit, limits);
  const startLine = readStartLine(head.startLine, start);
  const cut =
    end === undefined && headLimit < bytes.length ? tooLarge("head too large", headLimit) : undefined;
  let problem = cut ?? startLine.problem ?? head.problem;
  if (end === undefined) problem ??= noEmptyLine(bytes.length);
  const method = startLine.kind === "request" ? startLine.method : undefined;
  if (problem === undefined && !isPlainHead(method, head.headers))
    problem = checkHeaders(method, head.headers, start);

  const bodyStart = end?.bodyStart ?? bytes.length;
  const body = readBody(bytes, bodyStart, head.headers, limits, options.framing ?? "datagram");
  if (!(body instanceof Uint8Array)) problem ??= body;
  if (problem !== undefined || !(body instanceof Uint8Array)) return err(refuse(problem!, startLine, head));
  const { headers } = head;
  if (startLine.kind === "request")
    return ok({ kind: "request", method: startLine.method, uri: startLine.uri, headers, body });
  return ok({ kind: "response", status: startLine.status, reason: startLine.reason, headers, body });
}

type StartLine = { readonly problem?: Problem | undefined } & (
  | { readonly kind: "request"; readonly method: string; readonly uri: string }
  | { readonly kind: "response"; readonly status: number; readonly reason: string }
);

/** `Method SP Request-URI SP SIP/2.0`, or `SIP/2.0 SP 3DIGIT SP reason`: exactly one SP each (§7.1, §7.2). */
function readStartLine(line: string, offset: number): StartLine {
  const plain = readPlainRequestLine(line);
  if (plain !== undefined) return plain;
  if (/^SIP\//i.test(line)) return readStatusLine(line, offset);
  const bad = (
    code: Problem["code"],
    message: string,
    at: number,
    status: Problem["status"] = 400,
  ): Problem => ({
    code,
    message,
    offset: offset + at,
    status,
  });
  const first = line.indexOf(" ");
  const last = line.lastIndexOf(" ");
  const method = first < 0 ? line : line.slice(0, first);
  const uri = first < last ? line.slice(first + 1, last) : line.slice(method.length).trim();
  const request = { kind: "request", method, uri } as const;
  if (!isToken(method)) return { ...request, problem: bad("SIP_START_LINE", "the method is no token", 0) };
  const version = line.slice(last + 1);
  if (first === last || !/^SIP\/\d+\.\d+$/i.test(version))
    return { ...request, problem: bad("SIP_START_LINE", "expected method, Request-URI and SIP version", 0) };
  if (version.toUpperCase() !== "SIP/2.0")
    return { ...request, problem: bad("SIP_VERSION", "not SIP/2.0", last + 1, 505) };
  const parsed = parseUri(uri);
  if (!parsed.ok)
    return {
      ...request,
      problem: bad("SIP_REQUEST_URI", parsed.error.message, first + 1 + parsed.error.offset),
    };
  // §19.1.1, table 1: no headers component in a Request-URI.
  if ("headers" in parsed.value && parsed.value.headers.length > 0)
    return { ...request, problem: bad("SIP_REQUEST_URI", "headers in the Request-URI", first + 1) };
  return request;
}

/** The SP behind the code is mandatory even without a reason phrase; leaving it out is tolerated. */
function readStatusLine(line: string, offset: number): StartLine {
  const match = /^SIP\/(\d+\.\d+) (\d{3})(?: (.*))?$/is.exec(line);
  const status = Number(match?.[2] ?? 0);
  const response = { kind: "response", status, reason: match?.[3] ?? "" } as const;
  if (match !== null && match[1] === "2.0" && status >= 100 && status <= 699) return response;
  return {
    ...response,
    problem: { code: "SIP_START_LINE", message: "bad status line", offset, status: 400 },
  };
}

/** The headers every message must have, and those a wrong reading of which would do harm. */
export function checkHeaders(
  method: string | undefined,
  headers: SipHeaders,
  offset: number,
): Problem | undefined {
  const bad = (code: Problem["code"], message: string): Problem => ({ code, message, offset, status: 400 });
  for (const name of ["Via", "From", "To", "Call-ID", "CSeq"])
    if (!headers.get(name)) return bad("SIP_HEADER_MISSING", `no ${name}`);

  const vias = headers.list("Via");
  if (vias.length === 0) return bad("SIP_HEADER_MISSING", "no Via");
  for (let i = 0; i < vias.length; i++) {
    const via = parseVia(vias[i]!);
    if (!via.ok) return bad("SIP_HEADER_VALUE", `Via: ${via.error.message}`);
    if (via.value.protocol !== undefined) return bad("SIP_HEADER_VALUE", "Via: not SIP/2.0");
    // RFC 4475 §3.2.1: the cookie alone identifies nothing.
    if (i === 0 && via.value.params.get("branch") === "z9hG4bK")
      return bad("SIP_HEADER_VALUE", "Via: empty branch");
  }
  for (const name of ["From", "To"]) {
    const address = parseNameAddr(headers.get(name)!);
    if (!address.ok) return bad("SIP_HEADER_VALUE", `${name}: ${address.error.message}`);
  }
  if (/[ \t]/.test(headers.get("Call-ID")!)) return bad("SIP_HEADER_VALUE", "Call-ID: blank inside");
  const cseq = parseCSeq(headers.get("CSeq")!);
  if (!cseq.ok) return bad("SIP_HEADER_VALUE", `CSeq: ${cseq.error.message}`);
  if (method !== undefined && cseq.value.method !== method)
    return bad("SIP_CSEQ_METHOD", "CSeq names another method than the start line");
  for (const value of headers.list("Contact")) {
    const contact = parseContact(value);
    if (!contact.ok) return bad("SIP_HEADER_VALUE", `Contact: ${contact.error.message}`);
  }
  return undefined;
}

/** §18.3: Content-Length against what is there. */
function readBody(
  bytes: Uint8Array,
  start: number,
  headers: SipHeaders,
  limits: SipLimits,
  framing: "datagram" | "stream",
): Uint8Array | Problem {
  const available = bytes.length - start;
  const text = headers.get("Content-Length");
  const bad = (message: string): Problem => ({
    code: "SIP_CONTENT_LENGTH",
    message,
    offset: start,
    status: 400,
  });
  if (text === undefined && framing === "stream") return bad("no Content-Length on a stream");
  const length = text === undefined ? available : parseDecimal(text, Number.MAX_SAFE_INTEGER);
  if (length === undefined) return bad("Content-Length is no number");
  if (length > available && framing === "datagram")
    return {
      code: "SIP_TRUNCATED",
      message: "body shorter than Content-Length",
      offset: bytes.length,
      status: 400,
    };
  if (length > limits.bodyBytes) return tooLarge("body too large", start);
  if (length > available)
    return {
      code: "SIP_TRUNCATED",
      message: "body shorter than Content-Length",
      offset: bytes.length,
      status: 400,
    };
  return length === 0 ? NO_BODY : bytes.subarray(start, start + length);
}

function refuse(problem: Problem, startLine: StartLine, { headers }: Head): SipParseError {
  const { code, message, offset, status } = problem;
  if (startLine.kind === "response" || startLine.method === "ACK") return { code, message, offset };
  const request: SipRequest = {
    kind: "request",
    method: startLine.method,
    uri: startLine.uri,
    headers,
    body: NO_BODY,
  };
  return canBeAnswered(request)
    ? { code, message, offset, status, request }
    : { code, message, offset, status };
}

function canBeAnswered({ method, headers }: SipRequest): boolean {
  // Its parameters may be the very trouble (RFC 4475 §3.1.2.1); the answer then goes where the request came from.
  const topVia = headers.first("Via")?.split(";", 1)[0];
  if (!isToken(method) || topVia === undefined || !parseVia(topVia).ok) return false;
  return ["From", "To", "Call-ID", "CSeq"].every((name) => headers.get(name));
}

const tooLarge = (message: string, offset: number): Problem => ({
  code: "SIP_TOO_LARGE",
  message,
  offset,
  status: 513,
});

const noEmptyLine = (offset: number): Problem => ({
  code: "SIP_TRUNCATED",
  message: "no empty line after the headers",
  offset,
  status: 400,
});
