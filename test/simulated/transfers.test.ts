import assert from "node:assert/strict";
import { test } from "node:test";
import { directionOf } from "@callfork/protocol/sdp";
import type { HeaderLine, SipDialog } from "@callfork/server/signalling";
import { CallsWorld, type CallsWorldOptions, type Phone } from "./calls-world.ts";

const DIAL = '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>';
const CAROL = "<sip:carol@10.0.0.3>";
const TRYING = "SIP/2.0 100 Trying refer active;expires=180";
const RINGING = "SIP/2.0 180 Ringing refer active;expires=180";
const OK = "SIP/2.0 200 OK refer terminated;reason=noresource";

/** Alice and Bob are bridged; Carol rings, and waits for the test to pick up. */
async function bridged(twiml = DIAL, options: CallsWorldOptions = { transfers: "all" }) {
  const w = new CallsWorld(options);
  w.number("1001", twiml);
  const [alice, bob, carol] = [w.phone("10.0.0.1"), w.phone("10.0.0.2"), w.phone("10.0.0.3")];
  bob.answering = (invite) => bob.pickUp(invite);
  carol.answering = (invite) => invite.provisional(180);
  alice.call("1001");
  await w.advance(500);
  assert.ok(alice.dialog && bob.dialog, w.story);
  return { w, alice, bob, carol };
}

async function refer(
  w: CallsWorld,
  by: Phone,
  to: string,
  headers: readonly HeaderLine[] = [],
): Promise<number> {
  const response = by.dialog!.request("REFER", { headers: [["Refer-To", to], ...headers] });
  await w.advance(300);
  return (await response).status;
}

/** Phones that the media plane joins, by the ports they were told: as many bridges as there should be. */
function joined(w: CallsWorld): string[] {
  const hostOf = (leg: number) => w.media.connections.get(leg)?.remote?.address ?? "?";
  return [...w.media.bridges].map(([a, { to }]) => [hostOf(a), hostOf(to)].sort().join(" - "));
}

async function assertOver(w: CallsWorld): Promise<void> {
  await w.advance(80_000);
  assert.equal(w.room.liveCount, 0, w.story);
  assert.equal(w.platform.agent.liveDialogs, 0, w.story);
  assert.equal(w.media.open.size, 0);
  assert.equal(w.media.bridges.size, 0);
}

test("[R3515-2.4.2-1] [R3515-2.4.4-1] the callee transfers blindly: 202, NOTIFY of every step, the target in its place, BYE", async () => {
  const { w, alice, bob, carol } = await bridged(`${DIAL}<Dial><Sip>sip:dora@10.0.0.4</Sip></Dial>`);
  const dora = w.phone("10.0.0.4");
  assert.equal(await refer(w, bob, CAROL), 202);
  assert.deepEqual(bob.notified, [TRYING, RINGING]);
  assert.deepEqual(joined(w), ["10.0.0.1 - 10.0.0.2"], "they talk on while Carol's phone rings");
  const invite = carol.invites[0]!;
  assert.match(invite.request.headers.get("Referred-By") ?? "", /^<sip:bob@10\.0\.0\.2>$/);
  assert.match(invite.request.headers.get("From") ?? "", /alice@phones\.example\.com/);
  carol.pickUp(invite);
  await w.advance(500);
  assert.deepEqual(bob.notified, [TRYING, RINGING, OK]);
  assert.equal(bob.end?.by, "remote");
  assert.deepEqual(joined(w), ["10.0.0.1 - 10.0.0.3"]);
  assert.equal(w.room.liveCount, 2);
  const [aliceSid] = w.store.calls.map(({ sid }) => sid);
  assert.equal(w.room.tap(aliceSid!)?.counterpart().aor, "sip:carol@10.0.0.3");
  void carol.dialog!.bye();
  await w.advance(500);
  assert.equal(dora.invites.length, 1, "the caller's document goes on when the transferred call is over");
  void alice.dialog!.bye();
  await assertOver(w);
});

