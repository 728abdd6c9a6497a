import assert from "node:assert/strict";
import { test } from "node:test";
import { codecsOf, directionOf } from "@callfork/protocol/sdp";
import { CallsWorld } from "./calls-world.ts";

const DIAL = '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>';

test("a call comes in, is forked, rings, is bridged and ended by the caller", async () => {
  const w = new CallsWorld();
  w.number("1001", `<Start><Siprec connectorName="recorder"/></Start>${DIAL}`, {
    statusCallback: "http://app.example.com/status",
  });
  const alice = w.phone("10.0.0.1");
  const bob = w.phone("10.0.0.2");
  bob.answering = (invite) => invite.provisional(180);
  alice.call("1001");
  await w.advance(100);
  assert.deepEqual(
    alice.provisionals.map(({ status }) => status),
    [180],
    w.story,
  );
  assert.equal(Boolean(alice.dialog), false);
  assert.equal(w.forks.length, 1);
  assert.equal(w.forks[0]!.options.connectorName, "recorder");

  const parent = w.store.calls[0]!;
  const tap = w.room.tap(parent.sid)!;
  assert.equal(tap.mediaLeg(), undefined);
  let changes = 0;
  let portsAtEnd = 0;
  tap.onChange(() => {
    changes += 1;
  });
  tap.onEnded(() => {
    portsAtEnd = w.media.open.size;
  });

  // The callee sees the caller's own offer, at our address.
  const offer = bob.offerOf(bob.invites[0]);
  assert.equal(offer.connection?.address, "192.0.2.1");
  assert.deepEqual(
    codecsOf(offer.media[0]!).map(({ name }) => name),
    ["PCMU", "telephone-event"],
  );
  assert.equal(bob.invites[0]!.request.headers.get("Max-Forwards"), "69");

  bob.pickUp(bob.invites[0]!);
  await w.advance(100);
  assert.ok(alice.dialog && bob.dialog, w.story);
  assert.equal(alice.answer?.connection?.address, "192.0.2.1");
  assert.equal(w.media.bridges.size, 1);
  const [aliceLeg] = [...w.media.bridges.keys()];
  assert.equal(tap.mediaLeg(), aliceLeg);
  assert.deepEqual(w.media.connections.get(aliceLeg!)?.remote, {
    address: "10.0.0.1",
    rtpPort: 4000,
    rtcpPort: 4001,
  });
  assert.ok(changes > 0);
  assert.deepEqual(tap.party(), { aor: "sip:alice@phones.example.com", displayName: "Alice A." });
  assert.equal(tap.counterpart().aor, "sip:bob@10.0.0.2");
  assert.deepEqual(
    w.store.calls.map(({ status }) => status),
    ["in-progress", "in-progress"],
  );

  await w.advance(10_000);
  void alice.dialog.bye({ headers: [["Reason", "Q.850;cause=16"]] });
  await w.advance(1_000);
  assert.equal(bob.end?.by, "remote");
  assert.equal(bob.end?.request?.headers.get("Reason"), "Q.850;cause=16");
  assert.equal(portsAtEnd, 2, "the tap is told before the ports are closed");
  assert.equal(w.media.open.size, 0);
  assert.equal(w.room.liveCount, 0);
  const [a, b] = w.store.calls;
  assert.deepEqual([a!.status, b!.status], ["completed", "completed"]);
  assert.equal(b!.parentCallSid, a!.sid);
  assert.equal(b!.direction, "outbound-dial");
  assert.ok(a!.startTime !== null && a!.endTime !== null && a!.endTime - a!.startTime >= 10_000);
  assert.equal(w.store.callbacks.length, 1);
  const parameters = Object.fromEntries(w.store.callbacks[0]!.parameters);
  assert.equal(parameters.CallStatus, "completed");
  assert.equal(parameters.SequenceNumber, "0");
  assert.equal(parameters.SipResponseCode, "200");
  assert.ok(Number(parameters.CallDuration) >= 10);
  assert.match(parameters.Timestamp!, /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/);
  await w.advance(40_000);
  assert.equal(w.platform.agent.liveDialogs, 0);
  assert.equal(w.platform.agent.liveTransactions, 0);
});

