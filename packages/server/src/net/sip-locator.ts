import { isIP } from "node:net";
import type { Random } from "@callfork/protocol/text";
import type { DnsAnswer } from "./dns-cache.ts";
import type { NaptrRecord, SipDns } from "./sip-dns.ts";
import { orderSrv } from "./srv-order.ts";
import { TargetBlocklist } from "./target-blocklist.ts";
import type { Clock, Located, SipDestination, SipLocator, SipTargetUri, SipTransportName } from "./types.ts";

export interface SipLocatorOptions {
  readonly dns: SipDns;
  readonly clock: Clock;
  readonly random: Random;
  /** How long a destination that failed stands behind others. Default 30 s. */
  readonly blockMs?: number;
}

/** How RFC 3263 names each transport in DNS, and its port. In the order of preference where a domain leaves it to us. */
const TRANSPORTS = {
  udp: { service: "SIP+D2U", srv: "_sip._udp", port: 5060, isSecure: false },
  tcp: { service: "SIP+D2T", srv: "_sip._tcp", port: 5060, isSecure: false },
  tls: { service: "SIPS+D2T", srv: "_sips._tcp", port: 5061, isSecure: true },
  ws: { service: "SIP+D2W", srv: "_sip._ws", port: 80, isSecure: false },
  wss: { service: "SIPS+D2W", srv: "_sips._ws", port: 443, isSecure: true },
} as const satisfies Record<SipTransportName, unknown>;

/** We open none of the others. */
const DISCOVERED = ["udp", "tcp", "tls"] as const;

/** A domain may name many servers; nobody waits for more. */
const MAX_DESTINATIONS = 32;

/** A transport with the name and, where it is known already, the port to go to. */
interface Candidate {
  readonly transport: SipTransportName;
  readonly host: string;
  readonly port: number;
}

export function createSipLocator(options: SipLocatorOptions): SipLocator {
  return new Locator(options);
}

class Locator implements SipLocator {
  readonly #dns: SipDns;
  readonly #random: Random;
  readonly #blocklist: TargetBlocklist;

  constructor({ dns, clock, random, blockMs = 30_000 }: SipLocatorOptions) {
    this.#dns = dns;
    this.#random = random;
    this.#blocklist = new TargetBlocklist(clock, blockMs);
  }

  locate(uri: SipTargetUri, available: readonly SipTransportName[]): Located | Promise<Located> {
    const wanted = wantedTransport(uri);
    if (wanted !== undefined && (wanted.name === undefined || !available.includes(wanted.name))) {
      return unavailable(`transport ${wanted.text} is not available here`);
    }
    // §4: "If the URI contains an maddr parameter, TARGET is its value, else the host".
    const target = uri.params.get("maddr") ?? uri.host;
    const isNumeric = isIP(target) !== 0;
    // §4.1: numeric, or with a port: UDP for sip, TLS for sips.
    const fixed =
      wanted?.name ?? (isNumeric || uri.port !== undefined ? standard(uri, available) : undefined);
    if (fixed === undefined) {
      return isNumeric || uri.port !== undefined || standard(uri, available) === undefined
        ? unavailable(`no transport for ${uri.scheme}: is available here`)
        : this.#discover(target, uri, available);
    }
    const port = uri.port ?? TRANSPORTS[fixed].port;
    if (isNumeric) return this.#located([destination(fixed, target, port, uri)]);
    const found =
      uri.port === undefined
        ? this.#service(fixed, `${TRANSPORTS[fixed].srv}.${target}`).then((srv) =>
            srv.length > 0 ? srv : [{ transport: fixed, host: target, port }],
          )
        : Promise.resolve([{ transport: fixed, host: target, port }]);
    return found.then((candidates) => this.#resolve(candidates, uri, target));
  }

  failed(to: SipDestination, { forMs }: { readonly forMs?: number } = {}): void {
    this.#blocklist.block(to, forMs);
  }

  succeeded(to: SipDestination): void {
    this.#blocklist.clear(to);
  }

