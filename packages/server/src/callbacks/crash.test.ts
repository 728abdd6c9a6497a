import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openStore } from "../store/index.ts";
import { keepingLog } from "../store/testing/fixtures.ts";
import { createWebhookClient } from "./client.ts";
import { createOutboxWorker } from "./outbox-worker.ts";
import { manualClock } from "./testing/manual-clock.ts";
import { startReceiver } from "./testing/receiver.ts";

const CHILD = join(import.meta.dirname, "testing", "crash-child.ts");

function startChild(t: TestContext, file: string, url: string, mode: "save" | "deliver") {
  const child = spawn(process.execPath, [CHILD, file, url, mode], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  return {
    durable: async () => {
      const [said] = await once(child.stdout, "data");
      assert.equal(String(said), "durable\n");
    },
    kill: async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      const [, signal] = await exited;
      assert.equal(signal, "SIGKILL");
    },
  };
}

/** The platform after the restart: delivers what is owed. */
async function deliverRest(file: string): Promise<void> {
  const clock = manualClock(Date.now());
  const log = keepingLog();
  const store = await openStore({ file, masterKey: new Uint8Array(32), log, now: clock.wallNow });
  const client = createWebhookClient({ allowedAddresses: ["127.0.0.1"], clock });
  const { outbox, accounts, alerts } = store;
  const worker = createOutboxWorker({ outbox, accounts, alerts, client, log, clock });
  worker.start();
  await worker.drained();
  assert.equal(await outbox.pending(), 0);
  await worker.stop();
  await store.close();
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "callfork-crash-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "callfork.db");
}

test("killed between the event and its delivery: the callback is delivered after the restart, once", async (t) => {
  const file = folderOf(t);
  const { origin, requests, close } = await startReceiver();
  t.after(close);
  const child = startChild(t, file, `${origin}/status`, "save");
  await child.durable();
  await child.kill();
  assert.equal(requests.length, 0);
  await deliverRest(file);
  assert.equal(requests.length, 1);
  assert.match(requests[0]!.body, /^CallSid=CA0+1$/);
  await deliverRest(file);
  assert.equal(requests.length, 1);
});

test("killed during the delivery: it is delivered again, with the same idempotency token", async (t) => {
  const file = folderOf(t);
  let restarted = false;
  const { origin, requests, received, close } = await startReceiver(() => (restarted ? {} : "hang"));
  t.after(close);
  const child = startChild(t, file, `${origin}/status`, "deliver");
  await received(1);
  await child.kill();
  restarted = true;
  await deliverRest(file);
  assert.equal(requests.length, 2);
  const tokens = requests.map(({ headers }) => headers["i-twilio-idempotency-token"]);
  assert.equal(tokens[0], tokens[1]);
  assert.match(String(tokens[0]), /^[0-9a-f-]{36}$/);
});
