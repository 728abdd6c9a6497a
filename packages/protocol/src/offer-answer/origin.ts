import {
  type Connection,
  formatSessionDescription,
  type Origin,
  type SessionDescription,
} from "../sdp/index.ts";

/** The identity of our descriptions in one dialog (RFC 8866 §5.2, RFC 3264 §5). */
export interface OriginOptions {
  /** Decimal, below 2^63, not the same for two dialogs: give a clock or random number. */
  readonly sessionId: string;
  /** Version of the first description, decimal, below 2^62; default `1`. */
  readonly version?: string;
  /** Default `-`. */
  readonly username?: string;
}

/** @internal `c=` for an address of ours. */
export function connectionTo(address: string): Connection {
  return { netType: "IN", addressType: address.includes(":") ? "IP6" : "IP4", address };
}

/** @internal */
export function originOf(options: OriginOptions, address: string): Origin {
  const { sessionId, version = "1", username = "-" } = options;
  return { username, sessionId, version, ...connectionTo(address) };
}

/**
 * Gives a description the `o=` line it must have after the one sent before it: the same line when nothing else
 * changed, else the same with the version one higher (RFC 3264 §8). Without `previous`, the description as it is.
 */
export function stampOrigin(
  description: SessionDescription,
  previous: SessionDescription | undefined,
): SessionDescription {
  if (!previous) return description;
  const unchanged = { ...description, origin: previous.origin };
  if (formatSessionDescription(unchanged) === formatSessionDescription(previous)) return unchanged;
  return { ...description, origin: { ...previous.origin, version: versionAfter(previous.origin.version) } };
}

function versionAfter(version: string): string {
  return /^\d{1,19}$/.test(version) ? String(BigInt(version) + 1n) : "1";
}
