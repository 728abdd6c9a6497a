import assert from "node:assert/strict";
import { test } from "node:test";
import { conforms } from "../testing/conforms.ts";
import { fakeApi } from "../testing/fakes.ts";
import { CONNECTOR_SCHEMA } from "./connectors.ts";
import { addressRange, TRUNK_SCHEMA } from "./trunks.ts";

const JSON_TYPE = { "content-type": "application/json" };
const GOOD = { UniqueName: "rec one.v2", SipUri: "sip:srs@192.0.2.1:5060;transport=tcp" };

test("connectors: a form and JSON make the same, secrets go in and never come out", async () => {
  const { ask, store, lines } = await fakeApi();
  const secrets = {
    CredentialsHeaderName: "X-Auth-Token",
    Credentials: "hush-1",
    Username: "u",
    Password: "hush-2",
  };
  const form = await ask("POST", "/v1/Connectors", { ...GOOD, ...secrets });
  assert.equal(form.status, 201);
  conforms(CONNECTOR_SCHEMA, form.json());
  const json = await ask(
    "POST",
    "/v1/Connectors.json",
    JSON.stringify({ ...GOOD, ...secrets, UniqueName: "two" }),
    JSON_TYPE,
  );
  assert.equal(json.status, 201);
  for (const answer of [form, json]) {
    assert.equal(answer.json().has_credentials, true);
    assert.equal(answer.json().has_password, true);
    assert.equal(answer.json().credentials_header_name, "X-Auth-Token");
    assert.ok(!answer.text.includes("hush"));
  }
  assert.deepEqual(store.connectorRows[0]?.secrets, {
    credentials: "hush-1",
    password: "hush-2",
    privateKey: null,
  });
  assert.ok(!(await ask("GET", "/v1/Connectors")).text.includes("hush"));
  assert.ok(lines.every((line) => !line.includes("hush")));
});

test("connectors: found by SID and by name, with .json and without", async () => {
  const { ask } = await fakeApi();
  const { sid } = (await ask("POST", "/v1/Connectors", GOOD)).json();
  const name = encodeURIComponent(GOOD.UniqueName);
  for (const path of [sid, `${sid}.json`, name, `${name}.json`]) {
    const answer = await ask("GET", `/v1/Connectors/${path}`);
    assert.equal(answer.status, 200, String(path));
    assert.equal(answer.json().sid, sid);
  }
});

test("connectors: an ordered fail-over list; changing keeps what is not named, empty clears", async () => {
  const { ask } = await fakeApi();
  const uris = ["sip:a@192.0.2.1", "sip:b@192.0.2.2;transport=udp&edge=dublin"];
  await ask("POST", "/v1/Connectors", { UniqueName: "x", SipUri: uris, Username: "u", Password: "p" });
  const one = "/v1/Connectors/x";
  assert.deepEqual((await ask("GET", one)).json().sip_uris, uris);
  const changed = (
    await ask("POST", one, JSON.stringify({ SipUri: uris.toReversed(), Password: null }), JSON_TYPE)
  ).json();
  assert.deepEqual(changed.sip_uris, uris.toReversed());
  assert.equal(changed.has_password, false);
  assert.equal(changed.username, "u");
  assert.equal((await ask("DELETE", one)).status, 204);
  assert.equal((await ask("POST", one, { Username: "" })).json().code, 20404);
});

test("connectors: what is wrong is said clearly", async () => {
  const { ask } = await fakeApi();
  const cases: [Record<string, string | string[]>, number, RegExp][] = [
    [{ UniqueName: "" }, 20422, /UniqueName is required/],
    [{ UniqueName: "x".repeat(256) }, 20422, /255 characters/],
    [{ UniqueName: `XE${"0".repeat(32)}` }, 20422, /look like a SID/],
    [{ SipUri: "" }, 31942, /SipUri is required/],
    [{ SipUri: "http://x" }, 31942, /sip:/],
    [{ SipUri: "sip:a@b c" }, 31942, /SipUri/],
    [{ SipUri: ["sip:a@192.0.2.1", "sip:@@"] }, 31942, /SipUri/],
    [{ SipUri: "sip:a@192.0.2.1;secure=true;transport=udp" }, 31942, /needs TLS/],
    [{ SipUri: "sips:a@192.0.2.1;transport=udp" }, 31942, /recorder's SIP URI/],
    [{ CredentialsHeaderName: "X Auth" }, 31942, /header name/],
    [{ CredentialsHeaderName: "Via" }, 31942, /SIP itself needs/],
    [{ Credentials: "a\r\nVia: x" }, 31942, /control characters/],
  ];
  for (const [fields, code, message] of cases) {
    const answer = await ask("POST", "/v1/Connectors", { ...GOOD, ...fields });
    assert.equal(answer.status, 400, JSON.stringify(fields));
    assert.equal(answer.json().code, code);
    assert.match(String(answer.json().message), message);
  }
  assert.equal((await ask("POST", "/v1/Connectors", GOOD)).status, 201);
  assert.equal((await ask("POST", "/v1/Connectors", GOOD)).status, 409);
});

test("trunks: create, list, change, delete; the password never comes out", async () => {
  const { ask, store } = await fakeApi();
  const made = await ask("POST", "/v1/Trunks", {
    UniqueName: "carrier",
    SipUri: "sip:gw.example.com:5080;transport=tcp",
    AllowedAddresses: ["192.0.2.0/24, 2001:db8::/32", "198.51.100.7"],
    Username: "u",
    Password: "hush",
  });
  assert.equal(made.status, 201);
  conforms(TRUNK_SCHEMA, made.json());
  assert.deepEqual(made.json().allowed_addresses, ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]);
  assert.ok(!made.text.includes("hush"));
  assert.equal(store.trunkRows[0]?.password, "hush");
  const changed = (await ask("POST", "/v1/Trunks/carrier", { AllowedAddresses: "", SipUri: "" })).json();
  assert.deepEqual(changed.allowed_addresses, []);
  assert.equal(changed.sip_uri, null);
  const list = (await ask("GET", "/v1/Trunks")).json();
  assert.equal((list.trunks as object[]).length, 1);
  assert.equal((list.meta as { key: string }).key, "trunks");
  assert.equal((await ask("DELETE", "/v1/Trunks/carrier")).status, 204);
  assert.equal((await ask("GET", "/v1/Trunks/carrier")).status, 404);
});

test("trunks: what is wrong is said clearly", async () => {
  const { ask } = await fakeApi();
  const cases: [Record<string, string>, number][] = [
    [{}, 20422],
    [{ UniqueName: "x", SipUri: "tel:+1" }, 13243],
    [{ UniqueName: "x", SipUri: "sip:a@b;transport=ws" }, 13243],
    [{ UniqueName: "x", SipUri: "sips:a@b;transport=udp" }, 13243],
    [{ UniqueName: "x", AllowedAddresses: "10.0.0.0/33" }, 20422],
    [{ UniqueName: "x", AllowedAddresses: "example.com" }, 20422],
  ];
  for (const [fields, code] of cases) {
    const answer = await ask("POST", "/v1/Trunks", fields);
    assert.equal(answer.status, 400);
    assert.equal(answer.json().code, code, JSON.stringify(fields));
  }
});

test("address ranges", () => {
  for (const good of ["192.0.2.1", "10.0.0.0/8", "0.0.0.0/0", "::1", "2001:db8::/128"])
    assert.ok(addressRange(good).ok);
  for (const bad of ["", "/8", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0/8", "::1/129", "10.0.0.0/-1", "a"])
    assert.ok(!addressRange(bad).ok, bad);
});
