import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, describe, it, type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { WebSocket } from "ws";
import { TestAuthority } from "../../packages/server/src/net/testing/certificates.ts";
import { converse } from "./support/conversation.ts";
import { Owned } from "./support/owned.ts";
import { hears } from "./support/phones.ts";
import { freePort } from "./support/ports.ts";
import { without } from "./support/programs.ts";
import type { Owner } from "./support/scratch.ts";
import { TestServer } from "./support/server.ts";
import { until } from "./support/waiting.ts";

const LOCALHOST = "127.0.0.1";
const owned = new Owned();
let server: TestServer;
let ca = "";
const ports = { udp: 0, tcp: 0, tls: 0, ws: 0, wss: 0 };
type Transport = keyof typeof ports;

interface Line {
  send(bytes: string): void;
  /** Everything that came back so far. */
  received(): string;
  isClosed(): boolean;
}

/** A client of each kind; closed with its owner. */
async function open(owner: Owner, transport: Transport): Promise<Line> {
  let text = "";
  let closed = false;
  const take = (bytes: unknown): void => {
    text += Buffer.from(bytes as Uint8Array).toString("latin1");
  };
  const end = (): void => {
    closed = true;
  };
  const line = { received: () => text, isClosed: () => closed };
  const port = ports[transport];
  if (transport === "udp") {
    const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
    socket.on("message", take).bind(0, LOCALHOST);
    await once(socket, "listening");
    owner.after(() => void socket.close());
    return { ...line, send: (bytes) => socket.send(Buffer.from(bytes, "latin1"), port, LOCALHOST) };
  }
  if (transport === "ws" || transport === "wss") {
    const socket = new WebSocket(`${transport}://${LOCALHOST}:${port}`, "sip", { ca });
    socket.on("message", take).on("close", end).on("error", end);
    await once(socket, "open");
    owner.after(() => socket.terminate());
    return { ...line, send: (bytes) => socket.send(Buffer.from(bytes, "latin1")) };
  }
  const socket =
    transport === "tls" ? connectTls({ port, host: LOCALHOST, ca }) : connect({ port, host: LOCALHOST });
  socket.on("data", take).on("close", end).on("error", end);
  await once(socket, transport === "tls" ? "secureConnect" : "connect");
  owner.after(() => void socket.destroy());
  return { ...line, send: (bytes) => socket.write(bytes, "latin1") };
}

let count = 0;

/** An OPTIONS with these lines, `\r\n` after each. */
function options(transport: Transport, lines = "", via = ""): string {
  count += 1;
  return (
    `OPTIONS sip:somebody@${LOCALHOST} SIP/2.0\r\n` +
    `Via: SIP/2.0/${transport.toUpperCase()} ${LOCALHOST}:5060;rport;branch=z9hG4bKhostile${count}${via}\r\n` +
    `Max-Forwards: 70\r\nFrom: <sip:a@${LOCALHOST}>;tag=${count}\r\nTo: <sip:b@${LOCALHOST}>\r\n` +
    `Call-ID: hostile${count}\r\nCSeq: 1 OPTIONS\r\n${lines}Content-Length: 0\r\n\r\n`
  );
}

/** Somebody else, who means well, is served. */
async function assertServed(t: TestContext, transport: Transport): Promise<void> {
  const line = await open(t, transport);
  line.send(options(transport));
  await until(`200 by ${transport}`, () => line.received().startsWith("SIP/2.0 200 "));
  assert.equal(server.child.isOver, false);
  const errors = server.child.stdout.split("\n").filter((each) => /"level":"error"/.test(each));
  assert.deepEqual(errors, []);
}

