import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Resolver } from "./types.ts";

export interface ResolverOptions {
  /** Asks the system (hosts file, DNS). Replaced in tests. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
}

/** Literals (IPv6 with or without brackets) as they are, names by the system's resolver; unknown names give an empty list. */
export function createResolver(options: ResolverOptions = {}): Resolver {
  const ask = options.lookup ?? askSystem;
  return {
    async addresses(host) {
      const literal = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
      if (isIP(literal) !== 0) return [literal];
      try {
        return [...new Set(await ask(host))];
      } catch {
        return [];
      }
    },
  };
}

async function askSystem(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true, order: "ipv4first" });
  return found.map((entry) => entry.address);
}
