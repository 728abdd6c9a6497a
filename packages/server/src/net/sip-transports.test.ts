import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { createSipTransports, type SipTransportsOptions } from "./sip-transports.ts";
import {
  freePort,
  gone,
  hasReason,
  LOCALHOST,
  octets,
  open,
  queue,
  quiet,
  request,
  text,
} from "./testing/transports.ts";
import { ListenError, TransportError } from "./transport-error.ts";

test("a datagram arrives whole, with its flow, and the reply goes back to where it came from", async (t) => {
  const server = await open(t);
  const { port } = server.transports.sentBy("udp", LOCALHOST);
  const phone = createSocket("udp4");
  t.after(() => phone.close());
  phone.bind(0, LOCALHOST);
  await once(phone, "listening");
  phone.send(octets(request("udp")), port, LOCALHOST);
  const heard = await server.message();
  assert.equal(heard.text, request("udp"));
  assert.equal(heard.flow.transport, "udp");
  assert.equal(heard.flow.remotePort, phone.address().port);
  assert.equal(heard.flow.localPort, port);
  assert.equal(heard.flow.localAddress, LOCALHOST);
  const answer = once(phone, "message");
  await server.transports.send(octets("SIP/2.0 200 OK\r\n\r\n"), heard.flow);
  const [bytes, from] = await answer;
  assert.equal(text(bytes), "SIP/2.0 200 OK\r\n\r\n");
  assert.equal(from.port, port);
});

test("[R3261-18.1.1-2] a request of 65,507 octets goes over UDP, a longer one is refused as too large", async (t) => {
  const [a, b] = [await open(t), await open(t)];
  const to = {
    transport: "udp",
    address: LOCALHOST,
    port: b.transports.sentBy("udp", LOCALHOST).port,
  } as const;
  const large = new Uint8Array(65_507).fill(0x61);
  await a.transports.send(large, to);
  assert.equal((await b.message()).text.length, 65_507);
  await assert.rejects(a.transports.send(new Uint8Array(65_508), to), hasReason("too-large"));
});

test("keep-alives over UDP are swallowed", async (t) => {
  const server = await open(t);
  const phone = createSocket("udp4");
  t.after(() => phone.close());
  const { port } = server.transports.sentBy("udp", LOCALHOST);
  for (const keepAlive of ["", "\r\n\r\n", "\0\0\0\0", request("after")])
    phone.send(octets(keepAlive), port, LOCALHOST);
  assert.equal((await server.message()).text, request("after"));
});

test("[R3261-18-2] requests to one peer share a TCP connection, and answers come back on it", async (t) => {
  const [a, b] = [await open(t), await open(t)];
  const to = {
    transport: "tcp",
    address: LOCALHOST,
    port: b.transports.sentBy("tcp", LOCALHOST).port,
  } as const;
  await Promise.all([
    a.transports.send(octets(request("1")), to),
    a.transports.send(octets(request("2")), to),
  ]);
  const first = await b.message();
  const second = await b.message();
  assert.deepEqual([first.text, second.text], [request("1"), request("2")]);
  assert.equal(first.flow.id, second.flow.id);
  await b.transports.send(octets(request("3")), first.flow);
  const back = await a.message();
  assert.equal(back.text, request("3"));
  assert.equal(back.flow.remotePort, to.port);
});

test("a stream is framed however TCP cuts it", async (t) => {
  const server = await open(t);
  const peer = await dial(t, server.transports.sentBy("tcp", LOCALHOST).port);
  const stream = request("one") + request("two") + request("three");
  for (let i = 0; i < stream.length; i += 7) {
    peer.write(stream.slice(i, i + 7));
    await new Promise(setImmediate);
  }
  const heard = [await server.message(), await server.message(), await server.message()];
  assert.equal(heard.map((one) => one.text).join(""), stream);
});

test("a double CRLF between messages is answered with a single one", async (t) => {
  const server = await open(t);
  const peer = await dial(t, server.transports.sentBy("tcp", LOCALHOST).port);
  const pong = once(peer, "data");
  peer.write("\r\n\r\n");
  assert.equal(text((await pong)[0]), "\r\n");
});

test("a stream that cannot be framed is answered, reported and closed", async (t) => {
  const server = await open(t);
  const peer = await dial(t, server.transports.sentBy("tcp", LOCALHOST).port);
  const received: string[] = [];
  peer.on("data", (bytes) => received.push(text(bytes)));
  const ended = gone(peer);
  peer.write(request("x").replace("Content-Length: 4", "Content-Length: -1"));
  const failure = await server.failed();
  assert.equal(failure.code, "SIP_CONTENT_LENGTH");
  await ended;
  assert.equal((await server.closed()).id, failure.flow.id);
  assert.match(received.join(""), /^SIP\/2\.0 400/);
});

test("a refused connection is told as such", async (t) => {
  const a = await open(t);
  const port = await freePort();
  await assert.rejects(
    a.transports.send(octets(request("x")), { transport: "tcp", address: LOCALHOST, port }),
    hasReason("refused"),
  );
});

