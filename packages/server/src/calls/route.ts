import { formatNameAddr, formatSipUri, parseSipUri, type SipUri } from "@callfork/protocol/sip";
import { err, isToken, ok, type Result } from "@callfork/protocol/text";
import type { PlatformError } from "../observe/index.ts";
import type { HeaderLine, InviteOptions } from "../signalling/index.ts";
import { InvalidAddressError, NoTrunkError } from "./errors.ts";
import { securedUri } from "./media-security.ts";
import { aorOf, isUri, readNumber } from "./party.ts";
import { tlsOf } from "./peer-certificate.ts";
import type { CallParty, DialTarget } from "./ports.ts";
import type { TrunkRecord } from "./records.ts";

/** How to reach a dialled address. */
export interface Route {
  readonly invite: Pick<InviteOptions, "requestUri" | "to" | "headers" | "credentials" | "tls">;
  readonly party: CallParty;
  /** As the call's row and the webhooks name it. */
  readonly address: string;
  readonly trunkSid: string | null;
  /** Host of the URI: our media address is picked by the route to it when it is numeric. */
  readonly host: string;
  /** The media is to be SRTP: the URI says `secure=true`. */
  readonly isSecure: boolean;
  /** URI headers that were left out, and why. */
  readonly warnings: readonly string[];
}

type Target = Pick<DialTarget, "kind" | "address" | "username" | "password">;

/** A number goes to the trunk, a SIP URI where it says. */
export function routeTo(target: Target, trunk: TrunkRecord | undefined): Result<Route, PlatformError> {
  return target.kind === "sip" ? routeToUri(target) : routeToNumber(target, trunk);
}

function routeToNumber(target: Target, trunk: TrunkRecord | undefined): Result<Route, PlatformError> {
  const number = readNumber(target.address);
  if (number === undefined) return err(new InvalidAddressError(`"${target.address}" is no telephone number`));
  if (!trunk?.sipUri)
    return err(new NoTrunkError("no trunk of this account has a SIP URI for outgoing calls"));
  const uri = parseSipUri(trunk.sipUri);
  if (!uri.ok) return err(new NoTrunkError(`the SIP URI of trunk ${trunk.sid} cannot be read`));
  const secured = securedUri(uri.value);
  if (!secured.ok) return secured;
  const requestUri = formatSipUri({ ...secured.value.parts, user: number });
  return ok({
    invite: {
      requestUri,
      to: formatNameAddr({
        uri: formatSipUri({ scheme: uri.value.scheme, host: uri.value.host, user: number }),
      }),
      ...credentials(trunk.username, trunk.password),
      ...tlsOf(trunk),
    },
    party: { aor: aorOf(requestUri), displayName: null },
    address: number,
    trunkSid: trunk.sid,
    host: uri.value.host,
    isSecure: secured.value.isSecure,
    warnings: [],
  });
}

function routeToUri(target: Target): Result<Route, PlatformError> {
  const uri = parseSipUri(target.address.trim());
  if (!uri.ok) return err(new InvalidAddressError(`"${target.address}" is no SIP URI: ${uri.error.message}`));
  const secured = securedUri(uri.value);
  if (!secured.ok) return secured;
  const requestUri = formatSipUri(secured.value.parts);
  const { headers, warnings } = customHeaders(uri.value.headers);
  return ok({
    invite: {
      requestUri,
      to: formatNameAddr({ uri: requestUri }),
      headers,
      ...credentials(target.username ?? null, target.password ?? null),
    },
    party: { aor: aorOf(requestUri), displayName: null },
    address: aorOf(requestUri),
    trunkSid: null,
    host: uri.value.host,
    isSecure: secured.value.isSecure,
    warnings,
  });
}

const credentials = (username: string | null, password: string | null): Pick<InviteOptions, "credentials"> =>
  username === null || username === "" ? {} : { credentials: { username, password: password ?? "" } };

/** Header fields without `X-` that Twilio lets a URI set. */
const ALLOWED_HEADERS: ReadonlySet<string> = new Set([
  "user-to-user",
  "remote-party-id",
  "p-preferred-identity",
  "p-called-party-id",
]);
const MAXIMUM_HEADER_OCTETS = 1024;

/** URI headers become header fields only by name, and never with a control character in them (RFC 4475 §3.1.2.11). */
function customHeaders(headers: SipUri["headers"]): {
  headers: readonly HeaderLine[];
  warnings: readonly string[];
} {
  const taken: HeaderLine[] = [];
  const warnings: string[] = [];
  let length = 0;
  for (const [name, value] of headers) {
    const allowed = /^x-./i.test(name) || ALLOWED_HEADERS.has(name.toLowerCase());
    length += name.length + value.length + 1;
    if (!allowed || !isToken(name)) warnings.push(`header "${name.slice(0, 64)}" may not be set by a URI`);
    else if (hasControl(value)) warnings.push(`the value of header "${name}" has a control character`);
    else if (length >= MAXIMUM_HEADER_OCTETS)
      warnings.push(`header "${name}" exceeds 1024 characters in all`);
    else taken.push([name, value]);
  }
  return { headers: taken, warnings };
}

const hasControl = (text: string): boolean => /[\u0000-\u001f\u007f]/.test(text);

/** The From of a call we make: a URI as it is, a number or a name at our host. */
export function fromOf(callerId: string, displayName: string | null, sipHost: string): CallParty {
  if (isUri(callerId)) return { aor: aorOf(callerId), displayName };
  const user = readNumber(callerId) ?? callerId.trim();
  return {
    aor: formatSipUri({ scheme: "sip", host: sipHost, user: user === "" ? "anonymous" : user }),
    displayName,
  };
}
