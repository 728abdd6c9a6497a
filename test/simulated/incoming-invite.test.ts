import assert from "node:assert/strict";
import { test } from "node:test";
import type { DialogAnswer, DialogEnd, IncomingInvite, SipDialog } from "@callfork/server/signalling";
import { type Party, SDP, World } from "./pair.ts";
import { pass, RawPeer } from "./raw-peer.ts";

interface Scene {
  readonly world: World;
  readonly platform: Party;
  readonly peer: RawPeer;
  readonly invites: IncomingInvite[];
  readonly canceled: string[];
  readonly ends: DialogEnd[];
}

function scene(onInvite: (invite: IncomingInvite, scene: Scene) => void = () => {}): Scene {
  const world = new World();
  const invites: IncomingInvite[] = [];
  const canceled: string[] = [];
  const platform = world.party("10.0.0.1", {
    onInvite(invite) {
      invites.push(invite);
      invite.attach({ onCanceled: () => canceled.push(invite.callId) });
      onInvite(invite, built);
    },
  });
  const built: Scene = { world, platform, peer: new RawPeer(world, "10.0.0.2"), invites, canceled, ends: [] };
  return built;
}

/** A call that the platform has answered and the peer acknowledged. */
async function confirmed(
  onReinvite?: () => DialogAnswer | Promise<DialogAnswer>,
): Promise<Scene & { dialog: SipDialog }> {
  const dialogs: SipDialog[] = [];
  const built = scene((invite, { ends }) => {
    const dialog = invite.answer({ body: SDP });
    dialogs.push(dialog);
    dialog.attach({ onEnded: (end) => ends.push(end), ...(onReinvite && { onReinvite }) });
  });
  built.peer.send({ method: "INVITE" });
  await pass(built.world);
  built.peer.send({ method: "ACK", branch: "z9hG4bKack", toTag: built.peer.platformTag });
  await pass(built.world);
  assert.ok(dialogs[0]);
  return { ...built, dialog: dialogs[0] };
}

async function assertClean({ world, platform }: Scene): Promise<void> {
  await pass(world, 80_000);
  assert.equal(platform.agent.liveDialogs, 0);
  assert.equal(platform.agent.liveTransactions, 0);
  assert.equal(world.clock.pendingTimers, 0);
}

test("[R3261-8.2.6-1] answers bear one To tag from the first provisional on, none in the 100 that goes at once", async () => {
  const { world, peer, invites } = scene((invite) => invite.provisional(180));
  peer.send({ method: "INVITE" });
  await pass(world);
  invites[0]?.answer({ body: SDP });
  await pass(world);
  assert.deepEqual(peer.statuses, [100, 180, 200]);
  const [trying, ringing, ok] = peer.responses.map((response) => response.headers.get("To"));
  assert.equal(trying, "<sip:platform@example.com>");
  assert.match(ringing ?? "", /;tag=[0-9a-f]{16}$/);
  assert.equal(ok, ringing);
});

test("[R3261-13.3.1.4-1] [R3261-17.2-1] a 2xx without ACK is repeated after T1, doubling to T2, over UDP and TCP alike; BYE after 64*T1", async () => {
  for (const transport of ["udp", "tcp"] as const) {
    const { peer, world, platform, ends, ...rest } = scene((invite, { ends }) => {
      invite.answer({ body: SDP }).attach({ onEnded: (end) => ends.push(end) });
    });
    const text = peer.text({ method: "INVITE" }).replace("/UDP", `/${transport.toUpperCase()}`);
    void peer.node.send(new TextEncoder().encode(text), { transport, address: "10.0.0.1", port: 5060 });
    peer.onRequest = (request, flow) => peer.respond({ request, flow }, 200);
    await pass(world, 40_000);
    const oks = peer.received.filter(({ message }) => message.kind === "response" && message.status === 200);
    const first = oks[0]?.at ?? 0;
    const repeated = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert.deepEqual(
      oks.map(({ at }) => at - first),
      [0, ...repeated],
    );
    assert.deepEqual(peer.methods, ["BYE"]);
    assert.deepEqual(ends, [{ by: "local", cause: "no-ack" }]);
    await assertClean({ ...rest, peer, world, platform, ends });
  }
});

