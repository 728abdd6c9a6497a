import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { type TestContext, test } from "node:test";
import type { Worker } from "node:worker_threads";
import { decodePcmu } from "@callfork/protocol/audio";
import { createMediaPlane } from "@callfork/server/media";
import { createResolver, createSipTransports, createSystemClock } from "@callfork/server/net";
import { createUserAgent } from "@callfork/server/signalling";
import { TestPhone } from "@callfork/testkit";
import { createCalls } from "../../packages/server/src/calls/index.ts";
import { createDirector } from "../../packages/server/src/verbs/index.ts";
import { MemoryCallStore, numberOf } from "../simulated/calls-world.ts";
import { memoryLog } from "../simulated/pair.ts";

const random = { bytes: (length: number) => Uint8Array.from(randomBytes(length)) };

for (const io of ["auto", "dgram"] as const) {
  test(`a media worker is killed (${io}): its call ends by BYE with an alert, the other goes on, and new ones find a new worker`, async (t) => {
    const threads: Worker[] = [];
    const keep = (thread: Worker): void => void threads.push(thread);
    process.on("worker", keep);
    const { phones, call, calls, media, alerts } = await platform(t, io);
    process.off("worker", keep);
    assert.equal(threads.length, 2);
    const [one, other] = [await call(), await call()];
    await until("voices", () => [one, other].every(({ caller }) => caller.heard().packets >= 20));
    const before = descriptors();

    await threads[0]!.terminate();
    const [dead, alive] = await Promise.race([
      one.caller.ended.then(() => [one, other] as const),
      other.caller.ended.then(() => [other, one] as const),
    ]);
    assert.equal(await dead.caller.ended, "remote");
    assert.equal(await dead.callee.ended, "remote");
    assert.ok(alerts.includes(20500), `alerts: ${alerts}`);
    // Two legs of two ports, and what the thread needed for itself.
    await until("its descriptors", () => descriptors() <= before - 4);

    const heard = alive.caller.heard().packets;
    await until("the other call", () => alive.caller.heard().packets >= heard + 50);
    assert.equal(alive.caller.heard().lost, 0);
    await until("a new worker", () => media.implementation.workers === 2);
    const third = await call();
    await until("the third call", () => third.caller.heard().packets >= 20);
    await Promise.all([alive.caller.hangUp(), third.caller.hangUp()]);
    await until("the end", () => calls.liveCount === 0);
    await phones();
  });
}

async function platform(t: TestContext, io: "auto" | "dgram") {
  const clock = createSystemClock();
  const log = memoryLog();
  const raised: number[] = [];
  const alerts = { raise: ({ errorCode }: { readonly errorCode: number }) => void raised.push(errorCode) };
  const transports = await createSipTransports({
    listen: [{ transport: "udp", address: "127.0.0.1", port: 0 }],
    log,
    clock,
  });
  const media = await createMediaPlane({
    advertisedAddress: "127.0.0.1",
    ports: { first: 31_800, last: 31_999 },
    workers: 2,
    io,
    log,
    drainMs: 0,
  });
  const userAgent = createUserAgent({
    transports,
    resolver: createResolver(),
    clock,
    random,
    log,
    userAgentName: "callfork",
  });
  const store = new MemoryCallStore();
  const director = createDirector({
    fetcher: { fetch: () => assert.fail("nothing is fetched") },
    forks: () => assert.fail("nothing forks here"),
    clock,
    log,
    alerts,
  });
  const calls = createCalls({
    userAgent,
    media,
    store,
    director,
    clock,
    random,
    log,
    alerts,
    sipHost: "127.0.0.1",
  });
  userAgent.attach({ onInvite: (invite) => calls.accept(invite) });
  const phones: TestPhone[] = [];
  t.after(async () => {
    await Promise.all(phones.map((phone) => phone.close()));
    await calls.drain(0);
    await userAgent.stop(500);
    await media.stop();
    await transports.close();
  });
  const sipPort = transports.sentBy("udp", "127.0.0.1").port;
  return {
    calls,
    media,
    alerts: raised,
    phones: async () => void (await Promise.all(phones.map((phone) => phone.close()))),
    async call() {
      const name = `${1000 + phones.length}`;
      const alice = await TestPhone.open({ user: "alice", voice: noise() });
      const bob = await TestPhone.open({ user: "bob", voice: noise() });
      phones.push(alice, bob);
      const document = `<Response><Dial answerOnBridge="true"><Sip>${bob.uri}</Sip></Dial></Response>`;
      store.numbers.set(name, numberOf(name, { voiceTwiml: document }));
      const arrived = bob.nextCall();
      const caller = await alice.call(`sip:${name}@127.0.0.1:${sipPort}`);
      return { caller, callee: await arrived };
    },
  };
}

function noise(): Int16Array {
  const pcm = new Int16Array(8000);
  decodePcmu(randomBytes(pcm.length), pcm);
  return pcm;
}

async function until(what: string, done: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!done()) {
    assert.ok(performance.now() < deadline, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
