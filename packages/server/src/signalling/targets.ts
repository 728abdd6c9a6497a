import { isIpv6, parseSipUri } from "@callfork/protocol/sip";
import type { Resolver, SipDestination, SipFlow, SipTransportName } from "../net/index.ts";

/** Where a request may go, best first. A flow is an open connection to the peer. */
export type Target = SipDestination | SipFlow;

export type Targets =
  | { readonly ok: true; readonly targets: readonly Target[] }
  | { readonly ok: false; readonly message: string };

export interface TargetOptions {
  readonly uri: string;
  /** Instead of resolving. */
  readonly destination?: SipDestination | undefined;
  /**
   * The path that the dialog's INVITE took. When it was TCP and the URI names the same peer without insisting on
   * another transport, it is used first: a peer behind a NAT or a strict firewall can be reached on no other.
   */
  readonly path?: Target | undefined;
  readonly resolver: Resolver;
  readonly available: readonly SipTransportName[];
}

/** Addresses of a request's next hop: transport parameter, port (default 5060), then the resolver. Numbers need no wait. */
export function findTargets(options: TargetOptions): Targets | Promise<Targets> {
  if (options.destination !== undefined) return { ok: true, targets: [options.destination] };
  const uri = parseSipUri(options.uri);
  if (!uri.ok) return { ok: false, message: `no SIP URI to send to: ${uri.error.message}` };
  const { scheme, params, port = 5060 } = uri.value;
  if (scheme === "sips") return { ok: false, message: "sips: needs TLS, which this node does not speak" };
  const wanted = params.get("transport")?.toLowerCase();
  const transport = chooseTransport(wanted, options.available);
  if (transport === undefined)
    return { ok: false, message: `transport ${wanted ?? "udp"} is not available here` };
  const host = params.get("maddr") ?? uri.value.host;
  const toTargets = (addresses: readonly string[]): Targets => {
    if (addresses.length === 0) return { ok: false, message: `no address for ${host}` };
    const found = addresses.map((address) => ({ transport, address, port }));
    const { path } = options;
    const isSamePeer = path !== undefined && wanted === undefined && path.transport === "tcp";
    const same = isSamePeer && addresses.includes(addressOf(path)) ? [path] : [];
    return { ok: true, targets: [...same, ...found] };
  };
  if (isAddress(host)) return toTargets([host]);
  return options.resolver.addresses(host).then(toTargets, (error: unknown) => ({
    ok: false as const,
    message: `${host} could not be resolved: ${error instanceof Error ? error.message : String(error)}`,
  }));
}

export const addressOf = (target: Target): string =>
  "address" in target ? target.address : target.remoteAddress;

/** A numeric address, for which no name has to be looked up. */
function isAddress(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || isIpv6(host);
}

function chooseTransport(
  wanted: string | undefined,
  available: readonly SipTransportName[],
): SipTransportName | undefined {
  // RFC 3263 §4.1: without a transport parameter UDP for sip:, unless this node has none.
  if (wanted === undefined) return available.includes("udp") ? "udp" : available[0];
  return available.find((name) => name === wanted);
}
