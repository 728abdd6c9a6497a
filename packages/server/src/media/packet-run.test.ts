import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PacketIo } from "../net/index.ts";
import { HeldRuns, PacketRun } from "./packet-run.ts";

/** A slab, and what leaves it: each send as the texts of its packets. */
function memoryIo(joinsSegments = true, room = 1 << 20) {
  const slab = new Uint8Array(1 << 21);
  const sends: string[][] = [];
  const held: number[] = [];
  const released: number[] = [];
  let at = 0;
  const io = {
    joinsSegments,
    slab,
    reserve: (length: number) => {
      if (at + length > room) return -1;
      at += length;
      return at - length;
    },
    hold: (length: number) => {
      held.push(room + 2048 * held.length);
      assert.ok(length <= 2048);
      return held.at(-1)!;
    },
    release: (offset: number) => released.push(offset),
    sendSegments: (_port: number, offset: number, length: number, segment: number) => {
      assert.equal(length % segment, 0);
      const texts: string[] = [];
      for (let i = offset; i < offset + length; i += segment) {
        texts.push(
          Buffer.from(slab.subarray(i, i + segment))
            .toString()
            .trimEnd(),
        );
      }
      sends.push(texts);
    },
  };
  return { io: io as unknown as PacketIo, slab, sends, held, released };
}

interface Packet {
  readonly text: string;
  readonly length?: number;
  readonly marker?: boolean;
  readonly payloadType?: number;
  readonly timestamp: number;
  readonly now?: number;
}

function put(slab: Uint8Array, run: PacketRun, packet: Packet): void {
  const { text, length = 172, marker = false, payloadType = 0, timestamp, now = timestamp / 8 } = packet;
  const at = run.begin(length + 10, marker, payloadType, timestamp);
  assert.ok(at >= 0);
  slab.set(Buffer.from(text.padEnd(length)), at);
  run.end(length, now);
}

function fresh(joinsSegments = true) {
  const memory = memoryIo(joinsSegments);
  const held = new HeldRuns();
  const run = PacketRun.create(memory.io, 7, held)!;
  return { ...memory, heldRuns: held, run };
}

const regular = (i: number): Packet => ({ text: `${i}`, timestamp: 160 * i });

test("[R7245-3.2-6] five packets leave as one, and nothing waits longer than 95 ms", () => {
  const { slab, run, sends, heldRuns } = fresh();
  for (let i = 0; i < 7; i++) put(slab, run, regular(i));
  assert.deepEqual(sends, [["0", "1", "2", "3", "4"]]);
  // The sixth came at 100 ms.
  assert.equal(heldRuns.dueAt, 195);
  heldRuns.flushDue(194);
  assert.equal(sends.length, 1);
  heldRuns.flushDue(195);
  assert.deepEqual(sends[1], ["5", "6"]);
  assert.equal(heldRuns.dueAt, Number.POSITIVE_INFINITY);
});

for (const [what, change] of [
  ["a marker", { marker: true }],
  ["another payload type", { payloadType: 8 }],
  ["another length", { length: 92 }],
  ["a gap in the timestamps", { timestamp: 160 * 9 }],
  ["timestamps that stand still", { timestamp: 160 * 2 }],
] as const) {
  test(`no run goes across ${what}`, () => {
    const { slab, run, sends } = fresh();
    for (let i = 0; i < 3; i++) put(slab, run, regular(i));
    put(slab, run, { text: "other", timestamp: 160 * 3, ...change, now: 60 });
    assert.deepEqual(sends, [["0", "1", "2"]]);
    run.flush();
    assert.deepEqual(sends[1], ["other"]);
  });
}

test("a flush empties it at once: pause and stop are exact", () => {
  const { slab, run, sends, released, held } = fresh();
  put(slab, run, regular(0));
  run.flush();
  run.flush();
  put(slab, run, regular(1));
  run.close();
  assert.deepEqual(sends, [["0"], ["1"]]);
  assert.deepEqual(released, held);
});

test("a packet that is too long for a run goes by itself, behind what waited", () => {
  const { slab, run, sends } = fresh();
  put(slab, run, regular(0));
  assert.equal(run.begin(1600, false, 0, 160), -1);
  assert.deepEqual(sends, [["0"]]);
  for (let i = 2; i < 6; i++) put(slab, run, { ...regular(i), length: 700 });
  run.flush();
  assert.deepEqual(sends.slice(1), [
    ["2", "3"],
    ["4", "5"],
  ]);
});

test("a slab without room costs the packets that wait, and is counted", () => {
  const { io, slab, sends } = memoryIo(true, 400);
  const run = PacketRun.create(io, 7, new HeldRuns())!;
  for (let i = 0; i < 5; i++) put(slab, run, regular(i));
  assert.equal(sends.length, 0);
  assert.equal(run.dropped, 5);
});

test("there are no runs where nothing is gained by them", () => {
  assert.equal(PacketRun.create(memoryIo(false).io, 7, new HeldRuns()), undefined);
});

test("whatever comes leaves once, in order, no more than five at a time, none late", () => {
  const arbPacket = fc.record({
    length: fc.constantFrom(32, 92, 172, 172, 172, 700),
    marker: fc.boolean().map((marker) => marker),
    payloadType: fc.constantFrom(0, 0, 0, 8),
    gap: fc.constantFrom(0, 0, 0, 1, 7),
  });
  fc.assert(
    fc.property(fc.array(arbPacket, { maxLength: 60 }), (packets) => {
      const { slab, run, sends, heldRuns } = fresh();
      let at = 0;
      const texts = packets.map(({ gap, ...packet }, i) => {
        at += 1 + gap;
        heldRuns.flushDue(20 * at);
        assert.ok(run.heldSince < 0 || 20 * at - run.heldSince < 95);
        put(slab, run, { ...packet, text: `${i}`, timestamp: 160 * at });
        return `${i}`;
      });
      run.flush();
      assert.deepEqual(sends.flat(), texts);
      assert.ok(sends.every(({ length }) => length <= 5));
    }),
  );
});

test("thousands of runs: each is flushed when its time is up, full ones are forgotten", () => {
  const memory = memoryIo();
  const held = new HeldRuns();
  const runs = Array.from({ length: 300 }, () => PacketRun.create(memory.io, 7, held)!);
  for (let i = 0; i < 103; i++) {
    runs.forEach((run, k) => {
      put(memory.slab, run, { text: `${k}`, length: 12, timestamp: 160 * i, now: 20 * i + k / 20 });
    });
    held.flushDue(20 * i + 16);
  }
  assert.equal(memory.sends.length, 300 * 20);
  held.flushDue(20 * 100 + 95 + 15);
  assert.equal(memory.sends.length, 300 * 21);
  assert.ok(memory.sends.slice(300 * 20).every(({ length }) => length === 3));
});
