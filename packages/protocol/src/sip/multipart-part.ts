import {
  err,
  isBlank,
  ok,
  type Result,
  skipBlanks,
  skipToken,
  trimBlanks,
  utf8Decode,
} from "../text/index.ts";
import { SipHeaders } from "./headers.ts";
import type { BodyPart, MultipartError, MultipartLimits } from "./multipart.ts";
import { decodeTransfer } from "./transfer-encoding.ts";

const LF = 0x0a;
const CR = 0x0d;

/**
 * Reads one part in `body[start, end)`: header lines, an empty line, octets. A part without header lines starts with
 * the empty line and is text/plain (RFC 2046 §5.1).
 *
 * @param warnings - grows when `lenient` lets something pass
 */
export function readPart(
  body: Uint8Array,
  start: number,
  end: number,
  limits: MultipartLimits,
  lenient: boolean,
  warnings: string[],
): Result<BodyPart, MultipartError> {
  const headers = new SipHeaders();
  let count = 0;
  let at = start;
  let line = "";
  let lineStart = start;
  const flush = (): MultipartError | undefined => {
    if (line === "") return undefined;
    if (++count > limits.headersPerPart)
      return { code: "MULTIPART_TOO_LARGE", message: "too many headers in a part", offset: lineStart };
    const nameEnd = skipToken(line, 0);
    const colon = skipBlanks(line, nameEnd);
    if (nameEnd > 0 && line.charCodeAt(colon) === 0x3a)
      headers.append(line.slice(0, nameEnd), trimBlanks(line.slice(colon + 1)));
    else if (lenient) warnings.push("part header line without name and colon");
    else
      return {
        code: "MULTIPART_PART_HEADER",
        message: "part header line without name and colon",
        offset: lineStart,
      };
    line = "";
    return undefined;
  };
  while (at < end) {
    const lf = body.indexOf(LF, at);
    const lineEnd = lf < 0 || lf >= end ? end : lf;
    const next = Math.min(lineEnd + 1, end);
    const hasCr = lineEnd > at && body[lineEnd - 1] === CR;
    if (lineEnd < end && !hasCr) {
      if (!lenient)
        return err({ code: "MULTIPART_LINE_END", message: "bare LF in a part's head", offset: at });
      warnings.push("bare LF in a part's head");
    }
    const textEnd = hasCr ? lineEnd - 1 : lineEnd;
    if (textEnd === at) {
      at = next;
      break;
    }
    if (textEnd - at + line.length > limits.headerLineBytes)
      return err({ code: "MULTIPART_TOO_LARGE", message: "part header line too long", offset: at });
    const text = utf8Decode(body.subarray(at, textEnd));
    if (isBlank(text.charCodeAt(0)) && line !== "") line += ` ${trimBlanks(text)}`;
    else {
      const problem = flush();
      if (problem !== undefined) return err(problem);
      line = text;
      lineStart = at;
    }
    at = next;
  }
  const problem = flush();
  if (problem !== undefined) return err(problem);
  return decode({ headers, body: body.subarray(at, end) }, at, lenient, warnings);
}

/** Undoes Content-Transfer-Encoding and takes the header off, so that nobody decodes twice. */
function decode(
  part: BodyPart,
  offset: number,
  lenient: boolean,
  warnings: string[],
): Result<BodyPart, MultipartError> {
  const encoding = part.headers.get("Content-Transfer-Encoding")?.toLowerCase();
  if (encoding === undefined || IDENTITY.has(encoding)) return ok(part);
  const decoded = decodeTransfer(part.body, encoding);
  if (decoded !== undefined) {
    part.headers.delete("Content-Transfer-Encoding");
    return ok({ headers: part.headers, body: decoded });
  }
  if (!lenient)
    return err({ code: "MULTIPART_ENCODING", message: "transfer encoding does not decode", offset });
  warnings.push("transfer encoding does not decode");
  return ok(part);
}

const IDENTITY: ReadonlySet<string> = new Set(["7bit", "8bit", "binary"]);
