import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CallRecord,
  NO_PEER_CERTIFICATE,
  NO_SIPREC_DETAIL,
  type SiprecRecord,
  unknownPlaceholders,
} from "../calls/index.ts";
import { CONNECTOR_PROFILES, PROFILES, settingsOf } from "./connector-profiles.ts";
import { extensionsOf, inviteHeaders, splitAt } from "./connector-words.ts";
import { forkCodecsOf } from "./fork-codecs.ts";
import { type ConnectorRecord, type ConnectorSettings, DEFAULT_CONNECTOR_SETTINGS } from "./ports.ts";
import { isOwnHeader, planOf } from "./recorders.ts";

const CALL = {
  sid: "CA1",
  accountSid: "AC1",
  from: "+15550100",
  to: "+15550199",
  callerName: null,
  direction: "inbound",
  phoneNumberSid: null,
  trunkSid: null,
} as unknown as CallRecord;

const record = (parameters: SiprecRecord["parameters"] = []) =>
  ({
    sid: "SR1",
    accountSid: "AC1",
    callSid: "CA1",
    connectorName: "rec",
    parameters,
    detail: NO_SIPREC_DETAIL,
  }) as unknown as SiprecRecord;

const connector = (set: Partial<ConnectorSettings>, ...sipUris: string[]): ConnectorRecord => ({
  sid: "XE1",
  accountSid: "AC1",
  uniqueName: "rec",
  sipUris,
  credentialsHeaderName: null,
  credentials: null,
  username: null,
  password: null,
  ...NO_PEER_CERTIFICATE,
  settings: settingsOf(set, DEFAULT_CONNECTOR_SETTINGS),
  dateCreated: 0,
  dateUpdated: 0,
});

const plan = (set: Partial<ConnectorSettings>) => planOf(connector(set, "sip:a@192.0.2.1"));

test("every profile can be sent: its templates are sound and its header fields are nobody else's", () => {
  for (const profile of CONNECTOR_PROFILES) {
    const { headers = [], parameters = [] } = PROFILES[profile].settings;
    for (const line of [...headers, ...parameters]) assert.deepEqual(unknownPlaceholders(line), [], line);
    for (const line of headers) assert.equal(isOwnHeader(splitAt(line, ":")[0]), false, line);
  }
});

test("a profile gives what is not set; what is set wins, null and empty lists too", () => {
  const { optionsFirst, optionsIntervalSeconds } = settingsOf(
    { profile: "sbc-recorder" },
    DEFAULT_CONNECTOR_SETTINGS,
  );
  assert.deepEqual(
    { optionsFirst, optionsIntervalSeconds },
    { optionsFirst: true, optionsIntervalSeconds: 60 },
  );
  const set = { profile: "google-agent-assist", codecs: [], optionsIntervalSeconds: null } as const;
  const google = settingsOf(set, DEFAULT_CONNECTOR_SETTINGS);
  assert.deepEqual(google.codecs, []);
  assert.equal(google.headers.length, 1);
});

test("SIP URIs: a profile says what they leave open, and no more", () => {
  const uriOf = (profile: ConnectorSettings["profile"], uri: string) => {
    const [recorder] = planOf(connector({ profile }, uri)).recorders;
    return { uri: recorder?.uri, port: recorder?.port, secure: recorder?.secure };
  };
  const google = (uri: string) => uriOf("google-agent-assist", uri);
  assert.deepEqual(google("sip:+15550100@us.telephony.goog"), {
    uri: "sip:+15550100@us.telephony.goog:5672;transport=tls",
    port: 5672,
    secure: true,
  });
  assert.deepEqual(google("sip:+15550100@us.telephony.goog:6000;secure=false"), {
    uri: "sip:+15550100@us.telephony.goog:6000;transport=tls",
    port: 6000,
    secure: false,
  });
  // Somebody who tests against a recorder of his own.
  assert.deepEqual(google("sip:srs@127.0.0.1;transport=tcp"), {
    uri: "sip:srs@127.0.0.1;transport=tcp",
    port: 5060,
    secure: false,
  });
  assert.equal(
    uriOf("dynamics-365", "sip:SRS@rec.example.com").uri,
    "sip:SRS@rec.example.com:5061;transport=tls",
  );
  assert.equal(uriOf("callfork", "sip:rec@192.0.2.1").uri, "sip:rec@192.0.2.1;transport=tcp");
  assert.equal(uriOf("generic", "sip:rec@192.0.2.1").uri, "sip:rec@192.0.2.1");
});

