import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { parseSipUri } from "@callfork/protocol/sip";
import type { Random } from "@callfork/protocol/text";
import fc from "fast-check";
import { DnsCache } from "./dns-cache.ts";
import { createAddressDns, createSipDns, type NaptrRecord, type SipDns, type SrvRecord } from "./sip-dns.ts";
import { createSipLocator } from "./sip-locator.ts";
import { orderSrv } from "./srv-order.ts";
import { NO_DNSMASQ, startDns } from "./testing/dns-server.ts";
import type { Clock, SipLocator, SipTransportName } from "./types.ts";

const ALL = ["udp", "tcp", "tls"] as const;
const random: Random = { bytes: (length) => randomBytes(length) };
/** Draws the first of what is to be drawn. */
const lowest: Random = { bytes: (length) => new Uint8Array(length) };

interface ManualClock extends Clock {
  time: number;
}

function manualClock(): ManualClock {
  const clock: ManualClock = {
    time: 0,
    now: () => clock.time,
    wallNow: () => clock.time,
    setTimer: () => ({ cancel() {} }),
  };
  return clock;
}

interface Zone {
  readonly naptr?: Record<string, NaptrRecord[]>;
  readonly srv?: Record<string, SrvRecord[]>;
  readonly addresses?: Record<string, string[]>;
}

function zoneDns(zone: Zone, asked: string[] = []): SipDns {
  const answer = async <T>(kind: string, name: string, found: Record<string, T[]> | undefined) => {
    asked.push(`${kind} ${name}`);
    return { records: found?.[name] ?? [], ttlMs: 0 };
  };
  return {
    naptr: (name) => answer("NAPTR", name, zone.naptr),
    srv: (name) => answer("SRV", name, zone.srv),
    addresses: (name) => answer("A", name, zone.addresses),
  };
}

const locatorOf = (zone: Zone, asked?: string[]): SipLocator =>
  createSipLocator({ dns: zoneDns(zone, asked), clock: manualClock(), random: lowest });

/** `udp 192.0.2.1:5060`, with the name that the certificate must have behind it. */
async function found(
  locator: SipLocator,
  uri: string,
  available: readonly SipTransportName[] = ALL,
): Promise<readonly string[] | string> {
  const parsed = parseSipUri(uri);
  assert.ok(parsed.ok);
  const located = await locator.locate(parsed.value, available);
  if (!located.ok) return located.message;
  return located.destinations.map(
    ({ transport, address, port, tls }) =>
      `${transport} ${address}:${port}${tls ? ` ${tls.serverName}` : ""}`,
  );
}

const naptr = (order: number, preference: number, service: string, replacement: string): NaptrRecord => ({
  order,
  preference,
  service,
  replacement,
  flags: "s",
});
const srv = (target: string, port: number, priority = 0, weight = 0): SrvRecord => ({
  target,
  port,
  priority,
  weight,
});

test("[R3263-4.1-1] [R3263-4-1] a numeric host or a port: UDP for sip, TLS for sips, whatever the DNS holds; numbers need no wait", async () => {
  const asked: string[] = [];
  const locator = locatorOf({ addresses: { "a.test": ["192.0.2.1"] } }, asked);
  for (const [uri, expected] of [
    ["sip:192.0.2.9", "udp 192.0.2.9:5060"],
    ["sip:192.0.2.9:5080;transport=tcp", "tcp 192.0.2.9:5080"],
    ["sips:192.0.2.9", "tls 192.0.2.9:5061 192.0.2.9"],
    ["sip:[2001:db8::1]", "udp 2001:db8::1:5060"],
    ["sip:[2001:db8::1]:5062;transport=tls", "tls 2001:db8::1:5062 2001:db8::1"],
    ["sip:a.test:5070", "udp 192.0.2.1:5070"],
    ["sips:a.test:5071", "tls 192.0.2.1:5071 a.test"],
    ["sips:a.test:5071;transport=tcp", "tls 192.0.2.1:5071 a.test"],
    ["sip:b.test;maddr=192.0.2.7", "udp 192.0.2.7:5060"],
    ["sips:b.test;maddr=192.0.2.7", "tls 192.0.2.7:5061 b.test"],
  ] as const) {
    assert.deepEqual(await found(locator, uri), [expected], uri);
  }
  assert.deepEqual([...new Set(asked)], ["A a.test"]);
  const parsed = parseSipUri("sip:192.0.2.9");
  assert.ok(parsed.ok && !(locator.locate(parsed.value, ALL) instanceof Promise));
  assert.deepEqual(await found(locator, "sip:192.0.2.9", ["tcp"]), ["tcp 192.0.2.9:5060"]);
  assert.match(String(await found(locator, "sips:192.0.2.9", ["udp", "tcp"])), /no transport for sips:/);
  assert.match(String(await found(locator, "sips:a.test;transport=udp")), /transport udp is not available/);
  assert.match(String(await found(locator, "sip:a.test;transport=sctp")), /transport sctp is not available/);
});

