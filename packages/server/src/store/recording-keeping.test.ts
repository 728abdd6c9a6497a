import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RecordingFilter, RecordingRecord, StoredFile } from "../recording-server/index.ts";
import { openStore } from "./open.ts";
import { ACCOUNT, keepingLog, MASTER_KEY, OTHER_ACCOUNT, recordingRecord } from "./testing/fixtures.ts";
import type { StoreOptions } from "./types.ts";

async function opened(t: TestContext, wish: Partial<StoreOptions> = {}) {
  const store = await openStore({
    file: ":memory:",
    masterKey: MASTER_KEY,
    log: keepingLog(),
    now: () => 1_000,
    ...wish,
  });
  t.after(() => store.close());
  return store;
}

const done = (number: number, change: Partial<RecordingRecord> = {}) =>
  recordingRecord(number, { status: "completed", endTime: 5_000, durationMs: 10, ...change });

const deletion = (recordingSid: string) => ({
  accountSid: ACCOUNT,
  recordingSid,
  time: 5,
  action: "deleted" as const,
  actor: "SK1",
  address: null,
  detail: null,
});

test("keys are sealed, come back, are sealed anew under a new master key, and are gone when deletion begins", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "callfork-keys-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "a.db");
  const log = keepingLog();
  const key = randomBytes(32);
  const { sid } = done(1);
  const first = await openStore({ file, masterKey: MASTER_KEY, log, now: Date.now });
  await first.keeping.saveKey(sid, key);
  await first.recordings.saveRecording(done(1));
  await first.close();
  const bytes = readFileSync(file);
  assert.equal(bytes.includes(key), false);
  assert.equal(bytes.includes(key.toString("base64")), false);
  const newMaster = randomBytes(32);
  await assert.rejects(openStore({ file, masterKey: newMaster, log, now: Date.now }), {
    code: "SECRET_UNREADABLE",
  });
  const second = await openStore({
    file,
    masterKey: newMaster,
    previousMasterKeys: [MASTER_KEY],
    log,
    now: Date.now,
  });
  await second.close();
  const third = await openStore({ file, masterKey: newMaster, log, now: Date.now });
  t.after(() => third.close());
  assert.deepEqual(await third.keeping.findKey(sid), Uint8Array.from(key));
  assert.equal((await third.keeping.keeping([sid]))[0]?.isSealed, true);
  assert.equal(await third.keeping.beginDeletion(deletion(sid)), true);
  assert.equal(await third.keeping.findKey(sid), undefined);
  assert.deepEqual(await third.keeping.deletions(), [sid]);
  await third.recordings.deleteRecording(sid);
  assert.deepEqual(await third.keeping.deletions(), []);
});

test("a hold keeps a recording from deletion until it is lifted; a deletion that began takes no hold", async (t) => {
  const { recordings, keeping } = await opened(t);
  const { sid } = done(1);
  await recordings.saveRecording(done(1));
  assert.equal(await keeping.hold(sid, { reason: "case 7", since: 4 }), true);
  assert.deepEqual((await keeping.keeping([sid]))[0]?.legalHold, { reason: "case 7", since: 4 });
  assert.equal(await keeping.beginDeletion(deletion(sid)), false);
  await keeping.setRetention("a", [{ recordingSid: sid, deleteAt: 1 }]);
  assert.deepEqual(await keeping.expired(10, 10), []);
  await recordings.saveRecording(done(1, { warnings: [] }));
  assert.equal(await keeping.beginDeletion(deletion(sid)), false, "the row saved again is still held");
  assert.equal(await keeping.hold(sid, null), true);
  assert.deepEqual(
    (await keeping.expired(10, 10)).map((record) => record.sid),
    [sid],
  );
  assert.equal(await keeping.beginDeletion(deletion(sid)), true);
  assert.equal(await keeping.hold(sid, { reason: "late", since: 6 }), false);
  assert.equal(await keeping.beginDeletion(deletion(sid)), false, "it has begun");
  assert.equal(
    (await keeping.audit(ACCOUNT, sid, { offset: 0, limit: 9 })).length,
    1,
    "what began is told once",
  );
  assert.equal(await keeping.hold("RE0", { reason: "none", since: 6 }), false);
  await recordings.saveRecording(recordingRecord(2));
  assert.equal(await keeping.beginDeletion(deletion(recordingRecord(2).sid)), false, "nor one in progress");
});