test("[R3326-2-1] the callee hangs up: the document goes on, and the caller is told when it is over", async () => {
  const w = new CallsWorld();
  w.number("1001", `${DIAL}<Pause length="5"/>`);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  alice.call("1001");
  await w.advance(100);
  void bob.dialog!.bye({ headers: [["Reason", "Q.850;cause=31"]] });
  await w.advance(4_000);
  assert.equal(Boolean(alice.end), false);
  assert.equal(w.media.bridges.size, 0);
  await w.advance(2_000);
  assert.equal(alice.end?.by, "remote");
  assert.equal(alice.end?.request?.headers.get("Reason"), "Q.850;cause=31");
  assert.deepEqual(
    w.store.calls.map(({ status }) => status),
    ["completed", "completed"],
  );
});

for (const [status, expected, told] of [
  [486, "busy", 486],
  [603, "busy", 603],
  [480, "no-answer", 480],
  [404, "failed", 404],
  [500, "failed", 500],
] as const) {
  test(`a callee that answers ${status}: the caller that waits is told ${told}`, async () => {
    const w = new CallsWorld();
    w.number("1001", DIAL);
    const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
    bob.answering = (invite) => invite.reject(status);
    alice.call("1001");
    await w.advance(1_000);
    assert.equal(alice.failure?.status, told, w.story);
    assert.deepEqual(
      w.store.calls.map((call) => call.status),
      [expected, expected],
    );
    assert.equal(w.store.calls[1]!.sipStatus, status);
    assert.equal(w.media.open.size, 0);
  });
}

test("nobody answers: CANCEL to the callee, 480 to the caller", async () => {
  const w = new CallsWorld();
  w.number("1001", DIAL.replace("<Dial", '<Dial timeout="20"'));
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => invite.provisional(180);
  alice.call("1001");
  await w.advance(19_000);
  assert.equal(bob.canceled, false);
  await w.advance(2_000);
  assert.equal(bob.canceled, true);
  assert.equal(alice.failure?.status, 480, w.story);
  assert.deepEqual(
    w.store.calls.map(({ status }) => status),
    ["no-answer", "no-answer"],
  );
});

test("the caller cancels while it rings: CANCEL to the callee, 487 to the caller", async () => {
  const w = new CallsWorld();
  w.number("1001", DIAL);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => invite.provisional(180);
  alice.call("1001");
  await w.advance(2_000);
  alice.invite!.cancel();
  await w.advance(1_000);
  assert.equal(alice.failure?.cause, "canceled");
  assert.equal(bob.canceled, true);
  assert.deepEqual(
    w.store.calls.map(({ status }) => status),
    ["canceled", "canceled"],
  );
  assert.equal(w.store.calls[0]!.sipStatus, 487);
  assert.equal(w.media.open.size, 0);
});

test("[R3261-13.2.1-4] early media of the callee reaches the caller before the answer, and the answer is the same", async () => {
  const w = new CallsWorld();
  w.number("1001", DIAL);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => invite.provisional(183, { body: bob.sdp({}) });
  alice.call("1001");
  await w.advance(500);
  assert.equal(alice.provisionals.at(-1)?.status, 183);
  assert.equal(w.media.bridges.size, 1);
  bob.pickUp(bob.invites[0]!);
  await w.advance(500);
  assert.deepEqual(alice.answer, alice.provisionals.at(-1)?.sdp);
  assert.equal(w.media.bridges.size, 1);
});

