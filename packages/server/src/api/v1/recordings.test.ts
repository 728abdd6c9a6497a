import assert from "node:assert/strict";
import { test } from "node:test";
import { conforms } from "../testing/conforms.ts";
import { ACCOUNT_SID, fakeApi, OTHER_ACCOUNT_SID } from "../testing/fakes.ts";
import { ALERT_SCHEMA } from "./alerts.ts";
import { AUDIT_SCHEMA, RECONCILIATION_SCHEMA, RETENTION_RULE_SCHEMA } from "./archive.ts";
import { RECORDING_SCHEMA } from "./recording-view.ts";

test("recordings: list and fetch as published, no file names", async () => {
  const { ask, recordings } = await fakeApi();
  const { sid } = recordings.add();
  recordings.add({ status: "in-progress", endTime: null, durationMs: null });
  recordings.add({ accountSid: OTHER_ACCOUNT_SID });
  const list = (await ask("GET", "/v1/Recordings")).json();
  assert.equal((list.recordings as object[]).length, 2);
  const done = (await ask("GET", "/v1/Recordings?Status=completed")).json();
  assert.equal((done.recordings as object[]).length, 1);
  const answer = await ask("GET", `/v1/Recordings/${sid}.json`);
  conforms(RECORDING_SCHEMA, answer.json());
  assert.equal(answer.json().start_time, "2026-01-02T03:04:05.678Z");
  assert.ok(!answer.text.includes("secret/path"));
  const [track] = answer.json().tracks as { url: string }[];
  assert.match(track?.url ?? "", /\/Tracks\/in%20bound%2F1\.wav$/);
  assert.equal((await ask("GET", `/v1/Recordings/RE9`)).json().code, 20404);
});

test("media: whole, ranges, HEAD, and what is outside of it", async () => {
  const { ask, recordings } = await fakeApi();
  const { sid } = recordings.add();
  const { length } = recordings.audio;
  for (const url of [`/v1/Recordings/${sid}/Media.wav`, `/v1/Recordings/${sid}/Tracks/in%20bound%2F1.wav`]) {
    const whole = await ask("GET", url);
    assert.equal(whole.status, 200);
    assert.equal(whole.headers["content-type"], "audio/wav");
    assert.equal(whole.headers["accept-ranges"], "bytes");
    assert.equal(whole.headers["content-length"], String(length));
    assert.equal(whole.text, recordings.audio.toString());

    const part = await ask("GET", url, undefined, { range: "bytes=4-7" });
    assert.equal(part.status, 206);
    assert.equal(part.headers["content-range"], `bytes 4-7/${length}`);
    assert.equal(part.text, "0123");

    const opened = recordings.opened.length;
    const head = await ask("HEAD", url);
    assert.equal(head.status, 200);
    assert.equal(head.headers["content-length"], String(length));
    assert.equal(head.text, "");
    assert.equal(recordings.opened.length, opened, "HEAD opens no file");

    const outside = await ask("GET", url, undefined, { range: "bytes=1000-" });
    assert.equal(outside.status, 416);
    assert.equal(outside.headers["content-range"], `bytes */${length}`);
    assert.equal(outside.json().code, 98004);
    assert.equal((await ask("GET", url, undefined, { range: "bytes=4-7", "if-range": '"x"' })).status, 200);
  }
  for (const path of [`${sid}/Tracks/none.wav`, "RE9/Media.wav"])
    assert.equal((await ask("GET", `/v1/Recordings/${path}`)).json().code, 20404);
});

test("documents of a recording", async () => {
  const { ask, recordings } = await fakeApi();
  const { sid } = recordings.add();
  const xml = await ask("GET", `/v1/Recordings/${sid}/Metadata.xml`);
  assert.equal(xml.headers["content-type"], "application/rs-metadata+xml; charset=utf-8");
  assert.equal(xml.text, '<?xml version="1.0"?><recording>é</recording>');
  assert.deepEqual((await ask("GET", `/v1/Recordings/${sid}/Metadata.json`)).json(), { versions: [] });
  const vcon = await ask("GET", `/v1/Recordings/${sid}/Vcon.json`);
  assert.match(String(vcon.headers["content-type"]), /^application\/vcon\+json/);
  assert.deepEqual(vcon.json(), { vcon: "0.3.0" });
  for (const name of ["Metadata.xml", "Metadata.json", "Vcon.json"])
    assert.equal((await ask("GET", `/v1/Recordings/RE9/${name}`)).status, 404);
});

test("delete: not while it is in progress", async () => {
  const { ask, recordings } = await fakeApi();
  const live = recordings.add({ status: "in-progress" });
  const early = await ask("DELETE", `/v1/Recordings/${live.sid}.json`);
  assert.equal(early.status, 409);
  assert.equal(early.json().code, 20009);
  const done = recordings.add();
  assert.equal((await ask("DELETE", `/v1/Recordings/${done.sid}`)).status, 204);
  assert.equal((await ask("DELETE", `/v1/Recordings/${done.sid}`)).status, 404);
});

