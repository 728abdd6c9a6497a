import assert from "node:assert/strict";
import { test } from "node:test";
import { codecsOf } from "@callfork/protocol/sdp";
import type { PlaceCall } from "../../packages/server/src/calls/index.ts";
import { ACCOUNT, CallsWorld, trunkOf } from "./calls-world.ts";

const document = (twiml: string) =>
  ({ kind: "inline", twiml: `<?xml version="1.0" encoding="UTF-8"?><Response>${twiml}</Response>` }) as const;

function order(change: Partial<PlaceCall> = {}): PlaceCall {
  return {
    accountSid: ACCOUNT,
    from: "+15550001",
    to: "sip:bob@10.0.0.2",
    source: document('<Pause length="10"/>'),
    timeoutSeconds: 60,
    timeLimitSeconds: null,
    statusCallback: "http://app.example.com/status",
    statusCallbackMethod: "POST",
    statusCallbackEvents: ["initiated", "ringing", "answered", "completed"],
    sipAuthUsername: null,
    sipAuthPassword: null,
    ...change,
  };
}

test("a call is placed, rings, is answered, runs its document and ends", async () => {
  const w = new CallsWorld();
  const bob = w.phone("10.0.0.2");
  bob.answering = (invite) => invite.provisional(180);
  const placed = await w.room.place(order());
  assert.equal(placed.status, "queued");
  assert.equal(placed.direction, "outbound-api");
  assert.equal(w.store.saves[0]!.sid, placed.sid, "durable before it resolves");
  await w.advance(1_000);
  assert.equal(w.room.find(placed.sid)!.record().status, "ringing");
  const { request } = bob.invites[0]!;
  assert.match(request.headers.get("From")!, /^<sip:\+15550001@platform\.example\.com>/);
  assert.equal(request.headers.get("X-Twilio-CallSid"), placed.sid);
  assert.deepEqual(request.headers.lines("Max-Forwards"), ["70"]);
  assert.deepEqual(
    codecsOf(bob.offerOf(bob.invites[0]).media[0]!).map(({ name }) => name),
    ["PCMU", "PCMA", "telephone-event"],
  );
  bob.pickUp(bob.invites[0]!);
  await w.advance(5_000);
  assert.equal(w.room.find(placed.sid)!.record().status, "in-progress");
  assert.equal(Boolean(bob.end), false);
  await w.advance(6_000);
  assert.equal(bob.end?.by, "remote");
  const told = w.store.callbacks.map(({ parameters }) => Object.fromEntries(parameters));
  assert.deepEqual(
    told.map(({ CallStatus, SequenceNumber }) => `${SequenceNumber} ${CallStatus}`),
    ["0 initiated", "1 ringing", "2 in-progress", "3 completed"],
  );
  assert.equal(told[3]!.CallDuration, "10");
  assert.equal(told[3]!.Duration, "1");
  assert.equal(w.media.open.size, 0);
});

for (const [status, expected] of [
  [486, "busy"],
  [480, "no-answer"],
  [404, "failed"],
] as const) {
  test(`a placed call that is answered ${status} ends as ${expected}`, async () => {
    const w = new CallsWorld();
    const bob = w.phone("10.0.0.2");
    bob.answering = (invite) => invite.reject(status);
    await w.room.place(order());
    await w.advance(1_000);
    assert.equal(w.store.calls[0]!.status, expected);
    const last = Object.fromEntries(w.store.callbacks.at(-1)!.parameters);
    assert.equal(last.CallStatus, expected);
    assert.equal(last.SipResponseCode, String(status));
    assert.equal(last.CallDuration, "0");
    assert.equal(w.room.liveCount, 0);
  });
}

test("nobody answers in time: CANCEL, no-answer", async () => {
  const w = new CallsWorld();
  const bob = w.phone("10.0.0.2");
  bob.answering = (invite) => invite.provisional(180);
  await w.room.place(order({ timeoutSeconds: 15 }));
  await w.advance(16_000);
  assert.equal(bob.canceled, true);
  assert.equal(w.store.calls[0]!.status, "no-answer");
});

