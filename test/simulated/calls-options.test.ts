import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "@callfork/testkit";
import { createEntrance } from "../../packages/server/src/app/entrance.ts";
import { CallsWorld, type CallsWorldOptions } from "./calls-world.ts";
import { RawPeer } from "./raw-peer.ts";

const PLATFORM = "192.0.2.1";
const PAUSE = '<Pause length="3600"/>';

/** The platform as it is composed: the entrance answers OPTIONS. */
function withEntrance(options: CallsWorldOptions = {}) {
  const w = new CallsWorld(options);
  const entrance = createEntrance({
    config: {
      sip: { strangers: "refuse", maximumLoad: 100 },
      recorder: { username: undefined, password: undefined, allowedAddresses: [] },
    } as unknown as Parameters<typeof createEntrance>[0]["config"],
    clock: w.world.clock,
    random: new SeededRandom(5),
    realm: "platform",
  });
  entrance.attach(w.room, { knows: () => false, authenticates: false });
  w.platform.agent.attach({
    onInvite: (invite) => w.room.accept(invite),
    onRequest: ({ method }) => (method === "OPTIONS" ? entrance.answerOptions() : undefined),
  });
  w.number("1001", PAUSE);
  const peer = new RawPeer(w.world, "10.0.0.9");
  let cseq = 100;
  const ask = async (callId = `ping-${cseq}`) => {
    peer.send({ method: "OPTIONS", cseq: ++cseq, callId, uri: `sip:${PLATFORM}` }, PLATFORM);
    await w.advance(200);
    return peer.responses.at(-1)!;
  };
  return { w, ask };
}

test("[R3261-11.2-1] OPTIONS in a call's dialog gets 200 with what a call may carry, and changes nothing", async () => {
  const { w } = withEntrance();
  const alice = w.phone("10.0.0.1");
  alice.call("1001");
  await w.advance(500);
  void w.room.live()[0]!.answer();
  await w.advance(500);
  const answered = alice.dialog!.request("OPTIONS", {});
  await w.advance(500);
  const { status, headers } = await answered;
  assert.equal(status, 200);
  const allow = headers.list("Allow");
  for (const method of ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "INFO", "PRACK", "REFER"]) {
    assert.ok(allow.includes(method), method);
  }
  assert.deepEqual(headers.list("Supported"), ["siprec", "timer", "100rel", "replaces"]);
  assert.ok(headers.list("Accept").includes("application/sdp"));
  assert.equal(w.room.liveCount, 1);
  assert.equal(alice.end, undefined);
});

test("[R3261-12.2.2-4] OPTIONS in a dialog that is unknown, or over, gets 481", async () => {
  const { w } = withEntrance();
  const peer = new RawPeer(w.world, "10.0.0.8");
  peer.send(
    { method: "OPTIONS", cseq: 7, callId: "never", toTag: "made-up", uri: `sip:${PLATFORM}` },
    PLATFORM,
  );
  await w.advance(200);
  assert.equal(peer.statuses.at(-1), 481);
});

test("[R3261-11.2-2] OPTIONS outside a dialog tells what an INVITE would get: 200, 503 when full, draining or overloaded", async () => {
  const { w, ask } = withEntrance({ liveCalls: 1 });
  assert.equal((await ask()).status, 200);
  const alice = w.phone("10.0.0.1");
  alice.call("1001");
  await w.advance(500);
  const full = await ask();
  assert.equal(full.status, 503);
  assert.ok(full.headers.get("Retry-After"));
  alice.invite!.cancel();
  await w.advance(1_000);
  assert.equal((await ask()).status, 200);
  w.overloaded = true;
  assert.equal((await ask()).status, 503);
  w.overloaded = false;
  assert.equal((await ask()).status, 200);
  void w.room.drain(1_000);
  const draining = await ask();
  assert.equal(draining.status, 503);
  assert.ok(draining.headers.get("Retry-After"));
});