test("search: every condition reaches the recorder as it was meant", async () => {
  const { ask, recordings } = await fakeApi();
  const cases: [string, object][] = [
    ["Number=%2B1555*", { number: "+1555*" }],
    ["Name=alice&Label=inbound&Status=failed", { name: "alice", label: "inbound", status: "failed" }],
    ["Connector=myrecorder&SipCallId=a%40b", { connector: "myrecorder", callId: "a@b" }],
    ["SessionId=s1&GroupId=g1&Source=192.0.2.7", { sessionId: "s1", groupId: "g1", source: "192.0.2.7" }],
    ["StartDate=2026-01-02", { startedFrom: Date.UTC(2026, 0, 2) }],
    ["EndDate=2026-01-02T03:04:05Z", { startedTo: Date.UTC(2026, 0, 2, 3, 4, 5, 999) }],
    [
      "ExtensionData.Role=agent&ExtensionData.a.b=%271%27",
      { extensionData: { Role: "agent", "a.b": "'1'" } },
    ],
    ["ExtensionData=x&ExtensionData.=y", {}],
  ];
  for (const [query, filter] of cases) {
    assert.equal((await ask("GET", `/v1/Recordings?${query}`)).status, 200, query);
    assert.deepEqual(recordings.asked, filter, query);
  }
  const many = Array.from({ length: 11 }, (_, at) => `ExtensionData.n${at}=1`).join("&");
  for (const query of ["StartDate=soon", "ExtensionData.a=1&ExtensionData.a=2", "Number=a&Number=b", many]) {
    const answer = await ask("GET", `/v1/Recordings?${query}`);
    assert.deepEqual([answer.status, answer.json().code], [400, 20422], query);
  }
  const next = await ask("GET", "/v1/Recordings?ExtensionData.Role=agent&PageSize=1");
  assert.match(String((next.json().meta as { url: string }).url), /ExtensionData.Role=agent/);
});

test("legal hold: set with its reason, keeps from deletion, is lifted, and all of it is told", async () => {
  const { ask, recordings, archive } = await fakeApi();
  const { sid } = recordings.add();
  const url = `/v1/Recordings/${sid}`;
  const held = await ask("POST", url, { LegalHold: "true", HoldReason: "case 7" });
  assert.equal(held.status, 200);
  conforms(RECORDING_SCHEMA, held.json());
  assert.deepEqual(held.json().legal_hold, { reason: "case 7", since: "2026-01-03T00:00:00Z" });
  const refused = await ask("DELETE", url);
  assert.deepEqual([refused.status, refused.json().code], [409, 98022]);
  assert.equal((await ask("POST", url, { LegalHold: "false" })).json().legal_hold, null);
  assert.equal((await ask("POST", url, {})).json().code, 20422);
  assert.equal((await ask("POST", url, { LegalHold: "perhaps" })).json().code, 20422);
  assert.equal((await ask("POST", "/v1/Recordings/RE9", { LegalHold: "true" })).status, 404);
  assert.equal((await ask("DELETE", url)).status, 204);
  const trail = (await ask("GET", `${url}/Audit`)).json().audit as { action: string; actor: string }[];
  assert.deepEqual(
    trail.map(({ action }) => action),
    ["deleted", "released", "held"],
  );
  for (const entry of trail) conforms(AUDIT_SCHEMA, entry);
  assert.equal(trail[0]?.actor, ACCOUNT_SID);
  assert.equal(archive.entries[0]?.address, "127.0.0.1");
});

test("audit: whoever gets audio or documents is noted before a byte leaves; what is not given is not", async () => {
  const { ask, recordings, archive } = await fakeApi();
  const { sid } = recordings.add();
  const url = `/v1/Recordings/${sid}`;
  await ask("HEAD", `${url}/Media.wav`);
  await ask("GET", `${url}/Media.wav`, undefined, { range: "bytes=1000-" });
  await ask("GET", `${url}/Tracks/none.wav`);
  assert.deepEqual(archive.entries, []);
  await ask("GET", `${url}/Media.wav`, undefined, { range: "bytes=4-7" });
  await ask("GET", `${url}/Tracks/in%20bound%2F1.wav`);
  await ask("GET", `${url}/Metadata.xml`);
  await ask("GET", `${url}/Metadata.json`);
  await ask("GET", `${url}/Vcon.json`);
  assert.deepEqual(
    archive.entries.toReversed().map(({ action, detail }) => [action, detail]),
    [
      ["heard", "Media.wav bytes=4-7"],
      ["heard", "Tracks/in bound/1.wav"],
      ["metadata-read", "Metadata.xml"],
      ["metadata-read", "Metadata.json"],
      ["exported", "Vcon.json, audio none"],
    ],
  );
  archive.note = async () => {
    throw new Error("the disk is full");
  };
  const opened = recordings.opened.length;
  assert.equal((await ask("GET", `${url}/Media.wav`)).status, 500);
  assert.equal((await ask("GET", `${url}/Metadata.xml`)).status, 500);
  assert.equal(recordings.opened.length, opened, "what cannot be noted is not given");
});

