import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { openStore, openStoreOn } from "../open.ts";
import { ACCOUNT, callRecord, keepingLog, MASTER_KEY } from "../testing/fixtures.ts";
import type { StoreOptions } from "../types.ts";
import { Vault } from "../vault.ts";
import { openSqliteEngine } from "./engine.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "callfork-file-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const open = (file: string, change: Partial<StoreOptions> = {}) =>
  openStore({ file, masterKey: MASTER_KEY, log: keepingLog(), now: Date.now, ...change });

test("what is stored is there after closing and opening again", async (t) => {
  const file = join(folderOf(t), "sub", "callfork.db");
  const first = await open(file);
  const { account, authToken } = await first.accounts.ensureAccount({});
  await first.calls.saveCall(callRecord(1), []);
  first.alerts.raise({ accountSid: ACCOUNT, errorCode: 1, level: "notice", text: "raised before closing" });
  await first.close();
  const second = await open(file);
  assert.deepEqual(await second.accounts.ensureAccount({}), { account, authToken, created: false });
  assert.deepEqual(await second.api.call(ACCOUNT, callRecord(1).sid), callRecord(1));
  assert.equal(
    (await second.api.alerts(ACCOUNT, {}, { offset: 0, limit: 1 }))[0]?.text,
    "raised before closing",
  );
  await second.close();
});

test("no secret is in the files, in any encoding that one would look for", async (t) => {
  const folder = folderOf(t);
  const store = await open(join(folder, "callfork.db"));
  const secrets = [
    "auth-token-0451",
    "header-secret-0451",
    "digest-password-0451",
    "trunk-password-0451",
    "connector-key-0451",
    "trunk-key-0451",
  ] as const;
  await store.accounts.ensureAccount({ sid: ACCOUNT, authToken: secrets[0] });
  await store.api.createConnector(ACCOUNT, {
    uniqueName: "c",
    sipUris: ["sip:visible-0451@b.example"],
    credentials: secrets[1],
    password: secrets[2],
    privateKey: secrets[4],
  });
  await store.api.createTrunk(ACCOUNT, { uniqueName: "t", password: secrets[3], privateKey: secrets[5] });
  const key = await store.api.createKey(ACCOUNT, "k");
  const octets = () => Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))));
  for (const when of ["open", "closed"]) {
    if (when === "closed") await store.close();
    const files = octets();
    assert.ok(files.includes("visible-0451"), when);
    for (const secret of [...secrets, key.secret]) {
      for (const encoding of ["utf8", "base64", "base64url", "hex", "utf16le"] as const) {
        const needle =
          encoding === "utf16le" ? Buffer.from(secret, encoding) : Buffer.from(secret).toString(encoding);
        assert.ok(!files.includes(needle), `${when}: ${secret} as ${encoding}`);
      }
    }
    assert.ok(!files.includes(Buffer.from(MASTER_KEY)), "the master key");
  }
});

test("the files are the owner's alone", async (t) => {
  const folder = folderOf(t);
  const store = await open(join(folder, "callfork.db"));
  await store.calls.saveCall(callRecord(1), []);
  for (const name of readdirSync(folder))
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  await store.close();
});

test("a second process is refused, a reader is not", async (t) => {
  const file = join(folderOf(t), "callfork.db");
  const store = await open(file);
  await store.calls.saveCall(callRecord(1), []);
  await assert.rejects(open(file), { code: "STORE_LOCKED", fault: "operator" });
  const reader = new DatabaseSync(file, { readOnly: true });
  assert.deepEqual({ ...reader.prepare("select count(*) as n from calls").get() }, { n: 1 });
  reader.close();
  await store.close();
  await (await open(file)).close();
});

test("a wrong master key is found at the start; with the old one beside it everything is sealed anew", async (t) => {
  const file = join(folderOf(t), "callfork.db");
  const store = await open(file);
  await store.accounts.ensureAccount({ sid: ACCOUNT, authToken: "token" });
  const keys = { certificate: "certificate", privateKey: "key" };
  await store.api.createConnector(ACCOUNT, { uniqueName: "c", sipUris: [], credentials: "secret", ...keys });
  await store.api.createTrunk(ACCOUNT, { uniqueName: "t", password: "pass", ...keys });
  await store.close();
  const masterKey = new Uint8Array(32).fill(9);
  await assert.rejects(open(file, { masterKey }), { code: "SECRET_UNREADABLE", fault: "operator" });
  await (await open(file, { masterKey, previousMasterKeys: [MASTER_KEY] })).close();
  const after = await open(file, { masterKey });
  assert.equal(await after.accounts.authToken(ACCOUNT), "token");
  assert.equal((await after.connectors.find(ACCOUNT, "c"))?.credentials, "secret");
  assert.equal((await after.connectors.find(ACCOUNT, "c"))?.privateKey, "key");
  const [trunk] = await after.calls.listTrunks();
  assert.deepEqual([trunk?.password, trunk?.privateKey], ["pass", "key"]);
  await after.close();
});

