import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MIN_SEQUENTIAL, RECEPTION_CELLS, Reception, receiveNext } from "./reception.ts";
import { addToSequence, addToTimestamp, isNewerSequence, sequenceDelta, timestampDelta } from "./serial.ts";

/** Feeds packets of 20 ms, each on time. */
function feed(source: Reception, sequences: readonly number[]): string[] {
  return sequences.map((sequence, i) => source.receive(sequence & 0xffff, i * 160, i * 20, 160));
}

test("[R3550-A.1-3] sequence arithmetic goes the shorter way round the circle", () => {
  assert.equal(sequenceDelta(2, 65_534), 4);
  assert.equal(sequenceDelta(65_534, 2), -4);
  assert.equal(sequenceDelta(0, 0x8000), -0x8000);
  assert.ok(isNewerSequence(0, 65_535));
  assert.ok(!isNewerSequence(5, 5));
  assert.equal(addToSequence(65_535, 1), 0);
  assert.equal(addToSequence(0, -1), 65_535);
  assert.equal(timestampDelta(10, 0xfffffff6), 20);
  assert.equal(addToTimestamp(0xffffffff, 161), 160);
  fc.assert(
    fc.property(fc.nat(0xffff), fc.integer({ min: -32_768, max: 32_767 }), (from, step) => {
      assert.equal(sequenceDelta(addToSequence(from, step), from), step);
    }),
  );
});

test("[R3550-A.3-1] expected and lost follow the extended sequence across the wrap", () => {
  const source = new Reception(1, 8000);
  feed(source, [65_533, 65_534, 0, 1, 3]);
  assert.equal(source.expected, 7);
  assert.equal(source.packets, 5);
  assert.equal(source.lost, 2);
  assert.equal(source.cumulativeLost, 2);
  assert.equal(source.extendedHighestSequence, 0x10003);
  assert.equal(source.octets, 800);
});

test("[R3550-A.1-4] late packets fill their gap, duplicates are counted apart and make up for no loss", () => {
  const source = new Reception(1, 8000);
  const verdicts = feed(source, [10, 11, 13, 12, 13, 12, 11, 15]);
  assert.deepEqual(verdicts, [
    "in-order",
    "in-order",
    "in-order",
    "late",
    "duplicate",
    "duplicate",
    "duplicate",
    "in-order",
  ]);
  assert.equal(source.expected, 6);
  assert.equal(source.late, 1);
  assert.equal(source.duplicates, 3);
  assert.equal(source.lost, 1);
  assert.equal(source.cumulativeLost, -2);
});

test("a first packet that was overtaken belongs to what is expected", () => {
  for (const first of [100, 0]) {
    const source = new Reception(1, 8000);
    feed(source, [first, first - 1, first + 1]);
    assert.equal(source.expected, 3);
    assert.equal(source.lost, 0);
    assert.equal(source.late, 1);
  }
});

test("[R3550-A.1-5] an unknown source is on probation until two packets come in sequence", () => {
  const source = new Reception(1, 8000, MIN_SEQUENTIAL);
  assert.deepEqual(feed(source, [5, 9, 10, 11]), ["probation", "probation", "in-order", "in-order"]);
  assert.equal(source.packets, 2);
  assert.equal(source.expected, 2);
});

test("[R3550-A.1-6] a jump is believed at its second packet; a single stray one is not", () => {
  const source = new Reception(1, 8000);
  assert.deepEqual(feed(source, [1, 2, 30_000, 3]), ["in-order", "in-order", "probation", "in-order"]);
  assert.deepEqual(feed(source, [40_000, 40_001, 40_002]), ["probation", "restart", "in-order"]);
  assert.equal(source.restarts, 1);
  assert.equal(source.expected, 5);
  assert.equal(source.lost, 0);
  assert.equal(source.extendedHighestSequence, 40_002);
});

