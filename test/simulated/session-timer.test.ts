import assert from "node:assert/strict";
import { test } from "node:test";
import type { DialogEnd, InviteFailure, SipDialog, UserAgentHandlers } from "@callfork/server/signalling";
import { type Party, refuseAll, SDP, World } from "./pair.ts";
import { pass, RawPeer } from "./raw-peer.ts";

interface Scene {
  readonly world: World;
  readonly platform: Party;
  readonly peer: RawPeer;
  readonly ends: DialogEnd[];
}

/** The peer answers our INVITE with these lines; later requests get a 200 that repeats their Session-Expires. */
async function called(
  lines: readonly (readonly [string, string])[],
  options: { readonly sessionIntervalSeconds?: number } = {},
): Promise<Scene & { dialog: SipDialog }> {
  const world = new World();
  const platform = world.party("10.0.0.1", refuseAll, options);
  const peer = new RawPeer(world, "10.0.0.2");
  const ends: DialogEnd[] = [];
  let dialog: SipDialog | undefined;
  platform.agent.invite(
    { requestUri: "sip:raw@10.0.0.2", from: "sip:a@b", to: "sip:c@d", body: SDP },
    {
      onAnswered(answered) {
        dialog = answered;
        answered.attach({ onEnded: (end) => ends.push(end) });
        return undefined;
      },
      onFailed: () => assert.fail(),
    },
  );
  await pass(world);
  peer.respond(peer.last("INVITE"), 200, { lines });
  await pass(world);
  assert.ok(dialog);
  return { world, platform, peer, ends, dialog };
}

async function incoming(
  lines: readonly string[],
  options: { readonly sessionIntervalSeconds?: number } = {},
): Promise<Scene> {
  const world = new World();
  const ends: DialogEnd[] = [];
  const handlers: UserAgentHandlers = {
    onInvite: (invite) => invite.answer({ body: SDP }).attach({ onEnded: (end) => ends.push(end) }),
  };
  const platform = world.party("10.0.0.1", handlers, options);
  const peer = new RawPeer(world, "10.0.0.2");
  peer.send({ method: "INVITE", lines });
  await pass(world);
  peer.send({ method: "ACK", branch: "z9hG4bKack", toTag: peer.platformTag });
  await pass(world);
  return { world, platform, peer, ends };
}

test("[R4028-7.2-1] [R4028-10-1] a 2xx that makes us the refresher is followed by UPDATE at half time, again and again", async () => {
  const { peer, world, ends } = await called([
    ["Session-Expires", "1800;refresher=uac"],
    ["Require", "timer"],
    ["Allow", "INVITE, ACK, BYE, UPDATE"],
  ]);
  peer.onRequest = (request, flow) =>
    peer.respond({ request, flow }, 200, {
      lines: [["Session-Expires", request.headers.get("Session-Expires") ?? ""]],
    });
  await pass(world, 899_000);
  assert.equal(peer.methods.includes("UPDATE"), false);
  await pass(world, 2_000);
  const { request } = peer.last("UPDATE");
  assert.equal(request.headers.get("Session-Expires"), "1800;refresher=uac");
  assert.equal(request.body.length, 0);
  await pass(world, 3_600_000);
  assert.equal(peer.methods.filter((method) => method === "UPDATE").length, 5);
  assert.deepEqual(ends, []);
});

test("[R4028-7.4-2] a peer without UPDATE is refreshed by re-INVITE with the session description as it was", async () => {
  const { peer, world } = await called([
    ["Session-Expires", "90;refresher=uac"],
    ["Allow", "INVITE, ACK, BYE"],
  ]);
  await pass(world, 46_000);
  const { request } = peer.last("INVITE");
  assert.equal(request.headers.get("CSeq"), "2 INVITE");
  assert.deepEqual(new Uint8Array(request.body), SDP.bytes);
});

test("[R4028-7.4-1] a refresh that gets 422 is sent again with the interval it names", async () => {
  const { peer, world } = await called([
    ["Session-Expires", "100;refresher=uac"],
    ["Allow", "UPDATE"],
  ]);
  await pass(world, 51_000);
  peer.respond(peer.last("UPDATE"), 422, { lines: [["Min-SE", "3600"]] });
  await pass(world);
  assert.equal(peer.last("UPDATE").request.headers.get("Session-Expires"), "3600;refresher=uac");
});

test("[R4028-7.2-1] a 2xx without Session-Expires means no timer", async () => {
  const { world, ends, peer } = await called([]);
  await pass(world, 24 * 3_600_000);
  assert.deepEqual([ends, peer.methods], [[], ["INVITE", "ACK"]]);
});

test("[R4028-10-2] without a refresh the dialog ends with BYE shortly before its time; a refresh starts it anew", async () => {
  const { world, ends, peer } = await incoming(["Session-Expires: 1800", "Supported: timer"]);
  const toTag = peer.platformTag;
  const ok = peer.responses.at(-1);
  assert.equal(ok?.headers.get("Session-Expires"), "1800;refresher=uac");
  assert.equal(ok?.headers.get("Require"), "timer");
  await pass(world, 1_000_000);
  peer.send({
    method: "UPDATE",
    cseq: 2,
    toTag,
    lines: ["Session-Expires: 1800;refresher=uac", "Supported: timer"],
  });
  await pass(world, 1_767_000);
  assert.deepEqual(ends, []);
  await pass(world, 2_000);
  assert.deepEqual(ends, [{ by: "local", cause: "expired" }]);
  assert.equal(peer.methods.at(-1), "BYE");
});