test("[R3263-4.1-2] NAPTR records choose the transport, by order and preference, among those that we speak", async () => {
  const zone: Zone = {
    naptr: {
      "a.test": [
        naptr(20, 10, "SIP+D2U", "_sip._udp.a.test"),
        naptr(10, 20, "SIP+D2T", "_sip._tcp.a.test"),
        naptr(10, 10, "SIPS+D2T", "_sips._tcp.a.test"),
        naptr(1, 1, "SIP+D2S", "_sip._sctp.a.test"),
        { ...naptr(0, 0, "E2U+sip", ""), flags: "u" },
      ],
    },
    srv: {
      "_sip._udp.a.test": [srv("u.a.test", 5060)],
      "_sip._tcp.a.test": [srv("t.a.test", 5062)],
      "_sips._tcp.a.test": [srv("s.a.test", 5061)],
    },
    addresses: { "u.a.test": ["192.0.2.1"], "t.a.test": ["192.0.2.2"], "s.a.test": ["192.0.2.3"] },
  };
  const locator = locatorOf(zone);
  // §4.1: the domain that was dialled is what the certificate must name, not where the records lead.
  const [tls, tcp, udp] = ["tls 192.0.2.3:5061 a.test", "tcp 192.0.2.2:5062", "udp 192.0.2.1:5060"];
  assert.deepEqual(await found(locator, "sip:a.test"), [tls, tcp, udp]);
  assert.deepEqual(await found(locator, "sip:a.test", ["udp", "tcp"]), [tcp, udp]);
  assert.deepEqual(await found(locator, "sips:a.test"), [tls]);
  assert.match(String(await found(locator, "sips:a.test", ["udp", "tcp"])), /no transport for sips:/);
  assert.match(
    String(await found(locatorOf({ naptr: { "b.test": [naptr(1, 1, "SIP+D2S", "x.test")] } }), "sip:b.test")),
    /b\.test offers SIP\+D2S only/,
  );
});

test("[R3263-4.1-3] without NAPTR the SRV records of each transport are asked for, without these the standard is left", async () => {
  const asked: string[] = [];
  const zone: Zone = {
    srv: { "_sip._tcp.a.test": [srv("t.a.test", 5062)], "_sips._tcp.b.test": [srv("s.b.test", 5061)] },
    addresses: {
      "t.a.test": ["192.0.2.2"],
      "s.b.test": ["192.0.2.3"],
      "c.test": ["192.0.2.4", "2001:db8::4"],
    },
  };
  const locator = locatorOf(zone, asked);
  assert.deepEqual(await found(locator, "sip:a.test"), ["tcp 192.0.2.2:5062"]);
  assert.deepEqual(asked, [
    "NAPTR a.test",
    "SRV _sip._udp.a.test",
    "SRV _sip._tcp.a.test",
    "SRV _sips._tcp.a.test",
    "A t.a.test",
  ]);
  assert.deepEqual(await found(locator, "sips:b.test"), ["tls 192.0.2.3:5061 b.test"]);
  assert.deepEqual(await found(locator, "sip:c.test"), ["udp 192.0.2.4:5060", "udp 2001:db8::4:5060"]);
  assert.deepEqual(await found(locator, "sips:c.test"), [
    "tls 192.0.2.4:5061 c.test",
    "tls 2001:db8::4:5061 c.test",
  ]);
  assert.equal(await found(locator, "sip:nowhere.test"), "no address for nowhere.test");
});

