import assert from "node:assert/strict";
import { test } from "node:test";
import { createWebhookClient } from "./client.ts";
import { EXPIRED_CERTIFICATE, GOOD_CERTIFICATE, SERVER_KEY, TEST_AUTHORITY } from "./testing/certificates.ts";
import { manualClock } from "./testing/manual-clock.ts";
import { startReceiver } from "./testing/receiver.ts";

const ask = (url: string, certificateAuthorities: readonly string[]) =>
  createWebhookClient({
    allowedAddresses: ["127.0.0.1"],
    clock: manualClock(),
    resolver: { addresses: async () => ["127.0.0.1"] },
    certificateAuthorities,
  }).request({ url, method: "POST", parameters: [], authToken: "t", maximumBytes: 10 });

test("https: the certificate must be trusted, current and of that name; each fault has its code", async (t) => {
  const good = await startReceiver({}, { key: SERVER_KEY, cert: GOOD_CERTIFICATE });
  const expired = await startReceiver({}, { key: SERVER_KEY, cert: EXPIRED_CERTIFICATE });
  t.after(() => Promise.all([good.close(), expired.close()]));
  assert.equal((await ask(`https://good.test:${good.port}/`, [TEST_AUTHORITY])).status, 200);
  await assert.rejects(ask(`https://other.test:${good.port}/`, [TEST_AUTHORITY]), {
    code: "WEBHOOK_CERTIFICATE_NAME",
    publicCode: 11235,
  });
  await assert.rejects(ask(`https://good.test:${expired.port}/`, [TEST_AUTHORITY]), {
    code: "WEBHOOK_CERTIFICATE_EXPIRED",
    publicCode: 11236,
  });
  await assert.rejects(ask(`https://good.test:${good.port}/`, []), {
    code: "WEBHOOK_CERTIFICATE_UNTRUSTED",
    publicCode: 11237,
  });
  assert.deepEqual([good.requests.length, expired.requests.length], [1, 0]);
});

test("https towards a server that speaks plain HTTP is a failed handshake", async (t) => {
  const plain = await startReceiver();
  t.after(() => plain.close());
  await assert.rejects(ask(`https://good.test:${plain.port}/`, [TEST_AUTHORITY]), {
    code: "WEBHOOK_TLS",
    publicCode: 11220,
  });
});