test("nobody is there: failed, and no call is left", async () => {
  const w = new CallsWorld();
  await w.room.place(order({ to: "sip:bob@10.0.0.99" }));
  await w.advance(70_000);
  assert.equal(w.store.calls[0]!.status, "no-answer");
  assert.equal(w.room.liveCount, 0);
  assert.equal(w.media.open.size, 0);
});

test("a number goes to the trunk, with its credentials; without a trunk it is refused at once", async () => {
  const w = new CallsWorld();
  w.store.trunks = [trunkOf({ username: "callfork", password: "secret" })];
  const carrier = w.phone("10.0.0.3");
  carrier.answering = (invite) => {
    if (invite.request.headers.has("Authorization")) carrier.pickUp(invite);
    else {
      invite.reject(401, {
        headers: [["WWW-Authenticate", 'Digest realm="carrier", nonce="abc", qop="auth", algorithm=MD5']],
      });
    }
  };
  await w.room.place(order({ to: "+1 (555) 123-4567" }));
  await w.advance(1_000);
  assert.equal(carrier.invites[1]!.request.uri, "sip:+15551234567@10.0.0.3:5060");
  assert.match(carrier.invites[1]!.request.headers.get("Authorization")!, /username="callfork"/);
  assert.equal(carrier.invites[1]!.request.headers.has("X-Twilio-CallSid"), false);
  assert.equal(w.store.calls[0]!.to, "+15551234567");
  assert.ok(w.store.calls[0]!.trunkSid);
  assert.ok(!w.log.lines.join("\n").includes("secret"));

  const bare = new CallsWorld();
  bare.store.trunks = [];
  await assert.rejects(bare.room.place(order({ to: "+15551234567" })), {
    code: "CALL_NO_TRUNK",
    publicCode: 32010,
  });
  await assert.rejects(bare.room.place(order({ to: "bob" })), {
    code: "CALL_INVALID_ADDRESS",
    publicCode: 21211,
  });
  await assert.rejects(bare.room.place(order({ to: "sip:bob@host:x" })), { publicCode: 21211 });
  await assert.rejects(bare.room.place(order({ to: "sip:bob@host;transport=udp;secure=true" })), {
    publicCode: 32207,
  });
  assert.equal(bare.store.saves.length, 0);
});

test("a placed call that is not durable is not made", async () => {
  const w = new CallsWorld();
  const bob = w.phone("10.0.0.2");
  w.store.fails = true;
  await assert.rejects(w.room.place(order()), /disk is full/);
  await w.advance(1_000);
  assert.equal(bob.invites.length, 0);
  assert.equal(w.room.liveCount, 0);
});

test("a store that fails in the middle of a call is told once, and the call goes on", async () => {
  const w = new CallsWorld();
  const bob = w.phone("10.0.0.2");
  bob.answering = (invite) => bob.pickUp(invite);
  const placed = await w.room.place(order());
  w.store.fails = true;
  await w.advance(5_000);
  assert.equal(w.room.find(placed.sid)!.record().status, "in-progress");
  assert.deepEqual(
    w.alerts.map(({ errorCode }) => errorCode),
    [20500],
  );
  await w.advance(6_000);
  assert.equal(bob.end?.by, "remote");
});

test("no port is free: failed, an alert, and nothing is left", async () => {
  const w = new CallsWorld();
  w.media.portsLeft = 0;
  const bob = w.phone("10.0.0.2");
  await w.room.place(order());
  await w.advance(1_000);
  assert.equal(w.store.calls[0]!.status, "failed");
  assert.equal(w.alerts.length, 1);
  assert.equal(bob.invites.length, 0);
  assert.equal(w.room.liveCount, 0);
});

