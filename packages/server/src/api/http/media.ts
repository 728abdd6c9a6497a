import { RangeNotSatisfiableError } from "./errors.ts";
import type { Answer } from "./route.ts";

/** A file that can be read from any octet to any other. */
export interface RangedFile {
  readonly contentType: string;
  readonly length: number;
  open(start: number, end: number): NonNullable<Answer["body"]>;
}

/** GET or HEAD of a file, whole or one range of it (RFC 9110 §14). */
export function fileAnswer(
  file: RangedFile,
  name: string,
  request: {
    readonly method: string;
    readonly range: string | undefined;
    readonly ifRange: string | undefined;
  },
): Answer {
  const { length } = file;
  // RFC 9110 §13.1.5: a validator that does not match asks for the whole; we give out none, so none matches.
  const asked = request.ifRange === undefined ? parseRange(request.range, length) : undefined;
  if (asked === "unsatisfiable") throw new RangeNotSatisfiableError(length);
  const { start, end } = asked ?? { start: 0, end: length - 1 };
  const headers = {
    "content-type": file.contentType,
    "content-length": String(end - start + 1),
    "accept-ranges": "bytes",
    "content-disposition": `inline; filename="${name.replace(/[^A-Za-z0-9._-]/g, "_")}"`,
    ...(asked === undefined ? {} : { "content-range": `bytes ${start}-${end}/${length}` }),
  };
  const status = asked === undefined ? 200 : 206;
  // RFC 9110 §9.3.2: HEAD has the headers of GET and no content.
  if (request.method === "HEAD" || length === 0) return { status, headers };
  return { status, headers, body: file.open(start, end) };
}

/**
 * The octets that a Range header asks for, both ends inclusive. Undefined: the whole file, also for several ranges and
 * for what is malformed (RFC 9110 §14.2: a server may ignore the field).
 */
export function parseRange(
  header: string | undefined,
  length: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header?.trim() ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const suffix = Number(last);
    return suffix === 0 || length === 0
      ? "unsatisfiable"
      : { start: Math.max(0, length - suffix), end: length - 1 };
  }
  const start = Number(first);
  const end = last === "" ? length - 1 : Math.min(Number(last), length - 1);
  if (last !== "" && Number(last) < start) return undefined;
  return start >= length ? "unsatisfiable" : { start, end };
}
