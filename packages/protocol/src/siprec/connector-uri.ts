import { err, ok, type Result } from "../text/index.ts";

export type RecorderTransport = "udp" | "tcp" | "tls";

/** A connector's SIP URI taken apart: what goes on the wire, and what only tells us how to go there. */
export interface ConnectorUri {
  /** The Request-URI: as configured without `secure` and `edge`; `transport=tls` is added where it is implied. */
  readonly uri: string;
  /** Lower case; an IPv6 address without its brackets. */
  readonly host: string;
  /** As given, or 5061 for TLS and 5060 otherwise. */
  readonly port: number;
  /** Undefined: the configuration leaves it open (UDP, or TCP for a request that is too big; RFC 3261 §18.1.1). */
  readonly transport: RecorderTransport | undefined;
  /** SRTP with keys in the SDP (SDES); implies TLS. */
  readonly secure: boolean;
  /** Name of the local address to leave from, lower case. */
  readonly edge: string | undefined;
  /** Parameters that were given and not understood as meant, for the operator's eyes. */
  readonly warnings: readonly string[];
}

/** What is meant where a URI does not say. */
export interface ConnectorUriDefaults {
  readonly port?: number;
  readonly transport?: RecorderTransport;
  readonly secure?: boolean;
}

export interface ConnectorUriError {
  /**
   * `syntax`: no SIP URI · `transport`: one we do not speak · `conflict`: parameters that contradict each other ·
   * `tooLong`: more than 255 octets.
   */
  readonly reason: "syntax" | "transport" | "conflict" | "tooLong";
  readonly message: string;
}

