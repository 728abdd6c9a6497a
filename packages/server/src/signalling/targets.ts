import { parseSipUri } from "@callfork/protocol/sip";
import type {
  Located,
  SipDestination,
  SipFlow,
  SipLocator,
  SipTlsContext,
  SipTransports,
} from "../net/index.ts";

/** Where a request may go, best first. A flow is an open connection to the peer. */
export type Target = SipDestination | SipFlow;

export type Targets =
  | { readonly ok: true; readonly targets: readonly Target[] }
  | { readonly ok: false; readonly message: string; readonly reason?: "unavailable" };

export interface TargetOptions {
  readonly uri: string;
  /** Instead of resolving. */
  readonly destination?: SipDestination | undefined;
  /** Certificate and authorities for TLS to this peer, instead of the node's. */
  readonly tls?: Omit<SipTlsContext, "serverName"> | undefined;
  /**
   * The path that the dialog's INVITE took. When it was a connection and the URI names the same peer without insisting
   * on another transport, it is used first: a peer behind a NAT or a strict firewall can be reached on no other. When
   * the URI names another address it comes last: a Contact that nobody can reach is that of a peer behind a NAT. Of
   * WebSocket peers it is the only one there is, whatever their URI says (RFC 7118 §5).
   */
  readonly path?: Target | undefined;
  /** Name of the listeners to leave from; by default that of `path`. */
  readonly edge?: string | undefined;
  readonly locator: SipLocator;
  readonly transports: Pick<SipTransports, "available" | "availableAt">;
}

/** Transports that this node can send by, from that edge. */
export const availableFrom = (transports: TargetOptions["transports"], edge: string | undefined) =>
  edge === undefined ? transports.available : (transports.availableAt?.(edge) ?? []);

/** Where the next hop is, as RFC 3263 finds it. Numbers need no wait. */
export function findTargets(options: TargetOptions): Targets | Promise<Targets> {
  const { destination, path, locator, transports, tls, edge = path?.edge } = options;
  if (destination !== undefined)
    return { ok: true, targets: [edge === undefined ? destination : { edge, ...destination }] };
  if (path?.transport === "ws" || path?.transport === "wss") return { ok: true, targets: [path] };
  const uri = parseSipUri(options.uri);
  if (!uri.ok) return { ok: false, message: `no SIP URI to send to: ${uri.error.message}` };
  const wanted = uri.value.params.get("transport")?.toLowerCase();
  const isSips = uri.value.scheme === "sips";
  const toTargets = (located: Located): Targets => {
    if (!located.ok) return located;
    const found = located.destinations.map((one): SipDestination => {
      const withTls =
        tls === undefined || one.tls === undefined ? one : { ...one, tls: { ...tls, ...one.tls } };
      return edge === undefined ? withTls : { ...withTls, edge };
    });
    if (path === undefined || !isConnection(path, wanted, isSips)) return { ok: true, targets: found };
    const isSamePeer = found.some(({ address }) => address === addressOf(path));
    return { ok: true, targets: isSamePeer ? [path, ...found] : [...found, path] };
  };
  const located = locator.locate(uri.value, availableFrom(transports, edge));
  return located instanceof Promise ? located.then(toTargets) : toTargets(located);
}

/** A connection that the URI does not speak against: TLS serves those who ask for it and those who do not. */
function isConnection(path: Target, wanted: string | undefined, isSips: boolean): boolean {
  if (path.transport === "tcp") return (wanted === undefined || wanted === "tcp") && !isSips;
  return (
    path.transport === "tls" && (wanted === undefined || wanted === "tls" || (isSips && wanted === "tcp"))
  );
}

export const addressOf = (target: Target): string =>
  "address" in target ? target.address : target.remoteAddress;