test("a trunk whose password was moved is left out and told, the others go on", async (t) => {
  const file = join(folderOf(t), "callfork.db");
  const log = keepingLog();
  const store = await open(file, { log });
  await store.api.createTrunk(ACCOUNT, { uniqueName: "one", password: "1" });
  const two = await store.api.createTrunk(ACCOUNT, { uniqueName: "two", password: "2" });
  const db = new DatabaseSync(file);
  db.exec("update trunks set password = (select password from trunks where unique_name = 'two')");
  db.close();
  assert.deepEqual(
    (await store.calls.listTrunks()).map(({ sid, password }) => [sid, password]),
    [[two.sid, "2"]],
  );
  assert.equal(log.lines.at(-1)?.level, "error");
  await store.close();
});

test("what is no database, or cannot be opened, is said so", async (t) => {
  const folder = folderOf(t);
  const file = join(folder, "callfork.db");
  writeFileSync(file, "this is a letter, not a database. ".repeat(100));
  await assert.rejects(open(file), { code: "STORE_UNAVAILABLE" });
  assert.match(readFileSync(file, "utf8"), /^this is a letter/);
  await assert.rejects(open(folder), { code: "STORE_UNAVAILABLE" });
});

test("when the database's thread dies, whoever waits and whoever comes is told", async () => {
  const engine = await openSqliteEngine(":memory:");
  const log = keepingLog();
  const store = await openStoreOn(engine, new Vault([MASTER_KEY]), { log, now: Date.now });
  const waiting = Array.from({ length: 50 }, (_, number) => store.calls.saveCall(callRecord(number), []));
  const outcomes = Promise.allSettled(waiting);
  await engine.kill();
  for (const outcome of await outcomes)
    if (outcome.status === "rejected") assert.equal(outcome.reason.code, "STORE_UNAVAILABLE");
  await assert.rejects(store.calls.saveCall(callRecord(99), []), {
    code: "STORE_UNAVAILABLE",
    httpStatus: 503,
  });
  assert.equal(await store.api.healthy(), false);
  store.alerts.raise({ accountSid: ACCOUNT, errorCode: 1, level: "notice", text: "t" });
  await store.alerts.flush();
  assert.equal(log.lines.at(-1)?.message, "alerts could not be written");
  await store.close();
});

test("more requests than we are ready to hold are refused, the others are carried out", async () => {
  const store = await open(":memory:");
  const all = Array.from({ length: 20_500 }, () => store.calls.findNumber("nobody"));
  const outcomes = await Promise.allSettled(all);
  const refused = outcomes.filter((outcome) => outcome.status === "rejected");
  assert.equal(refused.length, 500);
  for (const { reason } of refused) assert.equal(reason.code, "STORE_OVERLOADED");
  assert.equal(await store.calls.findNumber("nobody"), undefined);
  await store.close();
});

test("finished callbacks are pruned from the file", async (t) => {
  const file = join(folderOf(t), "callfork.db");
  let time = 1_700_000_000_000;
  const retention = { finishedCallbacks: 10, finishedCallbackAgeMs: 1000 };
  const store = await open(file, { now: () => time, retention });
  const owed = {
    accountSid: ACCOUNT,
    callSid: null,
    kind: "k",
    url: "http://a/",
    method: "POST",
    parameters: [],
  } as const;
  const finish = async (count: number) => {
    await store.calls.saveCall(callRecord(1), Array(count).fill(owed));
    for (const { id } of await store.outbox.claim({ limit: count, leaseMs: 1000 })) {
      time += 1;
      await store.outbox.complete(id);
    }
  };
  const rows = () => {
    const reader = new DatabaseSync(file, { readOnly: true });
    const { n } = reader.prepare("select count(*) as n from outbox").get() as { n: number };
    reader.close();
    return n;
  };
  await finish(499);
  assert.equal(rows(), 499);
  await finish(1);
  // The pruning runs behind the last answer; whatever is asked next waits for it.
  await store.outbox.pending();
  await store.outbox.pending();
  assert.equal(rows(), 10);
  time += 5000;
  await store.close();
  await (await open(file, { now: () => time, retention })).close();
  assert.equal(rows(), 0);
});
