import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createLog } from "./log.ts";
import { REDACTED, redact, redactText } from "./redact.ts";

function recorder(level: "debug" | "info" = "debug") {
  const lines: string[] = [];
  const log = createLog({ level, destination: { write: (line) => void lines.push(line) } });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? "{}") as Record<string, unknown> };
}

const SECRET = "s3cr3t-Value+9x";

test("no line carries a secret, wherever it stands", () => {
  const { log, lines } = recorder();
  const child = log.child({ callSid: "CA1", authToken: SECRET });
  child.info({ headers: { Authorization: `Basic ${SECRET}`, "Proxy-Authorization": SECRET } }, "request");
  child.info({ connector: { uniqueName: "r", password: SECRET, credentials: SECRET } }, "connector");
  child.info({ keys: [{ secret: SECRET }], secretKey: SECRET, secret_key: SECRET }, "keys");
  child.info({ crypto: [{ inline: SECRET }] }, `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${SECRET}`);
  child.info(
    { url: `https://user:${SECRET}@example.com/voice` },
    `Authorization: Digest response="${SECRET}"`,
  );
  child.error({ error: new Error(`connect postgres://callfork:${SECRET}@db/x failed`) }, "store");
  child.warn({ uri: `sip:alice:${SECRET}@example.com` }, `password=${SECRET}`);
  assert.equal(lines.length, 7);
  for (const line of lines) {
    assert.ok(!line.includes(SECRET), line);
    assert.ok(!line.includes("s3cr3t"), line);
    assert.equal(JSON.parse(line).callSid, "CA1");
  }
});

test("what is no secret stays readable", () => {
  const { log, last } = recorder();
  log.info(
    {
      callSid: "CA1",
      callId: "a@b",
      tokenCount: 3,
      hasPassword: true,
      password: null,
      to: "sip:bob@example.com:5060",
    },
    "INVITE sip:bob@example.com:5060 sent",
  );
  const line = last();
  assert.equal(line.msg, "INVITE sip:bob@example.com:5060 sent");
  assert.equal(line.to, "sip:bob@example.com:5060");
  assert.equal(line.hasPassword, true);
  assert.equal(line.password, null);
  assert.equal(line.tokenCount, 3);
  assert.equal(line.level, "info");
  assert.match(String(line.time), /^\d{4}-\d\d-\d\dT.*Z$/);
});

test("errors keep type, message, code, stack and cause; audio is named by its length only", () => {
  const { log, last } = recorder();
  const error = Object.assign(new TypeError("broken", { cause: new Error("below") }), { code: "X" });
  log.error({ error, payload: new Uint8Array(160) }, "it broke");
  const line = last() as { error: Record<string, unknown>; payload: string };
  assert.equal(line.error.type, "TypeError");
  assert.equal(line.error.code, "X");
  assert.match(String(line.error.stack), /log\.test\.ts/);
  assert.equal((line.error.cause as { message: string }).message, "below");
  assert.equal(line.payload, "(160 octets)");
});

test("levels below the chosen one are not written", () => {
  const { log, lines } = recorder("info");
  log.debug({}, "quiet");
  log.child({ a: 1 }).debug({}, "quiet");
  assert.deepEqual(lines, []);
});

test("redact ends on loops, depth and breadth, and never throws", () => {
  const loop: Record<string, unknown> = { a: 1 };
  loop.self = loop;
  assert.deepEqual(redact(loop), { a: 1, self: "…" });
  assert.ok(JSON.stringify(redact({ many: Array.from({ length: 5000 }, (_, i) => i) })).length < 1000);
  assert.ok(redactText("x".repeat(100_000)).length < 9000);
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withMap: true, withDate: true }), (value) => {
      redact(value);
    }),
  );
});

test("redact leaves what it was given as it was", () => {
  const given = { password: "p", deep: { token: "t" } };
  assert.deepEqual(redact(given), { password: REDACTED, deep: { token: REDACTED } });
  assert.deepEqual(given, { password: "p", deep: { token: "t" } });
});
