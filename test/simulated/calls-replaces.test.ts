import assert from "node:assert/strict";
import { test } from "node:test";
import { directionOf } from "@callfork/protocol/sdp";
import type { SipDialog } from "@callfork/server/signalling";
import { CallsWorld, type CallsWorldOptions, type Phone, type SdpOptions, trunkOf } from "./calls-world.ts";

const DIAL = '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>';

/** Alice and Bob are bridged; Carol may take a place. */
async function bridged(twiml = DIAL, options: CallsWorldOptions = {}) {
  const w = new CallsWorld(options);
  w.number("1001", twiml, { statusCallback: "http://app.example.com/status" });
  const [alice, bob, carol] = [w.phone("10.0.0.1"), w.phone("10.0.0.2"), w.phone("10.0.0.3")];
  bob.answering = (invite) => bob.pickUp(invite);
  alice.call("1001");
  await w.advance(500);
  return { w, alice, bob, carol };
}

/** The dialog as its phone sees it: the platform's tag is the other one. */
const replacing = ({ callId, localTag, remoteTag }: SipDialog, more = "") =>
  `${callId};to-tag=${remoteTag};from-tag=${localTag}${more}`;

async function take(w: CallsWorld, by: Phone, replaces: string, sdp?: SdpOptions | null): Promise<void> {
  by.call("whoever", { headers: [["Replaces", replaces]], from: "carol", ...(sdp !== undefined && { sdp }) });
  await w.advance(1_000);
}

const joined = (w: CallsWorld) => {
  const hostOf = (leg: number) => w.media.connections.get(leg)?.remote?.address ?? "?";
  return [...w.media.bridges].map(([a, { to }]) => [hostOf(a), hostOf(to)].sort().join(" - "));
};

async function assertOver(w: CallsWorld): Promise<void> {
  await w.advance(80_000);
  assert.equal(w.room.liveCount, 0, w.story);
  assert.equal(w.platform.agent.liveDialogs, 0, w.story);
  assert.equal(w.media.open.size, 0);
}

test("[R3891-3-3] an INVITE with Replaces takes the callee's place: 200, BYE to the old one, and the calls go on as they are", async () => {
  const { w, alice, bob, carol } = await bridged(`${DIAL}<Dial><Sip>sip:dora@10.0.0.4</Sip></Dial>`);
  const dora = w.phone("10.0.0.4");
  const [aliceSid, bobSid] = w.store.calls.map(({ sid }) => sid);
  const legs = [...w.media.open.keys()];
  await take(w, carol, replacing(bob.dialog!));
  assert.ok(carol.dialog, w.story);
  assert.equal(bob.end?.by, "remote");
  assert.equal(alice.end, undefined);
  assert.deepEqual(joined(w), ["10.0.0.1 - 10.0.0.3"]);
  assert.deepEqual([...w.media.open.keys()], legs, "the leg has kept its ports, and what hangs on them");
  assert.equal(w.room.liveCount, 2);
  assert.equal(w.room.tap(bobSid!)?.party().aor, "sip:carol@phones.example.com");
  assert.equal(w.room.tap(aliceSid!)?.counterpart().aor, "sip:carol@phones.example.com");
  assert.equal(w.room.find(bobSid!)?.record().sipCallId, carol.dialog!.callId);
  // Both dialogs are a call's: what one peer offers is offered to the other.
  alice.reoffered = () => ({ direction: "recvonly", version: 2 });
  const held = carol.dialog!.reinvite({ body: carol.sdp({ direction: "sendonly", version: 2 }) });
  await w.advance(500);
  assert.equal((await held).status, 200);
  const { sdp } = alice.offers.at(-1)!;
  assert.equal(directionOf(sdp!, sdp!.media[0]!), "sendonly");
  void carol.dialog!.bye();
  await w.advance(500);
  assert.equal(dora.invites.length, 1, "the caller's document goes on");
  void alice.dialog!.bye();
  await assertOver(w);
});

