import assert from "node:assert/strict";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import twilio from "twilio";
import { createWebhookClient } from "./client.ts";
import { manualClock } from "./testing/manual-clock.ts";
import { type Answer, closedPort, type ReceivedRequest, startReceiver } from "./testing/receiver.ts";
import type { AddressLookup, WebhookClientOptions, WebhookRequest } from "./types.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const FORM: WebhookRequest["parameters"] = [
  ["CallSid", "CA1"],
  ["From", "+15550100"],
  ["Name", "Zoë & Co = 1"],
];

function setUp(options: Partial<WebhookClientOptions> = {}) {
  const clock = manualClock();
  const client = createWebhookClient({ allowedAddresses: ["127.0.0.1"], clock, ...options });
  const request = (url: string, change: Partial<WebhookRequest> = {}) =>
    client.request({
      url,
      method: "POST",
      parameters: FORM,
      authToken: TOKEN,
      maximumBytes: 1000,
      ...change,
    });
  return { clock, client, request };
}

async function receiver(
  t: TestContext,
  answer?: Answer | ((request: ReceivedRequest, number: number) => Answer),
) {
  const started = await startReceiver(answer);
  t.after(() => started.close());
  return started;
}

/** A TCP server that greets every connection with these octets, or closes it. */
async function rawServer(t: TestContext, octets: string | undefined): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    if (octets === undefined) socket.once("data", () => socket.destroy());
    else socket.once("data", () => socket.end(octets));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

test("a POST carries the form, the token and a signature that the official helper accepts", async (t) => {
  const { origin, requests, port } = await receiver(t, {
    headers: { "content-type": "Text/XML; charset=utf-8" },
    body: "<a/>",
  });
  const { request, client, clock } = setUp();
  const response = await request(`${origin}/a%20b?x='1'#rc=2`, { idempotencyToken: "token-1" });
  assert.deepEqual(
    { ...response, body: Buffer.from(response.body).toString() },
    {
      status: 200,
      contentType: "text/xml",
      body: "<a/>",
      truncated: false,
      url: `${origin}/a%20b?x=%271%27`,
      tries: 1,
    },
  );
  const [seen] = requests;
  assert.equal(seen?.method, "POST");
  assert.equal(seen?.path, "/a%20b?x=%271%27");
  assert.equal(seen?.body, "CallSid=CA1&From=%2B15550100&Name=Zo%C3%AB+%26+Co+%3D+1");
  const { headers } = seen!;
  assert.equal(headers.host, `127.0.0.1:${port}`);
  assert.equal(headers["content-type"], "application/x-www-form-urlencoded");
  assert.equal(headers["i-twilio-idempotency-token"], "token-1");
  assert.equal(headers["user-agent"], "Callfork");
  assert.equal(headers.accept, "*/*");
  assert.equal(headers.connection, "close");
  const signature = String(headers["x-twilio-signature"]);
  assert.ok(twilio.validateRequest(TOKEN, signature, origin + seen!.path, Object.fromEntries(FORM)));
  assert.deepEqual([client.inFlight, clock.pending], [0, 0]);
});

test("a GET carries the parameters behind the query that was there", async (t) => {
  const { origin, requests } = await receiver(t);
  await setUp().request(`${origin}/?keep=1`, { method: "GET" });
  const [seen] = requests;
  assert.equal(seen?.path, "/?keep=1&CallSid=CA1&From=%2B15550100&Name=Zo%C3%AB+%26+Co+%3D+1");
  assert.equal(seen?.body, "");
  assert.equal(seen?.headers["content-type"], undefined);
  const signature = String(seen?.headers["x-twilio-signature"]);
  assert.ok(twilio.validateRequest(TOKEN, signature, origin + seen!.path, {}));
});

test("user and password go into the Authorization header and nowhere else", async (t) => {
  const { port, origin, requests } = await receiver(t);
  const response = await setUp().request(`http://us%20er:p%40ss@127.0.0.1:${port}`);
  const [seen] = requests;
  assert.equal(seen?.headers.authorization, `Basic ${Buffer.from("us er:p@ss").toString("base64")}`);
  assert.equal(response.url, `${origin}/`);
  const signature = String(seen?.headers["x-twilio-signature"]);
  assert.ok(twilio.validateRequest(TOKEN, signature, `${origin}/`, Object.fromEntries(FORM)));
});

