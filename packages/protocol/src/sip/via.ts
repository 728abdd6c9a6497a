import { err, isToken, ok, type Result, type TextError } from "../text/index.ts";
import { formatHostPort, parseHostPort } from "./host.ts";
import { formatParams, type Params, parseParams, type ReadonlyParams } from "./params.ts";

/** One Via value (RFC 3261 §20.42); `host` and `port` are its sent-by. */
export interface Via {
  /** As it came, mostly upper-case: UDP, TCP, TLS, WS, WSS, SCTP or a token unknown here. */
  readonly transport: string;
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port?: number;
  /** branch, received (never with brackets), rport (`null` when asked for, a number as text when filled in), … */
  readonly params: Params;
}

/** What `formatVia` needs. */
export interface ViaParts extends Omit<Via, "params"> {
  readonly params?: ReadonlyParams;
}

/**
 * Reads one value (split a line with `SipHeaders.list` first). The protocol must be SIP/2.0. Blanks may stand round
 * its slashes, and round the colon of the port.
 *
 * A `received` address may come in brackets, which the grammar does not have; they are taken off (RFC 5118 §4.5).
 */
export function parseVia(text: string): Result<Via, TextError> {
  const head = /^\s*SIP\s*\/\s*2\.0\s*\/\s*([^\s/;,]+)\s+/i.exec(text);
  if (head === null || !isToken(head[1]!)) return err({ message: "expected SIP/2.0/transport", offset: 0 });
  const hostStart = head[0].length;
  const semicolon = text.indexOf(";", hostStart);
  const end = semicolon < 0 ? text.length : semicolon;
  const sentBy = parseHostPort(
    text
      .slice(hostStart, end)
      .trimEnd()
      .replace(/\s*:\s*/g, ":"),
  );
  if (!sentBy.ok) return err({ message: sentBy.error.message, offset: hostStart + sentBy.error.offset });
  const params = parseParams(text, end);
  if (!params.ok) return params;
  const received = params.value.get("received");
  if (received?.startsWith("[") && received.endsWith("]"))
    params.value.set("received", received.slice(1, -1));
  return ok({ transport: head[1]!, ...sentBy.value, params: params.value });
}

/** Writes `SIP/2.0/TCP host:port;params`. */
export function formatVia(via: ViaParts): string {
  return `SIP/2.0/${via.transport} ${formatHostPort(via)}${via.params ? formatParams(via.params) : ""}`;
}
