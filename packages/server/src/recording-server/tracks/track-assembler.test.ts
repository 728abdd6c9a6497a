import assert from "node:assert/strict";
import { test } from "node:test";
import { writeRtpHeader } from "@callfork/protocol/rtp";
import fc from "fast-check";
import { narrowbandFormat } from "./payload-format.ts";
import { TrackAssembler, type TrackCounters } from "./track-assembler.ts";

const SAMPLES = 160;
const SILENCE = -1;
const FORMATS = new Map(
  [narrowbandFormat(0, "PCMU"), narrowbandFormat(8, "PCMA")].map((one) => [one.payloadType, one]),
);

interface Sent {
  readonly sequence: number;
  readonly timestamp: number;
  readonly arrivalTime: number;
  readonly ssrc?: number;
  readonly payloadType?: number;
  readonly payload?: Uint8Array;
}

const voice = (index: number, length = SAMPLES): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (index * 37 + at) & 0xff);

function packet({
  sequence,
  timestamp,
  ssrc = 7,
  payloadType = 0,
  payload = voice(sequence),
}: Sent): Uint8Array {
  const bytes = new Uint8Array(12 + payload.length);
  writeRtpHeader(bytes, 0, false, payloadType, sequence & 0xffff, timestamp >>> 0, ssrc);
  bytes.set(payload, 12);
  return bytes;
}

/** An assembler, and its timeline: one number a sample, −1 for silence. */
function track(): {
  readonly assembler: TrackAssembler;
  readonly timeline: number[];
  push(...sent: readonly Sent[]): void;
  finish(): TrackCounters;
} {
  const timeline: number[] = [];
  const assembler = new TrackAssembler({
    clockRateHz: 8_000,
    formats: FORMATS,
    sink: {
      audio: (payload) => {
        for (const octet of payload) timeline.push(octet);
      },
      silence: (samples) => {
        for (let i = 0; i < samples; i++) timeline.push(SILENCE);
      },
    },
  });
  return {
    assembler,
    timeline,
    push: (...sent) => {
      for (const each of sent) {
        const bytes = packet(each);
        assembler.push(bytes, each.arrivalTime);
        bytes.fill(0xee); // the caller's memory again
      }
    },
    finish: () => {
      assembler.finish();
      assert.equal(assembler.counters.samples, timeline.length);
      return assembler.counters;
    },
  };
}

/** `count` packets of 20 ms that come on time. */
function run(count: number, from: Partial<Sent> & { readonly at?: number } = {}): Sent[] {
  const { sequence = 100, timestamp = 5_000, at = 0, ...rest } = from;
  return Array.from({ length: count }, (_, index) => ({
    ...rest,
    sequence: sequence + index,
    timestamp: timestamp + SAMPLES * index,
    arrivalTime: at + 20 * index,
  }));
}

const audioOf = (sent: readonly Sent[]): number[] =>
  sent.flatMap((each) => [...(each.payload ?? voice(each.sequence))]);
const silence = (samples: number): number[] => new Array<number>(samples).fill(SILENCE);

test("[R7866-8.2.1.1-5] [R7866-8.2.1.2-6] [R7866-8.2.2-4] [R7866-8.2.3-3] whatever is lost, doubled or comes up to 200 ms late: the right samples stand at the right places", () => {
  const fate = fc.record({
    lost: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
    delay: fc.integer({ min: 0, max: 10 }),
    copy: fc.option(fc.integer({ min: 0, max: 10 }), { freq: 6 }),
  });
  fc.assert(
    fc.property(
      fc.array(fate, { minLength: 1, maxLength: 120 }),
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      (fates, sequence, timestamp) => {
        const arrivals = fates.flatMap(({ lost, delay, copy }, index) => {
          if (lost) return [];
          const slots = copy === null ? [delay] : [delay, copy];
          return slots.map((slot) => ({ index, slot: index + slot }));
        });
        arrivals.sort((a, b) => a.slot - b.slot || a.index - b.index);
        const { push, finish, timeline } = track();
        for (const { index, slot } of arrivals) {
          push({
            sequence: sequence + index,
            timestamp: timestamp + SAMPLES * index,
            arrivalTime: 1_000 + 20 * slot,
            payload: voice(index),
          });
        }
        const counters = finish();
        const came = fates.flatMap(({ lost }, index) => (lost ? [] : [index]));
        const [first = 0, last = -1] = [came[0], came.at(-1)];
        const expected: number[] = [];
        for (let index = first; index <= last; index++) {
          expected.push(...(came.includes(index) ? voice(index) : silence(SAMPLES)));
        }
        assert.deepEqual(timeline, expected);
        assert.equal(counters.packets, came.length);
        assert.equal(counters.expected, came.length === 0 ? 0 : last - first + 1);
        assert.equal(counters.lost, counters.expected - counters.packets);
        assert.equal(counters.duplicates, arrivals.length - came.length);
        assert.equal(counters.late, 0);
        assert.equal(counters.ignored, 0);
        assert.equal(counters.octets, came.length * SAMPLES);
      },
    ),
    { numRuns: 300 },
  );
});

