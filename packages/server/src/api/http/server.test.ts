import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { ACCOUNT_SID, AUTH_TOKEN, basic, fakeApi, OTHER_ACCOUNT_SID } from "../testing/fakes.ts";

const CALLS = `/2010-04-01/Accounts/${ACCOUNT_SID}/Calls.json`;
const FORM = { "content-type": "application/x-www-form-urlencoded" };

test("everything but the open pages asks for credentials, what does not exist included", async () => {
  const { api } = await fakeApi();
  for (const url of [CALLS, "/v1/Connectors", "/v1/nothing", "/2010-04-01/x", "/v1"]) {
    const answer = await api.inject({ method: "GET", url });
    assert.equal(answer.statusCode, 401, url);
    assert.equal(answer.headers["www-authenticate"], 'Basic realm="Callfork API", charset="UTF-8"');
    assert.deepEqual(answer.json(), {
      code: 20003,
      detail: "",
      message: "Authenticate",
      more_info: "https://www.twilio.com/docs/errors/20003",
      status: 401,
    });
  }
  for (const url of ["/", "/healthz", "/readyz", "/metrics", "/openapi.json"])
    assert.equal((await api.inject({ method: "GET", url })).statusCode, 200, url);
  assert.equal((await api.inject({ method: "GET", url: "/favicon.ico" })).statusCode, 404);
});

test("wrong credentials are 401, however they are wrong", async () => {
  const { ask } = await fakeApi();
  for (const authorization of [
    basic(ACCOUNT_SID, "wrong"),
    basic(OTHER_ACCOUNT_SID, AUTH_TOKEN),
    basic("", ""),
    "Basic",
    "Bearer x",
    `Basic ${"A".repeat(9000)}`,
  ])
    assert.equal(
      (await ask("GET", CALLS, undefined, { authorization })).status,
      401,
      authorization.slice(0, 40),
    );
});

test("an account that is not ours is not there", async () => {
  const { ask } = await fakeApi();
  const answer = await ask("GET", `/2010-04-01/Accounts/${OTHER_ACCOUNT_SID}.json`);
  assert.equal(answer.status, 404);
  assert.equal(answer.json().code, 20404);
});

test("unknown paths are 20404, known ones with another method 20004", async () => {
  const { ask } = await fakeApi();
  const unknown = await ask("GET", "/v1/Nothing/at-all?x=1");
  assert.equal(unknown.status, 404);
  assert.deepEqual(unknown.json(), {
    code: 20404,
    message: "The requested resource /v1/Nothing/at-all was not found",
    more_info: "https://www.twilio.com/docs/errors/20404",
    status: 404,
  });
  const method = await ask("PUT", CALLS, {});
  assert.equal(method.status, 405);
  assert.equal(method.json().code, 20004);
  assert.equal(method.headers.allow, "POST, GET, HEAD");
  const suffix = await ask("GET", CALLS.replace(".json", ""));
  assert.equal(suffix.status, 404);
});

test("bodies: bad JSON, other types, too large, too many fields, broken paths", async () => {
  const { ask } = await fakeApi({ limits: { bodyBytes: 5000 } });
  const json = { "content-type": "application/json" };
  const cases: [string, Record<string, string>, number, number][] = [
    ['{"a"', json, 400, 98002],
    ["[1]", json, 400, 98002],
    ['{"To":{"x":1}}', json, 400, 98002],
    ["<x/>", { "content-type": "text/xml" }, 415, 98003],
    ["abc", { "content-type": "multipart/form-data; boundary=x" }, 415, 98003],
    [`To=${"1".repeat(6000)}`, FORM, 413, 20413],
    ["a=&".repeat(1500), FORM, 400, 98002],
    ["%zz=%&=&To=%ff", FORM, 400, 21211],
  ];
  for (const [body, headers, status, code] of cases) {
    const answer = await ask("POST", CALLS, body, headers);
    assert.equal(answer.status, status, body.slice(0, 30));
    assert.equal(answer.json().code, code, body.slice(0, 30));
    assert.equal(answer.json().status, status);
    assert.equal(typeof answer.json().message, "string");
  }
  assert.equal((await ask("GET", "/v1/Connectors/%zz")).status, 404);
  const path = await ask("GET", "/v1/Connectors/%ff");
  assert.equal(path.status, 400);
  assert.equal(path.json().code, 98002);
  assert.equal(path.json().more_info, "docs/errors.md#98002");
});

