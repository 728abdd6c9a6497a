import assert from "node:assert/strict";
import { test } from "node:test";
import { directionOf } from "@callfork/protocol/sdp";
import { applyMetadata, EMPTY_METADATA_STATE } from "@callfork/protocol/siprec";
import { parameterOf, RECORDER, type Recorder, RecordingWorld } from "./recording-world.ts";

const SECOND = "10.0.0.10";

async function recording(change: (recorder: Recorder) => void = () => {}) {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  change(recorder);
  await w.start({ name: "n" });
  await w.advance(200);
  assert.ok(recorder.dialog, w.story);
  return { w, recorder };
}

const directions = (recorder: Recorder, index: number) =>
  recorder.offers[index]!.media.map((media) => directionOf(recorder.offers[index]!, media));

/** Each packet of a span, and what has been sent when it is over. */
function packets(w: RecordingWorld, count: number): number {
  for (let n = 0; n < count; n++) w.media.packet();
  return w.media.forks.reduce((sum, { sent }) => sum + sent, 0);
}

test("[R7866-7.1.1.1-3] [R7865-6.4-2] [R7865-6.4-3] pause: packets stop before the answer to the request, lines go inactive, the session is no longer recorded; resume takes all of it back", async () => {
  const { w, recorder } = await recording();
  assert.equal(packets(w, 10), 20);
  const paused = await w.client.pause(w.call.callSid, "n");
  assert.equal(paused.status, "paused");
  assert.equal(w.media.flows("inbound"), undefined);
  assert.equal(packets(w, 10), 20); // though the recorder has not even heard of it
  assert.deepEqual(w.store.events, ["siprec-started", "siprec-paused"]);
  assert.equal(w.row.status, "paused");
  await w.advance(300);
  assert.deepEqual(directions(recorder, 1), ["inactive", "inactive"], w.story);
  assert.ok(recorder.offers[1]!.media.every(({ port }) => port > 0));
  const state = recorder.documents.reduce(
    (known, document) => applyMetadata(known, document, w.world.clock.wallNow()).state,
    EMPTY_METADATA_STATE,
  );
  const [session] = state.sessions.values();
  assert.equal(session!.closedAtMs, undefined);
  assert.notEqual(session!.recorded.at(-1)?.untilMs, undefined);

  await w.advance(10_000);
  const resumed = await w.client.resume(w.call.callSid, w.row.sid);
  assert.equal(resumed.status, "in-progress");
  assert.equal(packets(w, 10), 20); // not before the recorder has agreed
  await w.advance(300);
  assert.deepEqual(directions(recorder, 2), ["sendonly", "sendonly"]);
  assert.equal(packets(w, 10), 40);
  assert.equal(w.media.forks.length, 2); // the same ports, so the same streams
  const again = applyMetadata(state, recorder.documents[2]!, w.world.clock.wallNow()).state;
  assert.deepEqual(
    [...again.sessions.values()][0]!.recorded.map(({ untilMs }) => untilMs !== undefined),
    [true, false],
  );
  const [span, ...more] = w.row.detail.pauses;
  assert.equal(more.length, 0);
  assert.equal((span!.until ?? 0) - span!.from, 10_300);
  assert.deepEqual(w.store.events, ["siprec-started", "siprec-paused", "siprec-resumed"]);
});

test("what is paused twice, or resumed twice, is paused or resumed once; one that has ended can be neither", async () => {
  const { w, recorder } = await recording();
  const sid = w.row.sid;
  const pauses = await Promise.all([
    w.client.pause(w.call.callSid, sid),
    w.client.pause(w.call.callSid, "n"),
  ]);
  assert.deepEqual(
    pauses.map(({ status }) => status),
    ["paused", "paused"],
  );
  await w.client.pause(w.call.callSid, sid);
  await w.advance(300);
  await w.client.resume(w.call.callSid, sid);
  await w.client.resume(w.call.callSid, sid);
  await w.advance(300);
  assert.equal(recorder.requests.length, 3);
  assert.deepEqual(w.store.events, ["siprec-started", "siprec-paused", "siprec-resumed"]);
  await w.client.pause(w.call.callSid, sid);
  await w.client.stop(w.call.callSid, sid);
  assert.notEqual(w.row.detail.pauses.at(-1)?.until, null);
  for (const change of [w.client.pause, w.client.resume]) {
    await assert.rejects(change.call(w.client, w.call.callSid, sid), { code: "SIPREC_OVER" });
    await assert.rejects(change.call(w.client, w.call.callSid, "nobody"), { code: "SIPREC_UNKNOWN" });
  }
  await w.advance(40_000);
  await assert.rejects(w.client.pause(w.call.callSid, sid), { code: "SIPREC_OVER" });
});

test("pause, resume and pause again before the recorder has answered anything: the last word counts, and nothing leaks", async () => {
  const { w } = await recording();
  await w.client.pause(w.call.callSid, "n");
  await w.client.resume(w.call.callSid, "n");
  await w.client.pause(w.call.callSid, "n");
  for (let n = 0; n < 50; n++) {
    await w.advance(20);
    assert.equal(packets(w, 1), 0);
  }
  await w.client.resume(w.call.callSid, "n");
  await w.advance(500);
  assert.equal(packets(w, 1), 2, w.story);
});

