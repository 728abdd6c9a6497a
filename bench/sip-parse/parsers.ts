// The parsers of the comparison, brought under one face. None of the peers ships types for what is used here.

import { createRequire } from "node:module";
import {
  formatSipMessage,
  parseContact,
  parseCSeq,
  parseNameAddr,
  parseSipMessage,
  parseVia,
  type SipMessage,
} from "@callfork/protocol/sip";
import type { WireMessage } from "./corpus.ts";

export interface SipParser {
  readonly name: string;
  /** The parser's own message, or `undefined` when it refuses. */
  readonly parse: (message: WireMessage) => unknown;
  /** Writes what `parse` gave, as octets for a socket; absent where a package writes only messages that it made itself. */
  readonly format?: (parsed: unknown) => { readonly length: number };
  /** What it understood, for people. */
  readonly summary: (parsed: unknown) => Summary;
}

export interface Summary {
  readonly uri: unknown;
  readonly cseq: unknown;
  readonly callId: unknown;
  readonly bodyLength: number;
}

interface SipPackage {
  parse(text: string): SipPackageMessage | undefined;
  stringify(message: SipPackageMessage): string;
}
interface SipPackageMessage {
  readonly uri?: unknown;
  readonly headers: { readonly cseq?: { readonly seq: number }; readonly "call-id"?: unknown };
  readonly content: string;
}
/** jssip and sip.js share ancestors, and the shape of their messages. */
interface JsSipMessage {
  readonly ruri?: unknown;
  readonly cseq?: unknown;
  readonly call_id?: unknown;
  readonly callId?: unknown;
  readonly body?: string;
}

const require = createRequire(import.meta.url);
const sip = require("sip") as SipPackage;
const jssip = require("jssip/lib/Parser") as {
  parseMessage(text: string, userAgent: object): JsSipMessage | undefined;
};
const sipJs = (await import("sip.js/lib/core/messages/parser.js")) as unknown as {
  Parser: { parseMessage(text: string, logger: object): JsSipMessage | undefined };
};

const userAgent = {};
const silent = { warn: () => {}, error: () => {} };

const CALLFORK: SipParser = {
  name: "callfork",
  parse: ({ bytes }) => {
    const parsed = parseSipMessage(bytes);
    return parsed.ok ? parsed.value : undefined;
  },
  format: (parsed) => formatSipMessage(parsed as SipMessage),
  summary: (parsed) => {
    const message = parsed as SipMessage;
    return {
      uri: message.kind === "request" ? message.uri : undefined,
      cseq: message.headers.get("CSeq"),
      callId: message.headers.lines("Call-ID").join(),
      bodyLength: message.body.length,
    };
  },
};

/** Callfork hands out text and reads values on demand; the peers read some of them at once. This reads them as well. */
const CALLFORK_WITH_VALUES: SipParser = {
  ...CALLFORK,
  name: "callfork, values read",
  parse: ({ bytes }) => {
    const parsed = parseSipMessage(bytes);
    if (!parsed.ok) return undefined;
    const { headers } = parsed.value;
    return {
      message: parsed.value,
      vias: headers.list("Via").map(parseVia),
      from: parseNameAddr(headers.get("From")!),
      to: parseNameAddr(headers.get("To")!),
      cseq: parseCSeq(headers.get("CSeq")!),
      contacts: headers.list("Contact").map(parseContact),
      routes: headers.list("Record-Route").map(parseNameAddr),
    };
  },
};

const SIP: SipParser = {
  name: "sip 0.0.6",
  parse: ({ text }) => sip.parse(text),
  // As its transports do: what leaves is octets.
  format: (parsed) => Buffer.from(sip.stringify(parsed as SipPackageMessage), "binary"),
  summary: (parsed) => {
    const { uri, headers, content } = parsed as SipPackageMessage;
    return { uri, cseq: headers.cseq?.seq, callId: headers["call-id"], bodyLength: content.length };
  },
};

const JSSIP: SipParser = {
  name: "jssip 3.13.8",
  parse: ({ text }) => jssip.parseMessage(text, userAgent),
  summary: (parsed) => {
    const { ruri, cseq, call_id, body } = parsed as JsSipMessage;
    return { uri: ruri, cseq, callId: call_id, bodyLength: body?.length ?? 0 };
  },
};

const SIP_JS: SipParser = {
  name: "sip.js 0.21.2",
  parse: ({ text }) => sipJs.Parser.parseMessage(text, silent),
  summary: (parsed) => {
    const { ruri, cseq, callId, body } = parsed as JsSipMessage;
    return { uri: ruri, cseq, callId, bodyLength: body?.length ?? 0 };
  },
};

export const OURS: readonly SipParser[] = [CALLFORK, CALLFORK_WITH_VALUES];
export const PEERS: readonly SipParser[] = [SIP, JSSIP, SIP_JS];
