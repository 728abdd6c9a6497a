import { err, ok, type Result, skipBlanks, skipToken, type TextError, trimBlanks } from "../text/index.ts";
import { formatHostPort, parseHostPort } from "./host.ts";
import { formatParams, type Params, parseParams, type ReadonlyParams } from "./params.ts";

/** One Via value (RFC 3261 §20.42); `host` and `port` are its sent-by. */
export interface Via {
  /** Absent for SIP/2.0, which is what a valid Via says; kept so that a 505 can still find its way back. */
  readonly protocol?: string;
  /** As it came, mostly upper-case: UDP, TCP, TLS, WS, WSS, SCTP or a token unknown here. */
  readonly transport: string;
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port?: number;
  /** branch, received (never with brackets), rport (`null` when asked for, a number as text when filled in), … */
  readonly params: Params;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** What `formatVia` needs. */
export interface ViaParts extends Omit<Via, "params"> {
  readonly params?: ReadonlyParams;
}

const SENT_PROTOCOL =
  /^[ \t]*([\w\-.!%*+`'~]+)[ \t]*\/[ \t]*([\w\-.!%*+`'~]+)[ \t]*\/[ \t]*([\w\-.!%*+`'~]+)[ \t]+/;

/**
 * Reads one value (split a line with `SipHeaders.list` first). Blanks may stand round the slashes of the protocol, and
 * round the colon of the port.
 *
 * A `received` address may come in brackets, which the grammar does not have; they are taken off (RFC 5118 §4.5).
 */
export function parseVia(text: string): Result<Via, TextError> {
  const sent = readSentProtocol(text);
  if (sent === undefined) return err({ message: "expected SIP/2.0/transport", offset: 0 });
  const { protocol, transport, end: hostStart } = sent;
  const semicolon = text.indexOf(";", hostStart);
  const end = semicolon < 0 ? text.length : semicolon;
  const sentBy = parseHostPort(withoutBlanks(text.slice(hostStart, end)));
  if (!sentBy.ok) return err({ message: sentBy.error.message, offset: hostStart + sentBy.error.offset });
  const params = parseParams(text, end);
  if (!params.ok) return params;
  const received = params.value.get("received");
  if (received?.startsWith("[") && received.endsWith("]"))
    params.value.set("received", received.slice(1, -1));
  const { host, port } = sentBy.value;
  const via: Writable<Via> = { transport, host, params: params.value };
  if (protocol !== "SIP/2.0") via.protocol = protocol;
  if (port !== undefined) via.port = port;
  return ok(via);
}

/** Name and version as one, the transport, and where the blanks behind them end. */
function readSentProtocol(
  text: string,
): { readonly protocol: string; readonly transport: string; readonly end: number } | undefined {
  if (text.startsWith("SIP/2.0/")) {
    const transportEnd = skipToken(text, 8);
    const end = skipBlanks(text, transportEnd);
    if (transportEnd > 8 && end > transportEnd)
      return { protocol: "SIP/2.0", transport: text.slice(8, transportEnd), end };
  }
  const match = SENT_PROTOCOL.exec(text);
  if (match === null) return undefined;
  const [all, name, version, transport] = match;
  return { protocol: `${name}/${version}`.toUpperCase(), transport: transport!, end: all.length };
}

/** `host : port` as `host:port`; blanks anywhere else stay, and are then refused. */
function withoutBlanks(sentBy: string): string {
  if (!sentBy.includes(" ") && !sentBy.includes("\t")) return sentBy;
  const colon = sentBy.lastIndexOf(":");
  if (colon < 0) return trimBlanks(sentBy);
  return `${trimBlanks(sentBy.slice(0, colon))}:${trimBlanks(sentBy.slice(colon + 1))}`;
}

/** Writes `SIP/2.0/TCP host:port;params`. */
export function formatVia(via: ViaParts): string {
  return `${via.protocol ?? "SIP/2.0"}/${via.transport} ${formatHostPort(via)}${via.params ? formatParams(via.params) : ""}`;
}