test("a redirect is followed with GET, signed anew, the parameters dropped", async (t) => {
  const { port, origin, requests } = await receiver(t, ({ path }) =>
    path === "/start" ? { status: 307, headers: { location: "../end?a=b#x" } } : { body: "done" },
  );
  const response = await setUp().request(`http://u:p@127.0.0.1:${port}/start`);
  assert.equal(response.url, `${origin}/end?a=b`);
  const [, second] = requests;
  assert.deepEqual([second?.method, second?.path, second?.body], ["GET", "/end?a=b", ""]);
  assert.ok(second?.headers.authorization);
  assert.ok(twilio.validateRequest(TOKEN, String(second?.headers["x-twilio-signature"]), response.url, {}));
});

test("credentials stay with the server they were given for", async (t) => {
  const other = await receiver(t);
  const first = await receiver(t, { status: 302, headers: { location: `${other.origin}/x` } });
  await setUp().request(`http://u:p@127.0.0.1:${first.port}/`);
  assert.ok(first.requests[0]?.headers.authorization);
  assert.equal(other.requests[0]?.headers.authorization, undefined);
});

test("the sixth redirect is one too many", async (t) => {
  const { origin, requests } = await receiver(t, { status: 301, headers: { location: "/again" } });
  await assert.rejects(setUp().request(`${origin}/`), { code: "WEBHOOK_REDIRECTS", publicCode: 11215 });
  assert.equal(requests.length, 6);
});

test("a redirect to another scheme, or to an address that is not public, is not followed", async (t) => {
  const inner = await receiver(t);
  for (const [location, code] of [
    ["ftp://127.0.0.1/", "WEBHOOK_REDIRECTS"],
    [`http://127.0.0.2:${inner.port}/`, "WEBHOOK_ADDRESS_REFUSED"],
    [`http://[::ffff:127.0.0.2]:${inner.port}/`, "WEBHOOK_ADDRESS_REFUSED"],
    ["http://169.254.169.254/latest/meta-data/", "WEBHOOK_ADDRESS_REFUSED"],
  ] as const) {
    const { origin } = await receiver(t, { status: 302, headers: { location } });
    await assert.rejects(setUp().request(`${origin}/`), { code });
  }
  assert.equal(inner.requests.length, 0);
});

test("a redirect without a target is an answer like any other", async (t) => {
  const { origin } = await receiver(t, { status: 302 });
  assert.equal((await setUp().request(`${origin}/`)).status, 302);
});

test("an address that is not public is refused before anything is sent, however it is spelt", async (t) => {
  const { port, requests } = await receiver(t);
  const { request } = setUp({ allowedAddresses: [] });
  for (const host of ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:7f00:1]"]) {
    await assert.rejects(
      request(`http://${host}:${port}/`),
      { code: "WEBHOOK_ADDRESS_REFUSED", publicCode: 11210 },
      host,
    );
  }
  assert.equal(requests.length, 0);
});

test("what was looked up and checked is what is connected to: a name that changes its mind gains nothing", async (t) => {
  const { port, requests } = await receiver(t);
  const answers = [["10.0.0.1", "127.0.0.1"], ["127.0.0.2"]];
  const asked: string[] = [];
  const resolver: AddressLookup = {
    addresses: async (host) => {
      asked.push(host);
      return answers[asked.length - 1] ?? [];
    },
  };
  const { request } = setUp({ resolver });
  assert.equal((await request(`http://rebind.test:${port}/`)).status, 200);
  assert.deepEqual(asked, ["rebind.test"]);
  assert.equal(requests[0]?.headers.host, `rebind.test:${port}`);
  await assert.rejects(request(`http://rebind.test:${port}/`), { code: "WEBHOOK_ADDRESS_REFUSED" });
  await assert.rejects(request(`http://nowhere.test:${port}/`), {
    code: "WEBHOOK_BAD_HOST",
    publicCode: 11210,
  });
});

test("a body is read up to the limit and no further", async (t) => {
  const { origin } = await receiver(t, { body: "x".repeat(5_000_000) });
  const response = await setUp().request(`${origin}/`, { maximumBytes: 64 });
  assert.deepEqual([response.body.length, response.truncated], [64, true]);
  const exact = await receiver(t, { body: "x".repeat(64) });
  const whole = await setUp().request(`${exact.origin}/`, { maximumBytes: 64 });
  assert.deepEqual([whole.body.length, whole.truncated], [64, false]);
});

test("a body in an encoding that was not asked for is refused", async (t) => {
  const { origin, requests } = await receiver(t, { headers: { "content-encoding": "gzip" }, body: "x" });
  await assert.rejects(setUp().request(`${origin}/`), { code: "WEBHOOK_PROTOCOL", publicCode: 11206 });
  assert.equal(requests[0]?.headers["accept-encoding"], "identity");
});