test("a connection that nobody accepts in time is a time-out", async (t) => {
  const server = createServer();
  server.listen(0, LOCALHOST);
  await once(server, "listening");
  t.after(() => server.close());
  const a = await open(t, { limits: { connectTimeoutMs: 5000 }, clock: instantClock() });
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const to = { transport: "tcp", address: LOCALHOST, port: address.port } as const;
  await assert.rejects(a.transports.send(octets(request("x")), to), hasReason("timeout"));
});

test("a flow whose connection is gone is reopened to its peer", async (t) => {
  const a = await open(t);
  const accepted = queue<Socket>();
  const server = createServer((socket) => accepted.put(socket));
  server.listen(0, LOCALHOST);
  await once(server, "listening");
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  await a.transports.send(octets(request("1")), { transport: "tcp", address: LOCALHOST, port: address.port });
  const first = await accepted.take();
  first.write(request("2"));
  const { flow } = await a.message();
  first.destroy();
  assert.equal((await a.closed()).id, flow.id);
  await a.transports.send(octets(request("3")), flow);
  const second = await accepted.take();
  t.after(() => second.destroy());
  assert.equal(text((await once(second, "data"))[0]), request("3"));
});

test("connections beyond the cap are refused; a place is free again when one closes", async (t) => {
  const server = await open(t, { limits: { maxConnections: 1 } });
  const { port } = server.transports.sentBy("tcp", LOCALHOST);
  const kept = await dial(t, port);
  kept.write(request("1"));
  await server.message();
  const refused = connect(port, LOCALHOST);
  refused.on("error", () => {});
  await gone(refused);
  kept.destroy();
  await server.closed();
  (await dial(t, port)).write(request("2"));
  assert.equal((await server.message()).text, request("2"));
});

test("an idle connection is closed, and so is one whose message stays unfinished", async (t) => {
  const idle = await open(t, { limits: { idleCloseMs: 5 } });
  const silent = await dial(t, idle.transports.sentBy("tcp", LOCALHOST).port);
  await gone(silent);
  const slow = await open(t, { limits: { messageTimeoutMs: 5 } });
  const half = await dial(t, slow.transports.sentBy("tcp", LOCALHOST).port);
  half.write("OPTIONS sip:x SIP/2.0\r\n");
  await gone(half);
});

test("a peer that does not read is given up when its queue is full", async (t) => {
  const server = createServer({ pauseOnConnect: true }, (socket) => socket.on("error", () => {}));
  server.listen(0, LOCALHOST);
  await once(server, "listening");
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const a = await open(t, { limits: { maxQueuedBytes: 100_000 } });
  const to = { transport: "tcp", address: LOCALHOST, port: address.port } as const;
  await a.transports.send(octets(request("x")), to);
  const results = await Promise.allSettled(
    Array.from({ length: 200 }, () => a.transports.send(new Uint8Array(60_000), to)),
  );
  const reasons = results.flatMap((one) => (one.status === "rejected" ? [one.reason.reason] : []));
  assert.ok(reasons.includes("overloaded"), `${reasons}`);
});

test("an address in use is a ListenError, and nothing stays open", async (t) => {
  const a = await open(t);
  const { port } = a.transports.sentBy("udp", LOCALHOST);
  const listen = [
    { transport: "tcp", address: LOCALHOST, port: 0 },
    { transport: "udp", address: LOCALHOST, port },
  ] as const;
  await assert.rejects(createSipTransports({ listen, log: quiet }), ListenError);
});

test("sent-by is the address that faces the peer, with the listener's port", async (t) => {
  const any = await open(t, { listen: [{ transport: "udp", address: "0.0.0.0", port: 0 }] });
  assert.equal(any.transports.sentBy("udp", LOCALHOST).host, LOCALHOST);
  assert.deepEqual(any.transports.available, ["udp"]);
  assert.throws(() => any.transports.sentBy("tcp", LOCALHOST), hasReason("unavailable"));
  await assert.rejects(
    any.transports.send(octets("x"), { transport: "udp", address: "::1", port: 5060 }),
    hasReason("unavailable"),
  );
});

test("after close nothing is sent any more", async (t) => {
  const a = await open(t);
  await a.transports.close();
  for (const transport of ["udp", "tcp"] as const) {
    await assert.rejects(
      a.transports.send(octets("x"), { transport, address: LOCALHOST, port: 9 }),
      TransportError,
    );
  }
});

async function dial(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, LOCALHOST);
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Every timer is due at once: before the kernel can have answered. */
function instantClock(): SipTransportsOptions["clock"] & object {
  return {
    now: () => performance.now(),
    wallNow: () => Date.now(),
    setTimer(_delayMs, run) {
      let live = true;
      process.nextTick(() => live && run());
      return {
        cancel: () => {
          live = false;
        },
      };
    },
  };
}