test("without answerOnBridge the caller is answered first and hears the ringing tone", async () => {
  const w = new CallsWorld();
  w.number("1001", "<Dial><Sip>sip:bob@10.0.0.2</Sip></Dial>");
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => invite.provisional(180);
  alice.call("1001", { sdp: { codecs: ["8 PCMA/8000", "0 PCMU/8000", "96 telephone-event/8000"] } });
  await w.advance(500);
  assert.ok(alice.dialog, w.story);
  assert.deepEqual(
    codecsOf(alice.answer!.media[0]!).map(({ payloadType }) => payloadType),
    [8, 96],
  );
  assert.equal(w.media.plays.length, 1);
  assert.equal(w.media.plays[0]!.options.loop, 0);
  // What was agreed with the caller is all that the callee is offered: nothing has to be transcoded.
  const offer = bob.offerOf(bob.invites[0]);
  assert.deepEqual(
    codecsOf(offer.media[0]!).map(({ payloadType, name }) => `${payloadType} ${name}`),
    ["8 PCMA", "96 telephone-event"],
  );
  bob.pickUp(bob.invites[0]!, { codecs: ["8 PCMA/8000", "96 telephone-event/8000"] });
  await w.advance(500);
  assert.equal(w.media.plays[0]!.stopped, true);
  assert.equal(w.media.bridges.size, 1);
});

test("a callee without the caller's codec is asked with its others, and the caller changes to that one", async () => {
  const w = new CallsWorld();
  w.number("1001", "<Dial><Sip>sip:bob@10.0.0.2</Sip></Dial>");
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => {
    if (bob.invites.length === 1) invite.reject(488);
    else bob.pickUp(invite, { codecs: ["9 G722/8000"] });
  };
  alice.call("1001", { sdp: { codecs: ["0 PCMU/8000", "9 G722/8000"] } });
  alice.reoffered = () => ({ codecs: ["9 G722/8000"], version: 2 });
  await w.advance(1_000);
  assert.equal(bob.invites.length, 2);
  assert.deepEqual(
    codecsOf(alice.offers[0]!.sdp!.media[0]!).map(({ name }) => name),
    ["G722"],
    w.story,
  );
  assert.equal(w.media.bridges.size, 1);
});

test("[R3264-8.4-2] hold and resume of the caller are offered to the callee, in both styles", async () => {
  const w = new CallsWorld();
  w.number("1001", DIAL);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  alice.call("1001");
  await w.advance(500);
  bob.reoffered = (offer) => ({
    direction: offer && directionOf(offer, offer.media[0]!) === "sendonly" ? "recvonly" : "sendrecv",
    version: bob.offers.length + 1,
  });
  const reinvite = async (sdp: Parameters<typeof alice.sdp>[0]) => {
    const response = alice.dialog!.reinvite({ body: alice.sdp(sdp) });
    await w.advance(1_000);
    return response;
  };
  const held = await reinvite({ direction: "sendonly", version: 2 });
  assert.equal(held.status, 200);
  assert.match(new TextDecoder().decode(held.body), /a=recvonly/);
  assert.equal(directionOf(bob.offers[0]!.sdp!, bob.offers[0]!.sdp!.media[0]!), "sendonly");
  await reinvite({ version: 3 });
  await reinvite({ address: "0.0.0.0", version: 4 });
  assert.equal(directionOf(bob.offers[2]!.sdp!, bob.offers[2]!.sdp!.media[0]!), "sendonly");
  await reinvite({ version: 5 });
  assert.equal(bob.offers.length, 4);
  const [aliceLeg] = [...w.media.bridges.keys()];
  assert.equal(w.media.connections.get(aliceLeg!)?.direction, "sendrecv");
});

test("a re-INVITE that only moves the address is answered without asking the other side", async () => {
  const w = new CallsWorld();
  w.number("1001", DIAL);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  alice.call("1001");
  await w.advance(500);
  const response = alice.dialog!.reinvite({ body: alice.sdp({ port: 6000, version: 2 }) });
  await w.advance(500);
  assert.equal((await response).status, 200);
  assert.equal(bob.offers.length, 0);
  const [aliceLeg] = [...w.media.bridges.keys()];
  assert.equal(w.media.connections.get(aliceLeg!)?.remote?.rtpPort, 6000);
});

