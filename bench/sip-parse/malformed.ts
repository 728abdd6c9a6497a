// Messages that RFC 3261 rules out and that do harm where they are let through: each is the same INVITE, broken in one
// place.

import { INVITE_LINES, message, type WireMessage, wire } from "./corpus.ts";
import type { SipParser, Summary } from "./parsers.ts";

interface Malformed {
  readonly message: WireMessage;
  /** What a parser that lets it through believes it has read. */
  readonly shows?: (summary: Summary) => string;
}

const body = (summary: Summary): string => `body of ${summary.bodyLength}`;
const uri = (summary: Summary): string => `${summary.uri}`;

const KINDS: readonly Malformed[] = [
  { message: message("nothing wrong", INVITE_LINES, "v=0\r") },
  { message: withLength("Content-Length: -999", "-999"), shows: body },
  { message: withLength("Content-Length: 9999 and 4 octets, UDP", "9999"), shows: body },
  {
    message: startLine("Request-URI in angle brackets", "INVITE <sip:+15551230000@sbc.example.com> SIP/2.0"),
    shows: uri,
  },
  {
    message: startLine("blanks in the Request-URI", "INVITE sip:alice@sbc.example.com; lr SIP/2.0"),
    shows: uri,
  },
  { message: startLine("SIP/7.0", "INVITE sip:alice@sbc.example.com SIP/7.0") },
  {
    message: replaced("CSeq of 2^65", "CSeq:", ["CSeq: 36893488147419103232 INVITE"]),
    shows: ({ cseq }) => `${cseq}`,
  },
  {
    message: replaced("two Call-IDs", "Call-ID:", ["Call-ID: one@example.com", "Call-ID: two@example.com"]),
    shows: ({ callId }) => `${callId}`,
  },
];

/** A table in Markdown: a row for each kind, a column for each parser. Everything in it is found out on the spot. */
export function verdicts(parsers: readonly SipParser[]): string {
  const rows = KINDS.map(({ message: each, shows }) => {
    const cells = parsers.map((parser) => verdict(parser, each, shows));
    return `| ${each.name} | ${cells.join(" | ")} |`;
  });
  return [
    `| | ${parsers.map(({ name }) => name).join(" | ")} |`,
    `|---|${"---|".repeat(parsers.length)}`,
    ...rows,
  ].join("\n");
}

function verdict(parser: SipParser, each: WireMessage, shows: Malformed["shows"]): string {
  let parsed: unknown;
  try {
    parsed = parser.parse(each);
  } catch (error) {
    return `throws ${(error as Error).name}`;
  }
  if (parsed === undefined) return "refused";
  return shows === undefined ? "accepted" : `accepted: \`${shows(parser.summary(parsed))}\``;
}

function startLine(name: string, line: string): WireMessage {
  return message(name, [line, ...INVITE_LINES.slice(1)]);
}

function replaced(name: string, header: string, lines: readonly string[]): WireMessage {
  return message(
    name,
    INVITE_LINES.flatMap((line) => (line.startsWith(header) ? lines : [line])),
  );
}

function withLength(name: string, length: string): WireMessage {
  return wire(name, Buffer.from([...INVITE_LINES, `Content-Length: ${length}`, "", "v=0\r"].join("\r\n")));
}
