import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createSystemClock } from "../../net/index.ts";
import { openStore } from "../../store/index.ts";
import {
  ACCOUNT,
  keepingLog,
  MASTER_KEY,
  OTHER_ACCOUNT,
  recordingRecord,
} from "../../store/testing/fixtures.ts";
import { createFile } from "../files/file-writer.ts";
import type { ObjectStore } from "../files/object-store.ts";
import { RecordingFiles } from "../files/recording-files.ts";
import type { RecordingRecord } from "../ports.ts";
import { Archive } from "./archive.ts";
import { Mover } from "./mover.ts";
import { deleteAt } from "./sweeper.ts";

const DAY_MS = 86_400_000;
const WHO = { actor: "SK1", address: "192.0.2.9" };

/** Object storage in a map, which can be told to fail. */
class Shelf implements ObjectStore {
  readonly name = "memory";
  readonly objects = new Map<string, Uint8Array>();
  fails = false;

  #check(): void {
    if (this.fails) throw new Error("the storage is down");
  }
  async put(key: string, octets: Uint8Array) {
    this.#check();
    this.objects.set(key, octets);
    return "an etag that is no MD5";
  }
  async head(key: string) {
    this.#check();
    const found = this.objects.get(key);
    return found && { octets: found.length, etag: "x" };
  }
  async read(key: string, at: number, length: number) {
    this.#check();
    return this.objects.get(key)!.slice(at, at + length);
  }
  async remove(key: string) {
    this.#check();
    this.objects.delete(key);
  }
  async beginUpload() {
    return "u";
  }
  async uploadPart() {
    return "";
  }
  async completeUpload() {
    return "";
  }
  async abortUpload() {}
}