test("the caller's place is taken: its document, its SID and its status callback go on; it ends once", async () => {
  const { w, alice, bob, carol } = await bridged();
  const [aliceSid] = w.store.calls.map(({ sid }) => sid);
  await take(w, carol, replacing(alice.dialog!));
  assert.ok(carol.dialog, w.story);
  assert.equal(alice.end?.by, "remote");
  assert.deepEqual(joined(w), ["10.0.0.2 - 10.0.0.3"]);
  assert.equal(w.room.find(aliceSid!)?.record().status, "in-progress");
  assert.equal(w.store.callbacks.length, 0);
  void bob.dialog!.bye();
  await w.advance(500);
  assert.equal(carol.end?.by, "remote");
  assert.equal(w.store.callbacks.length, 1);
  await assertOver(w);
});

test("a transfer to whoever listens to a document: it goes on where it is", async () => {
  const w = new CallsWorld();
  w.number("1001", '<Pause length="30"/><Dial><Sip>sip:dora@10.0.0.4</Sip></Dial>');
  const [alice, carol, dora] = [w.phone("10.0.0.1"), w.phone("10.0.0.3"), w.phone("10.0.0.4")];
  w.store.numbers.set("1002", { ...w.store.numbers.get("1001")!, phoneNumber: "1002" });
  const placed = await w.room.place({
    accountSid: w.store.numbers.get("1001")!.accountSid,
    from: "1002",
    to: "sip:alice@10.0.0.1",
    source: { kind: "inline", twiml: w.store.numbers.get("1001")!.voiceTwiml! },
    timeoutSeconds: 30,
    timeLimitSeconds: null,
    statusCallback: null,
    statusCallbackMethod: "POST",
    statusCallbackEvents: [],
    sipAuthUsername: null,
    sipAuthPassword: null,
  });
  alice.answering = (invite) => alice.pickUp(invite);
  dora.answering = (invite) => dora.pickUp(invite);
  await w.advance(10_000);
  await take(w, carol, replacing(alice.dialog!), null);
  assert.ok(carol.dialog, w.story);
  assert.equal(alice.end?.by, "remote");
  assert.equal(dora.invites.length, 0);
  await w.advance(20_000);
  assert.equal(dora.invites.length, 1);
  assert.equal(w.room.find(placed.sid)?.record().status, "in-progress");
  void carol.dialog!.bye();
  await assertOver(w);
});

test("[R3891-3-4] a ringing callee's call is picked up: CANCEL to the one that rings, and the caller hears who took it", async () => {
  for (const answerOnBridge of ["true", "false"]) {
    const w = new CallsWorld();
    w.number("1001", DIAL.replace('"true"', `"${answerOnBridge}"`));
    const [alice, bob, carol] = [w.phone("10.0.0.1"), w.phone("10.0.0.2"), w.phone("10.0.0.3")];
    bob.answering = (invite) => invite.provisional(180);
    alice.call("1001");
    await w.advance(500);
    const { headers } = bob.invites[0]!.request;
    const ringing = w.world.network.sent.findLast(
      ({ text }) => /^SIP\/2.0 180/.test(text) && text.includes("sip:bob@"),
    );
    const toTag = /\r\nTo: [^\r]*;tag=([^;\r]+)/.exec(ringing!.text)![1];
    const fromTag = /;tag=([^;]+)/.exec(headers.get("From")!)![1];
    const replaces = `${bob.invites[0]!.callId};to-tag=${fromTag};from-tag=${toTag};early-only`;
    await take(w, carol, replaces, { codecs: ["8 PCMA/8000", "0 PCMU/8000"] });
    assert.ok(carol.dialog, w.story);
    assert.ok(bob.canceled, w.story);
    assert.ok(alice.dialog);
    assert.deepEqual(joined(w), ["10.0.0.1 - 10.0.0.3"]);
    void alice.dialog.bye();
    await w.advance(500);
    assert.equal(carol.end?.by, "remote");
    await assertOver(w);
  }
});

