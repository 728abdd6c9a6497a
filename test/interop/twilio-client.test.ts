import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadVoice, TestPhone } from "@callfork/testkit";
import twilio from "twilio";
import type { CallContext } from "twilio/lib/rest/api/v2010/account/call.js";
import { converse } from "./support/conversation.ts";
import { Customer } from "./support/customer.ts";
import { Owned } from "./support/owned.ts";
import { type RecordingJson, speakersOn } from "./support/recordings.ts";
import { TestServer } from "./support/server.ts";
import { assertIsVoice, wavSamples } from "./support/voices.ts";
import { until, within } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;
let customer: Customer;
let client: ReturnType<TestServer["twilio"]>;

type SiprecOptions = Parameters<CallContext["siprec"]["create"]>[0];

/** What the client throws when the server says no: Twilio's code and the HTTP status. */
async function refusal(promise: Promise<unknown>): Promise<{ code: number | undefined; status: number }> {
  const error: unknown = await promise.then(
    () => assert.fail("it was not refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof twilio.RestException, String(error));
  assert.match(error.moreInfo ?? "", /\d{5}/);
  return { code: error.code, status: error.status };
}

describe("the official client, unmodified, with real calls", { concurrency: 4 }, () => {
  before(async () => {
    server = await TestServer.start(owned);
    customer = await Customer.open(owned);
    client = server.twilio();
    await server.connector("own", server.recorderUri);
  });
  after(() => owned.release());

  it("a call is created, fetched, listed and completed, and tells its progress", async (t) => {
    const path = "/progress";
    const { callSid, alice } = await converse(t, server, {
      more: {
        statusCallback: customer.url(path),
        statusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
      },
    });
    const fetched = await client.calls(callSid).fetch();
    assert.equal(fetched.status, "in-progress");
    assert.equal(fetched.direction, "outbound-api");
    assert.ok(fetched.startTime instanceof Date);
    assert.equal(fetched.endTime, null);
    const listed = await client.calls.list({ status: "in-progress", limit: 100 });
    assert.ok(listed.some(({ sid }) => sid === callSid));
    const [child] = await client.calls.list({ parentCallSid: callSid });
    assert.equal(child?.direction, "outbound-dial");

    const completed = await client.calls(callSid).update({ status: "completed" });
    assert.equal(completed.sid, callSid);
    assert.equal(await within("Alice's phone hearing BYE", alice.ended), "remote");
    const last = await customer.called(path, { CallStatus: "completed" });
    const over = await until("the call's end", async () => {
      const call = await client.calls(callSid).fetch();
      return call.status === "completed" && call;
    });
    assert.ok(Number(over.duration) >= 0);
    assert.ok(over.endTime instanceof Date);

    const told = customer.at(path);
    assert.deepEqual(
      told.map(({ parameters }) => [parameters.SequenceNumber, parameters.CallStatus]).sort(),
      [
        ["0", "initiated"],
        ["1", "ringing"],
        ["2", "in-progress"],
        ["3", "completed"],
      ],
    );
    assert.ok(told.every(({ signed, method }) => signed && method === "POST"));
    assert.ok(
      told.every(
        ({ parameters }) => parameters.CallSid === callSid && parameters.ApiVersion === "2010-04-01",
      ),
    );
    assert.equal(last.parameters.CallbackSource, "call-progress-events");
    assert.match(last.parameters.CallDuration ?? "", /^\d+$/);
  });

  it("a live call is given another document: Alice talks to Carol instead of Bob", async (t) => {
    const { callSid, alice, bob } = await converse(t, server);
    const carol = await TestPhone.open({ user: "carol", voice: loadVoice("bob") });
    t.after(() => carol.close());
    const answered = carol.nextCall();
    const twiml = `<Response><Dial answerOnBridge="true"><Sip>${carol.uri}</Sip></Dial></Response>`;
    await client.calls(callSid).update({ twiml });
    const carolsCall = await within("Carol answering", answered);
    assert.equal(await within("Bob hearing BYE", bob.ended), "remote");
    await until("Carol hearing Alice for two seconds", () => carolsCall.heard().packets > 100);
    assertIsVoice(carolsCall.heard().samples, "alice");
    await alice.hangUp();
    assert.equal(await within("Carol hearing BYE", carolsCall.ended), "remote");
  });

  for (const handle of ["its SID", "its name, with spaces in it"] as const) {
    it(`a fork is created by connector and stopped by ${handle}`, async (t) => {
      const name = `a fork stopped by ${handle}`;
      const path = handle === "its SID" ? "/by-sid" : "/by-name";
      const { callSid } = await converse(t, server);
      const created = await client.calls(callSid).siprec.create({
        name,
        connectorName: "own",
        track: "both_tracks",
        statusCallback: customer.url(path),
        "parameter1.name": "agent id",
        "parameter1.value": "007 & <more>",
      } as SiprecOptions);
      assert.match(created.sid, /^SR[0-9a-f]{32}$/);
      assert.equal(created.status, "in-progress");
      assert.equal(created.name, name);
      const started = await customer.called(path, { SiprecEvent: "siprec-started" });
      await until("two seconds of audio in the recording", async () => {
        const { recordings } = await server.get<{ recordings: RecordingJson[] }>(
          "/v1/Recordings?Status=in-progress",
        );
        return recordings.some(
          ({ extension_data, tracks }) =>
            extension_data["agent id"] === "007 & <more>" && tracks.every(({ packets }) => packets >= 100),
        );
      });
      const stopped = await client
        .calls(callSid)
        .siprec(handle === "its SID" ? created.sid : name)
        .update({ status: "stopped" });
      assert.equal(stopped.status, "stopped");
      assert.equal(stopped.sid, created.sid);
      const ended = await customer.called(path, { SiprecEvent: "siprec-stopped" });
      for (const { parameters, signed, headers } of [started, ended]) {
        assert.equal(signed, true);
        assert.equal(parameters.SiprecSid, created.sid);
        assert.equal(parameters.SiprecName, name);
        assert.equal(parameters.CallSid, callSid);
        assert.equal(parameters.AccountSid, server.accountSid);
        assert.match(parameters.Timestamp ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
        assert.match(String(headers["i-twilio-idempotency-token"]), /^[0-9a-f-]{36}$/);
      }
      // Stopping what is stopped is no error.
      assert.equal(
        (await client.calls(callSid).siprec(created.sid).update({ status: "stopped" })).status,
        "stopped",
      );
    });
  }

  it("[R6341-006] what an announcement plays to a lone caller is recorded bit for bit", async (t) => {
    const alice = await TestPhone.open({ user: "alice", displayName: "Alice", voice: loadVoice("alice") });
    t.after(() => alice.close());
    const siprec = `<Start><Siprec connectorName="own" name="announcement"><Parameter name="job" value="ivr"/></Siprec></Start>`;
    const audio = customer.answer("/bob.wav", { voice: "bob" });
    const answered = alice.nextCall();
    const { sid } = await client.calls.create({
      to: alice.uri,
      from: "sip:ivr@127.0.0.1",
      twiml: `<Response>${siprec}<Play loop="0">${audio}</Play></Response>`,
    });
    const call = await within("Alice answering", answered);
    await until("two seconds of the announcement", () => call.heard().packets > 100);
    await client.calls(sid).siprec("announcement").update({ status: "stopped" });
    const recording = await until("the recording", async () => {
      const { recordings } = await server.get<{ recordings: RecordingJson[] }>(
        "/v1/Recordings?Status=completed",
      );
      return recordings.find(({ extension_data }) => extension_data.job === "ivr");
    });
    for (const [label, voice] of [
      ["inbound", "alice"],
      ["outbound", "bob"],
    ] as const) {
      const track = recording.tracks.find((each) => each.label === label)!;
      assert.equal(track.lost, 0);
      const { samples } = wavSamples(
        await server.bytes(`/v1/Recordings/${recording.sid}/Tracks/${label}.wav`),
      );
      assertIsVoice(samples, voice, label);
      if (label === "inbound") assert.match(speakersOn(recording, track)[0] ?? "", /^sip:alice@/);
    }
    await call.hangUp();
  });

  it("an unknown connector is 31940, a bad track 31941, a fifth stream 31960, a name that is taken 20409", async (t) => {
    const { callSid } = await converse(t, server);
    const { siprec } = client.calls(callSid);
    assert.deepEqual(await refusal(siprec.create({ connectorName: "nobody" })), { code: 31940, status: 400 });
    assert.deepEqual(await refusal(siprec.create()), { code: 31940, status: 400 });
    const bad = { connectorName: "own", track: "every_track" } as unknown as SiprecOptions;
    assert.deepEqual(await refusal(siprec.create(bad)), { code: 31941, status: 400 });
    await siprec.create({ connectorName: "own", name: "first" });
    assert.deepEqual(
      await refusal(siprec.create({ connectorName: "own", name: "first", track: "inbound_track" })),
      {
        code: 20409,
        status: 409,
      },
    );
    await siprec.create({ connectorName: "own", name: "second" });
    assert.deepEqual(await refusal(siprec.create({ connectorName: "own", track: "inbound_track" })), {
      code: 31960,
      status: 400,
    });
  });

  it("a fifth stream that a document asks for is a siprec-error, and the call goes on", async (t) => {
    const url = customer.url("/fifth");
    const start = (name: string): string =>
      `<Start><Siprec name="${name}" connectorName="own" statusCallback="${url}"/></Start>`;
    const { alice } = await converse(t, server, { verbs: ["one", "two", "three"].map(start).join("") });
    const { parameters, signed } = await customer.called("/fifth", { SiprecEvent: "siprec-error" });
    assert.equal(parameters.SiprecName, "three");
    assert.equal(parameters.SiprecErrorCode, "31960");
    assert.equal(signed, true);
    await customer.called("/fifth", { SiprecEvent: "siprec-started", SiprecName: "one" });
    await customer.called("/fifth", { SiprecEvent: "siprec-started", SiprecName: "two" });
    const before = alice.heard().packets;
    await until("Alice hearing more", () => alice.heard().packets > before + 10);
  });

  it("Siprec on a call that is over is 21220; what nobody knows is 20404; wrong credentials are 20003", async (t) => {
    const { callSid, alice } = await converse(t, server);
    const { siprec } = client.calls(callSid);
    assert.deepEqual(
      await refusal(siprec("SR00000000000000000000000000000000").update({ status: "stopped" })),
      { code: 20404, status: 404 },
    );
    assert.deepEqual(await refusal(siprec("no such name").update({ status: "stopped" })), {
      code: 20404,
      status: 404,
    });
    await alice.hangUp();
    await until("the call's end", async () => (await client.calls(callSid).fetch()).status === "completed");
    assert.deepEqual(await refusal(siprec.create({ connectorName: "own" })), { code: 21220, status: 400 });
    assert.deepEqual(await refusal(client.calls(callSid).update({ twiml: "<Response/>" })), {
      code: 21220,
      status: 400,
    });
    const unknown = client.calls("CA00000000000000000000000000000000");
    assert.deepEqual(await refusal(unknown.fetch()), { code: 20404, status: 404 });
    assert.deepEqual(await refusal(unknown.siprec.create({ connectorName: "own" })), {
      code: 20404,
      status: 404,
    });
    const stranger = server.twilio(server.accountSid, "not the token of this account");
    assert.deepEqual(await refusal(stranger.calls(callSid).fetch()), { code: 20003, status: 401 });
  });

  it("a callback by GET is signed too", async (t) => {
    const { callSid } = await converse(t, server);
    await client.calls(callSid).siprec.create({
      connectorName: "own",
      statusCallback: customer.url("/by-get?kept=1"),
      statusCallbackMethod: "GET",
    });
    const { method, parameters, signed } = await customer.called("/by-get", {
      SiprecEvent: "siprec-started",
    });
    assert.equal(method, "GET");
    assert.equal(parameters.kept, "1");
    assert.equal(signed, true);
  });
});