test("an empty body without a type reaches validation", async () => {
  const { ask } = await fakeApi();
  const none: Record<string, string>[] = [
    {},
    { "content-length": "0" },
    FORM,
    { "content-type": "application/json" },
  ];
  for (const headers of none) {
    const answer = await ask("POST", CALLS, undefined, headers);
    assert.equal(answer.status, 400);
    assert.equal(answer.json().code, 21201);
  }
});

test("a failure of ours says nothing of its insides, and is logged without secrets", async () => {
  const { ask, store, lines } = await fakeApi();
  store.calls = () => Promise.reject(new Error("SQLITE_FULL at /var/lib/secret.db"));
  const answer = await ask("GET", CALLS);
  assert.equal(answer.status, 500);
  assert.deepEqual(answer.json(), {
    code: 20500,
    message: "Internal server error",
    more_info: "https://www.twilio.com/docs/errors/20500",
    status: 500,
  });
  assert.ok(lines.some((line) => line.includes("SQLITE_FULL")));
  assert.ok(lines.every((line) => !line.includes(AUTH_TOKEN)));
});

test("too many requests are 429 with a time to wait", async () => {
  const { ask } = await fakeApi({ limits: { requestBurst: 2, requestsPerSecond: 0.5 }, now: () => 0 });
  assert.equal((await ask("GET", CALLS)).status, 200);
  assert.equal((await ask("GET", CALLS)).status, 200);
  const answer = await ask("GET", CALLS);
  assert.equal(answer.status, 429);
  assert.equal(answer.json().code, 20429);
  assert.equal(answer.headers["retry-after"], "2");
});

test("readiness names what is wrong; answers carry security headers and no CORS", async () => {
  const { api, store } = await fakeApi({ readiness: () => ({ ready: true, checks: { sip: true } }) });
  store.isHealthy = false;
  const answer = await api.inject({
    method: "GET",
    url: "/readyz",
    headers: { origin: "https://evil.example" },
  });
  assert.equal(answer.statusCode, 503);
  assert.deepEqual(answer.json(), { ready: false, checks: { sip: true, database: false } });
  assert.equal(answer.headers["x-content-type-options"], "nosniff");
  assert.equal(answer.headers["x-frame-options"], "DENY");
  assert.equal(answer.headers["cache-control"], "no-store");
  assert.equal(answer.headers["access-control-allow-origin"], undefined);
});

test("metrics count requests by route, never by path", async () => {
  const { api, ask } = await fakeApi();
  await ask("GET", CALLS);
  await ask("GET", "/v1/Trunks/some-name");
  await ask("GET", "/v1/x/y");
  const { body } = await api.inject({ method: "GET", url: "/metrics" });
  assert.match(
    body,
    /callfork_http_requests_seconds_count\{method="GET",route="\/v1\/Trunks\/:SidOrName",status="404"\} 1/,
  );
  assert.match(body, /route="none",status="404"\} 1/);
  assert.ok(!body.includes("some-name") && !body.includes(ACCOUNT_SID));
});

test("listening: the port is told, garbage gets an answer, close ends", async () => {
  const { api } = await fakeApi();
  const { port, url } = await api.listen();
  assert.equal(url, `http://127.0.0.1:${port}`);
  const answer = await fetch(`${url}/healthz`);
  assert.deepEqual(await answer.json(), { status: "ok" });
  const raw = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("NOT HTTP\r\n\r\n"));
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk) => (text += chunk));
    socket.on("close", () => resolve(text)).on("error", reject);
  });
  assert.match(raw, /^HTTP\/1\.1 400/);
  assert.equal(JSON.parse(raw.split("\r\n\r\n")[1] ?? "").code, 98002);
  await api.close();
});
