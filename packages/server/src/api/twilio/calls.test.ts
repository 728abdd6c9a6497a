import assert from "node:assert/strict";
import { test } from "node:test";
import { conforms } from "../testing/conforms.ts";
import { ACCOUNT_SID, fakeApi, OTHER_ACCOUNT_SID } from "../testing/fakes.ts";
import { CALL_SCHEMA } from "./call-view.ts";

const CALLS = `/2010-04-01/Accounts/${ACCOUNT_SID}/Calls.json`;
const one = (sid: string) => CALLS.replace(".json", `/${sid}.json`);
const GOOD = { To: "+15551234567", From: "+15557654321", Url: "https://example.com/voice" };

test("create: 201, Twilio's fields, null where there is nothing", async () => {
  const { ask, calls } = await fakeApi();
  const answer = await ask("POST", CALLS, GOOD);
  assert.equal(answer.status, 201);
  conforms(CALL_SCHEMA, answer.json());
  const body = answer.json();
  assert.equal(body.status, "queued");
  assert.equal(body.start_time, null);
  assert.equal(body.duration, null);
  assert.equal(body.uri, one(String(body.sid)));
  assert.equal((body.subresource_uris as Record<string, string>).siprec, one(`${body.sid}/Siprec`));
  assert.deepEqual(calls.placed, [
    {
      accountSid: ACCOUNT_SID,
      to: "+15551234567",
      from: "+15557654321",
      source: {
        kind: "url",
        url: "https://example.com/voice",
        method: "POST",
        fallbackUrl: null,
        fallbackMethod: "POST",
      },
      timeoutSeconds: 60,
      timeLimitSeconds: null,
      statusCallback: null,
      statusCallbackMethod: "POST",
      statusCallbackEvents: ["completed"],
      sipAuthUsername: null,
      sipAuthPassword: null,
    },
  ]);
});

test("create: everything that can be said, as a form and as JSON", async () => {
  const { ask, calls } = await fakeApi();
  const wish = {
    To: "sip:bob@example.com?X-A=b",
    From: "sip:alice@example.com",
    Twiml: "<Response>\n<Pause/></Response>",
    StatusCallback: "https://example.com/status?a=b#rc=2",
    StatusCallbackMethod: "GET",
    StatusCallbackEvent: ["initiated", "answered"],
    Timeout: "30",
    TimeLimit: "600",
    SipAuthUsername: "u",
    SipAuthPassword: "p",
    MachineDetection: "Enable",
  };
  assert.equal((await ask("POST", CALLS, wish)).status, 201);
  const json = JSON.stringify({ ...wish, Timeout: 30, TimeLimit: 600 });
  assert.equal((await ask("POST", CALLS, json, { "content-type": "application/json" })).status, 201);
  assert.deepEqual(calls.placed[0], calls.placed[1]);
  assert.deepEqual(calls.placed[0]?.source, { kind: "inline", twiml: wish.Twiml });
  assert.deepEqual(calls.placed[0]?.statusCallbackEvents, ["initiated", "answered"]);
  assert.equal(calls.placed[0]?.timeLimitSeconds, 600);
});

test("create: Url wins over Twiml, numbers lose the signs people write", async () => {
  const { ask, calls } = await fakeApi();
  await ask("POST", CALLS, { ...GOOD, To: "(555) 123-4567", Twiml: "<Response/>" });
  assert.equal(calls.placed[0]?.to, "5551234567");
  assert.equal(calls.placed[0]?.source.kind, "url");
});

test("create: what is wrong has Twilio's code", async () => {
  const { ask, calls } = await fakeApi();
  const cases: [Record<string, string | string[]>, number][] = [
    [{ To: "" }, 21201],
    [{ From: "" }, 21213],
    [{ Url: "" }, 21205],
    [{ Url: "voice.xml" }, 21205],
    [{ Url: "", ApplicationSid: "AP1" }, 21218],
    [{ Url: "", Twiml: "x".repeat(4001) }, 32018],
    [{ To: "not a number" }, 21211],
    [{ To: "sip:" }, 21211],
    [{ To: "sips:" }, 21211],
    [{ To: `sip:a@b?X-A=${"x".repeat(1100)}` }, 21211],
    [{ To: "client:joe" }, 21211],
    [{ From: "a b c" }, 21212],
    [{ Method: "PATCH" }, 21209],
    [{ Timeout: "0" }, 21208],
    [{ Timeout: "soon" }, 21208],
    [{ StatusCallback: "x" }, 21609],
    [{ StatusCallbackEvent: ["answered", "lunch"] }, 21626],
    [{ SipAuthUsername: "u".repeat(256) }, 21221],
    [{ SipAuthPassword: "p".repeat(256) }, 21223],
    [{ To: ["+1555", "+1556"] }, 21211],
  ];
  for (const [change, code] of cases) {
    const answer = await ask("POST", CALLS, { ...GOOD, ...change });
    assert.equal(answer.status, 400, JSON.stringify(change).slice(0, 60));
    assert.equal(answer.json().code, code, JSON.stringify(change).slice(0, 60));
    assert.equal(answer.json().more_info, `https://www.twilio.com/docs/errors/${code}`);
  }
  assert.deepEqual(calls.placed, []);
});

