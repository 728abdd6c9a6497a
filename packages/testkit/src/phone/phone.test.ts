import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePcma, encodePcma } from "@callfork/protocol/audio";
import { loadVoice, locateInVoice, TestPhone } from "../index.ts";

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

test("phones speak G.711, G.722 and what was encoded elsewhere, and change from one to the other in mid-call", async (t) => {
  const encoded = {
    name: "opus",
    payloadType: 111,
    clockRateHz: 48_000,
    channels: 2,
    fmtp: "useinbandfec=1",
    packets: Array.from({ length: 50 }, (_, i) => Uint8Array.of(0xf8, i, 0xfe)),
  };
  const voice = loadVoice("alice");
  const alice = await TestPhone.open({ user: "alice", voice, codec: "G722" });
  t.after(() => alice.close());
  const bob = await TestPhone.open({
    user: "bob",
    voice: loadVoice("bob"),
    codec: "G722",
    otherCodecs: ["PCMA", encoded],
  });
  t.after(() => bob.close());
  const arrival = bob.nextCall();
  const call = await alice.call(bob.uri, { timeoutMs: 10_000 });
  const answered = await arrival;
  const heard = async (packets: number) => {
    while (answered.heard().packets < packets) await new Promise((resolve) => setTimeout(resolve, 5));
    return answered.heard();
  };
  const { samples } = await heard(50);
  const power = (of: Int16Array) => of.reduce((sum, x) => sum + x * x, 0) / of.length;
  assert.ok(power(samples) > 0.3 * power(voice.subarray(0, samples.length)));
  await call.changeCodec("PCMA");
  assert.ok(locateInVoice((await heard(50)).samples, asPcma(voice))?.firstDifference === undefined);
  await call.changeCodec(encoded);
  await heard(20);
  assert.ok(answered.heardPackets().every((payload) => payload?.length === 3 && payload[0] === 0xf8));
});

function asPcma(samples: Int16Array): Int16Array {
  const octets = new Uint8Array(samples.length);
  encodePcma(samples, octets);
  const out = new Int16Array(samples.length);
  decodePcma(octets, out);
  return out;
}