test("the caller transfers the callee: the callee talks on with the target, and the caller's document is over", async () => {
  const { w, alice, bob, carol } = await bridged(`${DIAL}<Dial><Sip>sip:dora@10.0.0.4</Sip></Dial>`);
  const dora = w.phone("10.0.0.4");
  assert.equal(await refer(w, alice, CAROL), 202);
  const bobSid = w.store.calls[1]!.sid;
  carol.pickUp(carol.invites[0]!);
  await w.advance(500);
  assert.deepEqual(alice.notified, [TRYING, RINGING, OK]);
  assert.equal(alice.end?.by, "remote");
  assert.equal(dora.invites.length, 0);
  assert.deepEqual(joined(w), ["10.0.0.2 - 10.0.0.3"]);
  assert.equal(w.room.tap(bobSid)?.counterpart().aor, "sip:carol@10.0.0.3");
  void bob.dialog!.bye();
  await w.advance(500);
  assert.equal(carol.end?.by, "remote");
  await assertOver(w);
});

test("a transferred call can be transferred again, by either side, as often as they like", async () => {
  const { w, alice, bob, carol } = await bridged();
  const dora = w.phone("10.0.0.4");
  const erin = w.phone("10.0.0.5");
  for (const phone of [carol, dora, erin]) phone.answering = (invite) => phone.pickUp(invite);
  await refer(w, alice, CAROL); // bob - carol
  await w.advance(500);
  assert.deepEqual(joined(w), ["10.0.0.2 - 10.0.0.3"]);
  await refer(w, bob, "<sip:dora@10.0.0.4>"); // carol - dora
  await w.advance(500);
  assert.deepEqual(joined(w), ["10.0.0.3 - 10.0.0.4"], w.story);
  await refer(w, dora, "<sip:erin@10.0.0.5>"); // carol - erin
  await w.advance(500);
  assert.deepEqual(joined(w), ["10.0.0.3 - 10.0.0.5"]);
  assert.equal(w.room.liveCount, 2);
  void erin.dialog!.bye();
  await w.advance(500);
  assert.equal(carol.end?.by, "remote");
  await assertOver(w);
});

test("a target that is busy, or rings in vain, changes nothing: the referrer is told and talks on", async () => {
  const { w, alice, bob, carol } = await bridged();
  carol.answering = (invite) => invite.reject(486);
  assert.equal(await refer(w, bob, CAROL), 202);
  assert.equal(bob.notified.at(-1), "SIP/2.0 486 Busy Here refer terminated;reason=noresource");
  carol.answering = (invite) => invite.provisional(180);
  assert.equal(await refer(w, alice, CAROL), 202);
  await w.advance(70_000);
  assert.equal(alice.notified.at(-1), "SIP/2.0 408 Request Timeout refer terminated;reason=noresource");
  assert.deepEqual(joined(w), ["10.0.0.1 - 10.0.0.2"]);
  assert.equal(bob.end ?? alice.end, undefined);
  void bob.dialog!.bye();
  await assertOver(w);
});

test("the referrer hangs up before the target answers: the transfer goes on, and the party left behind hears ringing", async () => {
  for (const by of ["alice", "bob"] as const) {
    for (const answers of [true, false]) {
      const { w, alice, bob, carol } = await bridged();
      const [referrer, other] = by === "alice" ? [alice, bob] : [bob, alice];
      assert.equal(await refer(w, referrer, CAROL), 202);
      void referrer.dialog!.bye();
      await w.advance(500);
      assert.equal(typeof other.end, "undefined", w.story);
      assert.equal(w.media.plays.length, 1);
      assert.equal(w.media.plays[0]?.stopped, false);
      if (answers) carol.pickUp(carol.invites[0]!);
      else carol.invites[0]!.reject(480);
      await w.advance(500);
      assert.equal(w.media.plays[0]?.stopped, true);
      if (answers) {
        assert.deepEqual(joined(w), [`${other.address} - ${carol.address}`]);
        void other.dialog!.bye();
        await w.advance(500);
        assert.equal(carol.end?.by, "remote", `${by} ${answers}`);
      } else assert.equal(other.end?.by, "remote", "nobody is left to talk to");
      await assertOver(w);
    }
  }
});

test("the party that was to be transferred hangs up first: the target stops ringing and the referrer is told", async () => {
  for (const by of ["alice", "bob"] as const) {
    const { w, alice, bob, carol } = await bridged();
    const [referrer, other] = by === "alice" ? [alice, bob] : [bob, alice];
    assert.equal(await refer(w, referrer, CAROL), 202);
    void other.dialog!.bye();
    await w.advance(1_000);
    assert.equal(carol.canceled, true, w.story);
    await assertOver(w);
  }
});

