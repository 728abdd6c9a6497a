import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openStore } from "../../store/index.ts";
import {
  ACCOUNT,
  keepingLog,
  MASTER_KEY,
  OTHER_ACCOUNT,
  recordingRecord,
  siprecRecord,
} from "../../store/testing/fixtures.ts";
import { RecordingFiles } from "../files/recording-files.ts";
import type { RecordingRecord } from "../ports.ts";
import { Reconciler } from "./reconciliation.ts";

const OWN = "sip:recorder@127.0.0.1:5060";
const RANGE = { from: 1_000, to: 2_000 };

async function house(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "callfork-reconcile-"));
  const store = await openStore({
    file: ":memory:",
    masterKey: MASTER_KEY,
    log: keepingLog(),
    now: () => 1_500,
  });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const files = new RecordingFiles({ folder, keeping: store.keeping });
  const reconciler = new Reconciler({
    store: store.recordings,
    keeping: store.keeping,
    files,
    isOwnRecorder: (uri) => uri === OWN,
    now: () => Date.now(),
  });
  const fork = async (number: number, callIds: readonly string[], recorder = OWN, packets = 3060) => {
    const base = siprecRecord(number, { status: "stopped", startTime: 1_100, endTime: 1_900 });
    const attempt = { recorder, time: 1_100, result: "answered" as const, sipStatus: 200 };
    const attempts = callIds.map((callId) => ({ ...attempt, errorCode: null, reason: null, callId }));
    const track = { codec: "PCMU", encryption: null, octets: 1, lost: null };
    const tracks = ["inbound", "outbound"].map((label) => ({ ...track, label, packets }));
    await store.siprecs.saveSiprec({ ...base, detail: { ...base.detail, attempts, tracks } }, []);
    return base.sid;
  };
  const record = async (number: number, callId: string, change: Partial<RecordingRecord> = {}) => {
    const base = recordingRecord(number, { status: "completed", startTime: 1_200, endTime: 1_900 });
    const row = { ...base, warnings: [], source: { ...base.source, callId }, ...change };
    await store.recordings.saveRecording(row);
    mkdirSync(join(folder, row.sid));
    for (const { file } of row.tracks) writeFileSync(join(folder, row.sid, file), "audio");
    return row;
  };
  const kinds = async () => {
    const { findings } = await reconciler.reconcile(ACCOUNT, RANGE);
    return findings.map(({ kind, label }) => (label === null ? kind : `${kind} ${label}`));
  };
  return { store, folder, reconciler, fork, record, kinds };
}

test("what was sent and what is recorded agree: nothing is found", async (t) => {
  const { fork, record, reconciler } = await house(t);
  await fork(1, ["a"]);
  await record(1, "a");
  await fork(2, ["elsewhere"], "sip:srs@example.com");
  const { checked, findings, isPartial } = await reconciler.reconcile(ACCOUNT, RANGE);
  assert.deepEqual(findings, []);
  assert.deepEqual(checked, { forks: 2, recordings: 1, files: 2, folders: 1 });
  assert.equal(isPartial, false);
  assert.equal((await reconciler.reconcile(OTHER_ACCOUNT, RANGE)).checked.forks, 0);
  assert.equal((await reconciler.reconcile(ACCOUNT, { from: 0, to: 1 })).checked.forks, 0);
});

test("a recording session without recording, a track without packets, fewer packets than sent", async (t) => {
  const { fork, record, reconciler, kinds } = await house(t);
  const lost = await fork(1, ["gone"]);
  await fork(2, ["a"]);
  const [inbound, outbound] = recordingRecord(1).tracks;
  await record(1, "a", {
    tracks: [
      { ...inbound!, packets: 3000, expected: 3060, lost: 60 },
      { ...outbound!, packets: 0 },
    ],
  });
  assert.deepEqual(await kinds(), [
    "fewer-packets-than-sent inbound",
    "missing-track outbound",
    "missing-recording",
    "packets-lost inbound",
  ]);
  const { findings } = await reconciler.reconcile(ACCOUNT, RANGE);
  const missing = findings.find(({ kind }) => kind === "missing-recording");
  assert.deepEqual([missing?.siprecSid, missing?.callId], [lost, "gone"]);
});

test("a fork over several recorders is held against all of its recordings, or not at all", async (t) => {
  const { fork, record, kinds } = await house(t);
  await fork(1, ["a", "b"]);
  const half = recordingRecord(1).tracks.map((track) => ({ ...track, packets: 1_530, expected: 1_530 }));
  await record(1, "a", { tracks: half });
  await record(2, "b", { tracks: half });
  assert.deepEqual(await kinds(), []);
});

test("what was deleted is not missed", async (t) => {
  const { fork, record, kinds, store, folder } = await house(t);
  await fork(1, ["a"]);
  const { sid } = await record(1, "a");
  rmSync(join(folder, sid), { recursive: true });
  await store.recordings.deleteRecording(sid);
  assert.deepEqual(await kinds(), []);
});

test("what recordings say of themselves: metadata without audio, another length than announced", async (t) => {
  const { record, kinds } = await house(t);
  await record(1, "a", {
    status: "failed",
    tracks: [],
    warnings: [
      { code: "RECORDING_WITHOUT_MEDIA", message: "no packet came on any track", time: 1 },
      { code: "DURATION_DIFFERS", message: "10 s instead of 20 s", time: 1 },
      { code: "SIP_SRC_MISSING", message: "x", time: 1 },
    ],
  });
  assert.deepEqual(await kinds(), ["metadata-without-recording", "duration-differs"]);
});

test("files without a row, a row without files; a folder that is just being made is none of them", async (t) => {
  const { record, kinds, folder } = await house(t);
  const { sid } = await record(1, "a");
  rmSync(join(folder, sid, "inbound.track"));
  for (const name of ["REstray", "REnew"]) mkdirSync(join(folder, name));
  utimesSync(join(folder, "REstray"), 1, 1);
  assert.deepEqual(await kinds(), ["file-missing inbound", "files-without-recording"]);
});