  /** Neither transport nor port are given (§4.1): NAPTR says, else which SRV records there are, else the standard. */
  async #discover(
    target: string,
    uri: SipTargetUri,
    available: readonly SipTransportName[],
  ): Promise<Located> {
    const able = DISCOVERED.filter(
      (name) => available.includes(name) && (uri.scheme === "sip" || TRANSPORTS[name].isSecure),
    );
    // RFC 6761 §6.3: names below localhost are never looked up in the DNS.
    const naptr: DnsAnswer<NaptrRecord> = isLocalhost(target)
      ? { records: [], ttlMs: 0, failed: "silent" }
      : await this.#dns.naptr(target);
    const services = sipServices(naptr);
    const usable = services.flatMap((record) => {
      const transport = able.find((name) => TRANSPORTS[name].service === record.service.toUpperCase());
      return transport === undefined ? [] : [{ transport, name: record.replacement }];
    });
    if (services.length > 0 && usable.length === 0) {
      const offered = [...new Set(services.map(({ service }) => service))].join(", ");
      return unavailable(`${target} offers ${offered} only, of which nothing is available here`);
    }
    const asked =
      usable.length > 0
        ? usable
        : able.map((transport) => ({ transport, name: `${TRANSPORTS[transport].srv}.${target}` }));
    // A server that could not answer one question would take as long to not answer the others.
    const lists =
      naptr.failed === "silent"
        ? []
        : await Promise.all(asked.map(({ transport, name }) => this.#service(transport, name)));
    const candidates = lists.flat();
    if (candidates.length > 0) return this.#resolve(candidates, uri, target);
    const transport = standard(uri, available);
    if (transport === undefined) return unavailable(`no transport for ${uri.scheme}: is available here`);
    return this.#resolve([{ transport, host: target, port: TRANSPORTS[transport].port }], uri, target);
  }

  /** SRV records, in the order to try them; `.` for a target says that there is no such service (RFC 2782). */
  async #service(transport: SipTransportName, name: string): Promise<Candidate[]> {
    const { records } = await this.#dns.srv(name);
    const there = records.filter(({ target, port }) => target !== "" && target !== "." && port > 0);
    return orderSrv(there, () => this.#fraction()).map(({ target, port }) => ({
      transport,
      host: target,
      port,
    }));
  }

  async #resolve(candidates: readonly Candidate[], uri: SipTargetUri, target: string): Promise<Located> {
    const wanted = candidates.slice(0, MAX_DESTINATIONS);
    const answers = await Promise.all(wanted.map(({ host }) => this.#addresses(host)));
    const found = wanted.flatMap(({ transport, port }, index) =>
      (answers[index]?.records ?? []).map((address) => destination(transport, address, port, uri)),
    );
    if (found.length > 0) return this.#located(found.slice(0, MAX_DESTINATIONS));
    const failed = answers.some((answer) => answer.failed !== undefined);
    return { ok: false, message: failed ? `${target} could not be resolved` : `no address for ${target}` };
  }

  #addresses(host: string): Promise<DnsAnswer<string>> {
    return isIP(host) === 0 ? this.#dns.addresses(host) : Promise.resolve({ records: [host], ttlMs: 0 });
  }

  #located(destinations: readonly SipDestination[]): Located {
    return { ok: true, destinations: this.#blocklist.order(destinations) };
  }

  #fraction(): number {
    const [a = 0, b = 0, c = 0] = this.#random.bytes(3);
    return ((a << 16) | (b << 8) | c) / 0x1000000;
  }
}

const unavailable = (message: string): Located => ({ ok: false, message, reason: "unavailable" });

const isLocalhost = (name: string): boolean => /(^|\.)localhost$/i.test(name);

/** By order, then preference; only those that lead to SRV records of a SIP service ("s" flag, no regular expression). */
function sipServices({ records }: DnsAnswer<NaptrRecord>): readonly NaptrRecord[] {
  return records
    .filter(({ flags, service }) => flags.toLowerCase() === "s" && /^sips?\+d2[a-z]$/i.test(service))
    .sort((a, b) => a.order - b.order || a.preference - b.preference);
}

/** The URI's own wish; `name` is undefined for a transport that we do not know, or that sips: forbids. */
function wantedTransport({
  scheme,
  params,
}: SipTargetUri): { readonly text: string; readonly name: SipTransportName | undefined } | undefined {
  const text = params.get("transport")?.toLowerCase();
  if (text === undefined) return undefined;
  const isSips = scheme === "sips";
  // RFC 3261 §26.2.2: transport=tls is deprecated and everywhere; RFC 5630 §3.1.3: sips over tcp is TLS.
  const names: Readonly<Record<string, SipTransportName | undefined>> = isSips
    ? { tcp: "tls", tls: "tls", ws: "wss", wss: "wss" }
    : { udp: "udp", tcp: "tcp", tls: "tls", ws: "ws", wss: "wss" };
  return { text, name: names[text] };
}

/** Where nothing says otherwise: UDP for sip, or what there is; TLS for sips. */
function standard(
  { scheme }: SipTargetUri,
  available: readonly SipTransportName[],
): SipTransportName | undefined {
  return DISCOVERED.find(
    (name) => available.includes(name) && (scheme === "sip" || TRANSPORTS[name].isSecure),
  );
}

function destination(
  transport: SipTransportName,
  address: string,
  port: number,
  { host }: SipTargetUri,
): SipDestination {
  // RFC 5922 §7.3: the certificate must name the domain that was asked for, whatever DNS made of it.
  return transport === "tls" || transport === "wss"
    ? { transport, address, port, tls: { serverName: host } }
    : { transport, address, port };
}
