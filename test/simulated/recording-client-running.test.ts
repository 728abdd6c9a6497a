import assert from "node:assert/strict";
import { test } from "node:test";
import { directionOf, labelOf } from "@callfork/protocol/sdp";
import type { SipResponse } from "@callfork/protocol/sip";
import { applyMetadata, EMPTY_METADATA_STATE } from "@callfork/protocol/siprec";
import { type OpenFork, PCMA, parameterOf, type Recorder, RecordingWorld, sdpIn } from "./recording-world.ts";

async function recording(
  change: (recorder: Recorder) => void = () => {},
): Promise<{ w: RecordingWorld; recorder: Recorder }> {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  change(recorder);
  await w.start();
  await w.advance(200);
  assert.ok(recorder.dialog, w.story);
  return { w, recorder };
}

const NOW = Date.UTC(2026, 0, 1);

/** Waits for an exchange of the recorder's. */
async function settled<T>(w: RecordingWorld, pending: Promise<T>): Promise<T> {
  await w.advance(500);
  return pending;
}

const sdpOf = (response: SipResponse) =>
  sdpIn([
    {
      mediaType: "application/sdp",
      contentType: "application/sdp",
      disposition: undefined,
      bytes: response.body,
    },
  ])!;

test("[R7866-7.2-7] the recorder goes inactive and back: answered with our labels, packets follow", async () => {
  const { w, recorder } = await recording();
  const lines = (direction: string) =>
    recorder.description([
      { port: 30_000, direction },
      { port: 30_002, direction },
    ]);
  const paused = await settled(w, recorder.dialog!.reinvite({ body: lines("inactive") }));
  assert.equal(paused.status, 200, w.story);
  const answer = sdpOf(paused);
  assert.deepEqual(
    answer.media.map((media) => [labelOf(media), directionOf(answer, media), media.port]),
    [
      ["inbound", "inactive", 20_002],
      ["outbound", "inactive", 20_004],
    ],
  );
  assert.equal(w.media.flows("inbound"), undefined);
  assert.equal(w.media.openCount, 2);

  const resumed = await settled(w, recorder.dialog!.update({ body: lines("recvonly") }));
  assert.equal(resumed.status, 200);
  assert.ok(w.media.flows("inbound") && w.media.flows("outbound"));
  const [offered, first, second] = [recorder.offers[0]!, answer, sdpOf(resumed)].map(({ origin }) => origin);
  assert.deepEqual(
    [first?.sessionId, first?.version, second?.sessionId, second?.version],
    [offered?.sessionId, "2", offered?.sessionId, "3"],
  );
});

test("a recorder that is not ready answers inactive: the session is up, packets wait for its re-INVITE", async () => {
  const { w, recorder } = await recording((each) => {
    each.answering = (invite) => each.accept(invite, (line) => line.replace(/^a=recvonly/, "a=inactive"));
  });
  assert.deepEqual(w.store.events, ["siprec-started"]);
  assert.equal(w.media.flows("inbound"), undefined);
  const body = recorder.description([{ port: 30_000 }, { port: 30_002 }]);
  assert.equal((await settled(w, recorder.dialog!.reinvite({ body }))).status, 200);
  assert.equal(w.media.flows("inbound")?.remote.rtpPort, 30_000);
});

test("[R7866-7.2-3] the recorder drops a line with port 0, moves the other, and may not add one", async () => {
  const { w, recorder } = await recording();
  const body = recorder.description([{ port: 0 }, { port: 31_000 }, { port: 32_000 }]);
  const answer = sdpOf(await settled(w, recorder.dialog!.reinvite({ body })));
  assert.deepEqual(
    answer.media.map(({ port }) => port),
    [0, 20_004, 0],
  );
  assert.equal(w.media.openCount, 1);
  assert.equal(w.media.flows("outbound")?.remote.rtpPort, 31_000);
});

test("a re-INVITE without offer gets ours in the 200, and its ACK carries the answer", async () => {
  const { w, recorder } = await recording();
  const reinvite = recorder.dialog!.reinvite({
    onAnswered: (_response, body) =>
      recorder.answerTo(sdpIn(body)!, (line) => line.replace("audio 30000", "audio 33000")),
  });
  const response = await settled(w, reinvite);
  assert.equal(response.status, 200, w.story);
  assert.deepEqual(sdpOf(response).media.map(labelOf), ["inbound", "outbound"]);
  assert.equal(sdpOf(response).origin.version, "1"); // nothing has changed
  assert.equal(w.media.flows("inbound")?.remote.rtpPort, 33_000);
});

