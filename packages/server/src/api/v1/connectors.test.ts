import assert from "node:assert/strict";
import { test } from "node:test";
import type { EdgeView } from "../ports.ts";
import { conforms } from "../testing/conforms.ts";
import { fakeApi } from "../testing/fakes.ts";
import { CONNECTOR_SCHEMA } from "./connectors.ts";
import { EDGE_VIEW_SCHEMA } from "./edges.ts";
import { addressRange, TRUNK_SCHEMA } from "./trunks.ts";

const JSON_TYPE = { "content-type": "application/json" };
const DUBLIN: EdgeView = {
  name: "dublin",
  sipListen: [
    { transport: "udp", address: "192.0.2.7", port: 5062 },
    { transport: "tls", address: "192.0.2.7", port: 5063 },
  ],
  publicAddress: "198.51.100.7",
  rtpAddress: "192.0.2.8",
  rtpPorts: { first: 20_000, last: 20_999 },
  outboundProxy: "sip:proxy.example.com",
};
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

test("connectors: who records beside whom, what becomes of a call that has to be recorded, and who may call", async () => {
  const { ask } = await fakeApi();
  const made = (await ask("POST", "/v1/Connectors", GOOD)).json();
  assert.deepEqual(
    [made.parallel, made.policy, made.on_unrecorded, made.unrecorded_limit, made.announcement_url],
    [[], "optional", "continue", null, null],
  );
  assert.equal(made.recorder_starts, false);
  const one = `/v1/Connectors/${made.sid}`;
  const body = JSON.stringify({
    Parallel: ["archive", "analysis"],
    Policy: "mandatory",
    OnUnrecorded: "end-call",
    UnrecordedLimit: 20,
    AnnouncementUrl: "https://example.com/sorry.wav",
    RecorderStarts: "true",
  });
  const changed = await ask("POST", one, body, JSON_TYPE);
  conforms(CONNECTOR_SCHEMA, changed.json());
  const { parallel, policy, on_unrecorded, unrecorded_limit, announcement_url, recorder_starts } =
    changed.json();
  assert.deepEqual(
    [parallel, policy, on_unrecorded, unrecorded_limit, announcement_url, recorder_starts],
    [["archive", "analysis"], "mandatory", "end-call", 20, "https://example.com/sorry.wav", true],
  );
  const cleared = await ask("POST", one, { Parallel: "", UnrecordedLimit: "", AnnouncementUrl: "" });
  assert.deepEqual(
    [cleared.json().parallel, cleared.json().unrecorded_limit, cleared.json().announcement_url],
    [[], null, null],
  );
  assert.equal(cleared.json().policy, "mandatory");
  const wrong: Record<string, string>[] = [
    { Policy: "sometimes" },
    { OnUnrecorded: "panic" },
    { UnrecordedLimit: "0" },
    { AnnouncementUrl: "sorry.wav" },
    { RecorderStarts: "maybe" },
  ];
  for (const fields of wrong) {
    const answer = await ask("POST", one, fields);
    assert.deepEqual([answer.status, answer.json().code], [400, 20422], JSON.stringify(fields));
  }
  const many = await ask("POST", one, JSON.stringify({ Parallel: ["a", "b", "c", "d", "e"] }), JSON_TYPE);
  assert.equal(many.status, 400);
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
  const { ask } = await fakeApi({ edges: [DUBLIN] });
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

test("connectors: what a profile leaves to be set is shown and changed", async () => {
  const { ask } = await fakeApi({ edges: [DUBLIN] });
  const made = await ask("POST", "/v1/Connectors", {
    ...GOOD,
    Profile: "sbc-recorder",
    Edge: "Dublin",
    Header: ["X-Call: {CallSid}", "X-Conversation: {Parameter.conversation}"],
    DefaultParameter: "Callee={CallerName|To}",
    Codec: "PCMA, PCMU",
    CryptoSuite: "AEAD_AES_256_GCM",
    OptionsFirst: "true",
  });
  assert.equal(made.status, 201, made.text);
  conforms(CONNECTOR_SCHEMA, made.json());
  const shown = {
    profile: "sbc-recorder",
    edge: "dublin",
    headers: ["X-Call: {CallSid}", "X-Conversation: {Parameter.conversation}"],
    parameters: ["Callee={CallerName|To}"],
    codecs: ["PCMA", "PCMU"],
    crypto_suites: ["AEAD_AES_256_GCM"],
    options_first: true,
  };
  for (const [name, value] of Object.entries(shown)) assert.deepEqual(made.json()[name], value, name);
  const one = `/v1/Connectors/${made.json().sid}`;
  const changed = (await ask("POST", one, { Edge: "", Header: "", Codec: "" })).json();
  assert.deepEqual([changed.edge, changed.headers, changed.codecs], [null, [], []]);
  assert.deepEqual(changed.parameters, shown.parameters);
});

test("edges: listed and fetched, with what a recorder's firewall must admit", async () => {
  const { ask } = await fakeApi({ edges: [DUBLIN, { ...DUBLIN, name: "tokyo", publicAddress: undefined }] });
  const page = (await ask("GET", "/v1/Edges?PageSize=1")).json();
  assert.deepEqual(
    (page.edges as { name: string }[]).map(({ name }) => name),
    ["dublin"],
  );
  assert.match(
    String((page.meta as { next_page_url: string }).next_page_url),
    /\/v1\/Edges\?PageSize=1&Page=1$/,
  );
  const one = await ask("GET", "/v1/Edges/Dublin.json");
  conforms(EDGE_VIEW_SCHEMA, one.json());
  const { name, signalling, media, public_address, outbound_proxy, admit } = one.json();
  assert.deepEqual(
    { name, signalling, media, public_address, outbound_proxy },
    {
      name: "dublin",
      signalling: [
        { transport: "udp", address: "192.0.2.7", port: 5062 },
        { transport: "tls", address: "192.0.2.7", port: 5063 },
      ],
      media: { address: "192.0.2.8", first_port: 20_000, last_port: 20_999 },
      public_address: "198.51.100.7",
      outbound_proxy: "sip:proxy.example.com",
    },
  );
  assert.deepEqual(
    (admit as { rule: string }[]).map(({ rule }) => rule),
    [
      "udp from 198.51.100.7 port 5062 (signalling)",
      "udp to 198.51.100.7 port 5062 (signalling)",
      "tcp from 198.51.100.7 any port (signalling)",
      "tcp to 198.51.100.7 port 5063 (signalling)",
      "udp from 198.51.100.7 ports 20000-20999 (media)",
      "udp to 198.51.100.7 ports 20000-20999 (media)",
    ],
  );
  const tokyo = (await ask("GET", "/v1/Edges/tokyo")).json().admit as { rule: string }[];
  assert.equal(tokyo.at(-1)?.rule, "udp to 192.0.2.8 ports 20000-20999 (media)");
  assert.equal((await ask("GET", "/v1/Edges/atlantis")).json().code, 20404);
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
    [{ SipUri: "sip:a@192.0.2.1;edge=atlantis" }, 11241, /no edge "atlantis"/],
    [{ Edge: "atlantis" }, 11241, /no edge "atlantis"/],
    [{ Profile: "acme" }, 20422, /must be one of generic, google-agent-assist/],
    [{ Header: "X-Call {CallSid}" }, 31942, /a name, a colon and a value/],
    [{ Header: "Via: x" }, 31942, /SIP itself needs/],
    [{ Header: "X-Call:" }, 31942, /value behind the colon/],
    [{ Header: "X-Call: {Callsid}" }, 31942, /\{Callsid\}, which nothing is known of/],
    [{ DefaultParameter: "Callee" }, 20422, /an equals sign/],
    [{ DefaultParameter: "Callee={To|Nobody}" }, 20422, /\{Nobody\}/],
    [{ Codec: "PC MU;" }, 20422, /name of a codec/],
    [{ CryptoSuite: "ROT13" }, 20422, /AES_CM_128_HMAC_SHA1_80/],
    [{ OptionsFirst: "maybe" }, 20422, /true, false/],
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
