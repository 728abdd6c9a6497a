import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  DialogEnd,
  IncomingInvite,
  IncomingInviteHandlers,
  InviteFailure,
  OutgoingInviteHandlers,
  SipDialog,
} from "@callfork/server/signalling";
import { type Party, refuseAll, SDP, World } from "./pair.ts";
import { pass, RawPeer } from "./raw-peer.ts";

const SDP_TEXT = new TextDecoder().decode(SDP.bytes);
const TYPE = "Content-Type: application/sdp";

interface Called {
  readonly world: World;
  readonly platform: Party;
  readonly peer: RawPeer;
  readonly invite: IncomingInvite;
  readonly canceled: number[];
}

/** A raw peer has called with these lines; nothing has been answered yet. */
async function called(
  lines: readonly string[],
  handlers: Partial<IncomingInviteHandlers> = {},
): Promise<Called> {
  const world = new World();
  const invites: IncomingInvite[] = [];
  const canceled: number[] = [];
  const platform = world.party("10.0.0.1", {
    onInvite(invite) {
      invites.push(invite);
      invite.attach({ onCanceled: () => canceled.push(world.clock.now()), ...handlers });
    },
  });
  const peer = new RawPeer(world, "10.0.0.2");
  peer.onRequest = (request, flow) => request.method === "BYE" && peer.respond({ request, flow }, 200);
  peer.send({ method: "INVITE", lines: [...lines, TYPE], body: SDP_TEXT });
  await pass(world);
  assert.ok(invites[0]);
  return { world, platform, peer, invite: invites[0], canceled };
}

function prack(peer: RawPeer, cseq: number, lines: readonly string[] = [], body = ""): void {
  const rseq = peer.responses.findLast((each) => each.headers.has("RSeq"))?.headers.get("RSeq");
  const rack = `RAck: ${rseq} 1 INVITE`;
  peer.send({ method: "PRACK", cseq, toTag: peer.platformTag, lines: [rack, ...lines], body });
}

async function assertClean({ world, platform }: { world: World; platform: Party }): Promise<void> {
  await pass(world, 120_000);
  assert.equal(platform.agent.liveDialogs, 0);
  assert.equal(platform.agent.liveTransactions, 0);
  assert.equal(world.clock.pendingTimers, 0);
}

test("[R3262-3-5] provisionals are reliable when the caller requires it, and with a description when it supports it; 100 never", async () => {
  for (const [lines, expected] of [
    [["Require: 100rel"], [true, true]],
    [["Supported: 100rel"], [false, true]],
    [[], [false, false]],
  ] as const) {
    const { peer, world, invite } = await called(lines);
    invite.provisional(180);
    await pass(world);
    if (expected[0]) prack(peer, 2);
    await pass(world);
    invite.provisional(183, { body: SDP });
    await pass(world);
    const told = peer.responses.filter(({ headers }) => !headers.get("CSeq")?.includes("PRACK"));
    assert.deepEqual(
      told.map(({ status, headers }) => [status, headers.get("Require") === "100rel" && headers.has("RSeq")]),
      [
        [100, false],
        [180, expected[0]],
        [183, expected[1]],
      ],
    );
  }
});

test("[R3262-3-6] a provisional without PRACK is repeated; after 64*T1 the INVITE is refused with 504 and its user told", async () => {
  const scene = await called(["Require: 100rel"]);
  const { peer, world, invite, canceled } = scene;
  invite.provisional(183, { body: SDP });
  await pass(world, 31_900);
  const repeated = peer.responses.filter(({ status }) => status === 183);
  assert.equal(repeated.length, 7);
  assert.equal(new Set(repeated.map(({ headers }) => headers.get("RSeq"))).size, 1);
  await pass(world, 500);
  assert.equal(peer.statuses.at(-1), 504);
  assert.equal(canceled.length, 1);
  assert.throws(() => invite.answer({ body: SDP }), /final answer/);
  await assertClean(scene);
});