test("[R3264-8-2] [R3261-12.2.2-2] an offer that does not read or has too few lines is refused with 488 and changes nothing", async () => {
  const { w, recorder } = await recording();
  const before = w.media.flows("inbound");
  const broken = { contentType: "application/sdp", bytes: new TextEncoder().encode("v=0\r\n?") };
  assert.equal((await settled(w, recorder.dialog!.reinvite({ body: broken }))).status, 488);
  const short = recorder.description([{ port: 0 }]);
  assert.equal((await settled(w, recorder.dialog!.update({ body: short }))).status, 488);
  assert.equal(w.media.flows("inbound"), before);
  assert.equal(w.row.status, "in-progress");
});

test("the recorder offers only codecs that neither the call speaks nor we do: 488, and the session goes on as it was", async () => {
  const { w, recorder } = await recording();
  const formats = ["18"];
  const body = recorder.description([
    { port: 30_000, formats },
    { port: 30_002, formats },
  ]);
  assert.equal((await settled(w, recorder.dialog!.reinvite({ body }))).status, 488);
  assert.equal(w.media.openCount, 2);
  assert.ok(w.media.flows("inbound") && w.media.flows("outbound"));
});

test("[R7866-9.2-5] [R7866-9.1-10] [R7866-9.1-5] a snapshot request gets 200 without body, then a complete document of its own", async () => {
  const { w, recorder } = await recording();
  const response = await settled(w, recorder.askForSnapshot());
  assert.deepEqual([response.status, response.body.length], [200, 0], w.story);
  assert.deepEqual(
    recorder.requests.map(({ method }) => method),
    ["INVITE", "UPDATE"],
  );
  const [first, second] = recorder.documents;
  assert.equal(second?.dataMode, "complete");
  assert.deepEqual(second.streams, first!.streams);
  assert.deepEqual(recorder.offers[1]!.media.map(labelOf), ["inbound", "outbound"]);
  assert.equal(recorder.offers[1]!.origin.version, recorder.offers[0]!.origin.version);
});

test("a recorder that refuses UPDATE, though it allows it, gets the snapshot by re-INVITE", async () => {
  const { w, recorder } = await recording((each) => {
    const { reoffered } = each;
    each.reoffered = (body) =>
      each.requests.at(-1)!.method === "UPDATE" ? { status: 405 } : reoffered(body);
  });
  assert.equal((await settled(w, recorder.askForSnapshot())).status, 200);
  await w.advance(500);
  assert.deepEqual(
    recorder.requests.map(({ method }) => method),
    ["INVITE", "UPDATE", "INVITE"],
    w.story,
  );
  assert.equal(recorder.documents.at(-1)?.dataMode, "complete");
  assert.equal(w.row.status, "in-progress");
});

test("[R7866-11.3-1] [R7866-9.1-11] an UPDATE without body is a refresh; metadata from the recorder is refused", async () => {
  const { w, recorder } = await recording();
  assert.equal((await settled(w, recorder.dialog!.update({}))).status, 200);
  const bytes = new TextEncoder().encode('<recording xmlns="urn:ietf:params:xml:ns:recording:1"/>');
  const body = { contentType: "application/rs-metadata+xml", bytes, disposition: "recording-session" };
  assert.equal((await settled(w, recorder.dialog!.update({ body }))).status, 400);
  assert.equal(recorder.requests.length, 1);
});

test("[R7866-9.1-2] [R7865-6.7-6] the call's other party and codec change: the recorder is told and the stream follows", async () => {
  const { w, recorder } = await recording();
  w.call.change(); // nothing new in it
  await w.advance(200);
  assert.equal(recorder.requests.length, 1);
  w.call.other = { aor: "tel:+15550099", displayName: "Carol" };
  w.call.list = [PCMA];
  w.call.change();
  await w.advance(200);
  assert.equal(recorder.requests.length, 2, w.story);
  const [before, after] = recorder.documents;
  assert.ok(before && after);
  assert.equal(after.dataMode, "partial");
  const [carol, ...rest] = after.participants;
  assert.deepEqual(carol?.nameIds, [{ aor: "tel:+15550099", name: "Carol" }]);
  assert.deepEqual(rest, []);
  assert.ok(before.participants.every(({ participantId }) => participantId !== carol?.participantId));
  // The streams, since their media has changed, with the labels of the offer beside them.
  assert.deepEqual(after.streams, before.streams);
  assert.equal(recorder.offers[1]!.media[0]!.formats[0], "8");
  assert.equal(recorder.offers[1]!.origin.version, "2");
  assert.deepEqual([...w.media.flows("inbound")!.payloadTypes], [[8, 8]]);
});

