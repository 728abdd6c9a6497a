import assert from "node:assert/strict";
import { test } from "node:test";
import { createResponse, formatSipMessage } from "@callfork/protocol/sip";
import type { InviteFailure, InviteOptions, OutgoingInvite, SipDialog } from "@callfork/server/signalling";
import { type Party, refuseAll, SDP, World } from "./pair.ts";
import { pass, RawPeer } from "./raw-peer.ts";

interface Scene {
  readonly world: World;
  readonly platform: Party;
  readonly peers: readonly RawPeer[];
  readonly failures: InviteFailure[];
  readonly dialogs: SipDialog[];
  readonly invite: OutgoingInvite;
}

/** The platform calls 10.0.0.2; peers answer by address, a number or the Contact lines of a 302. */
async function calling(
  answers: Readonly<Record<string, number | readonly string[]>>,
  options: Partial<InviteOptions> = {},
): Promise<Scene> {
  const world = new World();
  const platform = world.party("10.0.0.1", refuseAll);
  const failures: InviteFailure[] = [];
  const dialogs: SipDialog[] = [];
  const peers = Object.entries(answers).map(([address, answer]) => {
    const peer = new RawPeer(world, address);
    peer.onRequest = (request, flow) => {
      if (request.method === "ACK" || answer === 0) return;
      if (request.method !== "INVITE") return peer.respond({ request, flow }, 200);
      const contacts = typeof answer === "number" ? [`<sip:raw@${address}>`] : answer;
      const response = createResponse(request, typeof answer === "number" ? answer : 302, {
        toTag: address.replaceAll(".", ""),
        headers: contacts.map((contact) => ["Contact", contact] as const),
      });
      void peer.node.send(formatSipMessage(response), flow);
    };
    return peer;
  });
  const invite = platform.agent.invite(
    { requestUri: "sip:raw@10.0.0.2", from: "sip:a@b", to: "sip:c@d", body: SDP, ...options },
    {
      onAnswered: (dialog) => {
        dialogs.push(dialog);
        dialog.attach({ onEnded: () => {} });
        return undefined;
      },
      onFailed: (failure) => failures.push(failure),
    },
  );
  await pass(world, 1_000);
  return { world, platform, peers, failures, dialogs, invite };
}

const invites = (peer: RawPeer | undefined) =>
  peer?.requests.filter(({ method }) => method === "INVITE") ?? [];

async function assertClean({ world, platform, dialogs }: Scene): Promise<void> {
  for (const dialog of dialogs) void dialog.bye();
  await pass(world, 120_000);
  assert.deepEqual(
    [platform.agent.liveDialogs, platform.agent.liveTransactions, world.clock.pendingTimers],
    [0, 0, 0],
  );
}

test("[R3261-8.1.3.4-1] the contacts of a 3xx are tried best first, with the same Call-ID, From and To and the next CSeq", async () => {
  const scene = await calling({
    "10.0.0.2": ["<sip:x@10.0.0.4>;q=0.2", "<sip:x@10.0.0.3>;q=0.9"],
    "10.0.0.3": 486,
    "10.0.0.4": 200,
  });
  assert.equal(scene.dialogs.length, 1);
  const sent = [scene.peers[0], scene.peers[1], scene.peers[2]].map((peer) => invites(peer)[0]);
  for (const name of ["Call-ID", "From", "To"]) {
    assert.equal(new Set(sent.map((request) => request?.headers.get(name))).size, 1, name);
  }
  assert.deepEqual(
    sent.map((request) => `${request?.uri} ${request?.headers.get("CSeq")}`),
    ["sip:raw@10.0.0.2 1 INVITE", "sip:x@10.0.0.3 2 INVITE", "sip:x@10.0.0.4 3 INVITE"],
  );
  await assertClean(scene);
});

test("[R3261-8.1.3.4-2] circles and long chains end: no address is asked twice, and five are enough", async () => {
  const circle = await calling({ "10.0.0.2": ["<sip:raw@10.0.0.3>"], "10.0.0.3": ["<sip:raw@10.0.0.2>"] });
  assert.equal(circle.failures[0]?.status, 302);
  assert.deepEqual(
    circle.peers.map((peer) => invites(peer).length),
    [1, 1],
  );
  assert.deepEqual(circle.failures[0]?.redirects, ["sip:raw@10.0.0.3"]);
  await assertClean(circle);

  const chain = await calling(
    Object.fromEntries([2, 3, 4, 5, 6, 7, 8, 9].map((n) => [`10.0.0.${n}`, [`<sip:raw@10.0.0.${n + 1}>`]])),
  );
  assert.equal(chain.failures.length, 1);
  assert.equal(chain.failures[0]?.status, 302);
  assert.equal(chain.failures[0]?.redirects?.length, 5);
  await assertClean(chain);
});

test("[R3261-8.1.3.4-3] schemes other than SIP are not followed, and headers in a Contact stay out of the INVITE", async () => {
  const scene = await calling({
    "10.0.0.2": ["<tel:+15551234>", "<mailto:a@b>", "<https://c>", "<sip:x@10.0.0.3?Route=%3Csip:evil%3E>"],
    "10.0.0.3": 200,
  });
  const request = invites(scene.peers[1])[0];
  assert.equal(request?.uri, "sip:x@10.0.0.3");
  assert.equal(request?.headers.has("Route"), false);
  await assertClean(scene);
});

test("a 6xx ends the search; a refusal or silence of one address does not", async () => {
  const decline = await calling({
    "10.0.0.2": ["<sip:x@10.0.0.3>;q=1", "<sip:x@10.0.0.4>;q=0.5"],
    "10.0.0.3": 603,
    "10.0.0.4": 200,
  });
  assert.equal(decline.failures[0]?.status, 603);
  assert.deepEqual(decline.failures[0]?.redirects?.at(-1), "sip:x@10.0.0.3");
  await assertClean(decline);

  const silence = await calling({
    "10.0.0.2": ["<sip:x@10.0.0.3>;q=1", "<sip:x@10.0.0.4>;q=0.5"],
    "10.0.0.3": 0,
    "10.0.0.4": 200,
  });
  await pass(silence.world, 70_000);
  assert.equal(silence.dialogs.length, 1);
  await assertClean(silence);
});

test("cancel and the time limit hold for the whole search", async () => {
  const canceled = await calling({ "10.0.0.2": ["<sip:x@10.0.0.3>;q=1"], "10.0.0.3": 0 });
  canceled.invite.cancel();
  await pass(canceled.world, 100_000);
  assert.deepEqual(
    canceled.failures.map(({ cause }) => cause),
    ["canceled"],
  );
  await assertClean(canceled);

  const late = await calling({ "10.0.0.2": ["<sip:x@10.0.0.3>;q=1"], "10.0.0.3": 0 }, { timeoutMs: 5_000 });
  await pass(late.world, 4_500);
  assert.deepEqual(
    late.failures.map(({ cause }) => cause),
    ["timeout"],
  );
  await assertClean(late);
});
