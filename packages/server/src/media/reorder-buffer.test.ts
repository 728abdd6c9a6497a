import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ReorderBuffer } from "./reorder-buffer.ts";

/** A buffer and what comes out of it; a packet's payload is its number. */
function buffer(first = 65_530) {
  const out: number[] = [];
  const order = new ReorderBuffer({
    onPayload: (timestamp, payload) => {
      out.push(timestamp);
      assert.deepEqual([...payload], [timestamp & 0xff, timestamp >> 8]);
    },
  });
  return {
    order,
    out,
    push: (...numbers: readonly number[]) => {
      for (const n of numbers) order.push((first + n) & 0xffff, n, Uint8Array.of(n & 0xff, n >> 8));
      return [...out];
    },
  };
}

test("packets in order pass at once; one that comes early waits for the missing one", () => {
  const { push, order } = buffer();
  assert.deepEqual(push(0, 1, 2), [0, 1, 2]);
  assert.deepEqual(push(4), [0, 1, 2]);
  assert.deepEqual(push(3), [0, 1, 2, 3, 4]);
  assert.deepEqual(push(7, 6, 5, 8), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual([order.late, order.lost], [0, 0]);
});

test("when three wait, the missing one is lost; when it comes then, it is late", () => {
  const { push, order } = buffer();
  assert.deepEqual(push(0, 2, 3), [0]);
  assert.deepEqual(push(4), [0, 2, 3, 4]);
  assert.deepEqual(push(1, 5), [0, 2, 3, 4, 5]);
  assert.deepEqual([order.late, order.lost], [1, 1]);
  assert.deepEqual(push(8, 9), [0, 2, 3, 4, 5]);
  order.flush();
  assert.deepEqual(push(10), [0, 2, 3, 4, 5, 8, 9, 10]);
  assert.equal(order.lost, 3);
});

test("one that waits is kept once, also when it comes twice; a jump far away starts over", () => {
  const { push, order } = buffer();
  assert.deepEqual(push(0, 2, 2, 2, 2), [0]);
  assert.deepEqual(push(1), [0, 1, 2]);
  assert.deepEqual(push(4, 5000, 5001), [0, 1, 2, 4, 5000, 5001]);
  assert.deepEqual(push(7), [0, 1, 2, 4, 5000, 5001, 7]);
  assert.equal(order.lost, 1);
  assert.deepEqual(push(507).at(-1), 507);
  assert.equal(order.lost, 500);
  order.reset();
  assert.deepEqual(push(3), [0, 1, 2, 4, 5000, 5001, 7, 507, 3]);
});

test("whatever is shuffled by up to three, comes out in order and whole", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3), { minLength: 1, maxLength: 300 }), (delays) => {
      const { push, out, order } = buffer();
      const sent = delays.map((delay, n) => ({ n, at: n === 0 ? -1 : n + delay + n / 1000 }));
      sent.sort((a, b) => a.at - b.at);
      push(...sent.map(({ n }) => n));
      order.flush();
      assert.deepEqual(
        [...out].sort((a, b) => a - b),
        out,
      );
      assert.equal(out.length + order.late, delays.length);
    }),
  );
});