test("[R3311-5.3-1] [R3261-14.1-2] a refused update leaves the session as it was, and is told of once", async () => {
  const { w, recorder } = await recording();
  recorder.reoffered = () => ({ status: 488 });
  for (const user of ["x", "y"]) {
    w.call.other = { aor: `sip:${user}@example.com`, displayName: null };
    w.call.change();
    await w.advance(500);
  }
  assert.equal(recorder.requests.length, 3);
  assert.ok(w.media.flows("inbound"));
  assert.equal(w.row.status, "in-progress");
  assert.deepEqual(
    w.alerts.map(({ errorCode }) => errorCode),
    [31924],
  );
});

test("[R3261-15-1] stop: media ends before BYE, the row is durable at once, the recorder's 200 is not waited for", async () => {
  const { w, recorder } = await recording();
  const order: string[] = [];
  w.media.onClose = () => order.push("closed");
  w.world.network.filter = (message) => {
    order.push(message.startLine);
    return "pass";
  };
  const sid = w.row.sid;
  const stopped = await w.client.stop(w.call.callSid, sid);
  assert.equal(stopped.status, "stopped");
  assert.deepEqual(w.store.events, ["siprec-started", "siprec-stopped"]);
  assert.deepEqual(order.slice(0, 2), ["closed", "closed"]);
  assert.equal(Boolean(recorder.end), false);
  await w.advance(500);
  assert.deepEqual([recorder.end?.by, recorder.end?.cause], ["remote", "bye"]);
  assert.deepEqual(await w.client.stop(w.call.callSid, sid), stopped);
  assert.deepEqual(w.results, ["started", "completed true"]);
  assert.equal(w.platform.agent.liveDialogs, 0);
});

test("the call ends: every fork of it is stopped with BYE", async () => {
  const { w, recorder } = await recording();
  await w.start({ name: "second", track: "inbound_track" });
  await w.advance(200);
  w.call.end();
  await w.advance(500);
  assert.deepEqual(
    [...w.store.rows.values()].map(({ status, errorCode }) => [status, errorCode]),
    [
      ["stopped", null],
      ["stopped", null],
    ],
  );
  assert.equal(recorder.requests.filter(({ method }) => method === "BYE").length, 2);
  assert.deepEqual(w.store.events.slice(2), ["siprec-stopped", "siprec-stopped"]);
  // The call's parameters are those last known.
  assert.equal(parameterOf(w.store.callbacks.at(-1), "From"), "+15550001");
  assert.equal(w.media.openCount, 0);
});

test("[R7866-9.1-4] [R8068-3.2.4] BYE carries the end as a partial document: of the call, or of this recording only", async () => {
  for (const isCallOver of [true, false]) {
    const { w, recorder } = await recording();
    const told = recorder.documents[0]!;
    if (isCallOver) w.call.end();
    else await w.client.stop(w.call.callSid, w.row.sid);
    await w.advance(500);
    const { method, request } = recorder.requests.at(-1)!;
    assert.equal(method, "BYE");
    assert.equal(request.headers.get("Content-Type"), "application/rs-metadata+xml");
    assert.equal(request.headers.get("Content-Disposition"), "recording-session");
    const last = recorder.documents.at(-1)!;
    assert.equal(last.dataMode, "partial");
    const [at] = last.sessionRecordingAssociations.map(({ disassociateTime }) => disassociateTime);
    assert.match(at ?? "", /^\d{4}-\d\d-\d\dT.*Z$/);
    assert.deepEqual(
      last.participantStreamAssociations.map(({ participantId, disassociateTime }) => [
        participantId,
        disassociateTime,
      ]),
      told.participants.map(({ participantId }) => [participantId, at]),
    );
    assert.deepEqual(
      last.sessions.map(({ sessionId, stopTime }) => [sessionId, stopTime]),
      isCallOver ? [[told.sessions[0]!.sessionId, at]] : [],
    );
    assert.deepEqual(
      last.participantSessionAssociations.map(({ disassociateTime }) => disassociateTime),
      isCallOver ? [at, at] : [],
    );
    // Read as any recorder reads it: everything is over, or only the recording is.
    let state = EMPTY_METADATA_STATE;
    for (const document of recorder.documents) state = applyMetadata(state, document, NOW).state;
    const [session] = state.sessions.values();
    assert.equal(session!.closedAtMs !== undefined, isCallOver);
    assert.ok(session!.recorded.every(({ untilMs }) => untilMs !== undefined));
    for (const { roles } of state.participants.values())
      assert.ok(roles.every(({ untilMs }) => untilMs !== undefined));
  }
});

