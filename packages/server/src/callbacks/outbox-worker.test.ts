import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import twilio from "twilio";
import type { CallbackRequest } from "../calls/index.ts";
import type { Alert, Log } from "../observe/index.ts";
import { openStore } from "../store/index.ts";
import { callRecord } from "../store/testing/fixtures.ts";
import { createWebhookClient } from "./client.ts";
import { createOutboxWorker, type OutboxWorkerOptions } from "./outbox-worker.ts";
import { manualClock } from "./testing/manual-clock.ts";
import { type Answer, closedPort, type ReceivedRequest, startReceiver } from "./testing/receiver.ts";

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };

async function setUp(t: TestContext, options: Partial<OutboxWorkerOptions> = {}) {
  const clock = manualClock();
  const store = await openStore({
    file: ":memory:",
    masterKey: new Uint8Array(32),
    log: silent,
    now: clock.wallNow,
  });
  const { account, authToken } = await store.accounts.ensureAccount({});
  const alerts: Alert[] = [];
  const worker = createOutboxWorker({
    outbox: store.outbox,
    accounts: store.accounts,
    client: createWebhookClient({ allowedAddresses: ["127.0.0.1"], clock }),
    alerts: { raise: (alert) => alerts.push(alert) },
    log: silent,
    clock,
    ...options,
  });
  t.after(async () => {
    await worker.stop(0);
    await store.close();
  });
  /** Owes these callbacks; `event` tells them apart. */
  const owe = (url: string, events: readonly string[], change: Partial<CallbackRequest> = {}) => {
    const callbacks = events.map((event) => ({
      accountSid: account.sid,
      callSid: `CA${"1".repeat(32)}`,
      kind: "siprec-status",
      url,
      method: "POST" as const,
      parameters: [
        ["SiprecSid", "SR1"],
        ["SiprecEvent", event],
      ] as const,
      ...change,
    }));
    return store.calls.saveCall(callRecord(1), callbacks);
  };
  return { clock, store, worker, alerts, owe, authToken };
}

const eventOf = ({ body }: ReceivedRequest) => new URLSearchParams(body).get("SiprecEvent");
const tokenOf = ({ headers }: ReceivedRequest) => headers["i-twilio-idempotency-token"];

async function receiver(
  t: TestContext,
  answer?: Answer | ((request: ReceivedRequest, number: number) => Answer | Promise<Answer>),
) {
  const started = await startReceiver(answer);
  t.after(() => started.close());
  return started;
}

test("what is owed at the start and what is added later is delivered, signed and once", async (t) => {
  const { origin, requests, received } = await receiver(t);
  const { worker, owe, store, authToken, alerts } = await setUp(t);
  await owe(`${origin}/x`, ["started"]);
  worker.start();
  await received(1);
  await owe(`${origin}/x`, ["stopped"]);
  await received(2);
  await worker.drained();
  assert.equal(await store.outbox.pending(), 0);
  assert.deepEqual(requests.map(eventOf), ["started", "stopped"]);
  assert.notEqual(tokenOf(requests[0]!), tokenOf(requests[1]!));
  for (const { headers, body } of requests) {
    const form = Object.fromEntries(new URLSearchParams(body));
    assert.ok(twilio.validateRequest(authToken, String(headers["x-twilio-signature"]), `${origin}/x`, form));
  }
  assert.deepEqual(alerts, []);
});

test("callbacks of a call leave in order: the next one waits for the answer to the one before", async (t) => {
  const underWay: string[] = [];
  const { origin, requests } = await receiver(t, async (request) => {
    underWay.push(String(eventOf(request)));
    assert.equal(underWay.length, 1);
    await new Promise((resolve) => setImmediate(resolve));
    underWay.pop();
    return {};
  });
  const { worker, owe } = await setUp(t);
  const events = Array.from({ length: 20 }, (_, number) => `event-${number}`);
  await owe(origin, events);
  worker.start();
  await worker.drained();
  assert.deepEqual(requests.map(eventOf), events);
});

test("a receiver that is away gets the callback later, with the same token; then come the ones behind it", async (t) => {
  let away = true;
  const { origin, requests, received } = await receiver(t, () => (away ? "hang" : {}));
  const { worker, owe, clock, alerts, store } = await setUp(t);
  await owe(`${origin}/#rt=100`, ["one", "two"]);
  worker.start();
  await received(1);
  clock.advance(100);
  await worker.drained();
  assert.equal(await store.outbox.pending(), 2);
  assert.equal(await store.outbox.nextDueAt(), clock.wallNow() + 1000);
  away = false;
  clock.advance(1000);
  await received(3);
  await worker.drained();
  assert.deepEqual(requests.map(eventOf), ["one", "one", "two"]);
  assert.equal(tokenOf(requests[0]!), tokenOf(requests[1]!));
  assert.deepEqual(alerts, []);
});

