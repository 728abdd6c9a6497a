import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { SipConnections } from "./sip-connections.ts";
import { NO_OPENSSL, TestAuthority } from "./testing/certificates.ts";
import { gone, LOCALHOST, octets, open, queue, quiet, request, text } from "./testing/transports.ts";

const TCP = [{ transport: "tcp", address: LOCALHOST, port: 0 }] as const;
const hasIpv6 = await (async () => {
  const server = createServer();
  server.listen(0, "::1");
  const listening = await once(server, "listening").then(
    () => true,
    () => false,
  );
  server.close();
  return listening;
})();

async function dial(t: TestContext, port: number, host = LOCALHOST): Promise<Socket> {
  const socket = connect(port, host);
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function listenRaw(t: TestContext): Promise<{ port: number; accepted(): Promise<Socket> }> {
  const sockets = queue<Socket>();
  const server = createServer((socket) => sockets.put(socket.on("error", () => {})));
  server.listen(0, LOCALHOST);
  await once(server, "listening");
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return { port: address.port, accepted: sockets.take };
}

test("[R5626-4.4.1-2] a connection that we opened is pinged when it rests; who answered before and does not any more is given up", async (t) => {
  const { port, accepted } = await listenRaw(t);
  const client = await open(t, { listen: [], limits: { keepAliveMs: 20, pongTimeoutMs: 20 } });
  await client.transports.send(octets(request("x")), { transport: "tcp", address: LOCALHOST, port });
  const peer = await accepted();
  t.after(() => peer.destroy());
  const received: string[] = [];
  peer.on("data", (bytes) => received.push(text(bytes)));
  while (!received.join("").endsWith("\r\n\r\n\r\n")) await once(peer, "data");
  peer.write("\r\n");
  while (!received.join("").endsWith("\r\n\r\n\r\n\r\n\r\n")) await once(peer, "data");
  await gone(peer); // the second ping stays unanswered
  await client.closed();
  assert.match(client.causes[0]?.message ?? "", /no answer to a keep-alive/);
});

test("[R5626-4.4.1-3] a peer that never answers pings keeps its connection: not everybody knows them", async (t) => {
  const { port, accepted } = await listenRaw(t);
  const client = await open(t, {
    listen: [],
    limits: { keepAliveMs: 5, pongTimeoutMs: 5, idleCloseMs: 150 },
  });
  await client.transports.send(octets(request("x")), { transport: "tcp", address: LOCALHOST, port });
  const peer = await accepted();
  t.after(() => peer.destroy());
  let pings = "";
  peer.on("data", (bytes) => {
    pings += text(bytes);
  });
  await gone(peer);
  await client.closed();
  assert.match(client.causes[0]?.message ?? "", /idle/);
  assert.ok((pings.split("body")[1]?.length ?? 0) >= 8, "several pings");
});

test("a message has one deadline, however it trickles; a whole one before it does not put that off", async (t) => {
  const server = await open(t, { listen: TCP, limits: { messageTimeoutMs: 60 } });
  const { port } = server.transports.sentBy("tcp", LOCALHOST);
  const slow = await dial(t, port);
  slow.write(`${request("whole")}OPTIONS sip:x SIP/2.0\r\n`);
  const trickle = setInterval(() => slow.write("X-Pad: y\r\n"), 5);
  t.after(() => clearInterval(trickle));
  assert.equal((await server.message()).text, request("whole"));
  await gone(slow);
  await server.closed();
  assert.match(server.causes[0]?.message ?? "", /unfinished/);
});

test("an accepted connection that brings nothing is closed", async (t) => {
  const server = await open(t, { listen: TCP, limits: { firstMessageTimeoutMs: 20 } });
  await gone(await dial(t, server.transports.sentBy("tcp", LOCALHOST).port));
  await server.closed();
  assert.match(server.causes[0]?.message ?? "", /nothing came/);
});

test("all unfinished messages together are bounded", async (t) => {
  const server = await open(t, { listen: TCP, limits: { maxUnfinishedBytes: 50_000 } });
  const { port } = server.transports.sentBy("tcp", LOCALHOST);
  const half = `${request("x").replace("Content-Length: 4", "Content-Length: 500000")}${"y".repeat(30_000)}`;
  const first = await dial(t, port);
  first.write(half);
  const second = await dial(t, port);
  second.write(half);
  await Promise.race([gone(first), gone(second)]);
  await server.closed();
  assert.equal(server.causes[0]?.reason, "overloaded");
  const third = await dial(t, port);
  third.write(request("small"));
  assert.equal((await server.message()).text, request("small"));
});

test("one source has its share of connections and no more", async (t) => {
  const server = await open(t, { listen: TCP, limits: { maxConnectionsPerSource: 2 } });
  const { port } = server.transports.sentBy("tcp", LOCALHOST);
  const held = [await dial(t, port), await dial(t, port)];
  const third = connect(port, LOCALHOST).on("error", () => {});
  await gone(third);
  held[0]?.destroy();
  await server.closed();
  (await dial(t, port)).write(request("x"));
  assert.equal((await server.message()).text, request("x"));
});

test("when all seats are taken the oldest connection that said nothing makes room; one that carries SIP does not", async (t) => {
  const server = await open(t, { listen: TCP, limits: { maxConnections: 3 } });
  const { port } = server.transports.sentBy("tcp", LOCALHOST);
  const useful = await dial(t, port);
  useful.write(request("useful"));
  await server.message();
  const [oldest] = [await dial(t, port), await dial(t, port)];
  const left = gone(oldest);
  const next = await dial(t, port);
  next.write(request("next"));
  assert.equal((await server.message()).text, request("next"));
  await left;
  useful.write(request("again"));
  assert.equal((await server.message()).text, request("again"));
});

test("the ledger of connections: seats come back once, whatever ends them", () => {
  const limits = { maxConnections: 2, maxConnectionsPerSource: 2, maxUnfinishedBytes: 10 };
  const ledger = new SipConnections(limits, quiet);
  const evicted: string[] = [];
  const a = ledger.admit("192.0.2.1", () => evicted.push("a"));
  const b = ledger.admit("192.0.2.1", () => evicted.push("b"));
  assert.equal(
    ledger.admit("192.0.2.1", () => {}),
    undefined,
  );
  a?.prove();
  assert.ok(ledger.admit("192.0.2.2", () => {}));
  assert.deepEqual(evicted, ["b"]);
  b?.release();
  b?.release();
  a?.release();
  assert.ok(ledger.admit("192.0.2.1", () => {}));
  assert.equal(ledger.hold(10), true);
  assert.equal(ledger.hold(1), false);
  ledger.hold(-11);
  assert.equal(ledger.hold(5), true);
});

test("three thousand connections that say nothing or half a message: service goes on, and memory stays bounded", async (t) => {
  const silent = 3_000;
  const limits = { maxConnections: 2_000, maxConnectionsPerSource: 10_000 };
  const server = await open(t, { listen: TCP, limits });
  const { port } = server.transports.sentBy("tcp", LOCALHOST);
  const useful = await dial(t, port);
  useful.write(request("first"));
  await server.message();
  const before = process.memoryUsage().rss;
  for (let opened = 0; opened < silent; opened += 100) {
    const some = await Promise.all(Array.from({ length: 100 }, () => dial(t, port)));
    for (const [index, socket] of some.entries())
      if (index % 2 === 0) socket.write("INVITE sip:x SIP/2.0\r\n");
  }
  useful.write(request("still"));
  assert.equal((await server.message()).text, request("still"));
  const late = await dial(t, port);
  late.write(request("late"));
  assert.equal((await server.message()).text, request("late"));
  const grownBytes = process.memoryUsage().rss - before;
  assert.ok(grownBytes < 300 * 2 ** 20, `${Math.round(grownBytes / 2 ** 20)} MiB for both ends`);
});

test("[R3261-18-1] IPv6: UDP and TCP on ::1, with IPv4 beside them on the same port", {
  skip: hasIpv6 ? false : "no IPv6 loopback",
}, async (t) => {
  const first = await open(t, { listen: [{ transport: "udp", address: "::1", port: 0 }] });
  const { port } = first.transports.sentBy("udp", "::1");
  const both = await open(t, {
    listen: [
      { transport: "udp", address: LOCALHOST, port },
      { transport: "tcp", address: "::", port },
      { transport: "tcp", address: "0.0.0.0", port },
    ],
  });
  assert.deepEqual(both.transports.sentBy("tcp", "::1"), { host: "::1", port });
  assert.deepEqual(both.transports.sentBy("tcp", LOCALHOST), { host: LOCALHOST, port });
  const client = await open(t, { listen: [{ transport: "udp", address: "::1", port: 0 }] });
  await client.transports.send(octets(request("udp")), { transport: "udp", address: "::1", port });
  const heard = await first.message();
  assert.deepEqual(
    [heard.text, heard.flow.remoteAddress, heard.flow.localAddress],
    [request("udp"), "::1", "::1"],
  );
  await first.transports.send(octets(request("back")), heard.flow);
  assert.equal((await client.message()).text, request("back"));
  for (const address of ["::1", LOCALHOST]) {
    await client.transports.send(octets(request("tcp")), { transport: "tcp", address, port });
    assert.equal((await both.message()).flow.remoteAddress, address);
  }
});

test("IPv6: TLS on ::1", { skip: NO_OPENSSL || (hasIpv6 ? false : "no IPv6 loopback") }, async (t) => {
  const authority = new TestAuthority(t);
  const { certificateFile, keyFile } = authority.issue("IP:::1");
  const tls = { certificate: [certificateFile], key: [keyFile], ca: authority.caFile };
  const server = await open(t, { listen: [{ transport: "tls", address: "::1", port: 0 }], tls });
  const { port } = server.transports.sentBy("tls", "::1");
  await server.transports.send(octets(request("x")), { transport: "tls", address: "::1", port });
  assert.equal((await server.message()).flow.remoteAddress, "::1");
});
