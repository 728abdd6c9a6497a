import assert from "node:assert/strict";
import { test } from "node:test";
import { addToSequence } from "@callfork/protocol/rtp";
import fc from "fast-check";
import { OutgoingStream } from "./outgoing-stream.ts";

const FIRST = { ssrc: 1, firstSequence: 65_000, firstTimestamp: 1000, clockRateHz: 8000, followsClock: true };
const stream = (): OutgoingStream => new OutgoingStream(FIRST);

/** Sends a packet of source `ssrc` and tells its numbers, counted from the first ones of the stream. */
function send(to: OutgoingStream, ssrc: number, sequence: number, timestamp: number, now: number): number[] {
  to.map(ssrc, sequence & 0xffff, timestamp >>> 0, now);
  to.count(160, now);
  return [(to.sequence - FIRST.firstSequence) & 0xffff, (to.timestamp - FIRST.firstTimestamp) >>> 0];
}

test("the first packet gets the first numbers, whatever its own are; the rest keep their distance to it", () => {
  const to = stream();
  assert.deepEqual(send(to, 7, 500, 9_000_000, 0), [0, 0]);
  assert.deepEqual(send(to, 7, 502, 9_000_320, 40), [2, 320]);
  assert.deepEqual(send(to, 7, 501, 9_000_160, 41), [1, 160]);
  assert.deepEqual(send(to, 7, 503, 9_000_480, 60), [3, 480]);
});

test("another source goes on after the last packet by the time that has passed, in whole packets", () => {
  const to = stream();
  send(to, 7, 1, 0, 0);
  send(to, 7, 2, 160, 20);
  assert.deepEqual(send(to, 8, 900, 77, 143), [2, 160 + 6 * 160]);
  assert.deepEqual(send(to, 8, 901, 237, 160), [3, 160 + 7 * 160]);
  assert.deepEqual(send(to, 9, 5, 0, 160.1), [4, 160 + 8 * 160], "at least one packet on");
});

test("packets held back leave no gap; stragglers from before them keep the number that was theirs", () => {
  const to = stream();
  send(to, 7, 10, 0, 0);
  send(to, 7, 11, 160, 20);
  // 12 is overtaken by the events 13 to 15, of which 14 comes twice and 13 late.
  to.skip(7, 14);
  to.skip(7, 14);
  to.skip(7, 15);
  to.skip(7, 13);
  assert.deepEqual(send(to, 7, 12, 320, 60), [2, 320]);
  assert.deepEqual(send(to, 7, 16, 960, 120), [4, 960]);
  assert.deepEqual(send(to, 7, 17, 1120, 140), [5, 1120]);
});

test("a run of any packets held back: what is sent is without gap and in true time", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 400 }), fc.nat(0xffff), (kept, first) => {
      const to = stream();
      let next = 0;
      let origin = -1;
      kept.forEach((keep, i) => {
        const sequence = addToSequence(first, i);
        if (!keep) {
          to.skip(7, sequence);
          return;
        }
        if (origin < 0) origin = i;
        assert.deepEqual(send(to, 7, sequence, i * 160, i * 20), [next++, (i - origin) * 160]);
      });
    }),
  );
});

test("packets held back are forgotten before the sequence comes round again", () => {
  const to = stream();
  let sent = 0;
  for (let i = 0; i < 140_000; i++) {
    // 20 minutes and more between two events.
    if (i % 65_400 === 100) to.skip(7, i & 0xffff);
    else assert.equal(send(to, 7, i, i * 160, i * 20)[0], sent++ & 0xffff);
  }
});

test("sequences that jump, timestamps that run away or backwards start over; silence and stalls do not", () => {
  const to = stream();
  send(to, 7, 1, 0, 0);
  assert.deepEqual(send(to, 7, 2, 80_000, 10_020), [1, 80_000], "ten seconds of silence suppression");
  assert.deepEqual(send(to, 7, 3, 80_160, 16_000), [2, 80_160], "a network that held packets back");
  assert.deepEqual(send(to, 7, 4, 80_320, 16_000), [3, 80_320]);
  assert.deepEqual(send(to, 7, 20_000, 80_480, 16_020), [4, 80_480], "a sequence that starts over");
  assert.deepEqual(send(to, 7, 20_001, 3_000_000_000, 16_040), [5, 80_640], "timestamps that run away");
  assert.deepEqual(send(to, 7, 20_002, 40, 16_060), [6, 80_800], "or go back");
  assert.deepEqual(send(to, 7, 20_003, 200, 16_080), [7, 80_960]);
});

test("what does not follow the clock (a relay) leaves timestamps of one source alone", () => {
  const to = new OutgoingStream({ ...FIRST, followsClock: false });
  send(to, 7, 1, 0, 0);
  assert.deepEqual(send(to, 7, 2, 3_000_000_000, 20), [1, 3_000_000_000]);
  assert.deepEqual(send(to, 7, 3, 160, 40), [2, 160]);
});

test("our own packets follow the relayed ones and the other way round; the first of a run is told", () => {
  const to = stream();
  send(to, 7, 1, 0, 0);
  assert.equal(to.next(160, 100), true);
  assert.deepEqual([to.sequence - FIRST.firstSequence, to.timestamp - FIRST.firstTimestamp], [1, 800]);
  to.count(160, 100);
  assert.equal(to.next(160, 120.4), false);
  to.count(160, 120.4);
  assert.equal(to.timestamp - FIRST.firstTimestamp, 960);
  assert.equal(to.sourceSsrc, undefined);
  assert.deepEqual(send(to, 7, 9, 1280, 160), [3, 1280]);
  assert.equal(to.sourceSsrc, 7);
  assert.equal(to.packets, 4);
  assert.equal(to.octets, 640);
});

test("[R3550-6.4.1-2] a sender report's RTP time is that of its NTP instant, whatever the network did to packets", () => {
  const to = stream();
  let worst = 0;
  for (let i = 0; i < 3000; i++) {
    // Every packet is late by up to 30 ms, one in fifty by 200; the source's clock is 100 ppm slow.
    const delay = i % 50 === 7 ? 200 : (i * 7919) % 31;
    const sentAt = i * 20 * 1.0001;
    send(to, 7, i, i * 160, sentAt + delay);
    if (i < 100) continue;
    const now = sentAt + delay + 5;
    const trueUnits = (now / 1.0001) * 8;
    const told = (to.timestampAt(now) - FIRST.firstTimestamp) >>> 0;
    worst = Math.max(worst, Math.abs(told - trueUnits) / 8);
  }
  assert.ok(worst < 20, `${worst} ms`);
});

test("[R3550-8.2-2] another SSRC counts its packets from zero", () => {
  const to = stream();
  send(to, 7, 1, 0, 0);
  to.changeSsrc(99);
  assert.equal(to.ssrc, 99);
  assert.equal(to.packetsOfSsrc, 0);
  assert.deepEqual(send(to, 7, 2, 160, 20), [1, 160]);
  assert.deepEqual([to.packetsOfSsrc, to.octetsOfSsrc, to.packets], [1, 160, 2]);
});