test("stopped while the recorder thinks about it: CANCEL; a 2xx that crosses it gets ACK and BYE", async () => {
  for (const crosses of [false, true]) {
    const w = new RecordingWorld();
    const recorder = w.recorder();
    recorder.answering = (invite) => invite.provisional(180);
    await w.start({ name: "n" });
    await w.advance(100);
    if (crosses) recorder.accept(recorder.invites[0]!);
    const stopped = await w.client.stop(w.call.callSid, "n");
    assert.equal(stopped.status, "stopped");
    await w.advance(40_000);
    assert.equal(recorder.canceled || recorder.end?.cause === "bye", true, w.story);
    assert.deepEqual(w.store.events, ["siprec-stopped"]);
    assert.deepEqual(w.alerts, []);
    assert.deepEqual([w.client.liveCount, w.media.openCount, w.platform.agent.liveDialogs], [0, 0, 0]);
  }
});

test("[R7245-3.2-2] the recorder ends the session and does not take it again: error and stopped, alerts with its reason, the call untouched", async () => {
  const { w, recorder } = await recording();
  recorder.answering = (invite) => invite.reject(480);
  await Promise.all([
    recorder.dialog!.bye({ headers: [["Reason", 'SIP;cause=503;text="disk full"']] }),
    w.advance(500),
  ]);
  assert.deepEqual(w.store.events, ["siprec-started"], w.story);
  assert.deepEqual([w.alerts[0]?.errorCode, w.alerts[0]?.level], [31921, "warning"]);
  assert.match(w.alerts[0]?.text ?? "", /ended the session.*disk full.*replaced/);
  await w.advance(60_000);
  assert.deepEqual(w.store.events, ["siprec-started", "siprec-error", "siprec-stopped"], w.story);
  assert.deepEqual([w.row.status, w.row.errorCode], ["stopped", 32011]);
  assert.equal(recorder.invites.length, 1 + 5);
  // Row and both callbacks in one transaction.
  assert.equal(w.store.saves.findLast(({ callbacks }) => callbacks.length > 0)?.callbacks.length, 2);
  assert.deepEqual(w.results, ["started", "lost true"]);
  assert.deepEqual([w.media.openCount, w.client.liveCount, w.call.ended], [0, 0, false]);
});

test("[R3261-12.2.1-2] 481 to a request of ours ends the session, and another one takes its place", async () => {
  const { w, recorder } = await recording();
  recorder.reoffered = () => ({ status: 481 });
  w.call.other = { aor: "sip:z@example.com", displayName: null };
  w.call.change();
  await w.advance(2_000);
  assert.deepEqual(w.store.events, ["siprec-started", "siprec-recovered"], w.story);
  assert.equal(w.alerts[0]?.errorCode, 31903);
  assert.deepEqual([w.row.status, recorder.invites.length, w.client.liveCount], ["in-progress", 2, 1]);
});

test("media: unreachable is told once, a lost worker ends the fork with BYE", async () => {
  const { w, recorder } = await recording();
  const [inbound, outbound] = w.media.forks as [OpenFork, OpenFork];
  for (const { id } of [inbound, inbound, outbound]) w.media.tell(id, { kind: "unreachable", id });
  assert.deepEqual(
    w.alerts.map(({ errorCode, level }) => [errorCode, level]),
    [[31904, "warning"]],
  );
  await w.advance(500);
  w.media.tell(inbound.id, { kind: "worker-lost", ids: [inbound.id, outbound.id] });
  w.media.tell(outbound.id, { kind: "worker-lost", ids: [inbound.id, outbound.id] });
  await w.advance(500);
  assert.deepEqual(w.store.events, ["siprec-started", "siprec-error", "siprec-stopped"]);
  assert.equal(w.row.errorCode, 31900);
  assert.equal(recorder.end?.cause, "bye");
});

test("set-up, an update and the end get through at 10 % loss over UDP", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const w = new RecordingWorld({ seed, lossChance: 0.1, duplicateChance: 0.05, reorderChance: 0.05 });
    w.connector({ sipUris: ["sip:srs@10.0.0.9;transport=udp"] });
    const recorder = w.recorder("10.0.0.9", { transports: ["udp"] });
    await w.start({ name: "n" });
    await w.advance(9_000);
    assert.ok(w.row.startTime, w.story);
    w.call.other = { aor: "sip:carol@example.com", displayName: null };
    w.call.change();
    await w.advance(32_000);
    assert.equal(recorder.documents.length, 2, w.story);
    await w.client.stop(w.call.callSid, "n");
    await w.advance(64_000);
    assert.equal(recorder.end?.cause, "bye", w.story);
    assert.deepEqual(w.store.events, ["siprec-started", "siprec-stopped"]);
    assert.deepEqual([w.media.openCount, w.platform.agent.liveDialogs], [0, 0]);
  }
});
