import { isIpv6 } from "@callfork/protocol/sip";
import { type ConnectorUri, parseConnectorUri } from "@callfork/protocol/siprec";
import { isToken } from "@callfork/protocol/text";
import { tlsOf } from "../calls/index.ts";
import type { HeaderLine, InviteOptions } from "../signalling/index.ts";
import { PROFILES } from "./connector-profiles.ts";
import type { ClientEdge } from "./edges.ts";
import { UnknownEdgeError, UnusableConnectorError } from "./errors.ts";
import type { ConnectorRecord, ConnectorSettings } from "./ports.ts";

/** One recorder of a connector's list. */
export interface Recorder extends Omit<ConnectorUri, "edge"> {
  /** Where its sessions leave from. */
  readonly edge: ClientEdge | undefined;
  /** The URI for rows, logs and alerts: without a password in its user part. */
  readonly shownUri: string;
  /** Its host where that is an address already: tells which of our addresses faces it. */
  readonly address: string | undefined;
}

/** A connector ready to be called. */
export interface ConnectorPlan {
  readonly connectorSid: string;
  readonly connectorName: string;
  readonly accountSid: string;
  readonly recorders: readonly Recorder[];
  /** The static credential, for every INVITE. */
  readonly headers: readonly HeaderLine[];
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Certificate and authorities of its own. */
  readonly tls: InviteOptions["tls"];
  /** Entries of the list that cannot be read. */
  readonly problems: readonly string[];
  /** Entries that ask for an edge which is not there. */
  readonly edgeProblems: readonly string[];
  readonly settings: ConnectorSettings;
}

/** A list longer than this is nobody's intention. */
const MAXIMUM_RECORDERS = 16;

export interface PlanOptions {
  readonly edges?: readonly ClientEdge[];
  /** Goes before the edges of SIP URIs, and these before the connector's. */
  readonly edge?: string | null;
}

/**
 * @throws UnusableConnectorError when no recorder can be called, or the credentials header cannot be sent;
 *   UnknownEdgeError when none can for want of an edge
 */
export function planOf(
  connector: ConnectorRecord,
  { edges = [], edge = null }: PlanOptions = {},
): ConnectorPlan {
  const recorders: Recorder[] = [];
  const problems: string[] = [];
  const edgeProblems: string[] = [];
  const { uri: defaults } = PROFILES[connector.settings.profile];
  for (const text of connector.sipUris.slice(0, MAXIMUM_RECORDERS)) {
    const parsed = parseConnectorUri(text, defaults);
    if (!parsed.ok) {
      problems.push(`${shownSipUri(text)}: ${parsed.error.message}`);
      continue;
    }
    const wanted = (edge ?? parsed.value.edge ?? connector.settings.edge)?.toLowerCase();
    const found = edges.find(({ name }) => name === wanted);
    if (wanted !== undefined && found === undefined) {
      edgeProblems.push(`${shownSipUri(parsed.value.uri)}: this node has no edge ${wanted}`);
    } else recorders.push(recorderOf(parsed.value, found));
  }
  if (recorders.length === 0 && edgeProblems.length > 0) {
    throw new UnknownEdgeError(`connector ${connector.uniqueName}: ${edgeProblems.join("; ")}`);
  }
  if (recorders.length === 0) {
    const why = problems.length === 0 ? "it has no SIP URI" : problems.join("; ");
    throw new UnusableConnectorError(`connector ${connector.uniqueName} cannot be called: ${why}`);
  }
  const { username, password } = connector;
  return {
    connectorSid: connector.sid,
    connectorName: connector.uniqueName,
    accountSid: connector.accountSid,
    recorders,
    headers: credentialsHeader(connector),
    credentials: username === null ? undefined : { username, password: password ?? "" },
    tls: tlsOf(connector).tls,
    problems,
    edgeProblems,
    settings: connector.settings,
  };
}

function recorderOf(uri: ConnectorUri, edge: ClientEdge | undefined): Recorder {
  const isAddress = isIpv6(uri.host) || IPV4.test(uri.host);
  return { ...uri, edge, shownUri: shownSipUri(uri.uri), address: isAddress ? uri.host : undefined };
}

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** A numeric address; media goes nowhere else. */
export const isNumericAddress = (host: string): boolean => IPV4.test(host) || isIpv6(host);

/** Without a password in its user part. */
export const shownSipUri = (uri: string): string => uri.replace(/^(sips?:[^:@]*):[^@]*@/i, "$1@");

/**
 * The header field with the connector's credential. Names and values that could become more than one field, or another
 * field than meant, are refused here, whoever wrote the row.
 */
function credentialsHeader(connector: ConnectorRecord): readonly HeaderLine[] {
  const { credentialsHeaderName: name, credentials: value, uniqueName } = connector;
  if (name === null || name === "") return [];
  const refuse = (why: string): never => {
    throw new UnusableConnectorError(`connector ${uniqueName}: its credentials header ${why}`);
  };
  if (!isToken(name) || name.length > 128) refuse("has a name that is no header name");
  if (isOwnHeader(name)) refuse(`may not be ${name}`);
  if (value === null || value === "") refuse("has no value");
  if (/[\u0000-\u001f\u007f]/.test(value ?? "") || (value ?? "").length > 4096) {
    refuse("has a value with control characters, or one that is too long");
  }
  return [[name, value ?? ""]];
}

/** Whether the INVITE needs a header field of that name for itself. */
export const isOwnHeader = (name: string): boolean => OURS.has(name.toLowerCase()) || /^content-/i.test(name);

/** Header fields that the INVITE is made of, compact forms included. */
const OURS: ReadonlySet<string> = new Set(
  (
    "via v from f to t call-id i cseq contact m max-forwards route record-route require proxy-require supported k " +
    "allow accept user-agent c l e mime-version session-expires x min-se replaces join authorization " +
    "proxy-authorization event refer-to r referred-by b rack rseq"
  ).split(" "),
);