test("[R3263-4.2-2] with a transport in the URI its SRV records are asked for, with a port none", async () => {
  const asked: string[] = [];
  const zone: Zone = {
    srv: { "_sip._tcp.a.test": [srv("t.a.test", 5062)] },
    addresses: { "t.a.test": ["192.0.2.2"], "a.test": ["192.0.2.1"] },
  };
  const locator = locatorOf(zone, asked);
  assert.deepEqual(await found(locator, "sip:a.test;transport=TCP"), ["tcp 192.0.2.2:5062"]);
  assert.deepEqual(await found(locator, "sip:a.test;transport=tls"), ["tls 192.0.2.1:5061 a.test"]);
  assert.deepEqual(await found(locator, "sip:a.test:5090;transport=tcp"), ["tcp 192.0.2.1:5090"]);
  assert.deepEqual(asked, [
    "SRV _sip._tcp.a.test",
    "A t.a.test",
    "SRV _sips._tcp.a.test",
    "A a.test",
    "A a.test",
  ]);
});

test("[R3263-4.2-3] SRV records are tried by priority, drawn by weight among equals; '.' offers nothing", async () => {
  const records = [
    srv("last", 1, 20, 0),
    srv("heavy", 1, 10, 90),
    srv("light", 1, 10, 10),
    srv("zero", 1, 10, 0),
  ];
  const names = (fraction: () => number): string[] => orderSrv(records, fraction).map(({ target }) => target);
  assert.deepEqual(
    names(() => 0),
    ["zero", "heavy", "light", "last"],
  );
  assert.deepEqual(
    names(() => 0.999),
    ["light", "heavy", "zero", "last"],
  );
  let seed = 1;
  const fraction = (): number => {
    seed = (seed * 48_271) % 0x7fffffff;
    return seed / 0x7fffffff;
  };
  const first = new Map<string, number>();
  for (let i = 0; i < 10_000; i++) {
    const [name = ""] = names(fraction);
    first.set(name, (first.get(name) ?? 0) + 1);
  }
  assert.ok(Math.abs((first.get("heavy") ?? 0) / 10_000 - 0.9) < 0.03, `${[...first]}`);
  assert.equal(first.get("last"), undefined);
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ target: fc.string(), port: fc.nat(), priority: fc.nat(3), weight: fc.nat(0xffff) }),
      ),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (all, drawn) => {
        const ordered = orderSrv(all, () => drawn);
        assert.equal(new Set(ordered).size, all.length);
        assert.deepEqual(
          ordered.map(({ priority }) => priority),
          all.map(({ priority }) => priority).sort((a, b) => a - b),
        );
      },
    ),
  );
  const locator = locatorOf({
    srv: { "_sip._tcp.a.test": [srv(".", 0)] },
    addresses: { "a.test": ["192.0.2.1"] },
  });
  assert.deepEqual(await found(locator, "sip:a.test"), ["udp 192.0.2.1:5060"]);
});

test("[R7245-3.2-1] [R3263-4.3-1] what failed stands behind the others until its time is over, or an answer comes from it", async () => {
  const clock = manualClock();
  const zone = { addresses: { "a.test": ["192.0.2.1", "192.0.2.2", "192.0.2.3"] } };
  const locator = createSipLocator({ dns: zoneDns(zone), clock, random, blockMs: 30_000 });
  const order = async (): Promise<string> =>
    String(await found(locator, "sip:a.test:5060"))
      .replaceAll("udp 192.0.2.", "")
      .replaceAll(":5060", "");
  assert.equal(await order(), "1,2,3");
  locator.failed({ transport: "udp", address: "192.0.2.1", port: 5060 });
  assert.equal(await order(), "2,3,1");
  locator.failed({ transport: "udp", address: "192.0.2.2", port: 5060 }, { forMs: 5_000 });
  assert.equal(await order(), "3,1,2");
  clock.time = 5_000;
  assert.equal(await order(), "2,3,1");
  locator.succeeded({ transport: "udp", address: "192.0.2.1", port: 5060 });
  assert.equal(await order(), "1,2,3");
  locator.failed({ transport: "udp", address: "192.0.2.1", port: 5060 });
  clock.time = 35_000;
  assert.equal(await order(), "1,2,3");
  for (let i = 0; i < 5_000; i++)
    locator.failed({ transport: "udp", address: `10.0.${i >> 8}.${i & 255}`, port: 1 });
  assert.equal(await order(), "1,2,3");
});

