import { linesOf, type SipHeaders } from "./headers.ts";

// Nearly every message that comes is plainly right: no quoted pairs, no lists on a line, no IPv6. Such are recognised
// here at a glance, without taking values apart. Each pattern matches a part of what the full parser of that value
// takes; whatever it does not match is no error but goes the long way, which also knows what is wrong. Where one
// part of a pattern ends, the next cannot go on: none takes more than linear time.

const TOKEN = "[\\w\\-.!%*+`'~]+";
const HOST = "(?:\\w+[.-])*\\w+";
const PORT = "(?::[1-5]?\\d{1,4})?";
const PARAMS = `(?:;${TOKEN}(?:=[^\\x00-\\x20\\x7f;,"]*)?)*`;

const REQUEST_LINE = new RegExp(
  `^(${TOKEN}) (sips?:(?:[\\w\\-.!~*'()&=+$,/]+@)?${HOST}${PORT}(?:;[\\w\\-.!~*+]+(?:=[\\w\\-.!~*+:]*)?)*) SIP/2\\.0$`,
);
const VIA = new RegExp(`^SIP/2\\.0/${TOKEN} ${HOST}${PORT}${PARAMS}$`);
const NAME_ADDR = new RegExp(
  `^(?:"[^"\\\\]*" *|[\\w\\-.!%*+\`'~ ]*)<[a-z]+:[^\\x00-\\x20\\x7f"<>]+>${PARAMS}$`,
);
const CSEQ_VALUE = new RegExp(`^\\d{1,9} (${TOKEN})$`);

interface PlainRequestLine {
  readonly kind: "request";
  readonly method: string;
  readonly uri: string;
}

/** A request line that the full parser would take; `undefined` when that has to say. */
export function readPlainRequestLine(line: string): PlainRequestLine | undefined {
  const match = REQUEST_LINE.exec(line);
  return match === null ? undefined : { kind: "request", method: match[1]!, uri: match[2]! };
}

const FROM = 1;
const TO = 2;
const CALL_ID = 4;
const CSEQ = 8;

/**
 * Are the headers that every message must have all there, and they and Contact plainly right?
 *
 * @param method - of a request, which CSeq has to name
 */
export function isPlainHead(method: string | undefined, headers: SipHeaders): boolean {
  let topVia = "";
  let found = 0;
  for (const { key, value } of linesOf(headers)) {
    switch (key) {
      case "via":
        if (!VIA.test(value)) return false;
        if (topVia === "") topVia = value;
        break;
      case "from":
      case "to":
      case "contact":
        if (!NAME_ADDR.test(value)) return false;
        if (key !== "contact") found |= key === "to" ? TO : FROM;
        break;
      case "call-id":
        if (value === "" || value.includes(" ") || value.includes("\t")) return false;
        found |= CALL_ID;
        break;
      case "cseq": {
        const named = CSEQ_VALUE.exec(value)?.[1];
        if (named === undefined || (method !== undefined && named !== method)) return false;
        found |= CSEQ;
        break;
      }
    }
  }
  // RFC 4475 §3.2.1: a branch that is only the cookie; whether this is one, the long way says.
  const hasBareCookie = topVia.includes("z9hG4bK;") || topVia.endsWith("z9hG4bK");
  return found === (FROM | TO | CALL_ID | CSEQ) && topVia !== "" && !hasBareCookie;
}