test("[R3262-3-7] PRACK that matches nothing gets 481, one that matches 200; the same again is another request", async () => {
  const scene = await called(["Require: 100rel"]);
  const { peer, world, invite } = scene;
  peer.send({ method: "PRACK", cseq: 2, toTag: "unknown", lines: ["RAck: 1 1 INVITE"] });
  invite.provisional(180);
  await pass(world);
  peer.send({ method: "PRACK", cseq: 3, toTag: peer.platformTag, lines: ["RAck: 1 1 INVITE"] });
  await pass(world);
  prack(peer, 4);
  await pass(world);
  prack(peer, 4); // a repetition: absorbed by its transaction
  prack(peer, 5);
  await pass(world);
  const answers = peer.responses
    .filter(({ headers }) => headers.get("CSeq")?.endsWith("PRACK"))
    .map(({ status, headers }) => `${headers.get("CSeq")?.split(" ")[0]} ${status}`);
  assert.deepEqual(answers, ["2 481", "3 481", "4 200", "4 200", "5 481"]);
  invite.reject(486);
  await assertClean(scene);
});

test("[R3262-3-8] a 200 waits for the PRACK of a description; without a description it does not", async () => {
  const scene = await called(["Supported: 100rel"]);
  const { peer, world, invite } = scene;
  const ends: DialogEnd[] = [];
  invite.provisional(183, { body: SDP });
  await pass(world);
  const dialog = invite.answer({ body: SDP });
  dialog.attach({ onEnded: (end) => ends.push(end) });
  await pass(world, 200);
  assert.equal(peer.statuses.at(-1), 183);
  prack(peer, 2);
  await pass(world, 50);
  assert.deepEqual(peer.statuses.slice(-2), [200, 200]);
  assert.equal(peer.responses.at(-1)?.headers.get("CSeq"), "1 INVITE");
  peer.send({ method: "ACK", branch: "z9hG4bKack", toTag: peer.platformTag });
  peer.send({ method: "BYE", cseq: 3, toTag: peer.platformTag });
  await pass(world);
  assert.deepEqual(
    ends.map(({ by, cause }) => [by, cause]),
    [["remote", "bye"]],
  );
  await assertClean(scene);

  const bare = await called(["Require: 100rel"]);
  bare.invite.provisional(180);
  await pass(bare.world);
  bare.invite.answer({ body: SDP });
  await pass(bare.world);
  assert.equal(bare.peer.statuses.at(-1), 200);
  prack(bare.peer, 2); // it was under way
  await pass(bare.world);
  assert.equal(bare.peer.responses.findLast(({ headers }) => headers.get("CSeq") === "2 PRACK")?.status, 200);
});

test("[R3262-3-9] while a 200 waits for PRACK: CANCEL, BYE, our own end and no PRACK at all each end the dialog once", async () => {
  for (const [how, expected, status] of [
    ["cancel", { by: "remote", cause: "bye" }, 487],
    ["bye", { by: "remote", cause: "bye" }, 487],
    ["hangup", { by: "local", cause: "bye" }, 480],
    ["silence", { by: "remote", cause: "no-ack" }, 504],
  ] as const) {
    const scene = await called(["Supported: 100rel"]);
    const { peer, world, invite } = scene;
    const ends: DialogEnd[] = [];
    invite.provisional(183, { body: SDP });
    const dialog: SipDialog = invite.answer({ body: SDP });
    dialog.attach({ onEnded: (end) => ends.push(end) });
    await pass(world);
    if (how === "cancel") peer.send({ method: "CANCEL", branch: "z9hG4bK1INVITE" });
    if (how === "bye") peer.send({ method: "BYE", cseq: 2, toTag: peer.platformTag });
    const said = how === "hangup" ? dialog.bye() : undefined;
    await pass(world, 40_000);
    await said;
    assert.deepEqual(ends, [expected], how);
    assert.ok(peer.statuses.includes(status), `${how}: ${peer.statuses}`);
    assert.equal(peer.methods.includes("BYE"), false, how);
    await assertClean(scene);
  }
});

