import type { HttpMethod } from "../calls/index.ts";

/** The wall clock and the timers, as `net`'s `Clock` has them. */
export interface WebhookClock {
  /** Milliseconds since 1970, UTC. */
  wallNow(): number;
  setTimer(delayMs: number, run: () => void): { cancel(): void };
}

/** Names to numeric addresses, as `net`'s `Resolver` has them; empty when there is none. */
export interface AddressLookup {
  addresses(host: string): Promise<readonly string[]>;
}

export interface WebhookClientOptions {
  /** Ranges (CIDR) or addresses that may be reached although they are not public. */
  readonly allowedAddresses: readonly string[];
  readonly clock: WebhookClock;
  /** Default for the read and the total time-out, in milliseconds; at most 15,000, which is the default. */
  readonly timeoutMs?: number | undefined;
  /** The system's resolver when it is left out. */
  readonly resolver?: AddressLookup | undefined;
  readonly userAgent?: string | undefined;
  /** Certificates (PEM) to trust besides the system's. */
  readonly certificateAuthorities?: readonly string[] | undefined;
}

export interface WebhookRequest {
  /** http or https; user and password become Basic authentication, connection overrides may stand in the fragment. */
  readonly url: string;
  readonly method: HttpMethod;
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** Signs the request. */
  readonly authToken: string;
  /** One event's token; made for this request when it is left out. Retries carry the same one. */
  readonly idempotencyToken?: string | undefined;
  readonly maximumBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Told once when the fragment asks for an impossible policy; the default policy is used then. */
  readonly onInvalidOverrides?: ((problem: string) => void) | undefined;
}

export interface WebhookResponse {
  readonly status: number;
  /** Lower-case media type without parameters; "" when none was given. */
  readonly contentType: string;
  /** At most `maximumBytes`; `truncated` tells that there was more. The caller owns it. */
  readonly body: Uint8Array;
  readonly truncated: boolean;
  /** After redirects; without user, password and fragment. */
  readonly url: string;
  /** Requests made, redirects aside: 1 and the retries. */
  readonly tries: number;
}

/**
 * HTTP towards customers' servers. Each request opens a connection of its own, to an address that was looked up, checked
 * against the address guard and is then connected to without another look-up; redirects go the same way.
 */
export interface WebhookClient {
  /** @throws `WebhookError`; any HTTP status is an answer, not an error. An aborted `signal` rejects with its reason. */
  request(request: WebhookRequest): Promise<WebhookResponse>;
  /** Requests under way. */
  readonly inFlight: number;
}