test("[R7866-7.1.1-1] paused before the recorder has answered: nothing flows, and it is told at once; paused before it is called: the first offer is inactive", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  recorder.answering = (invite) => invite.provisional(180);
  await w.start({ name: "n" });
  await w.advance(100);
  await w.client.pause(w.call.callSid, "n");
  recorder.accept(recorder.invites[0]!);
  await w.advance(300);
  assert.equal(packets(w, 5), 0);
  assert.deepEqual(
    [directions(recorder, 0)[0], directions(recorder, 1)[0]],
    ["sendonly", "inactive"],
    w.story,
  );

  const early = new RecordingWorld();
  const other = early.recorder();
  early.call.leg = undefined;
  await early.start({ name: "n" });
  await early.client.pause(early.call.callSid, "n");
  early.call.leg = 7;
  early.call.change();
  await early.advance(300);
  assert.deepEqual(directions(other, 0), ["inactive", "inactive"], early.story);
  assert.equal(other.documents[0]!.sessionRecordingAssociations[0]!.disassociateTime !== undefined, true);
  assert.deepEqual([early.row.status, packets(early, 5)], ["paused", 0]);
  await early.client.resume(early.call.callSid, "n");
  await early.advance(300);
  assert.equal(packets(early, 5), 10);
});

test("a pause survives the loss of the recorder, and is no gap", async () => {
  const w = new RecordingWorld();
  w.connector({ sipUris: [`sip:a@${RECORDER}`, `sip:b@${SECOND}`] });
  const first = w.recorder();
  const second = w.recorder(SECOND);
  await w.start({ name: "n" });
  await w.advance(200);
  await w.client.pause(w.call.callSid, "n");
  await w.advance(200);
  void first.dialog!.bye();
  await w.advance(2_000);
  assert.deepEqual(directions(second, 0), ["inactive", "inactive"], w.story);
  assert.equal(packets(w, 5), 0);
  assert.deepEqual([w.row.status, w.row.detail.gaps], ["paused", []]);
  await w.client.resume(w.call.callSid, "n");
  await w.advance(300);
  assert.equal(packets(w, 5), 10);
});

test("the recorder offers while it is paused: the answer stays inactive", async () => {
  const { w, recorder } = await recording();
  await w.client.pause(w.call.callSid, "n");
  await w.advance(300);
  const body = recorder.description([{ port: 30_000 }, { port: 30_002 }]);
  const [answer] = await Promise.all([recorder.dialog!.reinvite({ body }), w.advance(300)]);
  assert.equal(answer.status, 200);
  assert.match(new TextDecoder().decode(answer.body), /a=inactive[\s\S]*a=inactive/);
  assert.equal(packets(w, 5), 0);
});

test("a recorder that refuses to pause gets nothing all the same; one that refuses to go on is replaced", async () => {
  const w = new RecordingWorld();
  w.connector({ sipUris: [`sip:a@${RECORDER}`, `sip:b@${SECOND}`] });
  const first = w.recorder();
  const second = w.recorder(SECOND);
  const { reoffered } = first;
  await w.start({ name: "n" });
  await w.advance(200);
  first.reoffered = () => ({ status: 488 });
  await w.client.pause(w.call.callSid, "n");
  await w.advance(500);
  assert.equal(packets(w, 5), 0);
  assert.deepEqual(
    w.alerts.map(({ errorCode }) => errorCode),
    [31924],
  );
  first.reoffered = reoffered;
  await w.client.resume(w.call.callSid, "n");
  await w.advance(300);
  assert.equal(packets(w, 5), 10, w.story);
  await w.client.pause(w.call.callSid, "n");
  await w.advance(300);
  first.reoffered = () => ({ status: 488 });
  await w.client.resume(w.call.callSid, "n");
  await w.advance(1_000);
  assert.equal(second.invites.length, 1, w.story);
  assert.equal(packets(w, 5), 20);
  assert.equal(first.end?.cause, "bye");
});

test("callbacks of a pause say what the others say, under names of our own", async () => {
  const { w } = await recording();
  await w.client.pause(w.call.callSid, "n");
  const callback = w.store.callbacks.at(-1);
  for (const name of ["AccountSid", "CallSid", "SiprecSid", "SiprecName", "Timestamp", "From"])
    assert.ok(parameterOf(callback, name), name);
  assert.equal(parameterOf(callback, "SiprecEvent"), "siprec-paused");
});

test("a media worker that does not confirm the fence: the pause fails, and the fork ends by it", async () => {
  const { w, recorder } = await recording();
  w.media.isDeaf = true;
  const paused = assert.rejects(w.client.pause(w.call.callSid, "n"), /did not answer in time/);
  await w.advance(6_000);
  await paused;
  assert.equal(recorder.end?.cause, "bye", w.story);
  assert.deepEqual([w.row.status, w.row.errorCode, w.media.openCount], ["stopped", 31900, 0]);
  assert.equal(w.client.liveCount, 0);
});

test("the call hears before the first packet that it is recorded, then of the pause, of its end, and of the end of it all", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  const flowing: boolean[] = [];
  const indicated = w.call.recordingChanged;
  w.call.recordingChanged = (sid, state) => {
    flowing.push(w.media.flows("inbound") !== undefined);
    indicated(sid, state);
  };
  const { sid } = await w.start();
  assert.deepEqual(w.call.indicated, []);
  await w.advance(200);
  assert.ok(recorder.dialog, w.story);
  assert.deepEqual([w.call.indicated, flowing], [["on"], [false]]);
  await w.client.pause(w.call.callSid, sid);
  await w.client.resume(w.call.callSid, sid);
  await w.client.stop(w.call.callSid, sid);
  await w.advance(200);
  const changes = w.call.indicated.filter((state, index, all) => state !== all[index - 1]);
  assert.deepEqual(changes, ["on", "paused", "on", "off"]);
});
