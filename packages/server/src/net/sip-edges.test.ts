import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { SipTransportsOptions } from "./sip-transports.ts";
import { NO_OPENSSL, TestAuthority } from "./testing/certificates.ts";
import { hasReason, LOCALHOST, octets, open, request } from "./testing/transports.ts";

const EDGE = "127.0.0.2";
const PUBLIC = "198.51.100.7";

/** A node with an edge beside its ordinary listeners. */
const edged = (t: TestContext, options: Partial<SipTransportsOptions> = {}) =>
  open(t, {
    listen: (["udp", "tcp"] as const).flatMap((transport) => [
      { transport, address: LOCALHOST, port: 0 },
      { transport, address: EDGE, port: 0, edge: "dublin", publicAddress: PUBLIC },
    ]),
    ...options,
  });

for (const transport of ["udp", "tcp"] as const) {
  test(`${transport}: what is sent from an edge has its address as source, what is not has none of it`, async (t) => {
    const [node, peer] = [await edged(t), await open(t)];
    const { port } = peer.transports.sentBy(transport, LOCALHOST);
    const to = { transport, address: LOCALHOST, port };
    await node.transports.send(octets(request("edge")), { ...to, edge: "dublin" });
    const fromEdge = await peer.message();
    assert.equal(fromEdge.flow.remoteAddress, EDGE);
    await node.transports.send(octets(request("plain")), to);
    const plain = await peer.message();
    assert.equal(plain.flow.remoteAddress, LOCALHOST);

    await peer.transports.send(octets(request("back")), fromEdge.flow);
    const back = await node.message();
    assert.deepEqual([back.flow.edge, back.flow.localAddress], ["dublin", EDGE]);
    await node.transports.send(octets(request("forth")), back.flow);
    assert.equal((await peer.message()).flow.remoteAddress, EDGE);
  });
}

test("an edge tells its public address, has its own ports and transports, and refuses what it cannot carry", async (t) => {
  const { transports } = await edged(t, {
    listen: [
      { transport: "udp", address: LOCALHOST, port: 0 },
      { transport: "tcp", address: LOCALHOST, port: 0 },
      { transport: "udp", address: EDGE, port: 0, edge: "dublin", publicAddress: PUBLIC },
      { transport: "udp", address: "127.0.0.3", port: 0, edge: "tokyo" },
    ],
  });
  assert.equal(transports.sentBy("udp", LOCALHOST, "dublin").host, PUBLIC);
  assert.equal(transports.sentBy("udp", LOCALHOST, "tokyo").host, "127.0.0.3");
  assert.equal(transports.sentBy("udp", LOCALHOST).host, LOCALHOST);
  assert.deepEqual(transports.available, ["udp", "tcp"]);
  assert.deepEqual(transports.availableAt?.("dublin"), ["udp"]);
  assert.deepEqual(transports.availableAt?.("atlantis"), []);
  for (const edge of ["dublin", "atlantis"]) {
    const to = { transport: "tcp", address: LOCALHOST, port: 9, edge } as const;
    await assert.rejects(transports.send(octets("x"), to), hasReason("unavailable"));
  }
});

test("tls: a connection of its own for each edge, bound to its address", { skip: NO_OPENSSL }, async (t) => {
  const authority = new TestAuthority(t);
  const { certificateFile, keyFile } = authority.issue(`IP:${LOCALHOST}`);
  const tls = { certificate: [certificateFile], key: [keyFile], ca: authority.caFile };
  const listen = [
    { transport: "tls", address: LOCALHOST, port: 0 },
    { transport: "tls", address: EDGE, port: 0, edge: "dublin" },
  ] as const;
  const [node, peer] = [await open(t, { listen, tls }), await open(t, { listen, tls })];
  const to = {
    transport: "tls",
    address: LOCALHOST,
    port: peer.transports.sentBy("tls", LOCALHOST).port,
  } as const;
  await node.transports.send(octets(request("a")), { ...to, edge: "dublin" });
  await node.transports.send(octets(request("b")), to);
  await node.transports.send(octets(request("c")), { ...to, edge: "dublin" });
  const heard = [await peer.message(), await peer.message(), await peer.message()];
  const sources = new Map(heard.map((one) => [one.text.slice(12, 13), one.flow]));
  assert.deepEqual(
    ["a", "b", "c"].map((name) => sources.get(name)?.remoteAddress),
    [EDGE, LOCALHOST, EDGE],
  );
  assert.equal(sources.get("a")?.remotePort, sources.get("c")?.remotePort, "and it is used again");
});