async function house(t: TestContext, wish: { days?: number; objects?: Shelf; isSealing?: boolean } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "callfork-archive-"));
  const log = keepingLog();
  const system = createSystemClock();
  const time = { now: 10 * DAY_MS };
  const clock = { ...system, setTimer: system.setTimer.bind(system), wallNow: () => time.now };
  const store = await openStore({ file: ":memory:", masterKey: MASTER_KEY, log, now: () => time.now });
  const { objects, isSealing = false, days: retentionDays = 0 } = wish;
  const files = new RecordingFiles({ folder, keeping: store.keeping, objects, isSealing });
  const alerts: string[] = [];
  const alert = (_level: string, code: number, sid: string | undefined) => alerts.push(`${code} ${sid}`);
  const common = { keeping: store.keeping, files, clock, log, alert };
  const mover = objects && new Mover({ ...common, objects });
  const archive = new Archive({
    ...common,
    store: store.recordings,
    mover,
    retentionDays,
    auditDays: 30,
    isOwnRecorder: () => true,
  });
  t.after(async () => {
    await archive.stop();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const add = async (number: number, change: Partial<RecordingRecord> = {}) => {
    const record = recordingRecord(number, { status: "completed", endTime: 9 * DAY_MS, ...change });
    const key = await files.createKey(record.sid);
    mkdirSync(join(folder, record.sid));
    const file = createFile({ path: join(folder, record.sid, "1-a.wav"), key }, new Uint8Array(0));
    file.append(Buffer.from("audio"));
    file.close();
    await store.recordings.saveRecording(record);
    return record.sid;
  };
  const until = async (ask: () => boolean | Promise<boolean>) => {
    while (!(await ask())) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const isGone = async (sid: string) => (await store.recordings.findRecording(sid)) === undefined;
  return { store, files, archive, add, until, isGone, time, alerts, folder, mover };
}

const page = { offset: 0, limit: 10 };

test("deletion takes row, documents, files and key, and leaves the audit trail", async (t) => {
  const { store, archive, add, folder, files } = await house(t, { isSealing: true });
  const sid = await add(1);
  await store.recordings.addMetadataVersion({
    recordingSid: sid,
    version: 1,
    time: 1,
    carrier: "INVITE",
    document: "<recording/>",
  });
  const key = (await store.keeping.findKey(sid))!;
  assert.equal(await archive.remove(OTHER_ACCOUNT, sid, WHO), false);
  assert.equal(await archive.remove(ACCOUNT, sid, WHO), true);
  assert.equal(await archive.remove(ACCOUNT, sid, WHO), false);
  assert.equal(existsSync(join(folder, sid)), false);
  assert.equal(await store.recordings.findRecording(sid), undefined);
  assert.deepEqual(await store.recordings.listMetadataVersions(sid), []);
  assert.equal(await store.keeping.findKey(sid), undefined);
  assert.equal(await files.key(sid), undefined);
  assert.ok(createSecretKey(key));
  const [entry] = await archive.audit(ACCOUNT, sid, page);
  assert.deepEqual([entry?.action, entry?.actor, entry?.address], ["deleted", "SK1", "192.0.2.9"]);
});

test("under legal hold nobody and nothing deletes", async (t) => {
  const { archive, add, isGone, time, store, until } = await house(t, { days: 1 });
  const sid = await add(1);
  const other = await add(2);
  assert.equal(await archive.hold(OTHER_ACCOUNT, sid, "x", WHO), undefined);
  const held = await archive.hold(ACCOUNT, sid, "case 7", WHO);
  assert.deepEqual(held?.legalHold, { reason: "case 7", since: time.now });
  await assert.rejects(archive.remove(ACCOUNT, sid, WHO), { code: "RECORDING_HELD", httpStatus: 409 });
  await archive.start();
  await until(() => isGone(other));
  assert.equal(await isGone(sid), false);
  assert.deepEqual((await store.keeping.keeping([sid]))[0]?.deleteAt, time.now);
  await archive.hold(ACCOUNT, sid, null, WHO);
  assert.equal(await archive.remove(ACCOUNT, sid, WHO), true);
  const actions = (await archive.audit(ACCOUNT, sid, page)).map(({ action }) => action);
  assert.deepEqual(actions, ["deleted", "released", "held"]);
});

test("a recording in progress is not deleted, whatever its age", async (t) => {
  const { archive, add, isGone } = await house(t, { days: 1 });
  const sid = await add(1, { status: "in-progress", endTime: null, startTime: 0 });
  await assert.rejects(archive.remove(ACCOUNT, sid, WHO), { code: "RECORDING_IN_PROGRESS" });
  await archive.start();
  await archive.stop();
  assert.equal(await isGone(sid), false);
});

test("retention: a rule before the setting, the longest of several, and rules that change count at once", async (t) => {
  const { archive, add, isGone, until, time, store } = await house(t, { days: 5 });
  const alice = [{ participantId: "a", aor: "sip:+15550100@example.com", name: null }];
  const kept = await add(1, { participants: alice });
  const other = await add(2);
  const rule = (wish: { number?: string; label?: string; retentionDays: number }) =>
    archive.addRetentionRule({
      accountSid: ACCOUNT,
      number: wish.number ?? null,
      label: wish.label ?? null,
      connectorName: null,
      retentionDays: wish.retentionDays,
    });
  await rule({ number: "+1 555*", retentionDays: 20 });
  await rule({ number: "+15550100", retentionDays: 7 });
  time.now = 9 * DAY_MS + 5 * DAY_MS;
  await archive.start();
  await until(() => isGone(other));
  assert.equal(await isGone(kept), false);
  const deleteTime = async () => (await store.keeping.keeping([kept]))[0]?.deleteAt;
  assert.equal(await deleteTime(), 29 * DAY_MS);
  const forEver = await rule({ label: "inbound", retentionDays: 0 });
  await until(async () => (await deleteTime()) === null);
  await archive.deleteRetentionRule(ACCOUNT, forEver.sid);
  await until(async () => (await deleteTime()) === 29 * DAY_MS);
  time.now = 29 * DAY_MS;
  await archive.addRetentionRule({
    accountSid: OTHER_ACCOUNT,
    number: "*",
    label: null,
    connectorName: null,
    retentionDays: 0,
  });
  await until(() => isGone(kept));
  const [entry] = await archive.audit(ACCOUNT, kept, page);
  assert.deepEqual([entry?.action, entry?.actor], ["retention-deleted", "retention"]);
});

test("rules look at connector, label and number together", () => {
  const record = recordingRecord(1, { endTime: 0 });
  const one = { record, connectorName: "x", numbers: ["+15550100"] };
  const rule = (wish: object) => ({
    sid: "RR1",
    accountSid: ACCOUNT,
    number: null,
    label: null,
    connectorName: null,
    retentionDays: 2,
    dateCreated: 0,
    ...wish,
  });
  assert.equal(deleteAt(one, [rule({ connectorName: "x", label: "inbound", number: "+1*" })], 0), 2 * DAY_MS);
  for (const wrong of [{ connectorName: "y" }, { label: "z" }, { number: "+2*" }, { number: "+1555" }])
    assert.equal(deleteAt(one, [rule({ connectorName: "x", ...wrong })], 0), null);
  assert.equal(deleteAt({ ...one, connectorName: null }, [rule({ connectorName: "x" })], 3), 3 * DAY_MS);
});

test("objects are deleted too; with the storage down it is gone for all, told, and finished later", async (t) => {
  const objects = new Shelf();
  const { archive, add, isGone, until, store, alerts, files } = await house(t, { objects, isSealing: true });
  const sid = await add(1);
  await archive.start();
  await until(async () => (await store.keeping.keeping([sid]))[0]?.place === "objects");
  await until(() => objects.objects.has(`${sid}/1-a.wav`));
  await until(async () => (await files.local(sid)).length === 0);
  objects.fails = true;
  await assert.rejects(archive.remove(ACCOUNT, sid, WHO), /the storage is down/);
  assert.equal(await isGone(sid), true, "for everybody who asks");
  assert.equal(await archive.remove(ACCOUNT, sid, WHO), false);
  assert.equal(await store.keeping.findKey(sid), undefined, "what is left there opens to nobody");
  assert.equal(await archive.hold(ACCOUNT, sid, "too late", WHO), undefined);
  await archive.start();
  await until(() => alerts.includes(`98021 ${sid}`));
  objects.fails = false;
  await archive.start();
  await until(async () => (await store.keeping.deletions()).length === 0);
  assert.equal(objects.objects.size, 0);
});

test("what was moved, and not removed before the crash, is removed at the start", async (t) => {
  const objects = new Shelf();
  const { archive, add, store, folder } = await house(t, { objects });
  const [moved, kept] = [await add(1), await add(2, { status: "in-progress", endTime: null })];
  await store.keeping.moved(moved, [{ file: "1-a.wav", octets: 5, sha256: "", object: `${moved}/1-a.wav` }]);
  await archive.start();
  assert.equal(existsSync(join(folder, moved)), false);
  assert.equal(existsSync(join(folder, kept)), true);
});

test("a deletion that a crash interrupted is finished at the start, with what an upload left", async (t) => {
  const objects = new Shelf();
  const { archive, add, store, folder, until } = await house(t, { objects });
  const sid = await add(1);
  objects.objects.set(`${sid}/1-a.wav`, Buffer.from("half"));
  writeFileSync(join(folder, sid, "2-b.wav"), "more");
  const entry = { accountSid: ACCOUNT, recordingSid: sid, time: 1, action: "deleted" as const };
  assert.ok(await store.keeping.beginDeletion({ ...entry, ...WHO, detail: null }));
  await archive.start();
  await until(async () => (await store.keeping.deletions()).length === 0);
  assert.equal(existsSync(join(folder, sid)), false);
  assert.equal(objects.objects.size, 0);
});
