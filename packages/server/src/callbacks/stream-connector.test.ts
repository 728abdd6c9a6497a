import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, test } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import type { WebhookError } from "./errors.ts";
import { signRequest } from "./signature.ts";
import { createStreamConnector } from "./stream-connector.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const accounts = { authToken: async (sid: string) => (sid === "AC1" ? TOKEN : undefined) };
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function consumer(status = 101): Promise<{
  readonly port: number;
  readonly requests: IncomingMessage[];
  readonly socket: Promise<WebSocket>;
}> {
  const server = createServer();
  servers.push(server);
  const requests: IncomingMessage[] = [];
  const upgrader = new WebSocketServer({ noServer: true });
  const socket = new Promise<WebSocket>((resolve) => {
    server.on("upgrade", (request, raw, head) => {
      requests.push(request);
      if (status === 101) upgrader.handleUpgrade(request, raw, head, resolve);
      else raw.end(`HTTP/1.1 ${status} No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, requests, socket };
}

const connector = createStreamConnector({ allowedAddresses: ["127.0.0.0/8"], accounts });
const failure = (expected: string) => (error: unknown) => (error as WebhookError).failure === expected;

test("a consumer is connected to with the signature and the credentials of its URL, and hears what is sent", async () => {
  const { port, requests, socket } = await consumer();
  const open = await connector.open(`ws://user:secret@127.0.0.1:${port}/speech?language=de#x`, "AC1");
  const far = await socket;
  const heard = new Promise<string>((resolve) => far.once("message", (data) => resolve(String(data))));
  open.send("hello");
  assert.equal(await heard, "hello");
  const url = `ws://127.0.0.1:${port}/speech?language=de`;
  const { url: path, headers } = requests[0]!;
  assert.equal(path, "/speech?language=de");
  assert.equal(headers["x-twilio-signature"], signRequest(TOKEN, url, []));
  assert.equal(headers.authorization, `Basic ${Buffer.from("user:secret").toString("base64")}`);
  const closed = new Promise<void>((resolve) => open.once("close", resolve));
  far.close();
  await closed;
});

test("a private address is not connected to unless it is allowed, by name or by number", async () => {
  const { port, requests } = await consumer();
  const strict = createStreamConnector({
    allowedAddresses: [],
    accounts,
    resolver: { addresses: async () => ["127.0.0.1"] },
  });
  await assert.rejects(strict.open(`ws://127.0.0.1:${port}/`, "AC1"), failure("addressRefused"));
  await assert.rejects(strict.open(`ws://speech.example.com:${port}/`, "AC1"), failure("addressRefused"));
  assert.equal(requests.length, 0);
});

test("the address that was checked is the one connected to", async () => {
  const { port, requests } = await consumer();
  const named = createStreamConnector({
    allowedAddresses: ["127.0.0.1"],
    accounts,
    resolver: { addresses: async () => ["127.0.0.1"] },
  });
  const open = await named.open(`ws://speech.example.com:${port}/`, "AC1");
  assert.equal(requests[0]?.headers.host, `speech.example.com:${port}`);
  open.close(1000, "done");
});

test("whoever does not take the connection is an error that says so; redirects are not followed", async () => {
  for (const status of [404, 302, 500]) {
    const { port } = await consumer(status);
    await assert.rejects(connector.open(`ws://127.0.0.1:${port}/`, "AC1"), /HTTP (404|302|500)/);
  }
  const { port } = await consumer();
  const gone = servers.at(-1)!;
  await new Promise((resolve) => gone.close(resolve));
  await assert.rejects(connector.open(`ws://127.0.0.1:${port}/`, "AC1"), failure("connectFailed"));
  await assert.rejects(connector.open(`http://127.0.0.1:${port}/`, "AC1"), failure("badUrl"));
  await assert.rejects(connector.open(`ws://127.0.0.1:${port}/`, "AC2"), failure("noAccount"));
});