test("[R4028-9-1] the refresher is who the caller says, or the caller, or we when it knows no timers; too short gets 422", async () => {
  for (const [lines, expected, requires] of [
    [["Session-Expires: 120;refresher=uas", "Supported: timer"], "120;refresher=uas", false],
    [["Session-Expires: 120;refresher=uac", "Require: timer"], "120;refresher=uac", true],
    [["Session-Expires: 120"], "120;refresher=uas", false],
    [["Supported: timer"], undefined, false],
  ] as const) {
    const { peer } = await incoming(lines);
    const ok = peer.responses.at(-1);
    assert.equal(ok?.headers.get("Session-Expires"), expected);
    assert.equal(ok?.headers.has("Require"), requires);
  }
  const { peer } = await incoming(["Session-Expires: 60", "Supported: timer"]);
  const refused = peer.responses.find(({ status }) => status === 422);
  assert.equal(refused?.headers.get("Min-SE"), "90");
});

const WISH = { sessionIntervalSeconds: 1_800 };

test("[R4028-7.1-1] INVITEs of ours ask for a session interval without naming a refresher; whoever the 2xx names does it", async () => {
  for (const refresher of ["uac", "uas"] as const) {
    const { peer, world, ends } = await called(
      [
        ["Session-Expires", `1800;refresher=${refresher}`],
        ["Allow", "UPDATE"],
      ],
      WISH,
    );
    assert.equal(peer.last("INVITE").request.headers.get("Session-Expires"), "1800");
    assert.equal(peer.last("INVITE").request.headers.has("Min-SE"), false);
    peer.onRequest = (request, flow) =>
      peer.respond({ request, flow }, 200, {
        lines: [["Session-Expires", request.headers.get("Session-Expires") ?? ""]],
      });
    await pass(world, 1_700_000);
    assert.equal(peer.methods.includes("UPDATE"), refresher === "uac");
    await pass(world, 80_000);
    assert.deepEqual(
      ends.map(({ cause }) => cause),
      refresher === "uac" ? [] : ["expired"],
      "a peer that does not refresh gets BYE before the interval ends",
    );
  }
});

test("[R4028-7.3-1] a 422 to INVITE: the same call again with the longer interval, and Min-SE from then on; not for ever", async () => {
  const world = new World();
  const platform = world.party("10.0.0.1", refuseAll, WISH);
  const peer = new RawPeer(world, "10.0.0.2");
  const failures: InviteFailure[] = [];
  let minimum = 1_800;
  peer.onRequest = (request, flow) => {
    if (request.method !== "INVITE") return;
    minimum += 1_200;
    peer.respond({ request, flow }, 422, { lines: [["Min-SE", String(minimum)]] });
  };
  platform.agent.invite(
    { requestUri: "sip:raw@10.0.0.2", from: "sip:a@b", to: "sip:c@d", body: SDP },
    { onAnswered: () => undefined, onFailed: (failure) => failures.push(failure) },
  );
  await pass(world, 1_000);
  const invites = peer.requests.filter(({ method }) => method === "INVITE");
  assert.deepEqual(
    invites.map(({ headers }) => [
      headers.get("Session-Expires"),
      headers.get("Min-SE"),
      headers.get("CSeq"),
    ]),
    [
      ["1800", undefined, "1 INVITE"],
      ["3000", "3000", "2 INVITE"],
      ["4200", "4200", "3 INVITE"],
      ["5400", "5400", "4 INVITE"],
    ],
  );
  assert.equal(new Set(invites.map(({ headers }) => headers.get("Call-ID"))).size, 1);
  assert.deepEqual(
    failures.map(({ status }) => status),
    [422],
  );
});

test("[R4028-9-2] a caller that knows timers but asks for none is given ours, with us as refresher; one that does not is left alone", async () => {
  const known = await incoming(["Supported: timer", "Min-SE: 2400", "Allow: UPDATE"], WISH);
  const ok = known.peer.responses.at(-1);
  assert.equal(ok?.headers.get("Session-Expires"), "2400;refresher=uas");
  assert.equal(ok?.headers.has("Require"), false);
  known.peer.onRequest = (request, flow) =>
    known.peer.respond({ request, flow }, 200, { lines: [["Session-Expires", "2400;refresher=uac"]] });
  await pass(known.world, 6_100_000);
  assert.equal(known.peer.methods.filter((method) => method === "UPDATE").length, 5);
  assert.equal(known.peer.last("UPDATE").request.headers.get("Session-Expires"), "2400;refresher=uac");
  const unknown = await incoming([], WISH);
  assert.equal(unknown.peer.responses.at(-1)?.headers.has("Session-Expires"), false);
});

test("a peer that has vanished costs the dialog: our refresh finds nobody", async () => {
  const { peer, world, ends } = await called(
    [
      ["Session-Expires", "90;refresher=uac"],
      ["Allow", "UPDATE"],
    ],
    WISH,
  );
  await pass(world, 85_000);
  assert.ok(peer.methods.includes("UPDATE"));
  assert.equal(ends.length, 1);
});
