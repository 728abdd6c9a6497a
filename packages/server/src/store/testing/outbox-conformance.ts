import assert from "node:assert/strict";
import { afterEach, beforeEach, suite, test } from "node:test";
import type { Store } from "../types.ts";
import type { OpenForTest } from "./conformance.ts";
import { callback, callRecord, keepingLog, sid, siprecRecord, tickingClock } from "./fixtures.ts";

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const CLAIM = { limit: 10, leaseMs: 60_000 };

/** What the outbox must do on every engine. */
export function outboxConformance(engineName: string, open: OpenForTest): void {
  suite(`outbox on ${engineName}`, () => {
    let store: Store;
    let clock: ReturnType<typeof tickingClock>;

    beforeEach(async () => {
      clock = tickingClock();
      store = await open({ now: clock.now, log: keepingLog() });
    });
    afterEach(() => store.close());

    const save = (event: string, change: Parameters<typeof callback>[0] = {}) =>
      store.siprecs.saveSiprec(siprecRecord(1), [
        callback({ ...change, parameters: [["SiprecEvent", event]] }),
      ]);
    const claimed = async (options: Partial<Parameters<Store["outbox"]["claim"]>[0]> = {}) =>
      (await store.outbox.claim({ ...CLAIM, ...options })).map(({ parameters }) => parameters[0]?.[1]);

    test("a callback is owed with the change of state or not at all", async () => {
      const impossible = { ...callback(), accountSid: null as unknown as string };
      await assert.rejects(store.calls.saveCall(callRecord(1), [callback(), impossible]));
      assert.equal(await store.siprecs.callExists(undefined, sid("CA", 1)), false);
      assert.equal(await store.outbox.pending(), 0);
      await store.calls.saveCall(callRecord(1), [callback()]);
      assert.equal(await store.outbox.pending(), 1);
    });

    test("an entry comes out as it went in, with a token of its own", async () => {
      await store.siprecs.saveSiprec(siprecRecord(1), [callback(), callback({ callSid: null })]);
      const [first, second] = await store.outbox.claim(CLAIM);
      const { id, attempts, dateCreated, ...rest } = first!;
      assert.match(id, UUID_V4);
      assert.notEqual(id, second?.id);
      assert.deepEqual([attempts, dateCreated], [0, clock.now()]);
      assert.deepEqual(rest, callback());
    });

    test("callbacks of one lane leave one at a time and in order", async () => {
      for (const event of ["a", "b", "c"]) await save(event);
      const [a] = await store.outbox.claim(CLAIM);
      assert.equal(a?.parameters[0]?.[1], "a");
      assert.deepEqual(await claimed(), []);
      await store.outbox.complete(a!.id);
      const [b] = await store.outbox.claim(CLAIM);
      assert.equal(b?.parameters[0]?.[1], "b");
      await store.outbox.giveUp(b!.id, "no such host");
      assert.deepEqual(await claimed(), ["c"]);
    });

    test("another call, kind or receiver is another lane", async () => {
      await save("a");
      await save("a");
      await save("b", { callSid: sid("CA", 2) });
      await save("c", { kind: "call-status" });
      await save("d", { url: "https://other.example/" });
      await save("e", { callSid: null });
      await save("f", { callSid: null });
      assert.deepEqual(await claimed(), ["a", "b", "c", "d", "e", "f"]);
    });

    test("a postponed one holds its lane and comes back, counted, when it is due", async () => {
      await save("a");
      await save("b");
      const [a] = await store.outbox.claim(CLAIM);
      await store.outbox.postpone(a!.id, clock.now() + 5000, "connection refused");
      assert.equal(await store.outbox.nextDueAt(), clock.now() + 5000);
      clock.advance(4999);
      assert.deepEqual(await claimed(), []);
      clock.advance(1);
      const [again] = await store.outbox.claim(CLAIM);
      assert.deepEqual([again?.id, again?.attempts], [a!.id, 1]);
    });

    test("a claim that was forgotten is free after its lease, a released one at once", async () => {
      await save("a");
      assert.deepEqual(await claimed(), ["a"]);
      assert.equal(await store.outbox.nextDueAt(), undefined);
      clock.advance(59_999);
      assert.deepEqual(await claimed(), []);
      clock.advance(1);
      const [entry] = await store.outbox.claim(CLAIM);
      assert.equal(entry?.attempts, 0);
      await store.outbox.release(entry!.id);
      assert.deepEqual(await claimed(), ["a"]);
    });

    test("busy receivers are passed over", async () => {
      await save("a");
      await save("b", { url: "http://other.example:8080/x?y#rc=1" });
      assert.deepEqual(await claimed({ exceptOrigins: ["https://example.com"] }), ["b"]);
      assert.deepEqual(await claimed({ exceptOrigins: ["http://other.example:8080", "http://x.example"] }), [
        "a",
      ]);
    });

    test("many claim at the same time and no callback is taken twice", async () => {
      for (let i = 0; i < 60; i++) await save(`event ${i}`, { callSid: sid("CA", i) });
      const claims = await Promise.all(Array.from({ length: 20 }, () => claimed({ limit: 3 })));
      const taken = claims.flat();
      assert.equal(taken.length, 60);
      assert.equal(new Set(taken).size, 60);
    });

    test("whoever waits for callbacks is told after the commit", async () => {
      let told = 0;
      const stop = store.outbox.onAdded(() => {
        told += 1;
      });
      await store.calls.saveCall(callRecord(1), []);
      assert.equal(told, 0);
      await save("a");
      assert.equal(told, 1);
      stop();
      await save("b");
      assert.equal(told, 1);
    });

    test("what is over is pruned by count and age; what is owed stays", async () => {
      await store.close();
      const retention = { finishedCallbacks: 100, finishedCallbackAgeMs: 10_000 };
      store = await open({ now: clock.now, log: keepingLog(), retention });
      await save("owed", { callSid: sid("CA", 9999) });
      clock.advance(1_000_000);
      const finish = async (count: number) => {
        for (let i = 0; i < count; i++) {
          await save("x", { callSid: sid("CA", i) });
          clock.advance(1);
        }
        for (const entry of await store.outbox.claim({ limit: count + 1, leaseMs: 1000 })) {
          if (entry.parameters[0]?.[1] === "owed") await store.outbox.release(entry.id);
          else await store.outbox.complete(entry.id);
          clock.advance(1);
        }
      };
      await finish(500);
      assert.equal(await store.outbox.pending(), 1);
    });
  });
}
