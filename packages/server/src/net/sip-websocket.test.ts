import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import type { SipTransportsOptions } from "./sip-transports.ts";
import { NO_OPENSSL, TestAuthority } from "./testing/certificates.ts";
import { gone, hasReason, LOCALHOST, octets, open, queue, request, text } from "./testing/transports.ts";

const LISTEN = [{ transport: "ws", address: LOCALHOST, port: 0 }] as const;

async function server(
  t: TestContext,
  options: Partial<SipTransportsOptions> = {},
): Promise<Awaited<ReturnType<typeof open>> & { port: number }> {
  const opened = await open(t, { listen: LISTEN, ...options });
  return { ...opened, port: opened.transports.sentBy("ws", LOCALHOST).port };
}

interface Browser {
  readonly socket: WebSocket;
  message(): Promise<{ text: string; isBinary: boolean }>;
}

/** A client on loopback, like a browser's: it offers `sip` and says where its page came from. */
async function browse(
  t: TestContext,
  url: string,
  options: ConstructorParameters<typeof WebSocket>[2] = {},
  protocols: string[] = ["sip"],
): Promise<Browser> {
  const socket = new WebSocket(url, protocols, options);
  t.after(() => socket.terminate());
  const messages = queue<{ text: string; isBinary: boolean }>();
  socket.on("message", (data: Buffer, isBinary) => messages.put({ text: text(data), isBinary }));
  await once(socket, "open");
  return { socket, message: messages.take };
}

async function refusal(t: TestContext, url: string, protocols: string[], headers = {}): Promise<number> {
  const socket = new WebSocket(url, protocols, { headers });
  socket.on("error", () => {});
  t.after(() => socket.terminate());
  const [, response] = await once(socket, "unexpected-response");
  response.resume();
  return response.statusCode;
}

test("[R7118-4.1-1] the subprotocol sip is agreed on; who does not offer it is refused, and so is plain HTTP", async (t) => {
  const { port } = await server(t);
  const { socket } = await browse(t, `ws://${LOCALHOST}:${port}/anything`, {}, ["chat", "sip"]);
  assert.equal(socket.protocol, "sip");
  assert.equal(await refusal(t, `ws://${LOCALHOST}:${port}/`, []), 400);
  assert.equal(await refusal(t, `ws://${LOCALHOST}:${port}/`, ["chat"]), 400);
  assert.equal((await fetch(`http://${LOCALHOST}:${port}/`)).status, 426);
});

test("[R7118-5.1-1] one message is one frame, text or octets; answers come back as text where they are UTF-8", async (t) => {
  const { port, message, transports } = await server(t);
  const { socket, message: heard } = await browse(t, `ws://${LOCALHOST}:${port}/`);
  socket.send(request("text"));
  socket.send(octets(request("binary")));
  const first = await message();
  assert.equal(first.text, request("text"));
  assert.deepEqual([first.flow.transport, first.flow.remoteAddress], ["ws", LOCALHOST]);
  assert.equal((await message()).text, request("binary"));
  await transports.send(Buffer.from("SIP/2.0 200 Größe\r\n\r\n"), first.flow);
  assert.deepEqual(await heard(), { text: text(Buffer.from("SIP/2.0 200 Größe\r\n\r\n")), isBinary: false });
  await transports.send(octets("SIP/2.0 200 OK\r\n\r\n\xff"), first.flow);
  assert.deepEqual(await heard(), { text: "SIP/2.0 200 OK\r\n\r\n\xff", isBinary: true });
});

test("[R7118-6-1] keep-alives: line ends are answered, pings of ours must be", async (t) => {
  const { port, message, closed } = await server(t, { limits: { webSocketPingMs: 20 } });
  const { socket, message: heard } = await browse(t, `ws://${LOCALHOST}:${port}/`);
  socket.send("\r\n\r\n");
  assert.equal((await heard()).text, "\r\n");
  await once(socket, "ping");
  socket.send(request("alive"));
  assert.equal((await message()).text, request("alive"));
  const { socket: mute } = await browse(t, `ws://${LOCALHOST}:${port}/`, { autoPong: false });
  mute.send(request("mute"));
  const { flow } = await message();
  assert.equal((await closed()).id, flow.id);
});

test("nobody is called back who has gone: connections are opened by the other side only", async (t) => {
  const { port, message, closed, transports } = await server(t);
  const { socket } = await browse(t, `ws://${LOCALHOST}:${port}/`);
  socket.send(request("x"));
  const { flow } = await message();
  socket.terminate();
  await closed();
  await assert.rejects(transports.send(octets("x"), flow), hasReason("closed"));
  const to = { transport: "ws", address: LOCALHOST, port: flow.remotePort } as const;
  await assert.rejects(transports.send(octets("x"), to), hasReason("unavailable"));
});

test("web pages come in from listed origins only, programs without an origin always", async (t) => {
  const { port } = await server(t, { allowedOrigins: ["https://phone.example.com"] });
  const url = `ws://${LOCALHOST}:${port}/`;
  await browse(t, url);
  await browse(t, url, { origin: "https://phone.example.com" });
  for (const origin of ["https://evil.example.com", "null", `http://${LOCALHOST}:${port}`]) {
    assert.equal(await refusal(t, url, ["sip"], { Origin: origin }), 403, origin);
  }
  const any = await server(t, { allowedOrigins: ["*"] });
  await browse(t, `ws://${LOCALHOST}:${any.port}/`, { origin: "https://evil.example.com" });
});

test("bounds: an upgrade that never ends, a frame that is too large, a client that says nothing", async (t) => {
  const { port } = await server(t, { limits: { handshakeTimeoutMs: 30, firstMessageTimeoutMs: 60 } });
  const slow = connect(port, LOCALHOST);
  slow.on("error", () => {});
  slow.write("GET / HTTP/1.1\r\nHost: x\r\n");
  await gone(slow);
  const { socket: silent } = await browse(t, `ws://${LOCALHOST}:${port}/`);
  await gone(silent);
  const { socket: large } = await browse(t, `ws://${LOCALHOST}:${port}/`);
  const closing = once(large, "close");
  large.send(new Uint8Array(1_200_000));
  assert.equal((await closing)[0], 1009);
});

test("[R7118-9-1] wss: the same over TLS, with the listener's certificate", {
  skip: NO_OPENSSL,
}, async (t) => {
  const authority = new TestAuthority(t);
  const { certificateFile, keyFile } = authority.issue("DNS:sip.example.com,IP:127.0.0.1");
  const opened = await open(t, {
    listen: [{ transport: "wss", address: LOCALHOST, port: 0 }],
    tls: { certificate: [certificateFile], key: [keyFile] },
  });
  const { port } = opened.transports.sentBy("wss", LOCALHOST);
  const { socket, message } = await browse(t, `wss://${LOCALHOST}:${port}/`, {
    ca: authority.ca,
  });
  socket.send(request("secure"));
  const { flow } = await opened.message();
  assert.deepEqual([flow.transport, flow.tls?.protocol], ["wss", "TLSv1.3"]);
  await opened.transports.send(octets("SIP/2.0 200 OK\r\n\r\n"), flow);
  assert.equal((await message()).text, "SIP/2.0 200 OK\r\n\r\n");
  const old = new WebSocket(`wss://${LOCALHOST}:${port}/`, ["sip"], {
    ca: authority.ca,
    maxVersion: "TLSv1.1",
    minVersion: "TLSv1.1",
    ciphers: "DEFAULT:@SECLEVEL=0",
  });
  await assert.rejects(once(old, "open"));
});