test("[R3550-A.1-1] counts agree with what was sent, whatever is lost, doubled and swapped within 100 packets", () => {
  const journey = fc.array(fc.record({ copies: fc.nat(2), delay: fc.nat(20) }), {
    minLength: 2,
    maxLength: 300,
  });
  fc.assert(
    fc.property(journey, fc.nat(0xffff), (packets, first) => {
      const arrivals = packets
        .flatMap(({ copies, delay }, i) => Array.from({ length: copies }, () => ({ i, at: i + delay })))
        .sort((a, b) => a.at - b.at)
        .map(({ i }) => i);
      if (arrivals.length === 0) return;
      const source = new Reception(1, 8000);
      feed(
        source,
        arrivals.map((i) => first + i),
      );
      const seen = new Set(arrivals);
      const expected = Math.max(...seen) - Math.min(...seen) + 1;
      assert.equal(source.packets, arrivals.length);
      assert.equal(source.expected, expected);
      assert.equal(source.duplicates, arrivals.length - seen.size);
      assert.equal(source.lost, expected - seen.size);
    }),
  );
});

test("[R3550-6.4.1-1] fraction lost counts since the last report, in 1/256, never below zero", () => {
  const source = new Reception(1, 8000);
  feed(source, [0, 1, 3, 4]);
  assert.equal(source.takeFractionLost(), Math.floor(256 / 5));
  feed(source, [5, 6, 7]);
  assert.equal(source.takeFractionLost(), 0);
  feed(source, [7, 7, 9]);
  assert.equal(source.takeFractionLost(), 0);
  assert.equal(source.takeFractionLost(), 0);
});

test("[R3550-A.8-1] jitter is a sixteenth of each deviation, in timestamp units", () => {
  const source = new Reception(1, 8000);
  source.receive(0, 0, 0, 160);
  source.receive(1, 160, 20, 160);
  assert.equal(source.jitter, 0);
  // 10 ms late: D = 80 units, and 80 back again for the next one on time.
  source.receive(2, 320, 50, 160);
  assert.equal(source.jitter, 5);
  source.receive(3, 480, 60, 160);
  assert.equal(source.jitter, 5 + (80 - 5) / 16);
  assert.equal(source.jitterMs, source.jitter / 8);
});

test("jitter knows neither the wrap of timestamps nor packets of a telephone event", () => {
  const source = new Reception(1, 8000);
  for (let i = 0; i < 100; i++) {
    source.receive(i, addToTimestamp(0xfffffe00, i * 160), i * 20, 160);
    if (i % 10 === 9) source.receive(i, 0, i * 20 + 5, 4, false);
  }
  assert.ok(source.jitter < 1e-6);
});

test("what receiveNext takes is counted as receive would have counted it, in cells among others", () => {
  const packet = fc.record({
    step: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.integer({ min: -130, max: 4000 })),
    units: fc.integer({ min: 0, max: 1000 }),
    afterMs: fc.double({ min: 0, max: 100, noNaN: true }),
    timed: fc.boolean(),
    otherSource: fc.boolean(),
  });
  let taken = 0;
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 60 }), fc.nat(0xffff), (packets, first) => {
      const at = 7;
      const cells = new Float64Array(at + RECEPTION_CELLS + 7).fill(-77);
      const both = [new Reception(0xf0000000, 8000), new Reception(0xf0000000, 8000, 0, cells, at)] as const;
      let [sequence, timestamp, now] = [first, 0xffffff00, 0];
      for (const { step, units, afterMs, timed, otherSource } of packets) {
        sequence = addToSequence(sequence, step);
        timestamp = addToTimestamp(timestamp, units);
        now += afterMs;
        if (otherSource) assert.ok(!receiveNext(cells, at, 1, sequence, timestamp, now, 160));
        const isNext = timed && receiveNext(cells, at, 0xf0000000, sequence, timestamp, now, 160);
        if (isNext) taken++;
        const [expected, verdict] = both.map((one) =>
          isNext && one === both[1] ? "in-order" : one.receive(sequence, timestamp, now, 160, timed),
        );
        assert.equal(verdict, expected);
        assert.deepEqual(summary(both[1]), summary(both[0]));
      }
      assert.ok(cells.every((cell, i) => (i >= at && i < at + RECEPTION_CELLS) || cell === -77));
    }),
  );
  assert.ok(taken > 100, String(taken));
});

function summary(source: Reception): readonly number[] {
  const { packets, octets, late, duplicates, restarts, firstPacketAt, lastPacketAt, expected, lost } = source;
  const { extendedHighestSequence, jitter } = source;
  const counts = [packets, octets, late, duplicates, restarts, expected, lost];
  return [...counts, firstPacketAt, lastPacketAt, extendedHighestSequence, jitter];
}
