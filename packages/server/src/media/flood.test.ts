import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { createMediaPlane } from "./media-plane.ts";
import { LOCALHOST, TestParty, untilStats, voice } from "./testing/party.ts";

const CALLS = 10;
const ROUNDS = 40;
/** A hundred for each packet of a party. */
const FLOOD = 100;
const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const connection = {
  direction: "sendrecv",
  codecs: [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }],
} as const;

for (const [io, first] of [
  ["auto", 49_000],
  ["dgram", 49_200],
] as const) {
  test(`strangers' packets of all sizes, at a hundred times the rate, on a port that has its party and on one that waits: all calls are untouched, the excess is counted (${io})`, async (t) => {
    const ports = { first, last: first + 199 };
    const plane = await createMediaPlane({ advertisedAddress: LOCALHOST, ports, workers: 1, io, log: quiet });
    t.after(() => plane.stop());
    const calls = await Promise.all(
      Array.from({ length: CALLS }, async (_, i) => {
        const group = `CA${i}`;
        const [alice, bob] = [await TestParty.open(t), await TestParty.open(t)];
        const [a, b] = [await plane.openLeg({ group }), await plane.openLeg({ group })];
        plane.connectLeg(a.id, { ...connection, remote: alice.target });
        plane.connectLeg(b.id, { ...connection, remote: bob.target });
        plane.bridge(a.id, b.id);
        await plane.stats(a.id);
        return { alice, bob, a, b };
      }),
    );
    const waiting = await plane.openLeg({ group: "CA-waiting" });
    plane.connectLeg(waiting.id, {
      ...connection,
      remote: { address: LOCALHOST, rtpPort: 9, rtcpPort: 10 },
    });
    const stranger = await socket(t);
    const junk = [0, 11, 12, 1500, 65_507].map((length) => Buffer.alloc(length, 0x80));
    for (let i = 0; i < ROUNDS; i++) {
      // From the second packet on a port knows its party; before, a full queue is everybody's.
      for (let k = 0; i > 0 && k < FLOOD; k++) {
        stranger.send(junk[k % junk.length]!, k % 2 ? calls[0]!.a.rtpPort : waiting.rtpPort, LOCALHOST);
      }
      await Promise.all(
        calls.flatMap(({ alice, bob, a, b }, call) => [
          alice.send(a, { sequence: i, timestamp: 160 * i, ssrc: 2 * call, payload: voice(i + 1000 * call) }),
          bob.send(b, { sequence: i, timestamp: 160 * i, ssrc: 2 * call + 1, payload: voice(i + 7 * call) }),
        ]),
      );
      // As a party would, it waits: what is tested is the flood, not the speed.
      const heard = await Promise.all(calls.flatMap(({ alice, bob }) => [bob.take(t, 1), alice.take(t, 1)]));
      heard.forEach((packets, at) => {
        assert.equal(packets.length, 1);
        const call = at >> 1;
        const expected = voice(at % 2 === 0 ? i + 1000 * call : i + 7 * call);
        assert.deepEqual(Buffer.from(packets[0]!.payload), Buffer.from(expected));
      });
    }
    for (const { a } of calls) {
      const { received, sent } = (await plane.stats(a.id))!;
      assert.deepEqual([received.packets, received.lost, sent.packets], [ROUNDS, 0, ROUNDS]);
    }
    await untilStats(t, plane, waiting.id, ({ dropped }) => dropped > 0);
    const { oversized, received } = await plane.packetCounters();
    assert.ok(oversized > 0);
    assert.ok(received >= 2 * CALLS * ROUNDS);
  });
}

async function socket(t: TestContext) {
  const made = createSocket("udp4");
  t.after(() => made.close());
  made.bind(0, LOCALHOST);
  await once(made, "listening");
  // ICMP and full buffers are what a flood earns.
  made.on("error", () => {});
  return made;
}
