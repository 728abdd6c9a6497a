import assert from "node:assert/strict";
import { test } from "node:test";
import twilio from "twilio";
import type { Alert } from "../observe/index.ts";
import { createWebhookClient } from "./client.ts";
import { createDocumentFetcher } from "./document-fetcher.ts";
import { manualClock } from "./testing/manual-clock.ts";
import { type Answer, startReceiver } from "./testing/receiver.ts";

const ACCOUNT = `AC${"1".repeat(32)}`;
const CALL = `CA${"2".repeat(32)}`;

function setUp() {
  const raised: Alert[] = [];
  const fetcher = createDocumentFetcher({
    client: createWebhookClient({ allowedAddresses: ["127.0.0.1"], clock: manualClock() }),
    accounts: { authToken: async (sid) => (sid === ACCOUNT ? "12345" : undefined) },
    alerts: { raise: (alert) => raised.push(alert) },
  });
  const fetch = (url: string, accountSid = ACCOUNT, maximumBytes = 100) =>
    fetcher.fetch({
      accountSid,
      callSid: CALL,
      url,
      method: "POST",
      parameters: [["CallSid", CALL]],
      maximumBytes,
      signal: new AbortController().signal,
    });
  return { fetch, raised };
}

test("a document comes with its type and the URL that relative ones resolve against", async (t) => {
  const { origin, requests, close } = await startReceiver(
    ({ path }): Answer =>
      path === "/"
        ? { status: 302, headers: { location: "/twiml/" } }
        : { headers: { "content-type": "text/xml" }, body: "<Response/>" },
  );
  t.after(close);
  const { fetch, raised } = setUp();
  const document = await fetch(origin);
  assert.equal(Buffer.from(document.body).toString(), "<Response/>");
  const { body: _, ...rest } = document;
  assert.deepEqual(rest, { status: 200, contentType: "text/xml", truncated: false, url: `${origin}/twiml/` });
  const signature = String(requests[0]?.headers["x-twilio-signature"]);
  assert.ok(twilio.validateRequest("12345", signature, `${origin}/`, { CallSid: CALL }));
  assert.deepEqual(raised, []);
});

test("an answer that is not 2xx is the caller's to judge; one that is too long is cut", async (t) => {
  const { origin, close } = await startReceiver({ status: 404, body: "x".repeat(500) });
  t.after(close);
  const document = await setUp().fetch(origin);
  assert.deepEqual(
    [document.status, document.body.length, document.truncated, document.contentType],
    [404, 100, true, ""],
  );
});

test("overrides that are ignored raise a warning that names no password", async (t) => {
  const { port, close } = await startReceiver();
  t.after(close);
  const { fetch, raised } = setUp();
  await fetch(`http://user:secret@127.0.0.1:${port}/#rc=17`);
  assert.deepEqual(
    raised.map(({ errorCode, level, callSid }) => [errorCode, level, callSid]),
    [[11243, "warning", CALL]],
  );
  assert.doesNotMatch(JSON.stringify(raised), /secret/);
});

test("an account without a token fetches nothing", async () => {
  await assert.rejects(setUp().fetch("http://127.0.0.1/", "ACnobody"), { code: "WEBHOOK_NO_ACCOUNT" });
});