test("fetch: a call of ours; anything else is 20404", async () => {
  const { ask, calls } = await fakeApi();
  const answered = Date.UTC(2026, 0, 5);
  const call = calls.add({ status: "completed", startTime: answered, endTime: answered + 61_001 });
  const body = (await ask("GET", one(call.sid))).json();
  conforms(CALL_SCHEMA, body);
  assert.equal(body.duration, "62");
  assert.equal(body.start_time, "Mon, 05 Jan 2026 00:00:00 +0000");
  const missed = calls.add({ status: "no-answer", endTime: answered });
  assert.equal((await ask("GET", one(missed.sid))).json().duration, "0");
  const foreign = calls.add({ accountSid: OTHER_ACCOUNT_SID });
  for (const sid of [foreign.sid, "CA0", `${call.sid}x`]) {
    const answer = await ask("GET", one(sid));
    assert.equal(answer.status, 404);
    assert.equal(answer.json().code, 20404);
  }
});

test("list: newest first, with Twilio's filters", async () => {
  const { ask, calls } = await fakeApi();
  const day = (n: number) => Date.UTC(2026, 0, n, 12);
  for (let n = 1; n <= 5; n += 1)
    calls.add({ to: `+${n}`, status: n === 5 ? "ringing" : "completed", startTime: n === 5 ? null : day(n) });
  calls.add({ accountSid: OTHER_ACCOUNT_SID });
  const list = async (query: string) => {
    const answer = await ask("GET", `${CALLS}?${query}`);
    assert.equal(answer.status, 200, query);
    return (answer.json().calls as { to: string }[]).map(({ to }) => to.slice(1)).join("");
  };
  assert.equal(await list(""), "54321");
  assert.equal(await list("To=%2B3"), "3");
  assert.equal(await list("Status=ringing"), "5");
  assert.equal(await list("StartTime=2026-01-02"), "2");
  assert.equal(await list("StartTime%3E=2026-01-03"), "43");
  assert.equal(await list("StartTime%3C=2026-01-03"), "21");
  assert.equal(
    await list("StartTime%3E=2026-01-02T00%3A00%3A00Z&StartTime%3C=2026-01-03T23%3A00%3A00Z"),
    "32",
  );
  assert.equal(await list("StartTime>=2026-01-03"), "43");
  assert.equal(await list("Unknown=x&PageSize=2&Page=1"), "32");
  for (const [query, code] of [
    ["StartTime=soon", 20422],
    ["Status=asleep", 20422],
    ["PageSize=1001", 20007],
    ["PageSize=0", 20007],
    ["Page=-1", 20422],
  ] as const) {
    const answer = await ask("GET", `${CALLS}?${query}`);
    assert.equal(answer.status, 400, query);
    assert.equal(answer.json().code, code, query);
  }
});

test("update: completed ends a call, canceled one that nobody answered", async () => {
  const { ask, calls } = await fakeApi();
  const live = calls.add();
  const ended = await ask("POST", one(live.sid), { Status: "completed" });
  assert.equal(ended.status, 200);
  assert.equal(ended.json().status, "completed");
  const ringing = calls.add({ status: "ringing" });
  assert.equal((await ask("POST", one(ringing.sid), { Status: "canceled" })).json().status, "canceled");
  const talking = calls.add();
  for (const [sid, fields] of [
    [talking.sid, { Status: "canceled" }],
    [live.sid, { Status: "completed" }],
    [live.sid, { Twiml: "<Response/>" }],
  ] as const) {
    const answer = await ask("POST", one(sid), fields);
    assert.equal(answer.status, 400);
    assert.equal(answer.json().code, 21220);
  }
  assert.equal((await ask("POST", one(talking.sid), { Status: "paused" })).json().code, 20422);
  assert.equal((await ask("POST", one("CA0"), { Status: "completed" })).json().code, 20404);
});

test("update: another document, while one is running", async () => {
  const { ask, calls } = await fakeApi();
  const live = calls.add();
  const answer = await ask("POST", one(live.sid), { Url: "https://example.com/next", Method: "GET" });
  assert.equal(answer.status, 200);
  await ask("POST", one(live.sid), { Twiml: "<Response/>" });
  assert.deepEqual(
    calls.redirects.map(({ source }) => (source.kind === "url" ? [source.url, source.method] : source.twiml)),
    [["https://example.com/next", "GET"], "<Response/>"],
  );
  const inbound = calls.add({ status: "ringing", direction: "inbound" });
  assert.equal((await ask("POST", one(inbound.sid), { Twiml: "<Response/>" })).status, 200);
  const outbound = calls.add({ status: "ringing" });
  assert.equal((await ask("POST", one(outbound.sid), { Twiml: "<Response/>" })).json().code, 21220);
});

test("delete: the record of a call that is over", async () => {
  const { ask, calls } = await fakeApi();
  const live = calls.add();
  const early = await ask("DELETE", one(live.sid));
  assert.equal(early.status, 409);
  assert.equal(early.json().code, 20009);
  const over = calls.add({ status: "completed" });
  const answer = await ask("DELETE", one(over.sid));
  assert.equal(answer.status, 204);
  assert.equal(answer.text, "");
  assert.equal((await ask("DELETE", one(over.sid))).status, 404);
});
