import assert from "node:assert/strict";
import { test } from "node:test";
import { loadVoice, TestPhone } from "../index.ts";

test("phones with ports of their own choice call each other by UDP and TCP at one port, hold and resume", async (t) => {
  const alice = await TestPhone.open({ user: "alice", voice: loadVoice("alice") });
  t.after(() => alice.close());
  const bob = await TestPhone.open({ user: "bob", voice: loadVoice("bob") });
  t.after(() => bob.close());
  for (const transport of ["udp", "tcp"]) {
    const arrival = bob.nextCall();
    const call = await alice.call(`${bob.uri};transport=${transport}`, { timeoutMs: 10_000 });
    const answered = await arrival;
    assert.equal(await call.hold(true), "recvonly");
    assert.equal(await call.hold(false), "sendrecv");
    assert.equal(await answered.hold(true), "recvonly");
    await answered.hangUp();
    assert.equal(await call.ended, "remote");
  }
});
