import assert from "node:assert/strict";
import { test } from "node:test";
import { CallsWorld } from "./calls-world.ts";

test("[R3264-8.3.1-1] a leg keeps its address and port through moves, holds and codec changes of both parties", async () => {
  const w = new CallsWorld();
  w.number("1001", '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>');
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  bob.reoffered = () => ({ version: bob.offers.length + 1 });
  alice.reoffered = () => ({ version: alice.offers.length + 20 });
  alice.call("1001");
  await w.advance(500);
  const changes = [
    alice.sdp({ port: 6000, version: 2 }),
    alice.sdp({ port: 6000, direction: "sendonly", version: 3 }),
    alice.sdp({ port: 6000, version: 4 }),
    alice.sdp({ port: 6000, address: "10.0.0.77", version: 5 }),
    alice.sdp({ port: 6000, address: "10.0.0.77", codecs: ["0 PCMU/8000"], version: 6 }),
  ];
  for (const body of changes) {
    void alice.dialog?.reinvite({ body });
    await w.advance(1_000);
  }
  void bob.dialog?.reinvite({ body: bob.sdp({ port: 7000, version: 30 }) });
  await w.advance(1_000);
  for (const party of ["10.0.0.1", "10.0.0.2"]) {
    const told = w.world.network.sent.filter(
      ({ to, text }) => to.startsWith(party) && text.includes("m=audio"),
    );
    const places = told.map(({ text }) =>
      [/c=(.*)/.exec(text)?.[1], /m=audio (\d+)/.exec(text)?.[1]].join(" "),
    );
    assert.ok(places.length >= 2, w.story);
    assert.equal(new Set(places).size, 1, `${party}: ${places.join(", ")}`);
  }
});