test("a placed call is bridged by its document; its own time limit ends it", async () => {
  const w = new CallsWorld();
  const [bob, carol] = [w.phone("10.0.0.2"), w.phone("10.0.0.3")];
  bob.answering = (invite) => bob.pickUp(invite);
  carol.answering = (invite) => carol.pickUp(invite);
  await w.room.place(
    order({
      source: document("<Dial><Sip>sip:carol@10.0.0.3?X-Ticket=7&amp;Contact=evil</Sip></Dial>"),
      timeLimitSeconds: 30,
    }),
  );
  await w.advance(5_000);
  assert.equal(w.media.bridges.size, 1);
  const { headers } = carol.invites[0]!.request;
  assert.equal(headers.get("X-Ticket"), "7");
  assert.ok(!headers.get("Contact")!.includes("evil"));
  assert.deepEqual(
    w.alerts.map(({ errorCode }) => errorCode),
    [32112],
  );
  await w.advance(30_000);
  assert.ok(bob.end && carol.end);
  assert.deepEqual(
    w.store.calls.map(({ status }) => status),
    ["completed", "completed"],
  );
});

test("a live call is redirected: the bridge ends, the callee is hung up, the new document runs", async () => {
  const w = new CallsWorld();
  w.number("1001", '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>');
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  alice.call("1001");
  await w.advance(1_000);
  const [parent] = w.store.calls;
  w.room.find(parent!.sid)!.redirect(document('<Pause length="3"/>'));
  await w.advance(1_000);
  assert.equal(bob.end?.by, "remote");
  assert.equal(w.media.bridges.size, 0);
  assert.equal(Boolean(alice.end), false);
  await w.advance(3_000);
  assert.equal(alice.end?.by, "remote");
});

test("the callee's call is redirected: it lives on alone, the caller's document goes on", async () => {
  const w = new CallsWorld();
  w.number("1001", '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial><Pause length="2"/>');
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  alice.call("1001");
  await w.advance(1_000);
  w.room.find(w.store.calls[1]!.sid)!.redirect(document('<Pause length="20"/>'));
  await w.advance(3_000);
  assert.equal(alice.end?.by, "remote", w.story);
  assert.equal(Boolean(bob.end), false);
  await w.advance(20_000);
  assert.equal(bob.end?.by, "remote");
  assert.equal(w.media.open.size, 0);
});

test("drain: no new calls, the live ones may finish, then BYE", async () => {
  const w = new CallsWorld();
  w.number("1001", '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>');
  const [alice, bob, carol] = [w.phone("10.0.0.1"), w.phone("10.0.0.2"), w.phone("10.0.0.4")];
  bob.answering = (invite) => bob.pickUp(invite);
  alice.call("1001");
  await w.advance(1_000);
  let drained = false;
  void w.room.drain(5_000).then(() => {
    drained = true;
  });
  carol.call("1001");
  await w.advance(1_000);
  assert.equal(carol.failure?.status, 503);
  assert.equal(carol.failure?.response?.headers.get("Retry-After"), "5");
  await assert.rejects(w.room.place(order()), { code: "CALL_DRAINING" });
  assert.equal(drained, false);
  await w.advance(5_000);
  assert.ok(alice.end && bob.end && drained);
  assert.equal(w.room.liveCount, 0);
});

test("calls of a process that died: each end is told by the next one, as it was asked for, and once", async () => {
  const dead = new CallsWorld();
  const bob = dead.phone("10.0.0.2");
  bob.answering = (invite) => bob.pickUp(invite);
  dead.number("1001", '<Pause length="60"/>', { statusCallback: "http://app.example.com/number" });
  await dead.room.place(order());
  dead.phone("10.0.0.1").call("1001", { headers: [["X-Customer", "42"]] });
  await dead.advance(3_000);
  const before = dead.store.callbacks.length;
  const next = new CallsWorld();
  for (const call of dead.store.calls) await next.store.saveCall(call, []);
  await next.room.start();
  await next.room.start();
  const told = next.store.callbacks.map(({ url, parameters }) => ({
    url,
    ...Object.fromEntries(parameters),
  }));
  assert.deepEqual(
    told.map((one) => [one.url, "CallStatus" in one && one.CallStatus]),
    [
      [order().statusCallback, "failed"],
      ["http://app.example.com/number", "failed"],
    ],
  );
  const [placed, came] = told as Record<string, string>[];
  assert.equal(placed!.SequenceNumber, String(before), "the count goes on");
  assert.equal(came!["SipHeader_X-Customer"], "42");
});
