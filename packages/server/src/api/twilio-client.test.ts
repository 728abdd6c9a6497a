import assert from "node:assert/strict";
import { test } from "node:test";
import twilio from "twilio";
import { ACCOUNT_SID, AUTH_TOKEN, fakeApi } from "./testing/fakes.ts";

/** The official client, unmodified, against a server that listens. */
async function official() {
  const all = await fakeApi();
  const { url } = await all.api.listen();
  const client = twilio(ACCOUNT_SID, AUTH_TOKEN);
  client.api.baseUrl = url;
  await all.store.createConnector(ACCOUNT_SID, { uniqueName: "rec", sipUris: ["sip:r@192.0.2.1"] });
  return { ...all, client, url };
}

type RestException = Error & { status: number; code: number; moreInfo: string };

async function refusal(promise: Promise<unknown>): Promise<RestException> {
  const error = await promise.then(
    () => assert.fail("expected a RestException"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof twilio.RestException, String(error));
  return error as unknown as RestException;
}

test("twilio client: create, fetch, update and remove calls", async () => {
  const { api, client, calls } = await official();
  try {
    const made = await client.calls.create({
      to: "+15551234567",
      from: "+15557654321",
      twiml: "<Response><Pause/></Response>",
      statusCallback: "https://example.com/status",
      statusCallbackEvent: ["initiated", "completed"],
    });
    assert.match(made.sid, /^CA/);
    assert.equal(made.status, "queued");
    assert.ok(made.dateCreated instanceof Date);
    assert.equal(made.startTime, null);
    assert.equal(made.endTime, null);
    assert.deepEqual(calls.placed[0]?.statusCallbackEvents, ["initiated", "completed"]);

    const fetched = await client.calls(made.sid).fetch();
    assert.deepEqual(fetched.toJSON(), made.toJSON());
    calls.set(made.sid, { status: "in-progress", startTime: Date.UTC(2026, 0, 3) });
    const redirected = await client
      .calls(made.sid)
      .update({ url: "https://example.com/next", method: "GET" });
    assert.equal(redirected.startTime.toISOString(), "2026-01-03T00:00:00.000Z");
    assert.equal(calls.redirects.length, 1);
    assert.equal((await client.calls(made.sid).update({ status: "completed" })).status, "completed");
    assert.equal(await client.calls(made.sid).remove(), true);
    assert.equal((await refusal(client.calls(made.sid).fetch())).code, 20404);
  } finally {
    await api.close();
  }
});

test("twilio client: list calls across pages, with filters", async () => {
  const { api, client, calls } = await official();
  try {
    for (let n = 0; n < 23; n += 1)
      calls.add({ to: `+${n}`, status: "completed", startTime: Date.UTC(2026, 0, n + 1, 12) });
    const all = await client.calls.list({ pageSize: 5 });
    assert.deepEqual(
      all.map((call) => call.to),
      Array.from({ length: 23 }, (_, n) => `+${22 - n}`),
    );
    assert.equal((await client.calls.list({ limit: 7 })).length, 7);
    const some = await client.calls.list({
      startTimeAfter: new Date("2026-01-10T00:00:00Z"),
      startTimeBefore: new Date("2026-01-12T23:59:59Z"),
      pageSize: 2,
    });
    assert.deepEqual(
      some.map((call) => call.to),
      ["+11", "+10", "+9"],
    );
    const page = await client.calls.page({ pageSize: 10 });
    assert.equal(page.instances.length, 10);
    const next = await page.nextPage();
    const back = await next?.previousPage();
    assert.deepEqual(
      back?.instances.map((call) => call.sid),
      page.instances.map((call) => call.sid),
    );
  } finally {
    await api.close();
  }
});

test("twilio client: fork a call, stop it by SID and by a name with blanks and dots", async () => {
  const { api, client, calls, forks } = await official();
  try {
    const { sid } = calls.add();
    const bySid = await client.calls(sid).siprec.create({
      connectorName: "rec",
      track: "both_tracks",
      statusCallback: "https://example.com/siprec",
      "parameter1.name": "Role",
      "parameter1.value": "agent & co",
      "parameter99.name": "last",
      "parameter99.value": "99",
    });
    assert.match(bySid.sid, /^SR[0-9a-f]{32}$/);
    assert.equal(bySid.name, null);
    assert.equal(bySid.status, "in-progress");
    assert.ok(bySid.dateUpdated instanceof Date);
    assert.deepEqual(forks.started[0]?.parameters, [
      { name: "Role", value: "agent & co" },
      { name: "last", value: "99" },
    ]);
    const stopped = await client.calls(sid).siprec(bySid.sid).update({ status: "stopped" });
    assert.equal(stopped.status, "stopped");
    assert.equal(stopped.sid, bySid.sid);

    for (const name of ["My SIPREC Stream", "v1.2.json", "ünï + 100%"]) {
      const named = await client.calls(sid).siprec.create({ name, connectorName: "rec" });
      assert.equal(named.name, name);
      const over = await client.calls(sid).siprec(name).update({ status: "stopped" });
      assert.equal(over.sid, named.sid, name);
      assert.equal(over.status, "stopped");
    }
  } finally {
    await api.close();
  }
});

test("twilio client: refusals come out as RestException with code and moreInfo", async () => {
  const { api, client, calls, url } = await official();
  try {
    const live = calls.add().sid;
    const over = calls.add({ status: "completed" }).sid;
    const siprec = (sid: string, options: object) => refusal(client.calls(sid).siprec.create(options));
    const cases: [Promise<RestException>, number, number][] = [
      [siprec(live, { connectorName: "nobody" }), 400, 31940],
      [siprec(live, {}), 400, 31940],
      [siprec(live, { connectorName: "rec", track: "sideways" }), 400, 31941],
      [siprec(over, { connectorName: "rec" }), 400, 21220],
      [siprec(`CA${"0".repeat(32)}`, { connectorName: "rec" }), 404, 20404],
      [refusal(client.calls(live).siprec("no such name").update({ status: "stopped" })), 404, 20404],
      [refusal(client.calls(over).update({ status: "completed" })), 400, 21220],
      [refusal(client.calls.create({ to: "x y", from: "+1", twiml: "<Response/>" })), 400, 21211],
    ];
    for (const [promise, status, code] of cases) {
      const error = await promise;
      assert.equal(error.status, status);
      assert.equal(error.code, code);
      assert.equal(error.moreInfo, `https://www.twilio.com/docs/errors/${code}`);
      assert.ok(error.message.length > 0);
    }
    const stranger = twilio(ACCOUNT_SID, "wrong");
    stranger.api.baseUrl = url;
    const unknown = await refusal(stranger.calls(live).fetch());
    assert.equal(unknown.status, 401);
    assert.equal(unknown.code, 20003);
  } finally {
    await api.close();
  }
});

test("twilio client: numbers, keys, and a key as credentials", async () => {
  const { api, client, url } = await official();
  try {
    const number = await client.incomingPhoneNumbers.create({
      phoneNumber: "+15551234567",
      voiceUrl: "https://example.com/voice",
      friendlyName: "Desk",
    });
    assert.equal(number.voiceUrl, "https://example.com/voice");
    assert.equal(number.capabilities.voice, true);
    const changed = await client.incomingPhoneNumbers(number.sid).update({ voiceMethod: "GET" });
    assert.equal(changed.voiceMethod, "GET");
    assert.equal((await client.incomingPhoneNumbers.list({ phoneNumber: "+15551234567" })).length, 1);
    assert.equal(await client.incomingPhoneNumbers(number.sid).remove(), true);

    const key = await client.newKeys.create({ friendlyName: "ci" });
    assert.equal((await client.keys.list()).length, 1);
    const byKey = twilio(key.sid, key.secret, { accountSid: ACCOUNT_SID });
    byKey.api.baseUrl = url;
    assert.deepEqual(await byKey.calls.list(), []);
    assert.equal((await refusal(byKey.newKeys.create())).status, 403);
    assert.equal(await client.keys(key.sid).remove(), true);
    assert.equal((await refusal(byKey.calls.list())).code, 20003);
    assert.equal((await client.api.v2010.accounts(ACCOUNT_SID).fetch()).status, "active");
  } finally {
    await api.close();
  }
});
