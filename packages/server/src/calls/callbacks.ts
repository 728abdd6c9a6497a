export type HttpMethod = "GET" | "POST";

/**
 * One callback that is owed. Whoever changes a state hands it to the store together with the new state:
 * both become durable in one transaction, and the `callbacks` room delivers it from there.
 */
export interface CallbackRequest {
  readonly accountSid: string;
  readonly callSid: string | null;
  /** Without a `callSid`: callbacks of one resource leave in order. */
  readonly resourceSid?: string;
  /** What it tells: "call-status", "siprec-status", "recording-status". Callbacks of one `callSid` leave in order. */
  readonly kind: string;
  /** May carry connection overrides in its fragment (#rc=2&rp=all). */
  readonly url: string;
  readonly method: HttpMethod;
  readonly parameters: readonly (readonly [name: string, value: string])[];
}
