import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { createSystemClock } from "../../packages/server/src/net/index.ts";
import { Mover } from "../../packages/server/src/recording-server/archive/mover.ts";
import { createFile } from "../../packages/server/src/recording-server/files/file-writer.ts";
import type {
  ObjectStore,
  ObjectStoreOptions,
} from "../../packages/server/src/recording-server/files/object-store.ts";
import { RecordingFiles } from "../../packages/server/src/recording-server/files/recording-files.ts";
import { openS3 } from "../../packages/server/src/recording-server/files/s3-store.ts";
import { openStore } from "../../packages/server/src/store/index.ts";
import { keepingLog, MASTER_KEY, recordingRecord } from "../../packages/server/src/store/testing/fixtures.ts";
import { Child } from "./support/child.ts";
import { converse } from "./support/conversation.ts";
import { Owned } from "./support/owned.ts";
import { without } from "./support/programs.ts";
import { recordedBothVoices } from "./support/recorded.ts";
import { scratchFolder } from "./support/scratch.ts";
import { TestServer } from "./support/server.ts";
import { SWIFT_PROGRAMS, Swift } from "./support/swift.ts";
import { until } from "./support/waiting.ts";

const PART_BYTES = 5 << 20;
const owned = new Owned();
let swift: Swift;
let buckets = 0;

