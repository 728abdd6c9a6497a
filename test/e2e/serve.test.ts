import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { CallRefusedError, loadVoice, TestPhone } from "@callfork/testkit";
import { Child } from "../interop/support/child.ts";
import { converse } from "../interop/support/conversation.ts";
import { Customer } from "../interop/support/customer.ts";
import { Owned } from "../interop/support/owned.ts";
import { scratchFolder } from "../interop/support/scratch.ts";
import { CALLFORK, TestServer } from "../interop/support/server.ts";
import { until, within } from "../interop/support/waiting.ts";

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test("the first start makes an account and says so; nobody else can read what it keeps", async (t) => {
  const own = new Owned();
  t.after(() => own.release());
  const first = await TestServer.start(own, { account: "kept" });
  const { dataDir, child, accountSid, authToken } = first;
  assert.match(child.stdout, new RegExp(`Account +${accountSid}`));
  assert.match(child.stdout, new RegExp(`Auth Token +${authToken}`));
  assert.match(child.stdout, /The account was made just now\./);
  assert.equal(mode(dataDir), "700");
  for (const file of ["account.json", "secret.key", "callfork.db"])
    assert.equal(mode(join(dataDir, file)), "600", file);
  for (const line of child.stdout.split("\n"))
    if (line.startsWith("{")) assert.ok(!line.includes(authToken), line);

  for (const path of ["/healthz", "/readyz", "/metrics", "/openapi.json"]) {
    assert.equal((await fetch(`${first.url}${path}`)).status, 200, path);
  }
  const paths = Object.keys((await first.get<{ paths: object }>("/openapi.json")).paths);
  assert.ok(
    paths.some((path) => path.endsWith("/Calls/{CallSid}/Siprec.json")),
    paths.join("\n"),
  );
  assert.equal((await first.twilio().calls.list()).length, 0);
  assert.deepEqual(await child.stop(), { code: 0, signal: null });

  const second = await TestServer.start(own, { account: "kept", dataDir });
  assert.equal(second.accountSid, accountSid);
  assert.equal(second.authToken, authToken);
  assert.doesNotMatch(second.child.stdout, /Auth Token|made just now/);

  const printed = new Child(process.execPath, [CALLFORK, "account", "--data-dir", dataDir], {
    cwd: scratchFolder("account"),
  });
  await printed.ended;
  assert.equal(printed.stdout, `${accountSid}:${authToken}\n`);
});

test("an HTTP client that stops in the middle of a request does not keep the server from stopping", async (t) => {
  const own = new Owned();
  t.after(() => own.release());
  const server = await TestServer.start(own);
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  own.after(() => void socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const credentials = Buffer.from(`${server.accountSid}:${server.authToken}`).toString("base64");
  const head = ["POST /v1/Connectors HTTP/1.1", "Host: x", `Authorization: Basic ${credentials}`];
  const body = ["Content-Type: application/x-www-form-urlencoded", "Content-Length: 100", "", "UniqueName="];
  socket.write([...head, ...body].join("\r\n"));
  // By then the server has read what came before.
  await server.get("/v1/Connectors");
  assert.deepEqual(await server.child.stop(), { code: 0, signal: null });
  await closed;
});

test("SIGTERM drains: no new calls, the live one goes on, and the process ends with it", async (t) => {
  const own = new Owned();
  t.after(() => own.release());
  const server = await TestServer.start(own);
  await server.connector("own", server.recorderUri);
  const { callSid, alice, bob } = await converse(own, server);
  await server.twilio().calls(callSid).siprec.create({ connectorName: "own", name: "fork" });
  server.child.signal("SIGTERM");
  await server.child.printed(/waiting for \d+ live calls/);

  const carol = await TestPhone.open({ user: "carol", voice: loadVoice("bob") });
  own.after(() => carol.close());
  await assert.rejects(
    carol.call(`sip:anybody@127.0.0.1:${server.sipPort}`, { timeoutMs: 10_000 }),
    (error) => error instanceof CallRefusedError && error.status === 503,
  );
  const before = alice.heard().packets;
  await until("Alice hearing more of Bob", () => alice.heard().packets > before + 25);
  await alice.hangUp();
  await within("Bob hearing BYE", bob.ended);
  assert.deepEqual(await within("the process's end", server.child.ended), { code: 0, signal: null });
});

test("a second SIGTERM ends live calls and forks with BYE; callbacks that are owed come after the next start", async (t) => {
  const own = new Owned();
  t.after(() => own.release());
  const customer = await Customer.open(own);
  const server = await TestServer.start(own);
  await server.connector("own", server.recorderUri);
  const { callSid, alice, bob } = await converse(own, server);
  const statusCallback = customer.url("/fork");
  await server.twilio().calls(callSid).siprec.create({ connectorName: "own", statusCallback });
  await customer.called("/fork", { SiprecEvent: "siprec-started" });
  server.child.signal("SIGTERM");
  await server.child.printed(/waiting for \d+ live calls/);
  // Signals close together count as one, for a terminal and npm may both pass one on.
  const insisting = setInterval(() => server.child.signal("SIGTERM"), 300);
  own.after(() => clearInterval(insisting));
  assert.equal(await within("Alice hearing BYE", alice.ended), "remote");
  assert.equal(await within("Bob hearing BYE", bob.ended), "remote");
  const ended = await within("the process's end", server.child.ended);
  clearInterval(insisting);
  assert.deepEqual(ended, { code: 0, signal: null });
  const again = await TestServer.start(own, { dataDir: server.dataDir });
  await customer.called("/fork", { SiprecEvent: "siprec-stopped" });
  const { recordings } = await again.get<{ recordings: { status: string }[] }>("/v1/Recordings");
  assert.deepEqual(
    recordings.map(({ status }) => status),
    ["completed"],
  );
});