test("[R6026-7.1-1] an INVITE repeated after its 200 makes no second call", async () => {
  const { peer, world, invites, ...rest } = await confirmed();
  peer.send({ method: "INVITE" });
  await pass(world);
  assert.equal(invites.length, 1);
  assert.deepEqual(peer.statuses, [100, 200]);
  peer.send({ method: "BYE", cseq: 2, toTag: peer.platformTag });
  await assertClean({ peer, world, invites, ...rest });
});

test("[R3261-9.2-1] CANCEL gets 200 and the INVITE 487; it changes nothing after a final answer; unmatched it gets 481", async () => {
  const { peer, world, canceled, ...rest } = scene((invite) => invite.provisional(180));
  peer.send({ method: "INVITE", branch: "z9hG4bKone" });
  await pass(world);
  peer.send({ method: "CANCEL", branch: "z9hG4bKone" });
  await pass(world);
  assert.deepEqual(peer.statuses, [100, 180, 200, 487]);
  assert.equal(canceled.length, 1);
  assert.equal(peer.responses[2]?.headers.get("To"), peer.responses[3]?.headers.get("To"));
  peer.send({ method: "ACK", branch: "z9hG4bKone", toTag: peer.platformTag });
  peer.send({ method: "CANCEL", branch: "z9hG4bKother" });
  await pass(world);
  assert.equal(peer.statuses.at(-1), 481);
  await assertClean({ peer, world, canceled, ...rest });

  const late = await confirmed();
  late.peer.send({ method: "CANCEL", branch: "z9hG4bK1INVITE" });
  await pass(late.world);
  assert.equal(late.peer.statuses.at(-1), 200);
  assert.deepEqual([late.canceled, late.ends], [[], []]);
});

test("[R3261-13.3.1-1] a wait of minutes repeats the provisional; Expires ends it with 487", async () => {
  const { peer, world, canceled } = scene((invite) => invite.provisional(180));
  peer.send({ method: "INVITE", lines: ["Expires: 150"] });
  await pass(world, 149_000);
  assert.deepEqual(peer.statuses, [100, 180, 180, 180]);
  await pass(world, 2_000);
  assert.equal(peer.statuses[4], 487);
  assert.equal(canceled.length, 1);
});

test("[R3261-15-1] BYE gets 200 and ends the dialog once; an unknown dialog 481; a waiting re-INVITE 487", async () => {
  const thinking = new Promise<DialogAnswer>(() => {});
  const { peer, world, ends, ...rest } = await confirmed(() => thinking);
  const toTag = peer.platformTag;
  peer.send({ method: "INVITE", cseq: 2, toTag });
  await pass(world);
  peer.send({ method: "BYE", cseq: 3, toTag, body: "bye", lines: ["Content-Type: text/plain"] });
  await pass(world);
  assert.deepEqual(peer.statuses.slice(2).sort(), [100, 200, 487]);
  assert.equal(ends.length, 1);
  assert.equal(ends[0]?.cause, "bye");
  assert.equal(ends[0]?.body?.[0]?.mediaType, "text/plain");
  peer.send({ method: "ACK", cseq: 2, branch: "z9hG4bK2INVITE", toTag });
  peer.send({ method: "BYE", cseq: 4, toTag });
  await pass(world);
  assert.equal(peer.statuses.at(-1), 481);
  await assertClean({ peer, world, ends, ...rest });
});

test("[R3261-15-2] BYE of ours waits for the ACK", async () => {
  const dialogs: SipDialog[] = [];
  const { peer, world } = scene((invite) => dialogs.push(invite.answer({ body: SDP })));
  peer.send({ method: "INVITE" });
  await pass(world);
  void dialogs[0]?.bye();
  await pass(world);
  assert.deepEqual(peer.methods, []);
  peer.send({ method: "ACK", branch: "z9hG4bKack", toTag: peer.platformTag });
  await pass(world);
  assert.deepEqual(peer.methods, ["BYE"]);
});

test("[R3261-15-3] BYE of the caller in the early dialog gets 200 and the INVITE 487", async () => {
  const { peer, world, canceled } = scene((invite) => invite.provisional(180));
  peer.send({ method: "INVITE" });
  await pass(world);
  peer.send({ method: "BYE", cseq: 2, toTag: peer.platformTag });
  await pass(world);
  assert.deepEqual(peer.statuses.slice(2).sort(), [200, 487]);
  assert.equal(canceled.length, 1);
});

