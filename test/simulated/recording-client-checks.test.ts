import assert from "node:assert/strict";
import { test } from "node:test";
import type { SiprecStart } from "../../packages/server/src/calls/index.ts";
import { PlatformError } from "../../packages/server/src/observe/index.ts";
import { ACCOUNT, CALL, parameterOf, RECORDER, RecordingWorld } from "./recording-world.ts";

/** publicCode and httpStatus of what a promise rejects with. */
async function refusal(promise: Promise<unknown>): Promise<[publicCode: number, httpStatus: number]> {
  const error = await promise.then(
    () => assert.fail("was accepted"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof PlatformError, String(error));
  return [error.publicCode, error.httpStatus];
}

const parameter = { name: "n", value: "v" };
const wrong: [what: string, start: Partial<SiprecStart>, publicCode: number, httpStatus: number][] = [
  ["a track of another name", { track: "left_track" as never }, 31941, 400],
  ["no connector name", { connectorName: null }, 31940, 400],
  ["an unknown connector", { connectorName: "nobody" }, 31940, 400],
  ["100 parameters", { parameters: Array(100).fill(parameter) }, 20422, 400],
  ["a long parameter name", { parameters: [{ name: "n".repeat(129), value: "" }] }, 20422, 400],
  ["a long parameter value", { parameters: [{ name: "n", value: "v".repeat(4097) }] }, 20422, 400],
  ["a control character in a value", { parameters: [{ name: "n", value: "\u0007" }] }, 20422, 400],
  ["a control character in the name", { name: "a\r\nb" }, 20422, 400],
  ["track before connector", { track: "x" as never, connectorName: null }, 31941, 400],
];

for (const [what, start, publicCode, httpStatus] of wrong) {
  test(`refused: ${what} (${publicCode})`, async () => {
    const w = new RecordingWorld();
    assert.deepEqual(await refusal(w.start(start)), [publicCode, httpStatus]);
    assert.equal(w.store.saves.length, 0);
    assert.equal(w.client.liveCount, 0);

    // From a document: a row that is stopped, and its callback; the alert is the document's business.
    assert.deepEqual(await refusal(w.start({ ...start, origin: "twiml" })), [publicCode, httpStatus]);
    assert.deepEqual([w.row.status, w.row.errorCode, w.row.endTime !== null], ["stopped", publicCode, true]);
    assert.deepEqual(w.store.events, ["siprec-error"]);
    const [callback] = w.store.callbacks;
    assert.equal(parameterOf(callback, "SiprecSid"), w.row.sid);
    assert.equal(parameterOf(callback, "SiprecErrorCode"), String(publicCode));
    assert.deepEqual(w.alerts, []);
  });
}

test("a call nobody knows is 20404, one that has ended 21220", async () => {
  const w = new RecordingWorld();
  w.call.ended = true;
  assert.deepEqual(await refusal(w.start()), [20404, 404]);
  w.store.pastCalls.add(CALL);
  assert.deepEqual(await refusal(w.start()), [21220, 400]);
  assert.deepEqual(await refusal(w.client.stop(CALL, "n")), [20404, 404]);
});

test("a call that ends while its connector is looked up", async () => {
  const w = new RecordingWorld();
  const starting = w.start();
  w.call.ended = true;
  assert.deepEqual(await refusal(starting), [21220, 400]);
});

test("a connector that cannot be called, or whose header could become another one: 31942", async () => {
  const w = new RecordingWorld();
  for (const change of [
    { sipUris: [] },
    { sipUris: ["http://example.com"] },
    { credentialsHeaderName: "X-A\r\nVia", credentials: "x" },
    { credentialsHeaderName: "X-A", credentials: "x\r\nRoute: <sip:evil>" },
    { credentialsHeaderName: "X-A", credentials: null },
    { credentialsHeaderName: "v", credentials: "SIP/2.0/UDP x" },
    { credentialsHeaderName: "Content-Length", credentials: "0" },
  ]) {
    w.connector(change);
    assert.deepEqual(await refusal(w.start()), [31942, 400], JSON.stringify(change));
  }
  // One good entry is enough; the other is told of.
  w.connector({ sipUris: ["sip:", `sip:srs@${RECORDER}`] });
  w.recorder();
  await w.start();
  await w.advance(500);
  assert.ok(w.row.startTime);
  assert.deepEqual(
    w.alerts.map(({ errorCode }) => errorCode),
    [31942],
  );
});

test("four forked streams a call, counted from the start of a fork until its end, however close they come", async () => {
  const w = new RecordingWorld();
  w.recorder();
  const many = await Promise.allSettled([
    w.start({ name: "both" }),
    w.start({ name: "in", track: "inbound_track" }),
    w.start({ name: "both too" }),
    w.start({ name: "out", track: "outbound_track" }),
    w.start({ name: "in too", track: "inbound_track" }),
  ]);
  assert.deepEqual(
    many.map(({ status }) => status),
    ["fulfilled", "fulfilled", "rejected", "fulfilled", "rejected"],
  );
  assert.deepEqual(await refusal(w.start({ track: "inbound_track" })), [31960, 400]);
  await w.client.stop(CALL, "in");
  await w.start({ track: "inbound_track" });
  assert.equal(w.client.liveCount, 3);
});

test("a name is taken as long as its fork lives; then it may be used again, and stop finds the live one", async () => {
  const w = new RecordingWorld();
  w.recorder();
  const first = await w.start({ name: "My SIPREC Stream" });
  assert.deepEqual(await refusal(w.start({ name: "My SIPREC Stream" })), [20409, 409]);
  assert.deepEqual(await refusal(w.start({ name: "My SIPREC Stream", origin: "twiml" })), [20409, 409]);
  // The refused one must not shadow the live one.
  assert.equal((await w.store.findSiprec(CALL, "My SIPREC Stream"))?.sid, first.sid);
  assert.equal(parameterOf(w.store.callbacks.at(-1), "SiprecName"), "My SIPREC Stream");
  assert.equal((await w.client.stop(CALL, "My SIPREC Stream")).sid, first.sid);
  const second = await w.start({ name: "My SIPREC Stream" });
  assert.equal((await w.client.stop(CALL, "My SIPREC Stream")).sid, second.sid);
  // Nothing of that name lives any more: the newest is returned as it is.
  await w.advance(1_000);
  assert.equal((await w.client.stop(CALL, "My SIPREC Stream")).sid, second.sid);
  assert.equal((await w.client.stop(CALL, first.sid)).sid, first.sid);
  // Forks without name do not get into each other's way.
  await w.start({ name: "" });
  await w.start({ name: null });
  assert.deepEqual(await refusal(w.client.stop(CALL, "")), [20404, 404]);
});

test("without statusCallback nothing is called back", async () => {
  const w = new RecordingWorld();
  w.recorder();
  await w.start({ name: "n", statusCallback: null });
  await w.advance(200);
  await w.client.stop(CALL, "n");
  assert.deepEqual(w.store.callbacks, []);
  assert.equal(w.row.status, "stopped");
});

test("a store that does not take the row refuses the start; one that fails later harms nothing and gets it after all", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  w.store.failures = 1;
  await assert.rejects(w.start({ name: "n" }), /disk is full/);
  await w.advance(60_000);
  assert.deepEqual([w.store.saves.length, w.client.liveCount, recorder.invites.length], [0, 0, 0]);
  assert.deepEqual(w.results, []);

  await w.start({ name: "n" });
  w.store.failures = 2;
  await w.advance(500);
  assert.ok(w.media.flows("inbound"));
  await w.advance(5_000);
  assert.deepEqual(w.store.events, ["siprec-started"]);
  w.store.failures = 1;
  await assert.rejects(w.client.stop(CALL, "n"), /disk is full/);
  assert.equal(w.media.openCount, 0);
  await w.advance(2_000);
  assert.deepEqual(w.store.events, ["siprec-started", "siprec-stopped"]);
  assert.equal(w.row.status, "stopped");
});