test("a codec change is relayed; the callee's refusal changes nothing", async () => {
  const w = new CallsWorld();
  w.number("1001", DIAL);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  bob.reoffered = () => 488;
  alice.call("1001");
  await w.advance(500);
  const before = w.media.connections.get([...w.media.bridges.keys()][0]!);
  const response = alice.dialog!.reinvite({ body: alice.sdp({ codecs: ["9 G722/8000"], version: 2 }) });
  await w.advance(500);
  assert.equal((await response).status, 488);
  assert.deepEqual(w.media.connections.get([...w.media.bridges.keys()][0]!), before);
});

test("[R3311-5.2-2] UPDATE with a hold is answered at once and told to the other side", async () => {
  const w = new CallsWorld();
  w.number("1001", DIAL);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  bob.reoffered = () => ({ direction: "recvonly", version: 2 });
  alice.call("1001");
  await w.advance(500);
  const response = alice.dialog!.update({ body: alice.sdp({ direction: "sendonly", version: 2 }) });
  await w.advance(500);
  assert.equal((await response).status, 200);
  assert.equal(bob.offers.length, 1);
  assert.equal(directionOf(bob.offers[0]!.sdp!, bob.offers[0]!.sdp!.media[0]!), "sendonly");
});

test("an INVITE without an offer: our 200 offers what the callee took, ACK brings the answer", async () => {
  const w = new CallsWorld();
  w.number("1001", DIAL);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  alice.call("1001", { sdp: null });
  await w.advance(500);
  assert.deepEqual(
    codecsOf(alice.answer!.media[0]!).map(({ name }) => name),
    ["PCMU", "telephone-event"],
  );
  assert.equal(w.media.bridges.size, 1, w.story);
});

test("[R3326-2-2] the first of two callees to answer wins; the other is cancelled with the reason", async () => {
  const w = new CallsWorld();
  w.number("1001", '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip><Number>+15551</Number></Dial>');
  const [alice, bob, carol] = [w.phone("10.0.0.1"), w.phone("10.0.0.2"), w.phone("10.0.0.3")];
  bob.answering = (invite) => invite.provisional(180);
  carol.answering = (invite) => invite.provisional(180);
  alice.call("1001");
  await w.advance(500);
  assert.equal(carol.invites[0]!.request.uri, "sip:+15551@10.0.0.3:5060");
  carol.pickUp(carol.invites[0]!);
  await w.advance(500);
  assert.ok(alice.dialog);
  assert.equal(bob.canceled, true);
  const cancel = w.world.network.sent.find(({ startLine }) => startLine.startsWith("CANCEL"));
  assert.match(cancel!.text, /Reason: SIP;cause=200;text="Call completed elsewhere"/);
  assert.deepEqual(w.store.calls.map(({ status }) => status).sort(), [
    "canceled",
    "in-progress",
    "in-progress",
  ]);
});

for (const conditions of [
  { lossChance: 0.1, seed: 3 },
  {
    lossChance: 0.1,
    duplicateChance: 0.1,
    reorderChance: 0.1,
    minimumDelayMs: 5,
    maximumDelayMs: 40,
    seed: 4,
  },
]) {
  test(`set-up, hold and teardown over a wire with ${JSON.stringify(conditions)}`, async () => {
    for (let seed = 0; seed < 20; seed++) {
      const w = new CallsWorld({ ...conditions, seed: conditions.seed + seed });
      w.number("1001", DIAL);
      const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
      bob.answering = (invite) => {
        invite.provisional(180);
        bob.pickUp(invite);
      };
      alice.call("1001");
      await w.advance(20_000);
      assert.ok(alice.dialog && bob.dialog, w.story);
      const response = alice.dialog.reinvite({ body: alice.sdp({ direction: "sendonly", version: 2 }) });
      await w.advance(20_000);
      assert.equal((await response).status, 200, w.story);
      void bob.dialog.bye();
      await w.advance(120_000);
      assert.ok(alice.end && bob.end, w.story);
      assert.deepEqual(
        w.store.calls.map(({ status }) => status),
        ["completed", "completed"],
        w.story,
      );
      assert.equal(w.media.open.size, 0);
      assert.equal(w.platform.agent.liveDialogs, 0);
      assert.equal(w.platform.agent.liveTransactions, 0);
    }
  });
}
