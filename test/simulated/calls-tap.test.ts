import assert from "node:assert/strict";
import { test } from "node:test";
import { directionOf } from "@callfork/protocol/sdp";
import { CallsWorld } from "./calls-world.ts";

test("a tap tells by the direction of its leg who speaks and who hears, whichever side holds, and tells of each change", async () => {
  const w = new CallsWorld();
  w.number("1001", '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>');
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  for (const phone of [alice, bob]) {
    phone.reoffered = (offer) => ({
      direction: directionOf(offer!, offer!.media[0]!) === "sendonly" ? "recvonly" : "sendrecv",
      version: phone.offers.length + 10,
    });
  }
  alice.call("1001");
  await w.advance(500);
  const caller = w.room.tap(w.store.calls[0]!.sid)!;
  const callee = w.room.tap(w.store.calls[1]!.sid)!;
  const seen: string[] = [];
  caller.onChange(() => {
    if (seen.at(-1) !== caller.direction()) seen.push(caller.direction());
  });
  const directions = () => [caller.direction(), callee.direction()];
  assert.deepEqual(directions(), ["sendrecv", "sendrecv"]);

  const offers = [
    // Alice holds: we hear her and send her nothing; Bob is sent what she says, and is not heard.
    [alice, "sendonly", ["recvonly", "sendonly"]],
    [alice, "sendrecv", ["sendrecv", "sendrecv"]],
    [bob, "sendonly", ["sendonly", "recvonly"]],
    [bob, "sendrecv", ["sendrecv", "sendrecv"]],
  ] as const;
  for (const [version, [phone, direction, expected]] of offers.entries()) {
    const answer = phone.dialog!.reinvite({ body: phone.sdp({ direction, version: 2 + version }) });
    await w.advance(500);
    assert.equal((await answer).status, 200, w.story);
    assert.deepEqual(directions(), expected, `${version}`);
  }
  assert.deepEqual(seen, ["recvonly", "sendrecv", "sendonly", "sendrecv"]);
});