test("google-agent-assist: the conversation becomes Call-Info; without one the field is left out and that is said", () => {
  const google = plan({ profile: "google-agent-assist" });
  const conversation = { name: "conversation", value: "projects/p1/conversations/CA1" };
  assert.deepEqual(inviteHeaders(google, record([conversation]), CALL), {
    headers: [
      [
        "Call-Info",
        "<http://dialogflow.googleapis.com/v2beta1/projects/p1/conversations/CA1>;purpose=Goog-ContactCenter-Conversation",
      ],
    ],
    problems: [],
  });
  const without = inviteHeaders(google, record(), CALL);
  assert.deepEqual(without.headers, []);
  assert.match(without.problems[0] ?? "", /Call-Info is left out: no Parameter\.conversation/);
});

test("dynamics-365: the account in a header field, display names unless they are given", () => {
  const dynamics = plan({ profile: "dynamics-365" });
  assert.deepEqual(inviteHeaders(dynamics, record(), CALL).headers, [["X-AccountId", "AC1"]]);
  const role = { name: "Role", value: "caller" };
  const given = { name: "CalleeDisplayName", value: "Ann" };
  const [element] = extensionsOf(dynamics, record([role, given]), CALL, "urn:x");
  assert.deepEqual(element?.parameters, [role, given, { name: "CallerDisplayName", value: "+15550100" }]);
});

test("amazon-chime: what is no G.711 is not offered", () => {
  const codec = (name: string, payloadType: number) => ({
    name,
    payloadType,
    clockRateHz: 8000,
    channels: 1,
  });
  const codecs = [codec("opus", 96), codec("pcmu", 0), codec("PCMA", 8)];
  assert.deepEqual(
    forkCodecsOf(codecs, plan({ profile: "amazon-chime" }).settings.codecs).offered.map(({ name }) => name),
    ["pcmu", "PCMA"],
  );
  assert.deepEqual(forkCodecsOf(codecs, plan({}).settings.codecs).offered.slice(0, 3), codecs);
});

test("header templates: what would break the message or take a field of ours is left out and said", () => {
  const headers = ["X-A: {Parameter.a}", "X-Long: {Parameter.long}", "Via: x", "X-From: {CallerName|From}"];
  const parameters = [
    { name: "a", value: "1\r\nVia: evil" },
    { name: "long", value: "x".repeat(2000) },
  ];
  const found = inviteHeaders(plan({ headers }), record(parameters), CALL);
  assert.deepEqual(found.headers, [["X-From", "+15550100"]]);
  assert.equal(found.problems.length, 3);
});

test("edges: the start's before the URI's, the URI's before the connector's; one that is not there is said", () => {
  const edges = ["a", "b", "c"].map((name) => ({ name, host: "192.0.2.1" }));
  const uris = ["sip:r@192.0.2.9;edge=A", "sip:r@192.0.2.10"];
  const edgesOf = (edge: string | null) =>
    planOf(connector({ edge: "b" }, ...uris), { edges, edge }).recorders.map((one) => one.edge?.name);
  assert.deepEqual(edgesOf(null), ["a", "b"]);
  assert.deepEqual(edgesOf("C"), ["c", "c"]);
  const partly = planOf(connector({ edge: "b" }, ...uris), { edges: edges.slice(1) });
  assert.deepEqual(
    partly.recorders.map(({ host }) => host),
    ["192.0.2.10"],
  );
  assert.match(partly.edgeProblems[0] ?? "", /no edge a$/);
  assert.throws(() => planOf(connector({}, ...uris), { edges, edge: "x" }), {
    publicCode: 11241,
    httpStatus: 400,
  });
});
