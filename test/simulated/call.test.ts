import assert from "node:assert/strict";
import { test } from "node:test";
import type { DialogEnd, SipDialog } from "@callfork/server/signalling";
import { refuseAll, SDP, World } from "./pair.ts";

for (const transport of ["udp", "tcp"] as const) {
  test(`a call is set up and ended over ${transport}`, async () => {
    const world = new World();
    let callee: SipDialog | undefined;
    let end: DialogEnd | undefined;
    let acknowledged = false;
    const bob = world.party("10.0.0.2", {
      onInvite(invite) {
        invite.attach({ onCanceled: () => {} });
        invite.provisional(180);
        callee = invite.answer({ body: SDP });
        callee.attach({
          onAcknowledged: () => {
            acknowledged = true;
          },
          onEnded: (why) => {
            end = why;
          },
        });
      },
    });
    const alice = world.party("10.0.0.1", refuseAll);
    let dialog: SipDialog | undefined;
    const provisionals: number[] = [];
    alice.agent.invite(
      {
        requestUri: `sip:bob@10.0.0.2;transport=${transport}`,
        from: '"Alice" <sip:alice@example.com>',
        to: "sip:bob@example.com",
        body: SDP,
      },
      {
        onProvisional: (response) => provisionals.push(response.status),
        onAnswered: (answered, _response, body) => {
          dialog = answered;
          assert.equal(body[0]?.mediaType, "application/sdp");
          answered.attach({ onEnded: () => {} });
          return undefined;
        },
        onFailed: (failure) => assert.fail(failure.message),
      },
    );
    await world.clock.advance(1_000);
    assert.deepEqual(provisionals, [180]);
    assert.ok(dialog && acknowledged, [...alice.log.lines, ...bob.log.lines, ...world.wire].join("\n"));
    assert.equal((await reply(world, dialog.reinvite({ body: SDP }))).status, 488);
    await reply(world, dialog.bye());
    assert.equal(end?.cause, "bye");
    assert.equal(end?.by, "remote");
    await world.clock.advance(40_000);
    assert.equal(alice.agent.liveDialogs + bob.agent.liveDialogs, 0);
    assert.equal(alice.agent.liveTransactions + bob.agent.liveTransactions, 0);
    assert.equal(world.clock.pendingTimers, 0);
    assert.deepEqual(
      world.wire.map((line) => line.replace(/ sip:.*/, "")),
      [
        "INVITE",
        "SIP/2.0 100 Trying",
        "SIP/2.0 180 Ringing",
        "SIP/2.0 200 OK",
        "ACK",
        "INVITE",
        "SIP/2.0 100 Trying",
        "SIP/2.0 488 Not Acceptable Here",
        "ACK",
        "BYE",
        "SIP/2.0 200 OK",
      ],
    );
  });
}

async function reply<T>(world: World, promise: Promise<T>): Promise<T> {
  await world.clock.advance(1_000);
  return promise;
}
