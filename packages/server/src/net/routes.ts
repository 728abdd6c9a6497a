import { isIP } from "node:net";
import { localAddressFor } from "./local-address.ts";

const MAX_ROUTES = 1024;
const ROUTE_TTL_MS = 30_000;

/** Which address of ours faces a remote one; asked of the kernel once in a while, not for each message. */
export class Routes {
  readonly #known = new Map<string, { readonly local: string | undefined; readonly until: number }>();

  localFor(remoteAddress: string): string | undefined {
    const now = performance.now();
    const known = this.#known.get(remoteAddress);
    if (known !== undefined && now < known.until) return known.local;
    if (this.#known.size >= MAX_ROUTES) this.#known.clear();
    const local = localAddressFor(remoteAddress);
    this.#known.set(remoteAddress, { local, until: now + ROUTE_TTL_MS });
    return local;
  }

  /**
   * The listener that faces `remoteAddress`: bound to the address the route leaves from, else to all addresses of
   * that family, else to any address of that family.
   */
  choose<L extends { readonly address: string }>(
    listeners: readonly L[],
    remoteAddress: string,
  ): L | undefined {
    const family = isIP(remoteAddress);
    const able = listeners.filter((listener) => isIP(listener.address) === family);
    if (able.length < 2) return able[0];
    const local = this.localFor(remoteAddress);
    return (
      able.find((listener) => listener.address === local) ??
      able.find((listener) => isWildcard(listener.address)) ??
      able[0]
    );
  }
}

/** Bound to all addresses of its family. */
export function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}
