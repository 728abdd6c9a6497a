import {
  err,
  isToken,
  ok,
  parseDecimal,
  type Result,
  skipBlanks,
  skipToken,
  type TextError,
  trimBlanks,
} from "../text/index.ts";

/** RFC 3261 §20.16. `sequence` is below 2^31; methods compare with case. */
export interface CSeq {
  readonly sequence: number;
  readonly method: string;
}

/** RFC 3262 §7.2: which reliable provisional response a PRACK acknowledges. */
export interface RAck {
  readonly responseNumber: number;
  readonly sequence: number;
  readonly method: string;
}

/** §8.1.1.5: "The sequence number value MUST be expressible as a 32-bit unsigned integer and MUST be less than 2**31." */
const MAX_SEQUENCE = 2 ** 31 - 1;

export function parseCSeq(text: string): Result<CSeq, TextError> {
  const trimmed = trimBlanks(text);
  const numberEnd = skipToken(trimmed, 0);
  const sequence = parseDecimal(trimmed.slice(0, numberEnd), MAX_SEQUENCE);
  const method = trimmed.slice(skipBlanks(trimmed, numberEnd));
  if (sequence === undefined) return err({ message: "CSeq number missing or above 2^31-1", offset: 0 });
  if (!isToken(method)) return err({ message: "CSeq needs one method", offset: 0 });
  return ok({ sequence, method });
}

export function formatCSeq({ sequence, method }: CSeq): string {
  return `${sequence} ${method}`;
}

export function parseRAck(text: string): Result<RAck, TextError> {
  const words = trimBlanks(text).split(/[ \t]+/);
  const responseNumber = parseDecimal(words[0]!, 2 ** 32 - 1);
  const sequence = parseDecimal(words[1] ?? "", MAX_SEQUENCE);
  if (responseNumber === undefined || sequence === undefined)
    return err({ message: "RAck needs two numbers", offset: 0 });
  if (words.length !== 3 || !isToken(words[2]!)) return err({ message: "RAck needs one method", offset: 0 });
  return ok({ responseNumber, sequence, method: words[2]! });
}

export function formatRAck({ responseNumber, sequence, method }: RAck): string {
  return `${responseNumber} ${sequence} ${method}`;
}

/** Max-Forwards, 0 to 255 (RFC 3261 §20.22). */
export function parseMaxForwards(text: string): Result<number, TextError> {
  const hops = parseDecimal(trimBlanks(text), 255);
  return hops === undefined ? err({ message: "Max-Forwards is not 0 to 255", offset: 0 }) : ok(hops);
}
