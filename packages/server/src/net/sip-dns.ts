import { Resolver as DnsResolver } from "node:dns/promises";
import { type DnsAnswer, DnsCache } from "./dns-cache.ts";
import { errnoOf } from "./transport-error.ts";
import type { Clock, Resolver } from "./types.ts";

/** RFC 3403. Names without their last dot. */
export interface NaptrRecord {
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly service: string;
  readonly replacement: string;
}

/** RFC 2782. */
export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** The questions that RFC 3263 asks. Never reject. */
export interface SipDns {
  naptr(name: string): Promise<DnsAnswer<NaptrRecord>>;
  srv(name: string): Promise<DnsAnswer<SrvRecord>>;
  /** IPv4 before IPv6, each in the order that the server gave. */
  addresses(name: string): Promise<DnsAnswer<string>>;
}

export interface SipDnsOptions {
  readonly clock: Clock;
  /** Servers to ask, `address` or `address:port`; none: the system's. */
  readonly servers?: readonly string[];
  /** For addresses while no servers are named: the system's way, its hosts file included. */
  readonly resolver: Resolver;
  /** For one try at one server; there are two. */
  readonly timeoutMs?: number;
  /** Answers kept of each kind. */
  readonly maxEntries?: number;
}

/** An answer is kept at least this long, so that a TTL of 0 does not mean a question for each request of a call. */
const MIN_TTL_MS = 1_000;
const MAX_TTL_MS = 3_600_000;
/** Node tells TTLs of address records only. */
const UNKNOWN_TTL_MS = 60_000;
const SYSTEM_TTL_MS = 30_000;
/** For "there is none" (RFC 2308 would take the SOA's word, which Node does not tell). */
const NEGATIVE_TTL_MS = 15_000;
/** For "I cannot say". */
const FAILED_TTL_MS = 2_000;
const MAX_RECORDS = 64;

/** The real DNS, asked by c-ares, through caches. */
export function createSipDns(options: SipDnsOptions): SipDns {
  const { clock, servers = [], resolver, timeoutMs = 2_000, maxEntries = 2_048 } = options;
  const dns = new DnsResolver({ timeout: timeoutMs, tries: 2 });
  if (servers.length > 0) dns.setServers(servers);
  const cache = <T>(ask: (name: string) => Promise<DnsAnswer<T>>): DnsCache<T> =>
    new DnsCache(clock, maxEntries, ask);

  const naptrs = cache((name) =>
    answerOf(async () => {
      const found = await dns.resolveNaptr(name);
      return {
        records: found.map((one) => ({ ...one, replacement: bare(one.replacement) })),
        ttlMs: UNKNOWN_TTL_MS,
      };
    }),
  );
  const srvs = cache((name) =>
    answerOf(async () => {
      const found = await dns.resolveSrv(name);
      const records = found.map(({ name: target, port, priority, weight }) => {
        return { target: bare(target), port, priority, weight };
      });
      return { records, ttlMs: UNKNOWN_TTL_MS };
    }),
  );
  const hosts = cache((name) => {
    if (servers.length === 0) {
      return answerOf(async () => ({ records: await resolver.addresses(name), ttlMs: SYSTEM_TTL_MS }));
    }
    return bothFamilies(
      answerOf(async () => withTtl(await dns.resolve4(name, { ttl: true }))),
      answerOf(async () => withTtl(await dns.resolve6(name, { ttl: true }))),
    );
  });
  return {
    naptr: (name) => naptrs.get(name),
    srv: (name) => srvs.get(name),
    addresses: (name) => hosts.get(name),
  };
}

/** Address records of a `Resolver`, and nothing else: where there is no DNS to ask. */
export function createAddressDns(resolver: Resolver): SipDns {
  const none = async (): Promise<DnsAnswer<never>> => ({ records: [], ttlMs: 0 });
  return {
    naptr: none,
    srv: none,
    addresses: (name) => answerOf(async () => ({ records: await resolver.addresses(name), ttlMs: 0 })),
  };
}

/** A server is there and will not, or cannot, answer this question: old ones know no NAPTR. */
const REFUSALS: ReadonlySet<string> = new Set(["ESERVFAIL", "EREFUSED", "ENOTIMP", "EFORMERR", "EBADRESP"]);

async function answerOf<T>(ask: () => Promise<DnsAnswer<T>>): Promise<DnsAnswer<T>> {
  try {
    const { records, ttlMs } = await ask();
    return records.length === 0
      ? { records, ttlMs: NEGATIVE_TTL_MS }
      : { records: records.slice(0, MAX_RECORDS), ttlMs: Math.min(Math.max(ttlMs, MIN_TTL_MS), MAX_TTL_MS) };
  } catch (error) {
    const errno = errnoOf(error);
    return errno === "ENOTFOUND" || errno === "ENODATA"
      ? { records: [], ttlMs: NEGATIVE_TTL_MS }
      : { records: [], ttlMs: FAILED_TTL_MS, failed: REFUSALS.has(errno ?? "") ? "refused" : "silent" };
  }
}

async function bothFamilies(...asked: readonly Promise<DnsAnswer<string>>[]): Promise<DnsAnswer<string>> {
  const answers = await Promise.all(asked);
  const useful = answers.filter(({ records }) => records.length > 0);
  const told = useful.length > 0 ? useful : answers;
  return {
    records: answers.flatMap(({ records }) => records),
    ttlMs: Math.min(...told.map(({ ttlMs }) => ttlMs)),
    failed: useful.length > 0 ? undefined : answers.find(({ failed }) => failed !== undefined)?.failed,
  };
}

function withTtl(found: readonly { readonly address: string; readonly ttl: number }[]): DnsAnswer<string> {
  return {
    records: found.map(({ address }) => address),
    ttlMs: 1000 * Math.min(...found.map(({ ttl }) => ttl)),
  };
}

const bare = (name: string): string => name.replace(/\.$/, "");