test("a refused connection is tried once more by default, as often as rc says otherwise", async () => {
  const port = await closedPort();
  for (const [fragment, tries] of [
    ["", 2],
    ["#rc=0", 1],
    ["#rc=3", 4],
    ["#rc=3&rp=5xx", 1],
  ] as const) {
    let lookups = 0;
    const addresses = async () => {
      lookups += 1;
      return ["127.0.0.1"];
    };
    await assert.rejects(setUp({ resolver: { addresses } }).request(`http://a.test:${port}/${fragment}`), {
      code: "WEBHOOK_CONNECT_FAILED",
      publicCode: 11205,
    });
    assert.equal(lookups, tries, fragment);
  }
});

test("no connection within ct: tried again, then a connect time-out", async () => {
  let lookups = 0;
  let asked = () => {};
  const resolver: AddressLookup = {
    addresses: () => {
      lookups += 1;
      asked();
      return new Promise(() => {});
    },
  };
  const { request, clock } = setUp({ resolver });
  const outcome = assert.rejects(request("http://slow.test/#ct=700"), {
    code: "WEBHOOK_CONNECT_TIMEOUT",
    publicCode: 11205,
  });
  const second = new Promise<void>((resolve) => {
    asked = resolve;
  });
  clock.advance(699);
  assert.equal(lookups, 1);
  clock.advance(1);
  await second;
  clock.advance(700);
  await outcome;
  assert.equal(lookups, 2);
  assert.equal(clock.pending, 0);
});

test("no answer within rt is a read time-out, and not tried again by default", async (t) => {
  const { origin, received, requests } = await receiver(t, "hang");
  const { request, clock } = setUp();
  const outcome = assert.rejects(request(`${origin}/#rt=400`), {
    code: "WEBHOOK_READ_TIMEOUT",
    publicCode: 11205,
  });
  await received(1);
  clock.advance(400);
  await outcome;
  assert.equal(requests.length, 1);
});

test("tt bounds all tries together", async (t) => {
  const { origin, received } = await receiver(t, "hang");
  const { request, clock } = setUp();
  const outcome = assert.rejects(request(`${origin}/#rt=600&tt=1000&rc=5&rp=rt`), {
    code: "WEBHOOK_TOTAL_TIMEOUT",
    publicCode: 11205,
  });
  await received(1);
  clock.advance(600);
  await received(2);
  clock.advance(400);
  await outcome;
});

test("rp=5xx tries again on a server error, with the same idempotency token", async (t) => {
  const { origin, requests } = await receiver(t, (_, number) => ({ status: number < 3 ? 503 : 204 }));
  const response = await setUp().request(`${origin}/#rc=2&rp=5xx`);
  assert.deepEqual([response.status, response.tries], [204, 3]);
  assert.equal(new Set(requests.map(({ headers }) => headers["i-twilio-idempotency-token"])).size, 1);
  const plain = await receiver(t, { status: 503 });
  assert.equal((await setUp().request(`${plain.origin}/`)).status, 503);
  assert.equal(plain.requests.length, 1);
});

test("overrides out of range are told once and the defaults used", async (t) => {
  const { origin, requests } = await receiver(t, { status: 500 });
  const problems: string[] = [];
  await setUp().request(`${origin}/#rc=99&rp=all`, {
    onInvalidOverrides: (problem) => problems.push(problem),
  });
  assert.deepEqual([problems.length, requests.length], [1, 1]);
});

test("what is not HTTP is a protocol violation, a connection that ends is lost", async (t) => {
  const { request } = setUp();
  const garbage = await rawServer(t, "SIP/2.0 200 OK\r\n\r\n");
  await assert.rejects(request(`http://127.0.0.1:${garbage}/`), {
    code: "WEBHOOK_PROTOCOL",
    publicCode: 11206,
  });
  const headers = await rawServer(t, `HTTP/1.1 200 OK\r\n${"X-Long: yes\r\n".repeat(3000)}\r\n`);
  await assert.rejects(request(`http://127.0.0.1:${headers}/`), { code: "WEBHOOK_PROTOCOL" });
  const silent = await rawServer(t, undefined);
  await assert.rejects(request(`http://127.0.0.1:${silent}/`), {
    code: "WEBHOOK_CONNECTION_LOST",
    publicCode: 11205,
  });
});

test("an aborted request ends at once with the abort's reason, whether or not it has begun", async (t) => {
  const { origin, received } = await receiver(t, "hang");
  const { request, client, clock } = setUp();
  const controller = new AbortController();
  const reason = new Error("the call ended");
  const outcome = assert.rejects(request(`${origin}/#rc=5&rp=all`, { signal: controller.signal }), reason);
  await received(1);
  controller.abort(reason);
  await outcome;
  await assert.rejects(request(`${origin}/`, { signal: controller.signal }), reason);
  assert.deepEqual([client.inFlight, clock.pending], [0, 0]);
});
