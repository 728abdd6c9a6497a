import { describeStatus, NO_BODY, SipHeaders, type SipResponse } from "@callfork/protocol/sip";
import type { RequestFailure } from "./outgoing-request.ts";

/**
 * "no answer" counts as 408 and a failed transport as 503 (RFC 3261 §8.1.3.1); a name without address as 404, a
 * request that cannot be written as 500.
 */
export function statusOf(cause: RequestFailure["cause"]): number {
  return { timeout: 408, transport: 503, unresolvable: 404, unsendable: 500 }[cause];
}

/** A response that no peer sent: it has a status and a Warning-like reason, and no header fields. */
export function localResponse(status: number, reason?: string): SipResponse {
  return {
    kind: "response",
    status,
    reason: reason ?? describeStatus(status),
    headers: new SipHeaders(),
    body: NO_BODY,
  };
}
