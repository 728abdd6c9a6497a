import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NO_SIPREC_DETAIL, type SiprecRecord } from "../../calls/index.ts";
import { ParameterError } from "../http/errors.ts";
import { parseForm } from "../http/form.ts";
import { conforms } from "../testing/conforms.ts";
import { ACCOUNT_SID, fakeApi, OTHER_ACCOUNT_SID } from "../testing/fakes.ts";
import { customParameters, SIPREC_SCHEMA, showSiprec } from "./siprec.ts";

const ROW: Omit<SiprecRecord, "detail"> = {
  sid: `SR${"0".repeat(32)}`,
  accountSid: ACCOUNT_SID,
  callSid: `CA${"0".repeat(32)}`,
  name: null,
  connectorName: "rec",
  track: "both_tracks",
  status: "paused",
  statusCallback: null,
  statusCallbackMethod: "POST",
  parameters: [],
  recorderUri: "sip:a",
  errorCode: null,
  errorMessage: null,
  dateCreated: 0,
  dateUpdated: 0,
  startTime: 0,
  endTime: null,
};

async function desk() {
  const all = await fakeApi();
  await all.store.createConnector(ACCOUNT_SID, { uniqueName: "rec", sipUris: ["sip:r@192.0.2.1"] });
  const call = all.calls.add();
  const path = `/2010-04-01/Accounts/${ACCOUNT_SID}/Calls/${call.sid}/Siprec`;
  return { ...all, call, path, url: `${path}.json` };
}

test("create: 201, everything handed on, parameters by number", async () => {
  const { ask, url, forks, call } = await desk();
  const answer = await ask("POST", url, {
    Name: "my fork",
    ConnectorName: "rec",
    Track: "inbound_track",
    StatusCallback: "https://example.com/s",
    StatusCallbackMethod: "GET",
    "Parameter10.Name": "ten",
    "Parameter10.Value": "zehn & <ü>",
    "Parameter2.Name": "two",
    "Parameter99.Name": "last",
    "Parameter99.Value": "99",
    "Parameter100.Name": "ignored",
  });
  assert.equal(answer.status, 201);
  conforms(SIPREC_SCHEMA, answer.json());
  const body = answer.json();
  assert.equal(body.call_sid, call.sid);
  assert.equal(body.name, "my fork");
  assert.equal(body.status, "in-progress");
  assert.match(String(body.uri), /\/Siprec\/SR[0-9a-f]{32}\.json$/);
  assert.deepEqual(forks.started, [
    {
      name: "my fork",
      connectorName: "rec",
      track: "inbound_track",
      statusCallback: "https://example.com/s",
      statusCallbackMethod: "GET",
      parameters: [
        { name: "two", value: "" },
        { name: "ten", value: "zehn & <ü>" },
        { name: "last", value: "99" },
      ],
      origin: "rest",
    },
  ]);
});

test("create: only the connector is needed, and nothing at all reaches the forks' own rules", async () => {
  const { ask, url, forks } = await desk();
  assert.equal((await ask("POST", url, { ConnectorName: "rec" })).json().name, null);
  assert.equal(forks.started[0]?.track, null);
  assert.equal(forks.started[0]?.statusCallbackMethod, "POST");
  const nothing = await ask("POST", url);
  assert.equal(nothing.status, 400);
  assert.equal(nothing.json().code, 31940);
});

test("create: wrong fields, unknown connectors, calls that ended or are not there", async () => {
  const { ask, url, calls, path } = await desk();
  const cases: [Record<string, string>, number][] = [
    [{ ConnectorName: "nobody" }, 31940],
    [{ ConnectorName: "rec", Track: "middle_track" }, 31941],
    [{ ConnectorName: "rec", StatusCallback: "nowhere" }, 21609],
    [{ ConnectorName: "rec", StatusCallbackMethod: "PUT" }, 21209],
    [{ ConnectorName: "rec", "Parameter1.Value": "x" }, 20422],
    [{ ConnectorName: "rec", "Parameter1.Name": "x".repeat(129) }, 20422],
    [{ ConnectorName: "rec", "Parameter1.Name": "x", "Parameter1.Value": "ü".repeat(2049) }, 20422],
    [{ ConnectorName: "rec", "Parameter1.Name": "x", "Parameter1.Value": "\u0000" }, 20422],
    [{ ConnectorName: "rec", Name: "x".repeat(256) }, 20422],
  ];
  for (const [fields, code] of cases) {
    const answer = await ask("POST", url, fields);
    assert.equal(answer.status, 400, JSON.stringify(fields).slice(0, 60));
    assert.equal(answer.json().code, code, JSON.stringify(fields).slice(0, 60));
  }
  const over = calls.add({ status: "completed" });
  const foreign = calls.add({ accountSid: OTHER_ACCOUNT_SID });
  const at = (sid: string) => path.replace(/CA[^/]+/, sid).concat(".json");
  assert.equal((await ask("POST", at(over.sid), { ConnectorName: "rec" })).json().code, 21220);
  assert.equal((await ask("POST", at(foreign.sid), { ConnectorName: "rec" })).json().code, 20404);
  assert.equal((await ask("POST", at("CA0"), { ConnectorName: "rec" })).status, 404);
});

