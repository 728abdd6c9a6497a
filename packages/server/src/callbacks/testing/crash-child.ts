import { openStore } from "../../store/index.ts";
import { callRecord, keepingLog } from "../../store/testing/fixtures.ts";
import { createWebhookClient } from "../client.ts";
import { createOutboxWorker } from "../outbox-worker.ts";

/**
 * A platform that is about to be killed. Arguments: database, URL, "save" or "deliver". Saves a call with a callback, and
 * delivers it in the second case; says "durable" when the save was acknowledged.
 */
const [file = "", url = "", mode = ""] = process.argv.slice(2);
const log = keepingLog();
const store = await openStore({ file, masterKey: new Uint8Array(32), log, now: Date.now });
const { account } = await store.accounts.ensureAccount({});
if (mode === "deliver") {
  const clock = {
    wallNow: Date.now,
    setTimer: (ms: number, run: () => void) => {
      const timer = setTimeout(run, ms);
      return { cancel: () => clearTimeout(timer) };
    },
  };
  const client = createWebhookClient({ allowedAddresses: ["127.0.0.1"], clock });
  const { outbox, accounts, alerts } = store;
  createOutboxWorker({ outbox, accounts, alerts, client, log, clock }).start();
}
const { sid } = callRecord(1);
await store.calls.saveCall(callRecord(1, { accountSid: account.sid }), [
  {
    accountSid: account.sid,
    callSid: sid,
    kind: "call-status",
    url,
    method: "POST",
    parameters: [["CallSid", sid]],
  },
]);
process.stdout.write("durable\n");
setInterval(() => {}, 1000);
