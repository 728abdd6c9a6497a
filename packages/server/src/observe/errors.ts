/** Whose move is it: the far end, our caller, the operator, the network, or us? */
export type Fault = "peer" | "caller" | "operator" | "network" | "bug";

/**
 * An error that knows its own verdict: which SIP status, which HTTP status and which published code it means.
 * Match on `code`, never on the message. Every code has a row in docs/errors.md.
 */
export abstract class PlatformError extends Error {
  /** Stable name of the error, SCREAMING_SNAKE. */
  abstract readonly code: string;
  abstract readonly fault: Fault;
  /** What to answer when a SIP answer is owed. */
  readonly sipStatus: number = 500;
  /** What the REST interface answers. */
  readonly httpStatus: number = 500;
  /** The numeric code of REST bodies, alerts and `SiprecErrorCode`: Twilio's where Twilio has one. */
  readonly publicCode: number = 20500;
}
