import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { AddressGuard } from "./address-guard.ts";
import { WebhookError } from "./errors.ts";
import { failureOf } from "./failures.ts";
import type { Target } from "./target.ts";
import type { AddressLookup } from "./types.ts";

/**
 * The addresses of a target that may be connected to, in the resolver's order.
 *
 * @throws `WebhookError`: unknown host, or none of its addresses is public
 */
export async function checkedAddresses(
  target: Target,
  guard: AddressGuard,
  resolver: AddressLookup,
): Promise<readonly string[]> {
  let found: readonly string[];
  try {
    found = isIP(target.host) === 0 ? await resolver.addresses(target.host) : [target.host];
  } catch (error) {
    throw failureOf(error, "connecting", target.protocol);
  }
  if (found.length === 0) throw new WebhookError("badHost", `${target.host} has no address`);
  const allowed = found.filter((address) => guard.allows(address));
  if (allowed.length === 0)
    throw new WebhookError("addressRefused", `${target.host} is at ${found.join(", ")}, which is not public`);
  return allowed;
}

export const SYSTEM_RESOLVER: AddressLookup = {
  addresses: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
};
