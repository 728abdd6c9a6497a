import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { SrtpSender } from "@callfork/protocol/srtp";
import { createSrtpCiphers } from "../net/index.ts";
import type { LocalMediaPlane } from "./media-plane.ts";
import { buildRtp, type SeenRtp, startPlane, TestParty, untilStats, voice } from "./testing/party.ts";
import type { LegConnection } from "./types.ts";

const COMMON: Omit<LegConnection, "remote"> = {
  direction: "sendrecv",
  codecs: [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }],
};
const packet = (i: number) => ({ sequence: i, timestamp: i * 160, payload: voice(i) });
const payloads = (packets: readonly SeenRtp[]) => packets.map(({ payload }) => Buffer.from(payload));
const voices = (count: number) => Array.from({ length: count }, (_, i) => Buffer.from(voice(i)));

/** Over sockets it takes as long as the machine lets it. */
const NEVER_TOO_OLD = { earlyMs: 600_000 };

/** So many may wait for their leg: which of them do is the machine's affair. */
const ALL = 20;

/** The worker has dealt with so many datagrams: those before the command that follows are early. */
async function received(t: TestContext, plane: LocalMediaPlane, count: number): Promise<void> {
  for (;;) {
    t.signal.throwIfAborted();
    if ((await plane.packetCounters()).received >= count) return;
  }
}

for (const [io, first] of [
  ["auto", 44_000],
  ["dgram", 44_200],
] as const) {
  test(`[R3264-5.1-3] what comes before the leg is connected reaches the peer and the fork, bit for bit and first (${io})`, async (t) => {
    const plane = await startPlane(t, first, { io, ...NEVER_TOO_OLD });
    const [alice, bob, recorder] = [
      await TestParty.open(t),
      await TestParty.open(t),
      await TestParty.open(t),
    ];
    const [a, b] = [await plane.openLeg({ group: "CA1" }), await plane.openLeg({ group: "CA1" })];
    const fork = await plane.openFork({ leg: a.id, track: "inbound" });
    const payloadTypes = new Map([[0, 0]]);
    plane.startFork(fork.id, { remote: recorder.target, payloadTypes, clockRateHz: 8000, cname: "fork" });
    for (let i = 0; i < 8; i++) await alice.send(a, packet(i));
    await received(t, plane, 8);
    plane.connectLeg(b.id, { ...COMMON, remote: bob.target });
    plane.connectLeg(a.id, { ...COMMON, remote: alice.target });
    plane.bridge(a.id, b.id);
    for (let i = 8; i < ALL; i++) await alice.send(a, packet(i));
    assert.deepEqual(payloads(await bob.take(t, ALL)), voices(ALL));
    assert.deepEqual(payloads(await recorder.take(t, ALL)), voices(ALL));
    const stats = await plane.close(a.id);
    assert.deepEqual([stats?.received.packets, stats?.received.lost, stats?.dropped], [ALL, 0, 0]);
  });

  test(`what waited by SRTP is heard, and leaves by SRTP; a leg that is closed meanwhile takes it along (${io})`, async (t) => {
    const plane = await startPlane(t, first, { io, ...NEVER_TOO_OLD });
    const [alice, bob] = [await TestParty.open(t), await TestParty.open(t)];
    alice.rtcp.removeAllListeners("message"); // protected, too
    const [a, b] = [await plane.openLeg({ group: "CA1" }), await plane.openLeg({ group: "CA1" })];
    const gone = await plane.openLeg({ group: "CA1" });
    const keying = () => ({
      suite: "AES_CM_128_HMAC_SHA1_80" as const,
      keys: [{ key: Uint8Array.from(randomBytes(16)), salt: Uint8Array.from(randomBytes(14)) }],
    });
    const srtp = { send: keying(), receive: keying() };
    const sender = new SrtpSender(createSrtpCiphers(), srtp.receive);
    for (let i = 0; i < 5; i++) {
      const plain = buildRtp(packet(i));
      const bytes = new Uint8Array(plain.length + sender.rtpOverhead);
      bytes.set(plain);
      assert.equal(sender.protectRtp(bytes, 0, plain.length), bytes.length);
      await alice.sendRaw(a.rtpPort, bytes);
      await bob.send(b, packet(i));
      await bob.send(gone, packet(i));
    }
    await received(t, plane, 15);
    assert.equal((await plane.close(gone.id))?.dropped, 5);
    plane.connectLeg(a.id, { ...COMMON, remote: alice.target, srtp });
    plane.connectLeg(b.id, { ...COMMON, remote: bob.target });
    plane.bridge(a.id, b.id);
    assert.deepEqual(payloads(await bob.take(t, 5)), voices(5));
    const back = await alice.take(t, 5);
    assert.ok(back.every(({ bytes }) => bytes.length === 12 + 160 + sender.rtpOverhead));
    await untilStats(t, plane, a.id, ({ received, sent }) => received.packets === 5 && sent.packets === 5);
  });
}
