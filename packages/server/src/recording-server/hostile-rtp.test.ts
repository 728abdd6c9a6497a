import assert from "node:assert/strict";
import type { Socket } from "node:dgram";
import { type TestContext, test } from "node:test";
import { PCMU_TO_LINEAR } from "@callfork/protocol/audio";
import {
  boundSocket,
  type LiveRecording,
  RealRecorder,
  rtpPacket,
  speechAt,
} from "./testing/real-recorder.ts";

const PACKETS = 100;

const expected = (seed: number, from = 0, to = PACKETS): Int16Array =>
  Int16Array.from(
    Array.from({ length: to - from }, (_, at) => [...speechAt(from + at, seed)]).flat(),
    (code) => PCMU_TO_LINEAR[code]!,
  );

/** Sends 20 ms packets in real time. */
async function speak(socket: Socket, port: number, seed: number, beside: (index: number) => void = () => {}) {
  const started = performance.now();
  for (let index = 0; index < PACKETS; index++) {
    while (performance.now() - started < index * 20) await new Promise((resolve) => setTimeout(resolve, 4));
    socket.send(rtpPacket(index, speechAt(index, seed)), port, "127.0.0.1");
    beside(index);
  }
}

interface Scene {
  readonly real: RealRecorder;
  /** The recording that is attacked, and the one beside it. */
  readonly victim: LiveRecording;
  readonly witness: LiveRecording;
  readonly sockets: readonly [Socket, Socket];
}

async function scene(t: TestContext, first: number): Promise<Scene> {
  const real = await RealRecorder.start(t, { first, last: first + 99 });
  const sockets = [await boundSocket(t), await boundSocket(t)] as const;
  const victim = await real.record([sockets[0]]);
  const witness = await real.record([sockets[1]]);
  return { real, victim, witness, sockets };
}

/** Both speak while something happens to the victim; the witness is to be untouched, octet for octet. */
async function under(t: TestContext, port: number, attack: (scene: Scene, index: number) => void) {
  const set = await scene(t, port);
  const { real, victim, witness, sockets } = set;
  await Promise.all([
    speak(sockets[0], victim.ports[0]!, 1, (index) => attack(set, index)),
    speak(sockets[1], witness.ports[0]!, 2),
  ]);
  await real.heard(witness.sid, [PACKETS]);
  const [hurt, row] = [await real.hangUp(victim), await real.hangUp(witness)];
  assert.equal(row.status, "completed");
  assert.deepEqual([row.tracks[0]?.packets, row.tracks[0]?.lost, row.tracks[0]?.duplicates], [PACKETS, 0, 0]);
  assert.deepEqual(await real.samples(witness.sid, "1"), expected(2));
  return { ...set, hurt };
}

test("RTP from a stranger's address is not heard, and neither recording is touched", async (t) => {
  const stranger = await boundSocket(t);
  const { real, victim, hurt } = await under(t, 15_000, ({ victim: { ports } }, index) => {
    if (index < 10) return;
    for (let at = 0; at < 3; at++)
      stranger.send(rtpPacket(index, new Uint8Array(160)), ports[0]!, "127.0.0.1");
  });
  assert.deepEqual([hurt.tracks[0]?.packets, hurt.tracks[0]?.duplicates], [PACKETS, 0]);
  assert.deepEqual(await real.samples(victim.sid, "1"), expected(1));
});

test("RTP at a hundred times the rate makes no file longer than the time that passed", async (t) => {
  const { real, victim, hurt } = await under(t, 15_200, ({ victim: { ports }, sockets }, index) => {
    if (index % 4 !== 0) return;
    for (let at = 0; at < 400; at++) {
      const bomb = rtpPacket(10_000 + index * 100 + at, new Uint8Array(160), 666);
      sockets[0].send(bomb, ports[0]!, "127.0.0.1");
    }
  });
  // The two seconds that passed, those that are believed ahead of the clock, and what the machine was busy for.
  const { startTime, endTime } = hurt;
  const passedMs = endTime! - startTime;
  assert.ok(
    hurt.tracks[0]!.durationMs < 1.1 * passedMs + 2_500,
    `${hurt.tracks[0]!.durationMs} of ${passedMs} ms`,
  );
  assert.ok(hurt.warnings.some(({ code }) => code === "PACKETS_IGNORED"));
  assert.ok((await real.samples(victim.sid, "1")).length > 0);
});

test("a flood of SSRCs moves nothing: who spoke goes on speaking", async (t) => {
  let ssrc = 1;
  const { real, victim, hurt } = await under(t, 15_400, ({ victim: { ports }, sockets }) => {
    for (let at = 0; at < 20; at++) {
      sockets[0].send(rtpPacket(7, speechAt(7), ++ssrc), ports[0]!, "127.0.0.1");
    }
  });
  const [track] = hurt.tracks;
  assert.deepEqual([track?.packets, track?.lost], [PACKETS, 0]);
  assert.equal(track?.detail?.sourceChanges, 0);
  assert.deepEqual((await real.samples(victim.sid, "1")).subarray(0, 160 * PACKETS), expected(1));
});

test("[R6263-4.6-1] truncated RTP, keepalives and what is no RTP at all are dropped", async (t) => {
  const { real, victim, hurt } = await under(t, 15_600, ({ victim: { ports }, sockets }, index) => {
    const whole = rtpPacket(index, speechAt(index, 1));
    for (const octets of [
      whole.subarray(0, index % 12),
      Uint8Array.of(0xbf, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0x12, 0x67),
      new Uint8Array(1_400).fill(index),
      // STUN binding request (RFC 8489 §5), and a payload type that nobody named (RFC 6263 §4.6).
      Uint8Array.of(0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, ...new Uint8Array(12).fill(index)),
      rtpPacket(index, new Uint8Array(0), 4711, 127),
    ]) {
      sockets[0].send(octets, ports[0]!, "127.0.0.1");
    }
  });
  assert.deepEqual([hurt.tracks[0]?.packets, hurt.tracks[0]?.lost], [PACKETS, 0]);
  assert.deepEqual(await real.samples(victim.sid, "1"), expected(1));
});

test("BYE in the middle of writing ends with all that had come", async (t) => {
  let ended: Promise<unknown> | undefined;
  const { real, victim, hurt } = await under(t, 15_800, ({ real: one, victim: live }, index) => {
    if (index === 50) ended = one.hangUp(live).catch(() => {});
  });
  await ended;
  assert.equal(hurt.status, "completed");
  const samples = await real.samples(victim.sid, "1");
  assert.ok(samples.length >= 45 * 160, `${samples.length} samples`);
  assert.deepEqual(samples, expected(1).subarray(0, samples.length));
});