test("reconciliation: of the last day, or of the days that are named", async () => {
  const { ask, archive } = await fakeApi();
  const answer = await ask("GET", "/v1/Recordings/Reconciliation");
  conforms(RECONCILIATION_SCHEMA, answer.json());
  const { from, to } = archive.reconciled!;
  assert.equal(to - from, 86_400_000);
  await ask("GET", "/v1/Recordings/Reconciliation?StartDate=2026-01-02&EndDate=2026-01-03");
  assert.deepEqual(archive.reconciled, { from: Date.UTC(2026, 0, 2), to: Date.UTC(2026, 0, 4) - 1 });
  for (const query of ["StartDate=soon", "StartDate=2026-01-02&EndDate=2026-01-01"])
    assert.equal((await ask("GET", `/v1/Recordings/Reconciliation?${query}`)).json().code, 20422);
});

test("retention rules: made, listed, deleted, for some recordings only", async () => {
  const { ask } = await fakeApi();
  const made = await ask("POST", "/v1/RetentionRules", { Number: "+1555*", RetentionDays: "30" });
  assert.equal(made.status, 201);
  conforms(RETENTION_RULE_SCHEMA, made.json());
  assert.deepEqual([made.json().number, made.json().retention_days], ["+1555*", 30]);
  for (const body of [{ RetentionDays: "30" }, { Label: "a" }, { Label: "a", RetentionDays: "-1" }]) {
    const wrong = await ask("POST", "/v1/RetentionRules", body as Record<string, string>);
    assert.deepEqual([wrong.status, wrong.json().code], [400, 20422]);
  }
  const list = (await ask("GET", "/v1/RetentionRules")).json().retention_rules as { sid: string }[];
  assert.equal(list.length, 1);
  assert.equal((await ask("DELETE", `/v1/RetentionRules/${list[0]!.sid}`)).status, 204);
  assert.equal((await ask("DELETE", `/v1/RetentionRules/${list[0]!.sid}`)).status, 404);
});

test("alerts: newest first, filtered, with a link that explains the code", async () => {
  const { ask, store } = await fakeApi();
  const add = (n: number, more: object) =>
    store.alertRows.push({
      sid: `NO${n}`,
      accountSid: ACCOUNT_SID,
      errorCode: 31940,
      level: "error",
      text: `alert ${n}`,
      dateCreated: Date.UTC(2026, 0, n),
      ...more,
    });
  add(1, { callSid: "CA1" });
  add(2, { level: "warning", errorCode: 98002, responseStatus: 502 });
  add(3, { accountSid: OTHER_ACCOUNT_SID });
  const list = async (query: string) =>
    ((await ask("GET", `/v1/Alerts?${query}`)).json().alerts as { sid: string }[]).map(({ sid }) => sid);
  assert.deepEqual(await list(""), ["NO2", "NO1"]);
  assert.deepEqual(await list("CallSid=CA1"), ["NO1"]);
  assert.deepEqual(await list("LogLevel=warning"), ["NO2"]);
  assert.deepEqual(await list("StartDate=2026-01-02"), ["NO2"]);
  assert.deepEqual(await list("EndDate=2026-01-01"), ["NO1"]);
  const one = (await ask("GET", "/v1/Alerts/NO2.json")).json();
  conforms(ALERT_SCHEMA, one);
  assert.equal(one.error_code, "98002");
  assert.equal(one.more_info, "docs/errors.md#98002");
  assert.equal((await ask("GET", "/v1/Alerts/NO3")).status, 404);
  assert.equal((await ask("GET", "/v1/Alerts?StartDate=soon")).json().code, 20422);
});

test("traces are there where the node keeps them", async () => {
  const trace = {
    trace: async (_account: string, sid: string) => (sid === "CA1" ? { messages: [] } : undefined),
  };
  const { ask } = await fakeApi({ trace });
  assert.deepEqual((await ask("GET", "/v1/Calls/CA1/Trace.json")).json(), { messages: [] });
  assert.equal((await ask("GET", "/v1/Calls/CA2/Trace.json")).status, 404);
  const without = await fakeApi();
  assert.equal((await without.ask("GET", "/v1/Calls/CA1/Trace.json")).status, 404);
});