/** Resident memory of the server, octets. */
function residentBytes(): number {
  const status = readFileSync(`/proc/${server.child.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Files that one process may open, of which a connection is one at each end. */
function mostFiles(): number {
  if (!existsSync("/proc/self/limits")) return 0;
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 0);
}

/** So many TCP connections, from several addresses of the loopback network, since one may have 1,000. */
async function crowd(
  owner: Owner,
  port: number,
  size: number,
  first: (socket: Socket, index: number) => void,
): Promise<Socket[]> {
  const sockets: Socket[] = [];
  owner.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  while (sockets.length < size) {
    const some = Array.from({ length: 100 }, (_, i) => {
      const index = sockets.length + i;
      const localAddress = `127.0.1.${1 + Math.floor(index / 900)}`;
      const socket = connect({ port, host: LOCALHOST, localAddress });
      socket.on("error", () => {});
      socket.once("connect", () => first(socket, index));
      return socket;
    });
    sockets.push(...some);
    await until("a hundred connections made or refused", () => some.every(({ connecting }) => !connecting));
  }
  return sockets;
}

const files = 14_000;
const tooFewFiles = mostFiles() < files && `needs ${files} open files, the limit is ${mostFiles()}`;

describe("hostile connections to a served node", { skip: without("openssl") }, () => {
  before(async () => {
    const authority = new TestAuthority(owned);
    ca = authority.ca;
    const { certificateFile, keyFile } = authority.issue(`IP:${LOCALHOST}`);
    for (const transport of ["tls", "ws", "wss"] as const) ports[transport] = await freePort();
    const port = await freePort();
    const more = (["tls", "ws", "wss"] as const).map((each) => `${each}:${LOCALHOST}:${ports[each]}`);
    const listen = [`udp:${LOCALHOST}:${port}`, `tcp:${LOCALHOST}:${port}`, ...more].join(",");
    server = await TestServer.start(owned, {
      flags: ["--sip-listen", listen, "--tls-certificate", certificateFile, "--tls-key", keyFile],
    });
    ports.udp = port;
    ports.tcp = port;
  });
  after(() => owned.release());

  for (const transport of ["udp", "tcp", "tls", "ws", "wss"] as const) {
    it(`64 KB of header (${transport}): answered, and what is larger is refused`, async (t) => {
      const line = await open(t, transport);
      const long = `X-Long: ${"x".repeat(15_000)}\r\n`.repeat(4);
      line.send(options(transport, long));
      await until("an answer", () => line.received().startsWith("SIP/2.0 200 "));
      if (transport !== "udp") {
        // A datagram cannot be larger.
        const larger = await open(t, transport);
        larger.send(options(transport, long.repeat(2)));
        await until("a refusal", () => larger.isClosed() || /^SIP\/2\.0 (4|5)\d\d /.test(larger.received()));
      }
      const inOne = await open(t, transport);
      inOne.send(options(transport, `X-Long: ${"x".repeat(63_000)}\r\n`));
      await until("a refusal", () => inOne.isClosed() || /^SIP\/2\.0 (4|5)\d\d /.test(inOne.received()));
      await assertServed(t, transport);
    });

    it(`1,000 Vias (${transport}): too many; 400 are read and come back`, async (t) => {
      const via = (i: number): string => `SIP/2.0/UDP h${i};branch=z9hG4bK${i}`;
      const line = await open(t, transport);
      const some = Array.from({ length: 400 }, (_, i) => `, ${via(i)}`).join("");
      line.send(options(transport, "", some));
      await until("an answer", () => line.received().includes("\r\n\r\n"));
      assert.match(line.received(), /^SIP\/2\.0 200 /);
      assert.ok(line.received().includes(via(399)));
      const many = Array.from({ length: 1_000 }, (_, i) => `Via: ${via(i)}\r\n`).join("");
      const refused = await open(t, transport);
      refused.send(options(transport, many));
      await until("a refusal", () => refused.isClosed() || /^SIP\/2\.0 (4|5)\d\d /.test(refused.received()));
      await assertServed(t, transport);
    });
  }

  it("slow loris: 800 connections that bring an octet now and then keep nobody waiting (tcp)", async (t) => {
    const sockets = await crowd(t, ports.tcp, 800, (socket) => socket.write("OPTIONS"));
    const trickle = setInterval(() => {
      for (const socket of sockets) if (socket.writable) socket.write("x");
    }, 200);
    t.after(() => clearInterval(trickle));
    const { alice, bob } = await converse(t, server);
    await hears(bob, "alice");
    await hears(alice, "bob");
    await assertServed(t, "tcp");
    await alice.hangUp();
  });

  it("TLS half open: 900 connections that say nothing, stop in the middle of the handshake or trickle keep nobody waiting", async (t) => {
    const halfHello = Buffer.from("16030100f8010000f40303", "hex");
    const sockets = await crowd(t, ports.tls, 900, (socket, index) => {
      if (index % 3 === 1) socket.write(halfHello);
      if (index % 3 === 2) socket.write("\x16");
    });
    const trickle = setInterval(() => {
      for (const [index, socket] of sockets.entries())
        if (index % 3 === 2 && socket.writable) socket.write("\x03");
    }, 300);
    t.after(() => clearInterval(trickle));
    for (const transport of ["tls", "wss", "udp"] as const) await assertServed(t, transport);
    // Ten seconds are all that a handshake gets.
    await until("every one closed", () => sockets.every(({ destroyed }) => destroyed), 60_000);
    await assertServed(t, "tls");
  });

  it("11,000 TCP connections, silent or with half a message: a call goes on, newcomers are served, memory stays bounded", {
    skip: tooFewFiles,
  }, async (t) => {
    const { alice, bob } = await converse(t, server);
    const before = residentBytes();
    const half = `INVITE sip:x@${LOCALHOST} SIP/2.0\r\nX: ${"x".repeat(500)}\r\n`;
    const sockets = await crowd(t, ports.tcp, 11_000, (socket, index) => {
      if (index % 2 === 0) socket.write(half);
    });
    await hears(bob, "alice");
    await hears(alice, "bob");
    for (const transport of ["tcp", "tls", "udp"] as const) await assertServed(t, transport);
    const open = sockets.filter(({ destroyed, readyState }) => !destroyed && readyState === "open").length;
    assert.ok(open <= 10_000, `${open} of them are open: more than sip.maximumConnections`);
    const grown = residentBytes() - before;
    // Some 20 KB for each connection, of which half belong to the TCP handles of the runtime.
    assert.ok(grown < 400 * 2 ** 20, `${Math.round(grown / 2 ** 20)} MiB`);
    for (const call of [alice, bob]) assert.equal(await call.hold(true), "recvonly");
    await alice.hangUp();
    await until("Bob's end", () => bob.ended);
  });
});