test("recover: forks that a dead process left are stopped, with the callbacks they owe", async () => {
  const dead = new RecordingWorld();
  dead.recorder();
  await dead.start({ name: "told" });
  await dead.start({ name: "silent", statusCallback: null });
  const w = new RecordingWorld();
  for (const [sid, row] of dead.store.rows) w.store.rows.set(sid, row);
  const call = { sid: CALL, accountSid: ACCOUNT, from: "+15550001", to: "+15550002", status: "failed" };
  w.store.calls.set(CALL, {
    ...call,
    parentCallSid: null,
    callerName: null,
    direction: "inbound",
    phoneNumberSid: null,
    trunkSid: null,
    sipCallId: "leg-1",
    sipStatus: null,
    dateCreated: 1,
    dateUpdated: 2,
    startTime: 1,
    endTime: 2,
    status: "failed",
  });
  await w.client.recover();
  assert.deepEqual(
    [...w.store.rows.values()].map(({ status }) => status),
    ["stopped", "stopped"],
  );
  assert.deepEqual(w.store.events, ["siprec-stopped"]);
  const voice = ["CallSid", "From", "To", "Caller", "CallStatus", "Direction", "ApiVersion", "SipCallId"].map(
    (name) => parameterOf(w.store.callbacks[0], name),
  );
  assert.deepEqual(voice, [CALL, call.from, call.to, call.from, "failed", "inbound", "2010-04-01", "leg-1"]);
  await w.client.recover();
  assert.equal(w.store.saves.length, 1);
});

test("stopAll ends every fork with BYE and takes no new ones; a silent recorder does not hold it for ever", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  await w.start({ name: "a" });
  await w.advance(200);
  await w.start({ name: "b", track: "inbound_track" });
  await w.advance(200);
  await recorder.party.node.close();
  let done = false;
  const stopping = w.client.stopAll().then(() => {
    done = true;
  });
  assert.deepEqual(await refusal(w.start({ name: "c" })), [20503, 503]);
  assert.equal(await w.world.clock.advanceUntil(() => done, 36_000), true);
  await stopping;
  assert.deepEqual(w.store.events.slice(-2), ["siprec-stopped", "siprec-stopped"]);
  assert.equal(w.client.liveCount, 0);
});