test("counters hold at every moment: expected is packets plus lost, and nothing is counted twice", () => {
  const step = fc.record({
    ssrc: fc.integer({ min: 1, max: 3 }),
    sequence: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 0xffff })),
    timestamp: fc.oneof(fc.integer({ min: 0, max: 9_999 }), fc.integer({ min: 0, max: 0xffff_ffff })),
    elapsedMs: fc.integer({ min: 0, max: 3_000 }),
    payloadType: fc.constantFrom(0, 8, 101),
    what: fc.constantFrom("push", "push", "push", "push", "push", "resumed", "drain"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const { assembler, push, finish, timeline } = track();
      let arrivalTime = 0;
      let pushed = 0;
      for (const { elapsedMs, what, ...sent } of steps) {
        arrivalTime += elapsedMs;
        if (what === "resumed") assembler.resumed();
        else if (what === "drain") assembler.drain();
        else {
          push({ ...sent, arrivalTime });
          pushed++;
        }
        const { expected, packets, lost } = assembler.counters;
        assert.equal(expected, packets + lost);
        assert.ok(lost >= 0);
      }
      const { packets, late, duplicates, ignored } = finish();
      // A packet without audio is both in the sequence and ignored; all others are counted once.
      assert.ok(packets + late + duplicates <= pushed);
      assert.ok(packets + late + duplicates + ignored >= pushed);
      // Nobody can make the track longer than the time that passed, but for two seconds and what was said.
      assert.ok(
        timeline.length <= (arrivalTime + 2_000) * 8 + pushed * SAMPLES,
        `${timeline.length} samples`,
      );
    }),
    { numRuns: 300 },
  );
});

test("the first packets may come in any order", () => {
  const { push, finish, timeline } = track();
  const sent = run(20);
  push(...sent.slice(5, 8), ...sent.slice(0, 5), ...sent.slice(8));
  const counters = finish();
  assert.deepEqual(timeline, audioOf(sent));
  assert.equal(counters.late, 0);
  assert.equal(counters.firstPacketTime, 0);
});

test("a packet that comes when its place has been written is late and lost; a repeated one is a duplicate", () => {
  const { push, finish, timeline } = track();
  const sent = run(60);
  const missing = sent[20]!;
  push(...sent.slice(0, 20), ...sent.slice(21, 40), missing, sent[30]!, ...sent.slice(40));
  const counters = finish();
  assert.deepEqual([counters.late, counters.lost, counters.duplicates], [1, 1, 1]);
  assert.deepEqual(timeline, [...audioOf(sent.slice(0, 20)), ...silence(160), ...audioOf(sent.slice(21))]);
  assert.equal(counters.longestGapMs, 20);
});

test("[R3551-4.1-1] silence suppression leaves a gap of its length and loses nothing", () => {
  const { push, finish, timeline } = track();
  const before = run(15);
  // The sequence goes on, the timestamp jumps with the clock (RFC 3550 §5.1).
  const after = run(15, { sequence: 115, timestamp: 5_000 + 8_000 * 60, at: 60_000 });
  push(...before, ...after);
  const counters = finish();
  assert.deepEqual(timeline, [...audioOf(before), ...silence(8_000 * 60 - 15 * 160), ...audioOf(after)]);
  assert.deepEqual([counters.lost, counters.sourceChanges], [0, 0]);
  assert.equal(counters.longestGapMs, 60_000 - 300);
});

test("an outage of minutes is a gap whose packets are lost, not a new stream", () => {
  const { push, finish, timeline } = track();
  const sent = run(4_000);
  push(...sent.slice(0, 20), ...sent.slice(3_980));
  const counters = finish();
  assert.deepEqual([counters.expected, counters.lost, counters.sourceChanges], [4_000, 3_960, 0]);
  assert.equal(timeline.length, 4_000 * 160);
});