test("stop: by SID and by name, blanks, dots and slashes in it", async () => {
  const { ask, url, path } = await desk();
  for (const name of ["my fork", "v1.2.json", "a/b", "100%", "ü+x", "plain"]) {
    const made = (await ask("POST", url, { ConnectorName: "rec", Name: name })).json();
    assert.equal(made.name, name);
    const one = `${path}/${encodeURIComponent(name)}.json`;
    assert.equal((await ask("GET", one)).json().sid, made.sid, name);
    const stopped = await ask("POST", one, { Status: "stopped" });
    assert.equal(stopped.status, 200, name);
    assert.equal(stopped.json().sid, made.sid);
    assert.equal(stopped.json().status, "stopped");
    const again = await ask("POST", `${path}/${made.sid}.json`, { Status: "stopped" });
    assert.equal(again.json().status, "stopped");
  }
});

test("pause and resume are statuses too; a live fork shows its counters, an ended one what is stored", async () => {
  const { ask, url, path, forks } = await desk();
  const { sid } = (await ask("POST", url, { ConnectorName: "rec", Name: "n" })).json();
  for (const Status of ["paused", "paused", "in-progress"]) {
    const answer = await ask("POST", `${path}/n.json`, { Status });
    assert.equal(answer.status, 200);
    assert.equal(answer.json().status, Status);
  }
  const counts = { packets: 50, octets: 8_000, lost: 1, transcoded: null };
  const track = { label: "inbound", codec: "PCMU", encryption: null, ...counts };
  forks.counters = [track];
  const live = await ask("GET", `${path}/${sid}.json`);
  conforms(SIPREC_SCHEMA, live.json());
  assert.deepEqual(live.json().tracks, [track]);
  assert.equal((await ask("POST", `${path}/${sid}.json`, { Status: "stopped" })).json().status, "stopped");
  assert.deepEqual((await ask("GET", `${path}/${sid}.json`)).json().tracks, []);
});

test("what happened to a fork is shown with its times", () => {
  const shown = showSiprec({
    ...ROW,
    detail: {
      ...NO_SIPREC_DETAIL,
      attempts: [
        { recorder: "sip:a", time: 0, result: "failed", sipStatus: 503, errorCode: 32011, reason: "503" },
      ],
      pauses: [
        { from: 1_000, until: 3_500 },
        { from: 5_000, until: null },
      ],
      gaps: [{ from: 7_000, until: 7_020, packets: 2, reason: "lost" }],
      tracks: [],
    },
  }) as Record<string, unknown>;
  conforms(SIPREC_SCHEMA, shown);
  assert.deepEqual(shown.attempts, [
    {
      recorder: "sip:a",
      time: "1970-01-01T00:00:00Z",
      result: "failed",
      sip_status: 503,
      error_code: 32011,
      reason: "503",
    },
  ]);
  assert.deepEqual(shown.pauses, [
    { from: "1970-01-01T00:00:01Z", until: "1970-01-01T00:00:03.500Z", duration_ms: 2_500 },
    { from: "1970-01-01T00:00:05Z", until: null, duration_ms: null },
  ]);
  assert.deepEqual(shown.gaps, [
    {
      from: "1970-01-01T00:00:07Z",
      until: "1970-01-01T00:00:07.020Z",
      duration_ms: 20,
      packets: 2,
      reason: "lost",
    },
  ]);
});

test("stop: what is not there is 20404", async () => {
  const { ask, url, path } = await desk();
  const { sid } = (await ask("POST", url, { ConnectorName: "rec" })).json();
  assert.equal((await ask("POST", `${path}/${sid}.json`, {})).json().code, 20422);
  assert.equal((await ask("POST", `${path}/${sid}.json`, { Status: "gone" })).json().code, 20422);
  assert.equal((await ask("POST", `${path}/nobody.json`, { Status: "stopped" })).json().code, 20404);
  assert.equal((await ask("GET", `${path}/nobody.json`)).status, 404);
});

test("list: the forks of one call, newest first", async () => {
  const { ask, url } = await desk();
  for (const Name of ["a", "b", "c"]) await ask("POST", url, { ConnectorName: "rec", Name });
  const page = (await ask("GET", `${url}?PageSize=2`)).json();
  assert.deepEqual(
    (page.siprec as { name: string }[]).map(({ name }) => name),
    ["c", "b"],
  );
  const next = (await ask("GET", String(page.next_page_uri))).json();
  assert.equal((next.siprec as object[]).length, 1);
  assert.equal(next.next_page_uri, null);
});

test("parameters: any name and value within the limits survive the form", () => {
  const value = fc.string({ unit: "grapheme", maxLength: 60 }).filter((one) => !/[\x00-\x1f\x7f]/.test(one));
  const name = value.filter((one) => one !== "" && Buffer.byteLength(one) <= 128);
  fc.assert(
    fc.property(
      fc.array(fc.record({ name, value }, { noNullPrototype: true }), { maxLength: 20 }),
      (parameters) => {
        const form = new URLSearchParams();
        parameters.forEach((one, n) => {
          form.append(`Parameter${n + 1}.Name`, one.name);
          form.append(`Parameter${n + 1}.Value`, one.value);
        });
        const parsed = parseForm(form.toString());
        assert.ok(parsed instanceof Map);
        assert.deepEqual(customParameters(parsed), parameters);
      },
    ),
  );
  assert.throws(() => customParameters(new Map([["Parameter1.Name", ["a", "b"]]])), ParameterError);
});