test("answers are kept for their time to live, refusals too, and never too many of them", async () => {
  const clock = manualClock();
  const asked: string[] = [];
  const cache = new DnsCache<string>(clock, 3, async (name) => {
    asked.push(name);
    return { records: name === "none" ? [] : [name], ttlMs: 1_000 };
  });
  const [a] = await Promise.all([cache.get("A.test"), cache.get("a.test")]);
  assert.deepEqual(a.records, ["a.test"]);
  await cache.get("none");
  await cache.get("none");
  assert.deepEqual(asked, ["a.test", "none"]);
  clock.time = 1_000;
  await cache.get("a.test");
  assert.deepEqual(asked, ["a.test", "none", "a.test"]);
  for (const name of ["x", "y", "z"]) await cache.get(name);
  await cache.get("a.test");
  assert.equal(asked.at(-1), "a.test", "the oldest made room");
});

test("a resolver that throws is no address", async () => {
  const dns = createAddressDns({ addresses: () => Promise.reject(new Error("broken")) });
  const locator = createSipLocator({ dns, clock: manualClock(), random });
  assert.equal(await found(locator, "sip:a.test:5060"), "a.test could not be resolved");
});

const RECORDS = [
  "--naptr-record=a.test,10,10,s,SIP+D2T,,_sip._tcp.a.test",
  "--naptr-record=a.test,10,20,s,SIP+D2U,,_sip._udp.a.test",
  "--srv-host=_sip._tcp.a.test,dead.a.test,5070,10,1",
  "--srv-host=_sip._tcp.a.test,live.a.test,5071,20,1",
  "--srv-host=_sip._udp.a.test,live.a.test,5072,10,1",
  "--srv-host=_sips._tcp.b.test,live.a.test,5061,10,1",
  "--host-record=dead.a.test,127.0.0.2",
  "--host-record=live.a.test,127.0.0.1,::1",
  "--host-record=plain.test,127.0.0.3",
] as const;

test("[R3263-4.4-1] against a DNS server: NAPTR to SRV to addresses of both families, and names that do not exist", {
  skip: NO_DNSMASQ,
}, async (t) => {
  const { server, stop } = await startDns(t, RECORDS);
  const clock = manualClock();
  const resolver = { addresses: async () => [] };
  const dns = createSipDns({ clock, servers: [server], resolver, timeoutMs: 300 });
  const locator = createSipLocator({ dns, clock, random });
  const expected = [
    ...["tcp 127.0.0.2:5070", "tcp 127.0.0.1:5071", "tcp ::1:5071"],
    ...["udp 127.0.0.1:5072", "udp ::1:5072"],
  ];
  assert.deepEqual(await found(locator, "sip:A.test"), expected);
  assert.deepEqual(await found(locator, "sips:b.test"), ["tls 127.0.0.1:5061 b.test", "tls ::1:5061 b.test"]);
  assert.deepEqual(await found(locator, "sip:plain.test"), ["udp 127.0.0.3:5060"]);
  assert.equal(await found(locator, "sip:nowhere.test"), "no address for nowhere.test");
  stop();
  assert.deepEqual(await found(locator, "sip:a.test"), expected, "from the cache");
  assert.equal(await found(locator, "sip:other.test"), "other.test could not be resolved");
});

test("a DNS server that refuses NAPTR is asked for SRV, one that is silent for addresses alone", async () => {
  const zone: Zone = {
    srv: { "_sip._tcp.a.test": [srv("t.a.test", 5062)] },
    addresses: { "t.a.test": ["192.0.2.2"], "a.test": ["192.0.2.1"] },
  };
  for (const [failed, expected] of [
    ["refused", "tcp 192.0.2.2:5062"],
    ["silent", "udp 192.0.2.1:5060"],
  ] as const) {
    const dns: SipDns = { ...zoneDns(zone), naptr: async () => ({ records: [], ttlMs: 0, failed }) };
    const locator = createSipLocator({ dns, clock: manualClock(), random });
    assert.deepEqual(await found(locator, "sip:a.test"), [expected]);
  }
  const asked: string[] = [];
  assert.deepEqual(
    await found(locatorOf({ addresses: { localhost: ["127.0.0.1"] } }, asked), "sip:localhost"),
    ["udp 127.0.0.1:5060"],
  );
  assert.deepEqual(asked, ["A localhost"]);
});
