import { parseUri, type SipRequest } from "@callfork/protocol/sip";
import type { SipFlow } from "../net/index.ts";
import { holdsKeys, receivedBody, receivedParts } from "./body.ts";
import { ACCEPT, SUPPORTED_OPTIONS } from "./capabilities.ts";
import type { RespondOptions } from "./server-transaction.ts";
import { refusesInterval, SHORTEST_INTERVAL } from "./session-timer.ts";

export interface Refusal extends RespondOptions {
  readonly status: number;
}

/** Keys that came where everybody on the way could read them, for those who will not have that (RFC 4568 §8). */
export function screenKeys(request: SipRequest, { transport }: SipFlow): Refusal | undefined {
  if (transport === "tls" || transport === "wss" || !holdsKeys(receivedParts(request))) return undefined;
  return { status: 488, headers: [["Warning", '399 callfork "SRTP keys are taken by TLS only"']] };
}

/**
 * What is wrong with a request before anybody looks at what it wants (RFC 3261 §8.2.2, §8.2.3): its URI scheme, its
 * extensions, the encoding and form of its body. Max-Forwards does not matter here: a UAS is where a request ends.
 */
export function screen(request: SipRequest): Refusal | undefined {
  const { method, headers } = request;
  if (method === "CANCEL") return undefined; // §8.2.2.3: Require is not for CANCEL
  const unsupported = headers
    .list("Require")
    .filter((tag) => !SUPPORTED_OPTIONS.some((known) => known === tag.toLowerCase()));
  if (unsupported.length > 0) {
    return { status: 420, headers: [["Unsupported", unsupported.join(", ")]] };
  }
  if (method === "BYE") return undefined; // whatever it carries, it ends the dialog
  const uri = parseUri(request.uri);
  if (uri.ok && uri.value.scheme === "other") return { status: 416 };
  const encoding = headers.get("Content-Encoding")?.toLowerCase() ?? "identity";
  if (encoding !== "identity" && request.body.length > 0) {
    return { status: 415, headers: [["Accept-Encoding", "identity"]] };
  }
  if (refusesInterval(request)) return { status: 422, headers: [["Min-SE", String(SHORTEST_INTERVAL)]] };
  const body = receivedBody(request);
  if ("problem" in body) {
    return { status: 400, reason: `Bad Body: ${body.problem}`, headers: [["Accept", ACCEPT]] };
  }
  return undefined;
}