test("[R3261-12.2.2-1] a lower CSeq gets 500, a gap is fine, an unknown dialog 481", async () => {
  const { peer, world } = await confirmed();
  const toTag = peer.platformTag;
  const answerTo = async (cseq: number, tag: string): Promise<number | undefined> => {
    peer.send({ method: "INFO", cseq, toTag: tag, branch: `z9hG4bKinfo${cseq}${tag}` });
    await pass(world);
    return peer.statuses.at(-1);
  };
  assert.equal(await answerTo(20, toTag), 200);
  assert.equal(await answerTo(19, toTag), 500);
  assert.equal(await answerTo(21, "nobody"), 481);
});

test("[R3261-12.2.2-2] [R3261-12.2.2-3] [R3261-14.1-2] a refused re-INVITE changes nothing; an accepted one moves the target", async () => {
  let status = 488;
  const { peer, world, dialog } = await confirmed(() => ({ status, body: SDP }));
  const elsewhere = new RawPeer(world, "10.0.0.3");
  const toTag = peer.platformTag;
  const moved = peer
    .text({ method: "INVITE", cseq: 2, toTag })
    .replace("Contact: <sip:raw@10.0.0.2:5060>", "Contact: <sip:raw@10.0.0.3:5060>");
  peer.send(moved);
  await pass(world);
  assert.equal(peer.statuses.at(-1), 488);
  void dialog.request("INFO", {});
  await pass(world);
  assert.deepEqual([peer.methods.length, elsewhere.methods.length], [1, 0]);
  status = 200;
  peer.send(moved.replace("z9hG4bK2", "z9hG4bK3").replace("CSeq: 2", "CSeq: 3"));
  await pass(world);
  assert.equal(peer.statuses.at(-1), 200);
  void dialog.bye();
  await pass(world);
  assert.deepEqual(elsewhere.methods, ["BYE"]);
});

test("[R3261-14.2-1] a second INVITE before the first is answered gets 500 with Retry-After, one that crosses ours 491", async () => {
  const thinking = new Promise<DialogAnswer>(() => {});
  const { peer, world } = await confirmed(() => thinking);
  const toTag = peer.platformTag;
  peer.send({ method: "INVITE", cseq: 2, toTag });
  await pass(world);
  peer.send({ method: "INVITE", cseq: 3, toTag });
  await pass(world);
  const refused = peer.responses.at(-1);
  assert.equal(refused?.status, 500);
  assert.ok(Number(refused?.headers.get("Retry-After")) <= 10);

  const crossing = await confirmed(() => ({ status: 200 }));
  void crossing.dialog.reinvite({ body: SDP });
  await pass(crossing.world);
  crossing.peer.send({ method: "INVITE", cseq: 2, toTag: crossing.peer.platformTag });
  await pass(crossing.world);
  assert.equal(crossing.peer.statuses.at(-1), 491);
});

test("[R3261-9.2-2] CANCEL of a re-INVITE gives it 487 and leaves the dialog as it was", async () => {
  const { peer, world, platform } = await confirmed(() => new Promise<DialogAnswer>(() => {}));
  peer.send({ method: "INVITE", cseq: 2, toTag: peer.platformTag });
  await pass(world);
  peer.send({ method: "CANCEL", cseq: 2, toTag: peer.platformTag, branch: "z9hG4bK2INVITE" });
  await pass(world);
  assert.deepEqual(peer.statuses.slice(-2), [200, 487]);
  assert.equal(platform.agent.liveDialogs, 1);
});

test("[R3311-5.2-1] an UPDATE with an offer gets 491 while ours is open and 500 while the peer's own is", async () => {
  const body = new TextDecoder().decode(SDP.bytes);
  const lines = ["Content-Type: application/sdp"];
  const ours = await confirmed();
  void ours.dialog.reinvite({ body: SDP });
  await pass(ours.world);
  ours.peer.send({ method: "UPDATE", cseq: 2, toTag: ours.peer.platformTag, body, lines });
  await pass(ours.world);
  assert.equal(ours.peer.statuses.at(-1), 491);

  const theirs = await confirmed(() => new Promise<DialogAnswer>(() => {}));
  theirs.peer.send({ method: "INVITE", cseq: 2, toTag: theirs.peer.platformTag });
  theirs.peer.send({ method: "UPDATE", cseq: 3, toTag: theirs.peer.platformTag, body, lines });
  await pass(theirs.world);
  assert.equal(theirs.peer.statuses.at(-1), 500);
  assert.ok(theirs.peer.responses.at(-1)?.headers.has("Retry-After"));
});