/** As for `<Sip>`: the whole URI below 256 octets. */
const MAXIMUM_OCTETS = 255;
const SCHEME = /^(sips?):/i;
/** RFC 3261 §25.1 user and password: unreserved, user-unreserved, escaped. */
const USER_INFO =
  /^(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-Fa-f]{2})+(?::(?:[A-Za-z0-9\-_.!~*'()&=+$,]|%[0-9A-Fa-f]{2})*)?$/;
const HOST_PORT = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?$/;
const HOST_NAME =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?$/;
/** RFC 3261 §25.1 uri-parameter without "&", which separates here too. */
const PARAMETER =
  /^((?:[A-Za-z0-9\-_.!~*'()[\]/:+$]|%[0-9A-Fa-f]{2})+)(?:=((?:[A-Za-z0-9\-_.!~*'()[\]/:+$]|%[0-9A-Fa-f]{2})+))?$/;

/**
 * Reads the SIP URI of a connector: `sip:recorder@example.com:5061;transport=tls;secure=true&edge=ashburn`. Parameters
 * may be joined by ";" or by "&"; `secure` and `edge` are instructions to this platform and never sent.
 *
 * @param defaults - where the text is silent; a port and a transport of these stand in `uri` as if they were written
 */
export function parseConnectorUri(
  text: string,
  defaults: ConnectorUriDefaults = {},
): Result<ConnectorUri, ConnectorUriError> {
  if (text.length > MAXIMUM_OCTETS) return fail("tooLong", `longer than ${MAXIMUM_OCTETS} octets`);
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return fail("syntax", 'must begin with "sip:" or "sips:"');
  const rest = text.slice(scheme.length + 1);
  // "&", ";" and "?" are allowed in a user part, so the parameters begin after the last "@".
  const hostStart = rest.lastIndexOf("@") + 1;
  const userInfo = rest.slice(0, Math.max(0, hostStart - 1));
  if (hostStart > 0 && !USER_INFO.test(userInfo)) return fail("syntax", "malformed user part");
  const afterUser = rest.slice(hostStart);
  if (afterUser.includes("?")) return fail("syntax", 'headers ("?…") are not allowed');

  const [hostPort = "", ...parameterTexts] = afterUser.split(/[;&]/);
  const [, hostText, portText] = HOST_PORT.exec(hostPort) ?? [];
  if (hostText === undefined) return fail("syntax", `malformed host or port "${hostPort}"`);
  if (!isHost(hostText)) return fail("syntax", `malformed host "${hostText}"`);
  const givenPort = portText === undefined ? undefined : Number(portText);
  if (givenPort !== undefined && (givenPort < 1 || givenPort > 65535))
    return fail("syntax", `port ${portText} is out of range`);

  const parameters = readParameters(parameterTexts);
  if (!parameters.ok) return parameters;
  const { edge, warnings, kept } = parameters.value;
  let { transport } = parameters.value;
  // A transport that is written and cannot be secure speaks against a default of it.
  const mayBeSecure = transport === undefined || transport === "tls";
  const secure = parameters.value.secure ?? (mayBeSecure && defaults.secure === true);
  const tlsImplied = secure || scheme === "sips";
  if (tlsImplied && transport !== undefined && transport !== "tls") {
    const asks = secure ? "secure=true" : "sips:";
    return fail("conflict", `${asks} needs TLS, transport=${transport} forbids it`);
  }
  if (transport === undefined) {
    transport = tlsImplied ? "tls" : defaults.transport;
    if (scheme === "sip" && transport !== undefined) kept.unshift(`transport=${transport}`);
  }
  // A default port belongs to the default transport.
  const isDefault = defaults.transport === undefined || transport === defaults.transport;
  const port = givenPort ?? (isDefault ? defaults.port : undefined);
  const authority = port === undefined || givenPort !== undefined ? hostPort : `${hostPort}:${port}`;

  const uri = [scheme, ":", rest.slice(0, hostStart), authority, ...kept.map((parameter) => `;${parameter}`)];
  return ok({
    uri: uri.join(""),
    host: hostText.replace(/^\[|\]$/g, "").toLowerCase(),
    port: port ?? (transport === "tls" ? 5061 : 5060),
    transport,
    secure,
    edge,
    warnings,
  });
}

interface Parameters {
  transport: RecorderTransport | undefined;
  /** Undefined: it does not say. */
  secure: boolean | undefined;
  edge: string | undefined;
  /** What stays in the Request-URI, as written. */
  readonly kept: string[];
  readonly warnings: string[];
}

function readParameters(texts: readonly string[]): Result<Parameters, ConnectorUriError> {
  const found: Parameters = {
    transport: undefined,
    secure: undefined,
    edge: undefined,
    kept: [],
    warnings: [],
  };
  const seen = new Set<string>();
  for (const text of texts) {
    if (text === "") continue; // "sip:a@b;;secure=true" and a trailing separator are in the field
    const [, name, value = ""] = PARAMETER.exec(text) ?? [];
    if (name === undefined) return fail("syntax", `malformed parameter "${text}"`);
    const key = name.toLowerCase();
    // RFC 3261 §19.1.1: "any given parameter-name MUST NOT appear more than once."
    if (seen.has(key)) return fail("syntax", `parameter "${name}" is given twice`);
    seen.add(key);
    const problem = take(found, key, value.toLowerCase());
    if (problem !== undefined) return err(problem);
    if (key !== "secure" && key !== "edge") found.kept.push(text);
  }
  return ok(found);
}

function take(found: Parameters, key: string, value: string): ConnectorUriError | undefined {
  if (key === "secure") {
    found.secure = value === "true";
    if (value !== "true" && value !== "false")
      found.warnings.push(`secure=${value} is neither true nor false and is taken as false`);
  } else if (key === "edge") {
    if (value === "") return { reason: "syntax", message: "edge names nothing" };
    found.edge = value;
  } else if (key === "transport") {
    if (value !== "udp" && value !== "tcp" && value !== "tls")
      return { reason: "transport", message: `transport=${value} is none of udp, tcp, tls` };
    found.transport = value;
  }
  return undefined;
}

function isHost(text: string): boolean {
  if (text.startsWith("[")) return isIpv6(text.slice(1, -1));
  // A last label of digits only makes it an IPv4 address (RFC 3261 §25.1: toplabel begins with a letter).
  if (/(?:^|\.)\d+$/.test(text)) {
    const parts = text.split(".");
    return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
  }
  return text.length <= 253 && HOST_NAME.test(text);
}

function isIpv6(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [half, part] of halves.entries()) {
    if (part === "") continue;
    const pieces = part.split(":");
    for (const [index, piece] of pieces.entries()) {
      const last = half === halves.length - 1 && index === pieces.length - 1;
      if (last && piece.includes(".")) {
        if (!isHost(piece)) return false;
        groups += 2;
      } else if (/^[0-9A-Fa-f]{1,4}$/.test(piece)) groups += 1;
      else return false;
    }
  }
  return halves.length === 2 ? groups <= 7 : groups === 8;
}

const fail = (reason: ConnectorUriError["reason"], message: string) => err({ reason, message });