test("after the last delivery the callback is given up, with an alert", async (t) => {
  const port = await closedPort();
  const { worker, owe, clock, alerts, store } = await setUp(t, { retryDelaysMs: [1000, 5000] });
  await owe(`http://user:secret@127.0.0.1:${port}/x`, ["one"]);
  worker.start();
  for (const delay of [1000, 5000]) {
    await worker.drained();
    assert.equal(await store.outbox.nextDueAt(), clock.wallNow() + delay);
    assert.deepEqual(alerts, []);
    clock.advance(delay);
  }
  await worker.drained();
  assert.equal(await store.outbox.pending(), 0);
  const [alert, ...more] = alerts;
  assert.deepEqual(more, []);
  assert.deepEqual(
    [alert?.errorCode, alert?.level, alert?.resourceSid, alert?.requestUrl, alert?.requestMethod],
    [11205, "error", "SR1", `http://127.0.0.1:${port}/x`, "POST"],
  );
  assert.equal(alert?.requestVariables, "SiprecSid=SR1&SiprecEvent=one");
  assert.doesNotMatch(JSON.stringify(alerts), /secret/);
});

test("an answer that is not 2xx is final, and shown with what came back", async (t) => {
  const { origin, requests } = await receiver(t, { status: 500, body: "b".repeat(10_000) });
  const { worker, owe, alerts, store } = await setUp(t);
  await owe(origin, ["one"]);
  worker.start();
  await worker.drained();
  assert.equal(requests.length, 1);
  assert.equal(await store.outbox.pending(), 0);
  assert.deepEqual(
    alerts.map(({ errorCode, responseStatus, responseBody }) => [
      errorCode,
      responseStatus,
      responseBody?.length,
    ]),
    [[11200, 500, 4096]],
  );
});

test("what another delivery would not mend is given up at once", async (t) => {
  for (const [url, errorCode] of [
    ["http://10.0.0.1/", 11210],
    ["ftp://a.example/", 11100],
    ["nonsense", 11100],
  ] as const) {
    const { worker, owe, alerts, store } = await setUp(t);
    await owe(url, ["one"]);
    worker.start();
    await worker.drained();
    assert.equal(await store.outbox.pending(), 0);
    assert.deepEqual(
      alerts.map((alert) => alert.errorCode),
      [errorCode],
      url,
    );
  }
});

test("overrides that are ignored raise a warning", async (t) => {
  const { origin } = await receiver(t);
  const { worker, owe, alerts } = await setUp(t);
  await owe(`${origin}/#tt=1`, ["one"]);
  worker.start();
  await worker.drained();
  assert.deepEqual(
    alerts.map(({ errorCode, level }) => [errorCode, level]),
    [[11243, "warning"]],
  );
});

test("a receiver that hangs takes a few of the places, not all", async (t) => {
  const hanging = await receiver(t, "hang");
  const prompt = await receiver(t);
  const { worker, owe } = await setUp(t, { concurrency: 20 });
  await owe(hanging.origin, Array(60).fill("x"), { callSid: null });
  await owe(prompt.origin, ["one"], { callSid: null });
  worker.start();
  await prompt.received(1);
  assert.ok(hanging.requests.length < 20);
});

test("a worker that stops hands back what it could not deliver, uncounted", async (t) => {
  const { origin, received } = await receiver(t, "hang");
  const { worker, owe, store, clock, alerts } = await setUp(t);
  await owe(origin, ["one"]);
  worker.start();
  await received(1);
  const stopped = worker.stop(3000);
  clock.advance(3000);
  await stopped;
  const [entry] = await store.outbox.claim({ limit: 1, leaseMs: 1000 });
  assert.equal(entry?.attempts, 0);
  assert.deepEqual(alerts, []);
});

test("a callback whose outcome could not be stored is delivered again when its lease is over", async (t) => {
  const { origin, requests } = await receiver(t);
  const { owe, store, clock } = await setUp(t);
  let failures = 1;
  const { worker } = await setUp(t, {
    clock,
    accounts: store.accounts,
    client: createWebhookClient({ allowedAddresses: ["127.0.0.1"], clock }),
    outbox: {
      ...store.outbox,
      complete: async (id) => {
        if (failures-- > 0) throw new Error("disk full");
        await store.outbox.complete(id);
      },
    },
  });
  await owe(origin, ["one"]);
  worker.start();
  await worker.drained();
  assert.equal(await store.outbox.pending(), 1);
  clock.advance(60_000);
  await worker.drained();
  assert.equal(await store.outbox.pending(), 0);
  assert.equal(new Set(requests.map(tokenOf)).size, 1);
});
