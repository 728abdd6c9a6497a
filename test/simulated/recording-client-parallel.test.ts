import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ConnectorSettings,
  DEFAULT_CONNECTOR_SETTINGS,
} from "../../packages/server/src/recording-client/index.ts";
import { ACCOUNT, CALL, parameterOf, RECORDER, RecordingWorld } from "./recording-world.ts";

const SECOND = "10.0.0.10";
const THIRD = "10.0.0.11";

/** A connector "recorder", and beside it "archive" and "analysis", each with a recorder of its own. */
function parallelWorld(
  settings: Partial<Record<"recorder" | "archive" | "analysis", Partial<ConnectorSettings>>> = {},
) {
  const announced: unknown[] = [];
  const w = new RecordingWorld({ client: { announce: async (what) => void announced.push(what) } });
  const beside = { parallel: ["archive", "analysis", "archive", "recorder"] };
  for (const [index, [uniqueName, address]] of [
    ["recorder", RECORDER],
    ["archive", SECOND],
    ["analysis", THIRD],
  ].entries()) {
    w.connector({
      sid: `XE${String(index).repeat(32)}`,
      uniqueName: uniqueName!,
      sipUris: [`sip:srs@${address}`],
      settings: {
        ...DEFAULT_CONNECTOR_SETTINGS,
        ...(uniqueName === "recorder" && beside),
        ...settings[uniqueName as keyof typeof settings],
      },
    });
  }
  return { w, announced };
}

const rowOf = (w: RecordingWorld, connectorName: string) => {
  const row = [...w.store.rows.values()].find((each) => each.connectorName === connectorName);
  assert.ok(row, w.story);
  return row;
};

test("[R6341-021] [R7865-6.2-4] a connector with others beside it: every recorder gets the call under the same ids, each with a state of its own", async () => {
  const { w } = parallelWorld();
  const recorders = [w.recorder(), w.recorder(SECOND), w.recorder(THIRD)];
  const main = await w.start({ name: "n", parameters: [{ name: "case", value: "7" }] });
  await w.advance(300);
  assert.equal(w.store.rows.size, 3);
  const [archive, analysis] = [rowOf(w, "archive"), rowOf(w, "analysis")];
  assert.deepEqual(main.detail.parallel, [archive.sid, analysis.sid]);
  assert.equal(main.detail.parallelOf, null);
  for (const beside of [archive, analysis]) {
    assert.equal(beside.detail.parallelOf, main.sid);
    assert.equal(beside.name, null);
    assert.notEqual(beside.startTime, null, w.story);
  }
  const ids = recorders.map(({ documents }) => {
    const [document] = documents;
    const { sessions, groups, streams, participants } = document!;
    return [
      sessions[0]!.sessionId,
      groups[0]!.groupId,
      sessions[0]!.extensions.length,
      streams.map(({ streamId }) => streamId).join(),
      participants.map(({ participantId }) => participantId).join(),
    ];
  });
  assert.deepEqual(ids[1], ids[0]);
  assert.deepEqual(ids[2], ids[0]);
  assert.equal(new Set(w.media.forks.map(({ port }) => port.rtpPort)).size, 6);

  // Callbacks name the fork they are of, and the one it came with.
  const started = w.store.callbacks.filter((each) => parameterOf(each, "SiprecEvent") === "siprec-started");
  assert.deepEqual(
    started
      .map((each) => [parameterOf(each, "SiprecParallelOf"), parameterOf(each, "SiprecConnector")])
      .sort(),
    [
      [main.sid, "analysis"],
      [main.sid, "archive"],
      [undefined, undefined],
    ].sort(),
  );
  // The limit is for what applications ask for: one more of both tracks.
  const more = await w.start({ name: "m" });
  assert.equal(more.detail.parallel.length, 2);
  await assert.rejects(w.start(), { publicCode: 31960 });
});