/** A second call through us, by the one who will transfer: to Carol, who picks up. */
async function consult(w: CallsWorld, by: Phone, carol: Phone): Promise<{ line: Phone; replaces: string }> {
  w.number("1002", '<Dial answerOnBridge="true"><Sip>sip:carol@10.0.0.3</Sip></Dial>');
  carol.answering = (invite) => carol.pickUp(invite);
  const line = w.phone(by.address === "10.0.0.1" ? "10.0.0.11" : "10.0.0.12");
  line.call("1002");
  await w.advance(500);
  assert.ok(line.dialog, w.story);
  const { callId, localTag, remoteTag } = line.dialog;
  const escaped = encodeURIComponent(`${callId};to-tag=${remoteTag};from-tag=${localTag}`);
  return { line, replaces: `<sip:carol@10.0.0.3?Replaces=${escaped}>` };
}

test("[R3891-3-1] attended transfer of two calls through us: the parties are joined, both of the referrer's calls end", async () => {
  for (const by of ["alice", "bob"] as const) {
    const { w, alice, bob, carol } = await bridged();
    const [referrer, other] = by === "alice" ? [alice, bob] : [bob, alice];
    const { line, replaces } = await consult(w, referrer, carol);
    const before = carol.invites.length;
    assert.equal(await refer(w, referrer, replaces), 202);
    await w.advance(500);
    assert.equal(carol.invites.length, before, "nobody is called");
    assert.equal(referrer.notified.at(-1), OK, w.story);
    assert.equal(referrer.end?.by, "remote");
    assert.equal(line.end?.by, "remote");
    assert.equal(w.room.liveCount, 2);
    // Two groups of ports: each leg is joined to its half of the splice.
    assert.equal(w.media.bridges.size, 2);
    assert.equal(w.media.open.size, 4);
    void carol.dialog!.bye();
    await w.advance(500);
    assert.equal(other.end?.by, "remote", by);
    await assertOver(w);
  }
});

test("[R3891-3-2] a Replaces that names no call of ours goes on to the target, which must understand it", async () => {
  const { w, bob, carol } = await bridged();
  carol.answering = (invite) => invite.reject(481);
  const escaped = encodeURIComponent("elsewhere@host;to-tag=1;from-tag=2");
  assert.equal(await refer(w, bob, `<sip:carol@10.0.0.3?Replaces=${escaped}>`), 202);
  // Carol's phone has no such dialog either: nothing has changed.
  assert.match(bob.notified.at(-1)!, /^SIP\/2.0 481 .* refer terminated;reason=noresource$/);
  const sent = w.world.network.sent.find(({ startLine }) => startLine.startsWith("INVITE sip:carol"));
  assert.match(sent?.text ?? "", /\r\nReplaces: elsewhere@host;to-tag=1;from-tag=2\r\n/);
  assert.match(sent?.text ?? "", /\r\nRequire: replaces\r\n/);
  assert.deepEqual(joined(w), ["10.0.0.1 - 10.0.0.2"]);
});

test("numbers at our own address leave through the account's trunk, others where the URI says", async () => {
  const { w, bob, carol } = await bridged();
  for (const to of [
    "<sip:+15550001111@192.0.2.1>",
    "<tel:+15550001111>",
    "sip:+15550001111@platform.example.com",
  ]) {
    carol.answering = (invite) => invite.reject(486);
    assert.equal(await refer(w, bob, to), 202);
    assert.equal(carol.invites.at(-1)?.request.uri, "sip:+15550001111@10.0.0.3:5060", to);
  }
  const strange = w.phone("10.0.0.8");
  assert.equal(await refer(w, bob, "<sip:+15550001111@10.0.0.8>"), 202);
  assert.equal(strange.invites[0]?.request.uri, "sip:+15550001111@10.0.0.8");
});

