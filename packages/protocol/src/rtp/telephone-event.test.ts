import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { dtmfKey, parseTelephoneEvent, TelephoneEventReceiver } from "./telephone-event.ts";

const update = (event: number, duration: number) => ({ event, end: false, volume: 10, duration });
const end = (event: number, duration: number) => ({ event, end: true, volume: 10, duration });

test("[R4733-2.3-1] event, end bit, volume and duration are read; fewer than four octets are none", () => {
  assert.deepEqual(parseTelephoneEvent(Uint8Array.of(9, 11, 0x8a, 0x03, 0x20), 1, 4), {
    event: 11,
    end: true,
    volume: 10,
    duration: 800,
  });
  assert.equal(parseTelephoneEvent(Uint8Array.of(1, 2, 3), 0, 3), undefined);
  assert.deepEqual([0, 9, 10, 11, 12, 15, 16].map(dtmfKey), ["0", "9", "*", "#", "A", "D", undefined]);
});

test("[R4733-2.5-1] many packets and a threefold end are one digit; the same key again is another", () => {
  const receiver = new TelephoneEventReceiver();
  const seen = [
    receiver.receive(1000, update(5, 160)),
    receiver.receive(1000, update(5, 320)),
    receiver.receive(1000, end(5, 480)),
    receiver.receive(1000, end(5, 480)),
    receiver.receive(1000, end(5, 480)),
    receiver.receive(3000, end(5, 400)),
  ];
  assert.deepEqual(seen, [
    undefined,
    undefined,
    { event: 5, duration: 480 },
    undefined,
    undefined,
    { event: 5, duration: 400 },
  ]);
});

test("an event whose end is lost is told when the next begins, or when it is given up", () => {
  const receiver = new TelephoneEventReceiver();
  assert.equal(receiver.receive(1000, update(1, 160)), undefined);
  assert.deepEqual(receiver.receive(2000, update(2, 160)), { event: 1, duration: 160 });
  assert.ok(receiver.pending);
  assert.deepEqual(receiver.flush(), { event: 2, duration: 160 });
  assert.equal(receiver.flush(), undefined);
  assert.equal(receiver.receive(2000, end(2, 320)), undefined);
});

test("stragglers of an earlier event are ignored, timestamps wrap", () => {
  const receiver = new TelephoneEventReceiver();
  receiver.receive(0xffffff00, end(1, 160));
  assert.deepEqual(receiver.receive(0x100, end(2, 160)), { event: 2, duration: 160 });
  assert.equal(receiver.receive(0xffffff00, end(1, 160)), undefined);
});

test("each key pressed is told exactly once, whatever copies of its packets come in order", () => {
  const presses = fc.array(
    fc.record({ event: fc.nat(15), updates: fc.nat(5), ends: fc.integer({ min: 1, max: 3 }) }),
  );
  fc.assert(
    fc.property(presses, (keys) => {
      const receiver = new TelephoneEventReceiver();
      const told: number[] = [];
      keys.forEach(({ event, updates, ends }, i) => {
        const packets = [
          ...Array.from({ length: updates }, (_, n) => update(event, 160 * (n + 1))),
          ...Array.from({ length: ends }, () => end(event, 160 * (updates + 1))),
        ];
        for (const packet of packets) {
          const complete = receiver.receive(i * 8000, packet);
          if (complete) told.push(complete.event);
        }
      });
      assert.deepEqual(
        told,
        keys.map(({ event }) => event),
      );
    }),
  );
});
