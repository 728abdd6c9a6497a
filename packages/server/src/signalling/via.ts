import { formatVia, type SipRequest, topVia } from "@callfork/protocol/sip";
import type { SipDestination, SipFlow, SipTransports } from "../net/index.ts";

/**
 * Writes where a request came from into its topmost Via: `received` when the sent-by host is not the source address
 * (RFC 3261 §18.2.1), `received` and `rport` when the client asked for `rport` (RFC 3581 §4).
 */
export function stampVia(request: SipRequest, flow: SipFlow): void {
  const via = topVia(request);
  if (via === undefined) return;
  const wantsPort = via.params.has("rport");
  if (!wantsPort && via.host === flow.remoteAddress) return;
  via.params.set("received", flow.remoteAddress);
  if (wantsPort) via.params.set("rport", String(flow.remotePort));
  const values = request.headers.list("Via");
  values[0] = formatVia(via);
  request.headers.set("Via", values);
}

/** RFC 5923 §8: the sender of a request over TLS lets us use its connection for requests to the port of its sent-by. */
export function noteAlias(request: SipRequest, flow: SipFlow, transports: SipTransports): void {
  if (flow.transport !== "tls") return;
  const via = topVia(request);
  if (via?.params.has("alias")) transports.aliasFlow?.(flow, via.port ?? 5061);
}

/**
 * Where a response goes (RFC 3261 §18.2.2, RFC 3581 §4). Over TCP back on the connection; over UDP to the source port
 * when `rport` was asked for, else to the source address at the port of the sent-by. `maddr` is not followed: it
 * would let anybody aim our responses at somebody else.
 */
export function responsePath(request: SipRequest, flow: SipFlow): SipFlow | SipDestination {
  const via = topVia(request);
  if (flow.transport !== "udp" || via === undefined || via.params.has("rport")) return flow;
  const port = via.port ?? 5060;
  const { remoteAddress: address, edge } = flow;
  return port === flow.remotePort ? flow : { transport: "udp", address, port, edge };
}

/** §18.2.2: when the connection is gone, a new one to the `received` address at the sent-by's port. */
export function responseFallback(request: SipRequest, flow: SipFlow): SipDestination | undefined {
  const via = topVia(request);
  if (via === undefined) return undefined;
  const { transport, remoteAddress: address, edge } = flow;
  if (transport === "tcp") return { transport, address, port: via.port ?? 5060, edge };
  // RFC 5922 §7.3: whoever answers there must be whom the request said it was.
  return transport === "tls"
    ? { transport, address, port: via.port ?? 5061, edge, tls: { serverName: via.host } }
    : undefined;
}
