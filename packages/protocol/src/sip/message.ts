import type { SipHeaders } from "./headers.ts";

/** A request: RFC 3261 §7.1. `uri` is the Request-URI as it stood on the wire. */
export interface SipRequest {
  readonly kind: "request";
  readonly method: string;
  uri: string;
  readonly headers: SipHeaders;
  /** Body octets, a view into the received datagram or chunk; empty when there is none. */
  body: Uint8Array;
}

/** A response: RFC 3261 §7.2. */
export interface SipResponse {
  readonly kind: "response";
  readonly status: number;
  readonly reason: string;
  readonly headers: SipHeaders;
  body: Uint8Array;
}

export type SipMessage = SipRequest | SipResponse;

export const NO_BODY: Uint8Array = new Uint8Array(0);