test("retention: rules, whom they were not applied to yet, and what has expired", async (t) => {
  const { recordings, keeping } = await opened(t);
  const rule = await keeping.addRetentionRule({
    accountSid: ACCOUNT,
    number: "+1 (555)*",
    label: null,
    connectorName: null,
    retentionDays: 30,
    dateCreated: 1,
  });
  assert.equal(rule.number, "+1555*");
  assert.match(rule.sid, /^RR[0-9a-f]{32}$/);
  assert.deepEqual(await keeping.retentionRules(), [rule]);
  assert.deepEqual(await keeping.retentionRules(OTHER_ACCOUNT), []);
  for (const record of [done(1), done(2), recordingRecord(3)]) await recordings.saveRecording(record);
  const sids = async (version: string) =>
    (await keeping.retentionOutdated(version, 10)).map(({ record }) => record.sid).sort();
  assert.deepEqual(await sids("v1"), [done(1).sid, done(2).sid]);
  await keeping.setRetention("v1", [
    { recordingSid: done(1).sid, deleteAt: 100 },
    { recordingSid: done(2).sid, deleteAt: null },
  ]);
  assert.deepEqual(await sids("v1"), []);
  assert.equal((await sids("v2")).length, 2);
  assert.equal((await sids("v0")).length, 2);
  assert.deepEqual(await keeping.expired(99, 10), []);
  assert.deepEqual(await keeping.expired(100, 10), [done(1)]);
  assert.equal(await keeping.deleteRetentionRule(OTHER_ACCOUNT, rule.sid), false);
  assert.equal(await keeping.deleteRetentionRule(ACCOUNT, rule.sid), true);
});

test("what is to be moved is found until it is moved", async (t) => {
  const { recordings, keeping } = await opened(t);
  const { sid } = done(1);
  await recordings.saveRecording(done(1));
  await recordings.saveRecording(recordingRecord(2));
  assert.deepEqual(await keeping.movable(0, 10), [{ record: done(1), attempts: 0 }]);
  await keeping.moveFailed(sid, "no route", 500);
  assert.deepEqual(await keeping.movable(499, 10), []);
  assert.equal((await keeping.keeping([sid]))[0]?.moveError, "no route");
  assert.equal((await keeping.movable(500, 10))[0]?.attempts, 1);
  const files: StoredFile[] = [{ file: "1-a.wav", octets: 3, sha256: "00", object: "p/1-a.wav" }];
  await keeping.moved(sid, files);
  assert.deepEqual(await keeping.movable(9_999, 10), []);
  assert.deepEqual(await keeping.storedFiles(sid), files);
  const [kept] = await keeping.keeping([sid]);
  assert.deepEqual([kept?.place, kept?.moveError], ["objects", null]);
  assert.deepEqual(await keeping.storedFiles("RE0"), []);
});

test("audit entries come newest first, outlive the recording, and are forgotten with age", async (t) => {
  const { recordings, keeping } = await opened(t);
  const { sid } = done(1);
  const entry = { accountSid: ACCOUNT, recordingSid: sid, actor: "SK1", address: "192.0.2.1", detail: null };
  await recordings.saveRecording(done(1));
  await keeping.addAudit({ ...entry, time: 1, action: "heard" });
  await keeping.addAudit({ ...entry, time: 2, action: "deleted", detail: "x" });
  const actions = async () =>
    (await keeping.audit(ACCOUNT, sid, { offset: 0, limit: 9 })).map(({ action }) => action);
  assert.deepEqual(await actions(), ["deleted", "heard"]);
  assert.deepEqual(await keeping.audit(OTHER_ACCOUNT, sid, { offset: 0, limit: 9 }), []);
  await keeping.pruneAudit(9);
  assert.equal((await actions()).length, 2, "of recordings that are there all are kept");
  await recordings.deleteRecording(sid);
  assert.equal((await actions()).length, 2);
  await keeping.pruneAudit(2);
  assert.deepEqual(await actions(), ["deleted"]);
});