test("[R3891-3-5] what names no dialog gets 481, what names one that was gets 603, and early-only meets a call with 486", async () => {
  const { w, alice, bob, carol } = await bridged();
  const status = async (replaces: string) => {
    carol.failure = undefined;
    await take(w, carol, replaces);
    return carol.failure as unknown as { status: number } | undefined;
  };
  const { dialog } = bob;
  assert.equal((await status("nobody@nowhere;to-tag=1;from-tag=2"))?.status, 481);
  assert.equal((await status(replacing(dialog!).replace("from-tag=", "from-tag=x")))?.status, 481);
  assert.equal((await status(replacing(dialog!, ";early-only")))?.status, 486);
  assert.deepEqual(joined(w), ["10.0.0.1 - 10.0.0.2"], "nothing has changed");
  void alice.dialog!.bye();
  await w.advance(500);
  assert.equal((await status(replacing(dialog!)))?.status, 603);
  await assertOver(w);
});

test("[R3891-3-6] two of them, one that cannot be read, and Require without one get 400", async () => {
  const { w, bob, carol } = await bridged();
  const value = replacing(bob.dialog!);
  for (const headers of [
    [
      ["Replaces", value],
      ["Replaces", value],
    ],
    [["Replaces", "no-tags@host"]],
    [["Require", "replaces"]],
  ] as [string, string][][]) {
    carol.failure = undefined;
    carol.call("1001", { headers });
    await w.advance(1_000);
    assert.equal((carol.failure as { status: number } | undefined)?.status, 400, w.story);
  }
  assert.deepEqual(joined(w), ["10.0.0.1 - 10.0.0.2"]);
});

test("[R3891-8-1] a stranger gets 403, another account's trunk hears of no dialog, and without transfers nobody may", async () => {
  const { w, bob } = await bridged();
  const stranger = w.phone("198.51.100.7");
  await take(w, stranger, replacing(bob.dialog!));
  assert.equal(stranger.failure?.status, 403);
  const other = trunkOf({
    sid: `TK${"2".repeat(32)}`,
    accountSid: `AC${"2".repeat(32)}`,
    allowedAddresses: ["10.2.0.0/16"],
  });
  w.store.trunks.push(other);
  await w.advance(10_000);
  const neighbour = w.phone("10.2.0.1");
  await take(w, neighbour, replacing(bob.dialog!));
  assert.equal(neighbour.failure?.status, 481);
  const closed = await bridged(DIAL, { transfers: "none" });
  await take(closed.w, closed.carol, replacing(closed.bob.dialog!));
  assert.equal(closed.carol.failure?.status, 403);
  assert.deepEqual(joined(closed.w), ["10.0.0.1 - 10.0.0.2"]);
});

test("who shares no codec with the call gets 488, and whoever was in its place stays there", async () => {
  const { w, bob, carol } = await bridged();
  await take(w, carol, replacing(bob.dialog!), { codecs: ["18 G729/8000"] });
  assert.equal(carol.failure?.status, 488);
  assert.equal(bob.end, undefined);
  assert.deepEqual(joined(w), ["10.0.0.1 - 10.0.0.2"]);
});

test("a held call is taken over: the party that waited hears and speaks again", async () => {
  const { w, alice, bob, carol } = await bridged();
  alice.reoffered = (offer) => ({
    direction: directionOf(offer!, offer!.media[0]!) === "sendonly" ? "recvonly" : "sendrecv",
    version: alice.offers.length + 1,
  });
  const held = bob.dialog!.reinvite({ body: bob.sdp({ direction: "sendonly", version: 2 }) });
  await w.advance(500);
  await held;
  await take(w, carol, replacing(bob.dialog!));
  const { sdp } = alice.offers.at(-1)!;
  assert.equal(directionOf(sdp!, sdp!.media[0]!), "sendrecv", w.story);
});

test("a transfer of a transfer: each place is taken again and again, and a late CANCEL changes nothing", async () => {
  const { w, alice, bob, carol } = await bridged();
  const [dora, erin] = [w.phone("10.0.0.4"), w.phone("10.0.0.5")];
  await take(w, carol, replacing(bob.dialog!));
  await take(w, dora, replacing(carol.dialog!));
  dora.invite!.cancel();
  await take(w, erin, replacing(alice.dialog!));
  assert.deepEqual(joined(w), ["10.0.0.4 - 10.0.0.5"], w.story);
  assert.deepEqual(
    [alice, bob, carol].map(({ end }) => end?.by),
    ["remote", "remote", "remote"],
  );
  void erin.dialog!.bye();
  await assertOver(w);
});