test("[R7866-8.1.3-1] another SSRC takes over without a sample lost, where the clock says", () => {
  const { push, finish, timeline } = track();
  const first = run(30);
  const second = run(30, { ssrc: 8, sequence: 40_000, timestamp: 77, at: 30 * 20 });
  const third = run(30, { ssrc: 9, sequence: 5, timestamp: 4_000_000_000, at: 2_200 });
  push(...first, ...second, ...third);
  const counters = finish();
  assert.deepEqual(timeline, [...audioOf(first), ...audioOf(second), ...silence(8_000), ...audioOf(third)]);
  assert.deepEqual([counters.sourceChanges, counters.lost, counters.expected], [2, 0, 90]);
});

test("the last packets of a relieved source do not fetch the track back", () => {
  const { push, finish, timeline } = track();
  const first = run(32);
  const second = run(30, { ssrc: 8, sequence: 40_000, timestamp: 77, at: 600 });
  push(...first.slice(0, 30), second[0]!, second[1]!, first[30]!, first[31]!, ...second.slice(2));
  const counters = finish();
  assert.deepEqual(timeline, [...audioOf(first.slice(0, 30)), ...audioOf(second)]);
  assert.deepEqual([counters.sourceChanges, counters.ignored], [1, 2]);
});

test("of two sources that speak at once one is recorded, not both in turn", () => {
  const { push, finish, timeline } = track();
  const first = run(100);
  const second = run(100, { ssrc: 8, sequence: 9_000, timestamp: 1, at: 5 });
  for (let index = 0; index < 100; index++) push(first[index]!, second[index]!);
  const counters = finish();
  assert.equal(counters.sourceChanges, 1);
  assert.ok(timeline.length <= 102 * 160, `${timeline.length} samples`);
  assert.equal(counters.packets + counters.ignored, 200);
});

test("a stray packet of a foreign SSRC or from far away moves nothing", () => {
  const { push, finish, timeline } = track();
  const sent = run(40);
  push(...sent.slice(0, 20));
  push({ ssrc: 99, sequence: 1, timestamp: 1, arrivalTime: 390 });
  push({ sequence: 30_000, timestamp: 900_000_000, arrivalTime: 395 });
  push(...sent.slice(20));
  const counters = finish();
  assert.deepEqual(timeline, audioOf(sent));
  assert.equal(counters.ignored, 2);
});

test("a sender that starts over under its SSRC goes on where the clock says", () => {
  const { push, finish, timeline } = track();
  const before = run(20);
  const after = run(20, { sequence: 50_000, timestamp: 3_000_000_000, at: 1_400 });
  push(...before, ...after);
  const counters = finish();
  assert.deepEqual(timeline, [...audioOf(before), ...silence(8_000), ...audioOf(after)]);
  assert.deepEqual([counters.lost, counters.sourceChanges], [0, 1]);
});

test("a timestamp that jumps for no reason is not believed", () => {
  for (const jump of [3_000_000, -3_000_000]) {
    const { push, finish, timeline } = track();
    const before = run(20);
    const after = run(20, { sequence: 120, timestamp: 5_000 + 20 * 160 + jump, at: 400 });
    push(...before, ...after);
    assert.deepEqual(finish().lost, 0);
    assert.deepEqual(timeline, [...audioOf(before), ...audioOf(after)], `jump by ${jump}`);
  }
});

test("timestamps that run ahead a second a packet do not fill the disk", () => {
  const { push, finish, timeline } = track();
  for (let index = 0; index < 500; index++) {
    push({ sequence: index, timestamp: index * 8_000, arrivalTime: index * 20 });
  }
  finish();
  assert.ok(timeline.length < 8_000 * 25, `${timeline.length} samples`);
});

test("a sender whose clock is off is followed, beyond what would be a jump", () => {
  const packets = 125_000; // 2,500 s, in which 900 ppm make 2,250 ms
  const payload = voice(1);
  let quiet = 0;
  let samples = 0;
  const assembler = new TrackAssembler({
    clockRateHz: 8_000,
    formats: FORMATS,
    sink: {
      audio: ({ length }) => {
        samples += length;
      },
      silence: (count) => {
        quiet += count;
      },
    },
  });
  for (let index = 0; index < packets; index++) {
    const sent = { sequence: index, timestamp: index * SAMPLES, arrivalTime: index * 20 * 1.0009, payload };
    assembler.push(packet(sent), sent.arrivalTime);
  }
  assembler.finish();
  assert.deepEqual([samples, quiet], [packets * SAMPLES, 0]);
});

