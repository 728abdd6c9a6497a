import { formatHostPort, parseSipUri } from "@callfork/protocol/sip";
import type { HeaderLine } from "../signalling/index.ts";

/** A named local address that recording sessions can leave from; signalling and media know it by the same name. */
export interface ClientEdge {
  readonly name: string;
  /** Told in From. */
  readonly host: string;
  /** SIP URI of a proxy that requests outside a dialog go through; those in one follow its Record-Route. */
  readonly outboundProxy?: string | undefined;
}

/** What a request needs to leave from an edge, or from none. */
export function edgeParts(edge: ClientEdge | undefined, sipHost: string) {
  return {
    from: `<sip:SRC@${formatHostPort({ host: edge?.host ?? sipHost })}>`,
    route: routeLines(edge?.outboundProxy),
    ...(edge && { edge: edge.name }),
  };
}

/** A pre-loaded route (RFC 3261 §8.1.2); a proxy of today is a loose router. */
function routeLines(proxy: string | undefined): readonly HeaderLine[] {
  if (proxy === undefined) return [];
  const uri = parseSipUri(proxy);
  const isLoose = uri.ok && uri.value.params.has("lr");
  return [["Route", `<${proxy}${isLoose ? "" : ";lr"}>`]];
}