test("[R3262-5-1] an offer in PRACK is answered in its 200, or refused with 488 by one who does not want it", async () => {
  for (const wanted of [true, false]) {
    const { peer, world, invite } = await called(
      ["Require: 100rel"],
      wanted ? { onPrack: () => ({ status: 200, body: SDP }) } : {},
    );
    invite.provisional(183, { body: SDP });
    await pass(world);
    prack(peer, 2, [TYPE], SDP_TEXT);
    await pass(world);
    const answer = peer.responses.findLast(({ headers }) => headers.get("CSeq") === "2 PRACK");
    assert.equal(answer?.status, wanted ? 200 : 488);
    assert.equal(answer?.body.length, wanted ? SDP.bytes.length : 0);
  }
});

test("[R3311-5.1-1] UPDATE in the early dialog: 500 before the answer has arrived for sure, answered after it", async () => {
  const { peer, world, invite } = await called(["Supported: 100rel"], {
    onUpdate: () => ({ status: 200, body: SDP }),
  });
  invite.provisional(183, { body: SDP });
  await pass(world);
  const update = (cseq: number) =>
    peer.send({ method: "UPDATE", cseq, toTag: peer.platformTag, lines: [TYPE], body: SDP_TEXT });
  update(2);
  await pass(world);
  prack(peer, 3);
  await pass(world);
  update(4);
  await pass(world);
  const statusOf = (cseq: string) =>
    peer.responses.findLast(({ headers }) => headers.get("CSeq") === cseq)?.status;
  assert.deepEqual(["2 UPDATE", "3 PRACK", "4 UPDATE"].map(statusOf), [500, 200, 200]);
});

interface Calling {
  readonly world: World;
  readonly platform: Party;
  readonly peer: RawPeer;
  readonly told: string[];
  readonly dialogs: SipDialog[];
  readonly failures: InviteFailure[];
}

async function calling(handlers: Partial<OutgoingInviteHandlers> = {}, body = true): Promise<Calling> {
  const world = new World();
  const platform = world.party("10.0.0.1", refuseAll);
  const peer = new RawPeer(world, "10.0.0.2");
  const [told, dialogs, failures]: [string[], SipDialog[], InviteFailure[]] = [[], [], []];
  platform.agent.invite(
    { requestUri: "sip:raw@10.0.0.2", from: "sip:a@b", to: "sip:c@d", ...(body && { body: SDP }) },
    {
      onProvisional: (response) => told.push(`${response.status} ${response.headers.get("RSeq") ?? "-"}`),
      onAnswered: (dialog) => {
        dialogs.push(dialog);
        dialog.attach({ onEnded: () => {} });
        return undefined;
      },
      onFailed: (failure) => failures.push(failure),
      ...handlers,
    },
  );
  await pass(world);
  return { world, platform, peer, told, dialogs, failures };
}

const reliable = (number: number) =>
  [
    ["Require", "100rel"],
    ["RSeq", String(number)],
  ] as const;

test("[R3262-4-1] reliable provisionals get PRACK in order; repeated and skipped ones are neither told nor acknowledged", async () => {
  const { world, peer, told, dialogs, platform } = await calling();
  const invite = peer.last("INVITE");
  assert.match(invite.request.headers.get("Supported") ?? "", /100rel/);
  assert.match(invite.request.headers.get("Allow") ?? "", /PRACK/);
  for (const number of [70, 70, 72, 71, 71]) {
    peer.respond(invite, 183, { lines: reliable(number) });
    await pass(world);
    if (peer.methods.at(-1) === "PRACK") peer.respond(peer.last("PRACK"), 200);
  }
  assert.deepEqual(told, ["183 70", "183 71"]);
  const pracks = peer.requests.filter(({ method }) => method === "PRACK");
  assert.deepEqual(
    pracks.map(({ headers }) => [headers.get("RAck"), headers.get("CSeq")]),
    [
      ["70 1 INVITE", "2 PRACK"],
      ["71 1 INVITE", "3 PRACK"],
    ],
  );
  peer.respond(invite, 200);
  await pass(world);
  assert.equal(dialogs.length, 1);
  peer.onRequest = (request, flow) => peer.respond({ request, flow }, 200);
  void dialogs[0]?.bye();
  await pass(world);
  assert.equal(peer.last("BYE").request.headers.get("CSeq"), "4 BYE", "CSeq goes on from the PRACKs");
  await assertClean({ world, platform });
});