test("after a pause the stream goes on by the clock, whatever its timestamps did meanwhile", () => {
  const frozen = run(20, { sequence: 120, timestamp: 5_000 + 20 * 160, at: 400 + 1_500 });
  const advanced = run(20, { sequence: 195, timestamp: 5_000 + 95 * 160, at: 400 + 1_500 });
  for (const after of [frozen, advanced]) {
    const { assembler, push, finish, timeline } = track();
    const before = run(20);
    push(...before);
    assembler.resumed();
    push(...after);
    const counters = finish();
    assert.deepEqual(timeline, [...audioOf(before), ...silence(1_500 * 8), ...audioOf(after)]);
    assert.deepEqual([counters.lost, counters.sourceChanges], [0, 0]);
  }
});

test("telephone events and comfort noise take their place in the sequence, not on the timeline", () => {
  const { push, finish, timeline } = track();
  const sent = run(40);
  const event = new Uint8Array([5, 10, 0, 160]);
  const mixed = sent.map((each, index) =>
    index >= 20 && index < 25
      ? { ...each, payloadType: 101, payload: event, timestamp: sent[20]!.timestamp }
      : each,
  );
  push(...mixed);
  const counters = finish();
  assert.deepEqual([counters.packets, counters.lost, counters.ignored], [40, 0, 5]);
  assert.deepEqual(timeline, [
    ...audioOf(sent.slice(0, 20)),
    ...silence(5 * 160),
    ...audioOf(sent.slice(25)),
  ]);
});

test("a sender that overlaps itself adds only what is new", () => {
  const { push, finish, timeline } = track();
  push(
    { sequence: 1, timestamp: 0, arrivalTime: 0, payload: voice(1) },
    { sequence: 2, timestamp: 80, arrivalTime: 20, payload: voice(2) },
    { sequence: 3, timestamp: 90, arrivalTime: 40, payload: voice(3, 20) },
  );
  finish();
  assert.deepEqual(timeline, [...voice(1), ...voice(2).subarray(80)]);
});

test("what is no RTP is ignored", () => {
  const { assembler } = track();
  for (const bytes of [
    new Uint8Array(0),
    new Uint8Array(11),
    Uint8Array.of(0x40, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9),
  ]) {
    assembler.push(bytes, 0);
  }
  assert.deepEqual([assembler.counters.ignored, assembler.counters.firstPacketTime], [3, null]);
});

test("a stream that ceases keeps nothing back when it is drained", () => {
  const { assembler, push, timeline } = track();
  const sent = run(6);
  push(sent[0]!, sent[1]!, sent[3]!, sent[5]!);
  assert.equal(timeline.length, 0, "the beginning waits for what may come before it");
  assembler.drain();
  assert.equal(timeline.length, 6 * 160);
  push(sent[4]!, ...run(2, { sequence: 106, timestamp: 5_000 + 6 * 160, at: 120 }));
  assert.equal(timeline.length, 8 * 160);
  assert.equal(assembler.counters.late, 1);
});

test("reordering by 200 ms is undone whatever the packet time; what comes later than that is late", () => {
  for (const packetMs of [10, 20, 30, 60]) {
    const samples = 8 * packetMs;
    const count = Math.ceil(2_000 / packetMs);
    const sent = Array.from({ length: count }, (_, index) => ({
      sequence: 100 + index,
      timestamp: samples * index,
      arrivalTime: packetMs * index,
      payload: voice(index, samples),
    }));
    for (const [lateMs, late] of [
      [200, 0],
      [400 + 11 * packetMs, 1],
    ] as const) {
      const { push, finish } = track();
      const slow = sent[10]!;
      const arrivals = sent.map((one) =>
        one === slow ? { ...one, arrivalTime: one.arrivalTime + lateMs } : one,
      );
      push(...arrivals.toSorted((a, b) => a.arrivalTime - b.arrivalTime || a.sequence - b.sequence));
      assert.deepEqual([finish().late, packetMs], [late, packetMs], `${lateMs} ms late`);
    }
  }
});