test("stop, pause and resume reach all that came with a fork; one of them alone by its own SID", async () => {
  const { w } = parallelWorld();
  for (const address of [RECORDER, SECOND, THIRD]) w.recorder(address);
  const { sid } = await w.start({ name: "n" });
  await w.advance(300);
  const statuses = () => ["recorder", "archive", "analysis"].map((name) => rowOf(w, name).status);
  await w.client.pause(w.call.callSid, rowOf(w, "archive").sid);
  assert.deepEqual(statuses(), ["in-progress", "paused", "in-progress"]);
  const paused = await w.client.pause(w.call.callSid, "n");
  assert.equal(paused.sid, sid);
  assert.deepEqual(statuses(), ["paused", "paused", "paused"]);
  await w.client.resume(w.call.callSid, sid);
  assert.deepEqual(statuses(), ["in-progress", "in-progress", "in-progress"]);
  await w.client.stop(w.call.callSid, rowOf(w, "analysis").sid);
  assert.deepEqual(statuses(), ["in-progress", "in-progress", "stopped"]);
  assert.equal((await w.client.stop(w.call.callSid, "n")).sid, sid);
  assert.deepEqual(statuses(), ["stopped", "stopped", "stopped"]);
  await w.advance(300);
  assert.equal(w.media.openCount, 0);
});

test("a recorder that fails leaves the others alone; and those are stopped and paused by the name of the one that is gone", async () => {
  const { w } = parallelWorld();
  w.recorder().answering = (invite) => invite.reject(488);
  const others = [w.recorder(SECOND), w.recorder(THIRD)];
  const { sid } = await w.start({ name: "n" });
  await w.advance(500);
  assert.equal(rowOf(w, "recorder").errorCode, 32102);
  assert.ok(
    others.every(({ dialog }) => dialog !== undefined),
    w.story,
  );
  assert.equal((await w.client.pause(w.call.callSid, "n")).connectorName, "archive");
  assert.deepEqual([rowOf(w, "archive").status, rowOf(w, "analysis").status], ["paused", "paused"]);
  await w.client.stop(w.call.callSid, sid);
  await w.advance(300);
  assert.deepEqual(
    [...w.store.rows.values()].map(({ status }) => status),
    ["stopped", "stopped", "stopped"],
  );
  assert.deepEqual(
    others.map(({ end }) => end?.cause),
    ["bye", "bye"],
  );
});

test("a name beside it that no connector has is an alert; a row that the store refuses takes nothing else along", async () => {
  const { w } = parallelWorld({ recorder: { parallel: ["archive", "nobody"] } });
  for (const address of [RECORDER, SECOND]) w.recorder(address);
  const main = await w.start();
  await w.advance(300);
  assert.equal(main.detail.parallel.length, 1);
  assert.deepEqual(
    w.alerts.map(({ errorCode, level }) => [errorCode, level]),
    [[31940, "error"]],
  );
  const other = parallelWorld();
  for (const address of [RECORDER, SECOND, THIRD]) other.w.recorder(address);
  other.w.store.failures = 1;
  await assert.rejects(other.w.start());
  await other.w.advance(60_000);
  assert.equal(other.w.store.rows.size, 0);
  assert.equal(other.w.media.openCount, 0);
  assert.equal(other.w.call.listeners, 0);
});

test("[R7245-3.2-2] mandatory, and nobody answers: the call goes on with an alert, its parties are told, or it is ended, as the connector says", async () => {
  for (const onUnrecorded of ["continue", "announce", "end-call"] as const) {
    const { w, announced } = parallelWorld({
      archive: { policy: "mandatory", onUnrecorded, announcementUrl: "http://app.example.com/sorry.wav" },
    });
    for (const address of [RECORDER, THIRD]) w.recorder(address);
    w.recorder(SECOND).answering = (invite) => invite.reject(503);
    const { sid } = await w.start();
    await w.advance(500);
    const told = w.alerts.filter(({ errorCode }) => errorCode === 98010);
    assert.equal(told.length, 1, w.story);
    assert.equal(told[0]!.level, "error");
    assert.equal(told[0]!.resourceSid, rowOf(w, "archive").sid);
    assert.equal(rowOf(w, "archive").detail.policy, "mandatory");
    assert.equal(rowOf(w, "recorder").detail.policy, "optional");
    assert.deepEqual(
      announced,
      onUnrecorded === "announce"
        ? [{ accountSid: ACCOUNT, callSid: CALL, audio: "http://app.example.com/sorry.wav" }]
        : [],
    );
    assert.equal(w.call.hangups, onUnrecorded === "end-call" ? 1 : 0);
    assert.equal(w.store.rows.get(sid)!.status, "in-progress");
  }
});