test("[R3515-2.4.1-1] who may transfer: phones by default, trunks when told so, nobody when told so; bad ones get 400", async () => {
  for (const [transfers, byTrunk, byPhone] of [
    [undefined, 603, 202],
    ["phones", 603, 202],
    ["all", 202, 202],
    ["none", 603, 603],
  ] as const) {
    const { w, alice, bob } = await bridged(DIAL, transfers ? { transfers } : {});
    assert.equal(await refer(w, alice, CAROL), byTrunk, `${transfers}`);
    if (byTrunk !== 202) assert.equal(await refer(w, bob, CAROL), byPhone, `${transfers}`);
  }
  const { w, bob } = await bridged();
  assert.equal(await refer(w, bob, CAROL, [["Refer-To", CAROL]]), 400);
  assert.equal(await refer(w, bob, "<sip:carol@10.0.0.3;method=BYE>"), 400);
  assert.equal(await refer(w, bob, "<http://example.com/>"), 416);
  assert.equal(await refer(w, bob, CAROL), 202);
  assert.equal(await refer(w, bob, CAROL), 491, "one at a time");
  const lone = bob.party.agent.request("REFER", {
    requestUri: "sip:192.0.2.1",
    from: "sip:a@b",
    to: "sip:c@d",
    headers: [["Refer-To", CAROL]],
  });
  await w.advance(500);
  assert.equal((await lone).status, 603);
});

test("[R3515-2.4.6-1] later subscriptions of one dialog have an id; Refer-Sub: false means no NOTIFY", async () => {
  const { w, bob, carol } = await bridged();
  carol.answering = (invite) => invite.reject(486);
  await refer(w, bob, CAROL);
  await refer(w, bob, CAROL);
  assert.match(bob.notified[0] ?? "", / refer active/);
  assert.match(bob.notified.at(-1) ?? "", / refer;id=\d+ terminated/);
  const before = bob.notified.length;
  await refer(w, bob, CAROL, [["Refer-Sub", "false"]]);
  assert.equal(bob.notified.length, before);
});

test("a NOTIFY that gets 481 costs the subscription, not the call", async () => {
  const { w, alice, bob, carol } = await bridged();
  bob.dialog!.attach({ onRequest: () => ({ status: 481 }), onEnded: () => {} } satisfies Parameters<
    SipDialog["attach"]
  >[0]);
  assert.equal(await refer(w, bob, CAROL), 202);
  carol.invites[0]!.reject(486);
  await w.advance(500);
  assert.deepEqual(joined(w), ["10.0.0.1 - 10.0.0.2"]);
  void alice.dialog!.bye();
  await assertOver(w);
});

test("a party that was on hold when it was transferred is taken off hold for the target", async () => {
  const { w, alice, bob, carol } = await bridged();
  alice.reoffered = (offer) => ({
    direction: offer && directionOf(offer, offer.media[0]!) === "sendonly" ? "recvonly" : "sendrecv",
    version: alice.offers.length + 1,
  });
  carol.answering = (invite) => carol.pickUp(invite);
  void bob.dialog!.reinvite({ body: bob.sdp({ direction: "sendonly", version: 2 }) });
  await w.advance(500);
  assert.equal(await refer(w, bob, CAROL), 202);
  await w.advance(1_000);
  const last = alice.offers.at(-1)?.sdp;
  assert.equal(last && directionOf(last, last.media[0]!), "sendrecv", w.story);
  assert.deepEqual(joined(w), ["10.0.0.1 - 10.0.0.3"]);
});

test("over a network that loses a fifth of all, a transfer ends with two parties joined or with the old call", async () => {
  for (let seed = 1; seed <= 15; seed++) {
    const { w, alice, bob, carol } = await bridgedSomehow(seed);
    if (!alice.dialog || !bob.dialog) continue;
    carol.answering = (invite) => carol.pickUp(invite);
    void bob.dialog.request("REFER", { headers: [["Refer-To", CAROL]] });
    await w.advance(40_000);
    const pairs = joined(w);
    if (!alice.end) assert.equal(pairs.length, 1, `seed ${seed}: ${pairs}`);
    for (const phone of [alice, bob, carol]) if (phone.dialog && !phone.end) void phone.dialog.bye();
    await w.advance(120_000);
    assert.equal(w.room.liveCount, 0, `seed ${seed}`);
    assert.equal(w.media.open.size, 0, `seed ${seed}`);
  }
});

async function bridgedSomehow(seed: number) {
  const w = new CallsWorld({
    transfers: "all",
    seed,
    lossChance: 0.2,
    minimumDelayMs: 1,
    maximumDelayMs: 50,
  });
  w.number("1001", DIAL);
  const [alice, bob, carol] = [w.phone("10.0.0.1"), w.phone("10.0.0.2"), w.phone("10.0.0.3")];
  bob.answering = (invite) => bob.pickUp(invite);
  alice.call("1001");
  await w.advance(20_000);
  return { w, alice, bob, carol };
}