describe("recordings in object storage: OpenStack Swift's S3 interface", {
  skip: without(...SWIFT_PROGRAMS),
}, () => {
  before(async () => {
    swift = await Swift.start(owned);
  });
  after(() => owned.release());

  async function freshBucket(): Promise<ObjectStoreOptions> {
    const bucket = `recordings-${++buckets}`;
    await swift.makeBucket(bucket);
    const { endpoint, accessKeyId, secretAccessKey } = swift;
    return { bucket, prefix: "calls/2026", endpoint, region: "us-east-1", accessKeyId, secretAccessKey };
  }

  /** A store, a folder of recordings and what moves them. */
  async function house(t: TestContext, s3: ObjectStoreOptions, folder = scratchFolder("s3")) {
    const clock = createSystemClock();
    const log = keepingLog();
    const store = await openStore({
      file: join(folder, "callfork.db"),
      masterKey: MASTER_KEY,
      log,
      now: () => clock.wallNow(),
    });
    const sent: number[] = [];
    const opened = openS3(s3);
    const objects: ObjectStore = {
      ...opened,
      uploadPart: (key, uploadId, part, octets) => {
        sent.push(part);
        return opened.uploadPart(key, uploadId, part, octets);
      },
    };
    const recordings = join(folder, "recordings");
    const files = new RecordingFiles({ folder: recordings, keeping: store.keeping, objects });
    const alerts: string[] = [];
    const mover = new Mover({
      files,
      objects,
      keeping: store.keeping,
      clock,
      log,
      alert: (_level, code, sid, text) => alerts.push(`${code} ${sid}: ${text}`),
      partBytes: PART_BYTES,
    });
    t.after(async () => {
      await mover.stop();
      await store.close();
    });
    const add = async (number: number, contents: Readonly<Record<string, Uint8Array>>, isSealed = false) => {
      const record = recordingRecord(number, { status: "completed" });
      const key = isSealed ? randomBytes(32) : undefined;
      if (key !== undefined) await store.keeping.saveKey(record.sid, key);
      mkdirSync(join(recordings, record.sid), { recursive: true });
      for (const [file, octets] of Object.entries(contents)) {
        const path = join(recordings, record.sid, file);
        const writer = createFile({ path, key: key && createSecretKey(key) }, octets.subarray(0, 4));
        for (let at = 4; at < octets.length; at += 8_192) writer.append(octets.subarray(at, at + 8_192));
        writer.close();
      }
      await store.recordings.saveRecording(record);
      return record.sid;
    };
    const isMoved = async (sid: string) => (await store.keeping.keeping([sid]))[0]?.place === "objects";
    return { store, sent, files, mover, alerts, add, isMoved, recordings, folder };
  }

  async function read(files: RecordingFiles, sid: string, file: string, at = 0, length?: number) {
    const reader = await files.open(sid, file);
    assert.ok(reader, file);
    const octets = await reader.read(at, length ?? reader.size);
    await reader.close();
    return Buffer.from(octets);
  }

  it("objects are put, found, read in ranges and removed; parts make one object", async () => {
    const objects = openS3(await freshBucket());
    const small = randomBytes(1_000);
    await objects.put("a/b c+ü.wav", small);
    assert.equal((await objects.head("a/b c+ü.wav"))?.octets, 1_000);
    assert.deepEqual(Buffer.from(await objects.read("a/b c+ü.wav", 10, 20)), small.subarray(10, 30));
    assert.deepEqual(Buffer.from(await objects.read("a/b c+ü.wav", 999, 1)), small.subarray(999));
    await objects.remove("a/b c+ü.wav");
    await objects.remove("a/b c+ü.wav");
    assert.equal(await objects.head("a/b c+ü.wav"), undefined);
    await assert.rejects(objects.read("a/b c+ü.wav", 0, 1), { code: "OBJECT_STORE_FAILED", status: 404 });

    const large = randomBytes(PART_BYTES + 7);
    const upload = await objects.beginUpload("large");
    const etags = [
      await objects.uploadPart("large", upload, 1, large.subarray(0, PART_BYTES)),
      await objects.uploadPart("large", upload, 2, large.subarray(PART_BYTES)),
    ];
    await objects.completeUpload("large", upload, etags);
    assert.equal((await objects.head("large"))?.octets, large.length);
    const across = await objects.read("large", PART_BYTES - 5, 12);
    assert.deepEqual(Buffer.from(across), large.subarray(PART_BYTES - 5));
    const given = await objects.beginUpload("never");
    await objects.abortUpload("never", given);
    await objects.abortUpload("never", given);
  });

  it("a wrong key and a bucket that is not there are said, without the secret", async () => {
    const s3 = await freshBucket();
    const wrong = openS3({ ...s3, secretAccessKey: "not-the-secret" });
    await assert.rejects(wrong.put("x", Buffer.from("x")), (error: Error & { status?: number }) => {
      assert.equal(error.status, 403);
      assert.match(error.message, /SignatureDoesNotMatch/);
      assert.doesNotMatch(error.message, /not-the-secret/);
      return true;
    });
    await assert.rejects(openS3({ ...s3, bucket: "nowhere" }).put("x", Buffer.from("x")), { status: 404 });
  });

  it("an ended recording is moved, plain and sealed, small and in parts; then it is read from there", async (t) => {
    const s3 = await freshBucket();
    const { mover, add, isMoved, files, recordings, store } = await house(t, s3);
    const contents = { "1-inbound.wav": randomBytes(900_000), "2-outbound.wav": randomBytes(3 * PART_BYTES) };
    const plain = await add(1, contents);
    const sealed = await add(2, contents, true);
    await mover.start();
    for (const sid of [plain, sealed]) {
      await until("moved", () => isMoved(sid));
      await until("removed", () => !existsSync(join(recordings, sid)));
      for (const [file, octets] of Object.entries(contents)) {
        assert.ok((await read(files, sid, file)).equals(octets), file);
        assert.deepEqual(await read(files, sid, file, 777_000, 9), octets.subarray(777_000, 777_009));
      }
      assert.equal(await files.open(sid, "3-none.wav"), undefined);
    }
    const [stored] = await store.keeping.storedFiles(plain);
    assert.equal(stored?.object, `${plain}/1-inbound.wav`);
    const bucket = swift.bucket(s3.bucket);
    const there = Buffer.from((await bucket.getObjectArrayBuffer(`calls/2026/${plain}/1-inbound.wav`))!);
    assert.ok(there.equals(contents["1-inbound.wav"]));
    const secret = Buffer.from((await bucket.getObjectArrayBuffer(`calls/2026/${sealed}/1-inbound.wav`))!);
    assert.equal(secret.indexOf(contents["1-inbound.wav"].subarray(100, 132)), -1);

    const objects = (await store.keeping.storedFiles(plain)).map(({ object }) => object);
    await files.remove(plain, objects);
    assert.deepEqual(await files.leftOf(plain, objects), []);
    assert.equal(await bucket.objectExists(`calls/2026/${plain}/1-inbound.wav`), false);
    assert.equal(await bucket.objectExists(`calls/2026/${sealed}/1-inbound.wav`), true);
  });

  it("an object that was changed there is refused when it is sealed", async (t) => {
    const s3 = await freshBucket();
    const { mover, add, isMoved, files } = await house(t, s3);
    const sid = await add(1, { "1-a.wav": randomBytes(50_000) }, true);
    await mover.start();
    await until("moved", () => isMoved(sid));
    const bucket = swift.bucket(s3.bucket);
    const key = `calls/2026/${sid}/1-a.wav`;
    const octets = Buffer.from((await bucket.getObjectArrayBuffer(key))!);
    octets[20_000]! ^= 1;
    await bucket.putObject(key, octets);
    await assert.rejects(read(files, sid, "1-a.wav"), { code: "RECORDING_DAMAGED" });
  });

  it("with the storage down the recording stays, is tried again, and goes when it is back", async (t) => {
    const { mover, add, isMoved, store, recordings } = await house(t, await freshBucket());
    const sid = await add(1, { "1-a.wav": randomBytes(1_000) });
    await swift.stopProxy();
    await mover.start();
    await until("a failure", async () => (await store.keeping.keeping([sid]))[0]?.moveError ?? undefined);
    assert.match((await store.keeping.keeping([sid]))[0]!.moveError!, /ECONNREFUSED/);
    assert.ok(existsSync(join(recordings, sid, "1-a.wav")));
    await swift.startProxy();
    await store.keeping.moveFailed(sid, "tried again at once", 0);
    mover.look();
    await until("moved", async () => {
      mover.look();
      return isMoved(sid);
    });
  });

  it("when it fails for long somebody is told", async (t) => {
    const s3 = await freshBucket();
    const { mover, add, store, alerts } = await house(t, { ...s3, secretAccessKey: "wrong" });
    const sid = await add(1, { "1-a.wav": randomBytes(1_000) });
    for (let failures = 0; failures < 4; failures++) await store.keeping.moveFailed(sid, "before", 0);
    await mover.start();
    await until("an alert", () => alerts.length > 0);
    // At once that it cannot be used at all, and then for each recording that has waited for long.
    await until("both alerts", () => alerts.length > 1);
    assert.match(alerts.join("\n"), new RegExp(`^98020 ${sid}: for 5 times .*SignatureDoesNotMatch`, "m"));
    assert.match(alerts.join("\n"), /^98020 undefined: /m);
  });

  it("killed in the middle of an upload, the next process goes on with the parts that are there", async (t) => {
    const s3 = await freshBucket();
    const folder = scratchFolder("s3-kill");
    const contents = { "1-a.wav": randomBytes(8 * PART_BYTES) };
    const first = await house(t, s3, folder);
    const sid = await first.add(1, contents);
    await first.store.close();
    const child = new Child(process.execPath, [resolve(import.meta.dirname, "support/s3-mover.ts"), folder], {
      cwd: folder,
      env: { S3_OPTIONS: JSON.stringify(s3), S3_PART_BYTES: String(PART_BYTES) },
    });
    await child.printed(/part 3 is there/);
    await child.stop("SIGKILL");
    assert.ok(existsSync(join(folder, "recordings", sid, "1-a.wav")), "nothing was removed before its time");

    const second = await house(t, s3, folder);
    const before = (await second.store.keeping.uploadProgress(sid))["1-a.wav"];
    assert.ok(before?.parts.length === 3);
    assert.equal(await second.isMoved(sid), false);
    await second.mover.start();
    await until("moved", () => second.isMoved(sid));
    assert.ok((await read(second.files, sid, "1-a.wav")).equals(contents["1-a.wav"]));
    assert.deepEqual(await second.store.keeping.uploadProgress(sid), {});
    const last = contents["1-a.wav"].length / PART_BYTES;
    assert.equal(second.sent.length, last - 3, "what was there is not sent again");
  });

  it("a server with `recordings.url`: calls are recorded, encrypted, moved, heard from there in ranges, and deleted there", async (t) => {
    const s3 = await freshBucket();
    const env = {
      CALLFORK_RECORDINGS_URL: `s3://${s3.bucket}/calls`,
      CALLFORK_RECORDINGS_ENDPOINT: s3.endpoint,
      CALLFORK_RECORDINGS_ACCESS_KEY_ID: s3.accessKeyId,
      CALLFORK_RECORDINGS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      CALLFORK_RECORDINGS_ENCRYPTION: "true",
    };
    const server = await TestServer.start(t, { env });
    await server.connector("own", server.recorderUri);
    const { alice } = await converse(t, server, { verbs: '<Start><Siprec connectorName="own"/></Start>' });
    await until("two seconds", () => alice.heard().packets > 100);
    await alice.hangUp();
    const { sid } = await recordedBothVoices(server);
    const path = `/v1/Recordings/${sid}`;
    const before = Buffer.from(await server.bytes(`${path}/Media.wav`));
    await until("moved", async () => (await server.get<{ storage: string }>(path)).storage === "objects");
    await until("removed here", () => !existsSync(join(server.dataDir, "recordings", sid)));
    assert.ok(Buffer.from(await server.bytes(`${path}/Media.wav`)).equals(before));
    await recordedBothVoices(server);
    const credentials = Buffer.from(`${server.accountSid}:${server.authToken}`).toString("base64");
    const part = await fetch(`${server.url}${path}/Media.wav`, {
      headers: { authorization: `Basic ${credentials}`, range: "bytes=20001-30000" },
    });
    assert.equal(part.status, 206);
    assert.ok(Buffer.from(await part.arrayBuffer()).equals(before.subarray(20_001, 30_001)));
    const { findings } = await server.get<{ findings: object[] }>("/v1/Recordings/Reconciliation");
    assert.deepEqual(findings, []);
    const bucket = swift.bucket(s3.bucket);
    assert.equal((await bucket.listObjects("/", `calls/${sid}/`))?.length, 2);
    await server.request("DELETE", path);
    assert.equal((await bucket.listObjects("/", `calls/${sid}/`))?.length ?? 0, 0);
  });
});