test("[R3262-4-2] forks have early dialogs of their own, each with its RSeq and CSeq; the 2xx of one confirms that one", async () => {
  const { world, peer, told, dialogs, platform } = await calling();
  const invite = peer.last("INVITE");
  for (const [tag, number] of [
    ["one", 5],
    ["two", 900],
    ["one", 6],
  ] as const) {
    peer.respond(invite, 183, { tag, lines: reliable(number) });
    await pass(world);
    peer.respond(peer.last("PRACK"), 200);
  }
  assert.deepEqual(told, ["183 5", "183 900", "183 6"]);
  const pracks = peer.requests.filter(({ method }) => method === "PRACK");
  assert.deepEqual(
    pracks.map(({ headers }) => `${/tag=(.*)/.exec(headers.get("To") ?? "")?.[1]} ${headers.get("CSeq")}`),
    ["one 2 PRACK", "two 2 PRACK", "one 3 PRACK"],
  );
  peer.respond(invite, 200, { tag: "two" });
  await pass(world);
  assert.equal(dialogs[0]?.remoteTag, "two");
  peer.onRequest = (request, flow) => request.method !== "ACK" && peer.respond({ request, flow }, 200);
  void dialogs[0]?.bye();
  await assertClean({ world, platform });
});

test("[R3262-5-2] an offer in a reliable provisional is answered in the PRACK", async () => {
  const { world, peer, failures } = await calling({ answerProvisional: () => SDP }, false);
  peer.respond(peer.last("INVITE"), 183, { lines: reliable(1) });
  await pass(world);
  const { request } = peer.last("PRACK");
  assert.deepEqual(new Uint8Array(request.body), SDP.bytes);
  assert.equal(request.headers.get("Content-Type"), "application/sdp");
  peer.respond(peer.last("INVITE"), 486);
  await pass(world);
  assert.equal(failures[0]?.status, 486);
});

test("[R3262-3-1] [R3262-4-1] over a network that loses a third of all, early media and answer arrive in order, always", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const world = new World({
      seed,
      lossChance: 0.33,
      duplicateChance: 0.1,
      reorderChance: 0.1,
      minimumDelayMs: 5,
      maximumDelayMs: 60,
    });
    const bob = world.party("10.0.0.2", {
      onInvite(invite) {
        invite.attach({ onCanceled: () => {} });
        invite.provisional(183, { body: SDP });
        world.clock.setTimer(2_000, () => {
          invite.answer({ body: SDP }).attach({ onEnded: () => {} });
        });
      },
    });
    const alice = world.party("10.0.0.1", refuseAll);
    const story: string[] = [];
    alice.agent.invite(
      { requestUri: "sip:bob@10.0.0.2", from: "sip:a@b", to: "sip:c@d", body: SDP },
      {
        onProvisional: ({ status }) => story.push(String(status)),
        onAnswered: (dialog) => {
          story.push("answered");
          dialog.attach({ onEnded: () => story.push("ended") });
          world.clock.setTimer(40_000, () => void dialog.bye());
          return undefined;
        },
        onFailed: ({ status }) => story.push(`failed ${status}`),
      },
    );
    await pass(world, 200_000);
    const lost = story.some((each) => each.startsWith("failed"));
    if (!lost) assert.deepEqual(story, ["183", "answered", "ended"], `seed ${seed}`);
    for (const party of [alice, bob]) {
      assert.equal(party.agent.liveDialogs, 0, `seed ${seed}`);
      assert.equal(party.agent.liveTransactions, 0, `seed ${seed}`);
    }
    assert.equal(world.clock.pendingTimers, 0, `seed ${seed}`);
  }
});