test("mandatory and optional: who is not needed is not missed, nor one that is stopped by order, nor by the call's end", async () => {
  const { w } = parallelWorld({ archive: { onUnrecorded: "end-call" } });
  for (const address of [RECORDER, THIRD]) w.recorder(address);
  w.recorder(SECOND).answering = (invite) => invite.reject(503);
  await w.start();
  await w.advance(500);
  assert.equal(w.call.hangups, 0);
  const other = parallelWorld({ recorder: { policy: "mandatory", onUnrecorded: "end-call", parallel: [] } });
  const recorder = other.w.recorder();
  recorder.answering = () => {};
  const { sid } = await other.w.start();
  await other.w.client.stop(other.w.call.callSid, sid);
  await other.w.advance(60_000);
  recorder.answering = (invite) => recorder.accept(invite);
  await other.w.start();
  await other.w.advance(500);
  other.w.call.end();
  await other.w.advance(60_000);
  assert.deepEqual(
    other.w.alerts.filter(({ errorCode }) => errorCode === 98010),
    [],
  );
});

test("a document's fork that cannot be begun is missed as well where it has to be; one whose name is taken records already", async () => {
  const { w } = parallelWorld({
    recorder: { policy: "mandatory", onUnrecorded: "end-call", parallel: [] },
  });
  w.recorder();
  const twiml = { origin: "twiml", name: "n" } as const;
  await w.start(twiml);
  await assert.rejects(w.start(twiml), { publicCode: 20409 });
  assert.equal(w.call.hangups, 0);
  await assert.rejects(w.start({ ...twiml, name: "m", track: "no_track" as never }), { publicCode: 31941 });
  assert.equal(w.call.hangups, 1);
  await assert.rejects(w.start({ name: "o", track: "no_track" as never }), { publicCode: 31941 });
  assert.equal(w.call.hangups, 1); // whoever asks by REST has an answer
});

test("an announcement that cannot be had becomes three falling tones", async () => {
  const told: unknown[] = [];
  const w = new RecordingWorld({
    client: {
      announce: async ({ audio }) => {
        told.push(audio);
        if (typeof audio === "string") throw new Error("404");
      },
    },
  });
  const wish = {
    policy: "mandatory",
    onUnrecorded: "announce",
    announcementUrl: "http://a.example/x.wav",
  } as const;
  w.connector({ settings: { ...DEFAULT_CONNECTOR_SETTINGS, ...wish } });
  w.recorder().answering = (invite) => invite.reject(486);
  await w.start();
  await w.advance(500);
  assert.equal(told[0], "http://a.example/x.wav");
  const tones = told[1];
  assert.ok(tones instanceof Int16Array);
  assert.equal(tones.length, 7_200);
  assert.ok(Math.max(...tones) > 4_000 && Math.max(...tones) < 8_000);
});

test("mandatory with a limit: the call is ended when it went unrecorded for so long, at its start and in its middle, and not before", async () => {
  const { w } = parallelWorld({
    recorder: {
      policy: "mandatory",
      onUnrecorded: "announce",
      unrecordedLimitSeconds: 5,
      parallel: [],
    },
  });
  const recorder = w.recorder();
  const missed = () => w.alerts.filter(({ errorCode }) => errorCode === 98010).length;
  recorder.answering = () => {}; // 100 and nothing more
  await w.start();
  await w.advance(4_900);
  assert.equal(missed(), 0);
  await w.advance(200);
  assert.equal(missed(), 1);
  await w.advance(10_000); // then it is given up: that is the same spell
  assert.equal(missed(), 1);

  const ringing = parallelWorld({
    recorder: { policy: "mandatory", onUnrecorded: "end-call", unrecordedLimitSeconds: 5, parallel: [] },
  });
  ringing.w.recorder();
  ringing.w.call.leg = undefined;
  await ringing.w.start();
  await ringing.w.advance(30_000);
  assert.equal(ringing.w.call.hangups, 0); // there is nothing to record yet
  ringing.w.call.leg = 7;
  ringing.w.call.change();
  await ringing.w.advance(30_000);
  assert.equal(ringing.w.call.hangups, 0);

  const lost = parallelWorld({
    recorder: { policy: "mandatory", onUnrecorded: "end-call", unrecordedLimitSeconds: 5, parallel: [] },
  });
  const second = lost.w.recorder();
  await lost.w.start();
  await lost.w.advance(500);
  void second.dialog!.bye();
  await lost.w.advance(3_000); // called again after one second, and it answers
  assert.equal(second.invites.length, 2, lost.w.story);
  await lost.w.advance(10_000);
  assert.equal(lost.w.call.hangups, 0);
  second.answering = (invite) => invite.reject(500);
  void second.dialog!.bye();
  await lost.w.advance(4_800);
  assert.equal(lost.w.call.hangups, 0);
  await lost.w.advance(400);
  assert.equal(lost.w.call.hangups, 1, lost.w.story);
});
