import assert from "node:assert/strict";
import { test } from "node:test";
import { conforms } from "../testing/conforms.ts";
import { ACCOUNT_SID, fakeApi, OTHER_ACCOUNT_SID } from "../testing/fakes.ts";
import { ALERT_SCHEMA } from "./alerts.ts";
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