test("recordings are found by whom, what and when; nothing that is asked is ever SQL", async (t) => {
  const { recordings } = await opened(t);
  const alice = { participantId: "a", aor: "sip:+1-555-0100@example.com;user=phone", name: "Alice Müller" };
  const bob = { participantId: "b", aor: "tel:+44 20 7946 0000", name: null };
  await recordings.saveRecording(
    done(1, {
      participants: [alice, bob],
      startTime: 100,
      sessions: [{ sessionId: "S1==", groupId: "G1==", sipSessionIds: ["AB12"] }],
      extensionData: { Order: "4711", "it's": 'a "quote"' },
      source: { ...done(1).source, callId: "call-1" },
    }),
  );
  await recordings.saveRecording(
    done(2, {
      participants: [{ ...bob, aor: "sip:bob@example.org" }],
      startTime: 200,
      status: "failed",
      source: { ...done(2).source, address: "[2001:db8::1]:5060" },
    }),
  );
  await recordings.saveRecording(done(3, { accountSid: OTHER_ACCOUNT, participants: [alice] }));
  const found = async (filter: RecordingFilter) =>
    (await recordings.listRecordings({ accountSid: ACCOUNT, offset: 0, limit: 10, ...filter })).map(
      ({ sid }) => Number(sid.slice(2)),
    );
  const cases: [RecordingFilter, number[]][] = [
    [{}, [2, 1]],
    [{ number: "+15550100" }, [1]],
    [{ number: "+1 (555) 0100" }, [1]],
    [{ number: "sip:+1-555-0100@example.com" }, [1]],
    [{ number: "+1555*" }, [1]],
    [{ number: "+442079460000" }, [1]],
    [{ number: "sip:bob@*" }, [2]],
    [{ number: "bob" }, [2]],
    [{ number: "*" }, [2, 1]],
    [{ name: "alice müller" }, [1]],
    [{ name: "MÜLLER" }, [1]],
    [{ name: "mül*" }, [1]],
    [{ name: "ller" }, []],
    [{ label: "inbound" }, [2, 1]],
    [{ label: "Inbound" }, []],
    [{ sessionId: "s1==" }, [1]],
    [{ sessionId: "ab12" }, [1]],
    [{ groupId: "G1==" }, [1]],
    [{ source: "2001:db8::1" }, [2]],
    [{ source: "192.0.2.7" }, [1]],
    [{ callId: "call-1" }, [1]],
    [{ extensionData: { order: "4711" } }, [1]],
    [{ extensionData: { order: "47*" } }, [1]],
    [{ extensionData: { order: "4711", "it's": 'a "quote"' } }, [1]],
    [{ extensionData: { order: "4712" } }, []],
    [{ startedFrom: 150 }, [2]],
    [{ startedTo: 150 }, [1]],
    [{ startedFrom: 100, startedTo: 200, status: "failed" }, [2]],
    [{ number: "+15550100", status: "failed" }, []],
    [{ connector: "none" }, []],
    [{ number: "' or 1=1 --" }, []],
    [{ name: "%" }, []],
    [{ label: "_nbound" }, []],
    [{ callId: "x' union select" }, []],
    [{ extensionData: { "a') or ('1'='1": "x" } }, []],
  ];
  for (const [filter, expected] of cases)
    assert.deepEqual(await found(filter), expected, JSON.stringify(filter));
  assert.deepEqual(await found({ number: "*", label: "inbound" }), [2, 1]);
  await recordings.saveRecording(done(1, { participants: [bob] }));
  assert.deepEqual(await found({ number: "+15550100" }), [], "terms follow the row");
});

test("a recording with very many terms is found by the first of them", async (t) => {
  const { recordings } = await opened(t);
  const extensionData = Object.fromEntries(
    Array.from({ length: 200 }, (_, at) => [`name${at}`, `value${at}`]),
  );
  const participants = Array.from({ length: 300 }, (_, at) => ({
    participantId: `p${at}`,
    aor: `sip:user${at}@example.com`,
    name: null,
  }));
  await recordings.saveRecording(done(1, { participants, extensionData }));
  const list = await recordings.listRecordings({
    accountSid: ACCOUNT,
    offset: 0,
    limit: 1,
    number: "user150",
  });
  assert.equal(list.length, 1);
});
