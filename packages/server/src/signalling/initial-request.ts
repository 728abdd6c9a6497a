import { NO_BODY, parseNameAddr, type RoutedRequest, SipHeaders } from "@callfork/protocol/sip";
import { putBody, putHeaders } from "./body.ts";
import { ACCEPT, ALLOW, SUPPORTED, SUPPORTED_WITHOUT_100REL } from "./capabilities.ts";
import { bracketed } from "./outgoing-request.ts";
import type { InviteOptions, SipBody } from "./types.ts";

export interface InitialRequest extends Pick<InviteOptions, "requestUri" | "from" | "to" | "headers"> {
  readonly method: string;
  readonly callId: string;
  readonly fromTag: string;
  readonly sequence: number;
  readonly body?: SipBody | undefined;
  readonly userAgentName: string;
}

/** A request outside a dialog (RFC 3261 §8.1.1), without Via and Contact. A Route among its headers is followed. */
export function createInitialRequest(parts: InitialRequest): RoutedRequest {
  const { method, requestUri, sequence } = parts;
  const headers = new SipHeaders([
    ["Max-Forwards", "70"],
    ["From", `${bracketed(parts.from)};tag=${parts.fromTag}`],
    ["To", bracketed(parts.to)],
    ["Call-ID", parts.callId],
    ["CSeq", `${sequence} ${method}`],
  ]);
  putCapabilities(headers, method, parts.userAgentName);
  putHeaders(headers, parts.headers);
  const body = putBody(headers, parts.body);
  const route = parseNameAddr(headers.list("Route")[0] ?? "");
  const nextHop = route.ok ? route.value.uri : requestUri;
  return { request: { kind: "request", method, uri: requestUri, headers, body: body ?? NO_BODY }, nextHop };
}

/**
 * What a peer should know of us: in INVITE and UPDATE, so in every request that can change media (§13.2.1).
 *
 * @param takesReliable - its provisionals may be reliable (RFC 3262)
 */
export function putCapabilities(
  headers: SipHeaders,
  method: string,
  userAgentName: string,
  takesReliable = true,
): void {
  if (method === "INVITE" || method === "UPDATE") headers.append("Allow", ALLOW);
  if (method !== "ACK") headers.append("Supported", takesReliable ? SUPPORTED : SUPPORTED_WITHOUT_100REL);
  if (method === "INVITE" || method === "UPDATE" || method === "OPTIONS") headers.append("Accept", ACCEPT);
  headers.append("User-Agent", userAgentName);
}
