import assert from "node:assert/strict";
import { test } from "node:test";
import { parameterOf, RECORDER, RecordingWorld, sdpIn } from "./recording-world.ts";

const SECOND = "10.0.0.10";

/** A fork at the first of two recorders. */
async function pair() {
  const w = new RecordingWorld();
  w.connector({ sipUris: [`sip:a@${RECORDER}`, `sip:b@${SECOND}`] });
  const first = w.recorder();
  const second = w.recorder(SECOND);
  await w.start({ name: "n" });
  await w.advance(200);
  assert.ok(first.dialog && !second.dialog, w.story);
  return { w, first, second };
}

/** The call speaks for so long: a packet of each track every 20 ms. */
async function speak(w: RecordingWorld, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 20) {
    w.media.packet();
    await w.advance(20);
  }
}

const sent = (w: RecordingWorld) => w.media.forks.reduce((sum, fork) => sum + fork.sent, 0);

test("[R7865-6.10-3] [R7865-6.2-4] a recorder says BYE in the middle of the call: the next one goes on at once, as the same resource with the same identities", async () => {
  const { w, first, second } = await pair();
  const sid = w.row.sid;
  await speak(w, 1_000);
  void first.dialog!.bye({ headers: [["Reason", 'SIP;cause=503;text="shutting down"']] });
  await speak(w, 1_000);
  assert.ok(second.dialog, w.story);
  assert.equal(w.row.sid, sid);
  assert.deepEqual([w.row.status, w.row.recorderUri], ["in-progress", `sip:b@${SECOND}`]);
  const [before] = first.documents;
  const [after] = second.documents;
  assert.equal(after?.dataMode, "complete");
  const idsOf = (document: typeof before) => [
    document!.groups[0]!.groupId,
    document!.sessions[0]!.sessionId,
    document!.sessions[0]!.startTime,
    ...document!.participants.map(({ participantId }) => participantId),
    ...document!.streams.map(({ streamId, label }) => `${streamId} ${label}`),
  ];
  assert.deepEqual(idsOf(after), idsOf(before));

  const [gap, ...others] = w.row.detail.gaps;
  assert.equal(others.length, 0);
  assert.ok(gap?.until && gap.until - gap.from < 20, JSON.stringify(gap));
  assert.match(gap.reason, /shutting down/);
  assert.deepEqual(w.store.events, ["siprec-started", "siprec-recovered"]);
  const recovered = w.store.callbacks.at(-1);
  assert.equal(parameterOf(recovered, "SiprecGapPackets"), String(gap.packets));
  assert.equal(parameterOf(recovered, "SiprecGapMs"), String(gap.until - gap.from));
  assert.equal(parameterOf(recovered, "SiprecRecorder"), `sip:b@${SECOND}`);
  assert.deepEqual(
    w.alerts.map(({ errorCode, level }) => [errorCode, level]),
    [
      [31921, "warning"],
      [31903, "warning"],
    ],
  );
  assert.deepEqual(
    w.row.detail.attempts.map(({ recorder, result }) => [recorder, result]),
    [
      [`sip:a@${RECORDER}`, "answered"],
      [`sip:b@${SECOND}`, "answered"],
    ],
  );
  // All that was said is either sent or counted as missing.
  assert.equal(sent(w) + gap.packets, 2 * 100);
  assert.deepEqual(w.results, ["started"]);
});

test("the only recorder is called again after a second, and what was said meanwhile is counted to the packet", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  await w.start({ name: "n" });
  await w.advance(200);
  await speak(w, 400);
  w.call.other = { aor: "sip:carol@example.com", displayName: null };
  void recorder.dialog!.bye();
  await w.advance(5);
  w.call.change(); // nobody can be told
  await speak(w, 2_000);
  assert.equal(recorder.invites.length, 2, w.story);
  assert.equal(recorder.documents[1]!.dataMode, "complete");
  assert.equal(recorder.documents[1]!.participants[1]!.nameIds[0]!.aor, "sip:carol@example.com");
  const [gap] = w.row.detail.gaps;
  const ms = gap!.until! - gap!.from;
  assert.ok(ms >= 1_000 && ms < 1_020, String(ms));
  assert.ok(Math.abs(gap!.packets - (2 * ms) / 20) <= 2, `${gap!.packets} packets in ${ms} ms`);
  assert.equal(sent(w) + gap!.packets, 2 * 120);
  // Where the platform answers from is the same, so are the ports and the streams.
  assert.equal(w.media.forks.length, 2);
});

test("nobody listens at the recorder's RTP port for a second: it gets BYE, the next one goes on, the gap begins with the first word of it", async () => {
  const { w, first, second } = await pair();
  await speak(w, 500);
  const unreachable = () => {
    for (const { id, closed } of w.media.forks) if (!closed) w.media.tell(id, { kind: "unreachable", id });
  };
  const from = w.world.clock.wallNow();
  const before = sent(w);
  unreachable();
  await w.advance(1); // its counters are asked for
  await speak(w, 1_000);
  assert.equal(second.invites.length, 0);
  unreachable();
  await speak(w, 500);
  assert.equal(first.end?.cause, "bye", w.story);
  assert.ok(second.dialog);
  const [gap] = w.row.detail.gaps;
  assert.equal(gap!.from, from);
  assert.ok(gap!.until! - gap!.from <= 1_020);
  // Those that were sent to nobody count too.
  assert.ok(gap!.packets >= 100 && gap!.packets <= 104, String(gap!.packets));
  assert.equal(sent(w) - before + gap!.packets - 100, 150);
  assert.equal(w.alerts.filter(({ errorCode }) => errorCode === 31904).length, 2);
});

test("a refresh of the session that nobody answers: the recorder is gone, the next one goes on", async () => {
  const w = new RecordingWorld();
  w.connector({ sipUris: [`sip:a@${RECORDER};transport=udp`, `sip:b@${SECOND}`] });
  const first = w.recorder(RECORDER, { transports: ["udp"] });
  const second = w.recorder(SECOND);
  first.answering = (invite) =>
    first.attach(
      invite.answer({
        body: first.answerTo(sdpIn(invite.body)!),
        contactParameters: ";+sip.srs",
        headers: [["Session-Expires", "90;refresher=uac"]],
      }),
    );
  await w.start();
  await w.advance(10_000);
  assert.ok(first.dialog && !second.dialog, w.story);
  w.world.network.filter = ({ from, to }) =>
    from.startsWith(`${RECORDER}:`) || to.startsWith(`${RECORDER}:`) ? "drop" : "pass";
  await w.advance(120_000);
  assert.ok(second.dialog, w.story);
  assert.equal(w.row.recorderUri, `sip:b@${SECOND}`);
  assert.equal(w.row.detail.gaps.length, 1);
  assert.equal(w.alerts[0]?.errorCode, 31903);
});

test("two single ICMP messages far from each other are accidents", async () => {
  const { w, second } = await pair();
  const [fork] = w.media.forks;
  for (let n = 0; n < 3; n++) {
    w.media.tell(fork!.id, { kind: "unreachable", id: fork!.id });
    await w.advance(8_000);
  }
  assert.equal(second.invites.length, 0);
  assert.deepEqual(w.store.events, ["siprec-started"]);
});

test("stopped while no recorder has it: nobody is called any more, and the gap is told with the end", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  await w.start({ name: "n" });
  await w.advance(200);
  void recorder.dialog!.bye();
  await speak(w, 500);
  const stopped = await w.client.stop(w.call.callSid, "n");
  assert.equal(stopped.status, "stopped");
  await w.advance(30_000);
  assert.equal(recorder.invites.length, 1);
  const [gap] = w.row.detail.gaps;
  assert.ok(gap!.until! - gap!.from >= 480 && gap!.packets >= 48, JSON.stringify(gap));
  assert.deepEqual(w.store.events, ["siprec-started", "siprec-stopped"]);
  assert.deepEqual([w.client.liveCount, w.media.openCount, w.call.listeners], [0, 0, 0]);
});

test("recorders that all fail are gone through again and again, for half a minute", async () => {
  const { w, first, second } = await pair();
  first.answering = (invite) => invite.reject(503);
  second.answering = (invite) => invite.reject(480);
  void first.dialog!.bye();
  await w.advance(6_000);
  assert.equal(w.row.status, "in-progress", w.story);
  second.answering = (invite) => second.accept(invite);
  await w.advance(30_000);
  assert.equal(w.row.recorderUri, `sip:b@${SECOND}`, w.story);
  assert.equal(w.row.detail.gaps.length, 1);
  assert.equal(w.row.status, "in-progress");
});

test("a recorder that takes every session and ends it at once is not called for ever", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  recorder.answering = (invite) => {
    recorder.accept(invite);
    const { dialog } = recorder;
    w.world.clock.setTimer(100, () => void dialog!.bye());
  };
  await w.start();
  await w.advance(120_000);
  assert.equal(recorder.invites.length, 6, w.story);
  assert.deepEqual(
    [w.store.events.at(0), ...w.store.events.slice(-2)],
    ["siprec-started", "siprec-error", "siprec-stopped"],
  );
  assert.deepEqual(w.results, ["started", "lost true"]);
});

test("a live fork shows what it has sent, an ended one what it had sent", async () => {
  const { w } = await pair();
  await speak(w, 200);
  const live = await w.client.inspect(w.call.callSid, w.row.sid);
  assert.deepEqual(
    live?.detail.tracks.map(({ label, codec, packets, octets, lost }) => [
      label,
      codec,
      packets,
      octets,
      lost,
    ]),
    [
      ["inbound", "PCMU", 10, 1_600, null],
      ["outbound", "PCMU", 10, 1_600, null],
    ],
  );
  await w.client.stop(w.call.callSid, "n");
  await w.advance(500);
  assert.deepEqual(w.row.detail.tracks, live!.detail.tracks);
  assert.equal(await w.client.inspect(w.call.callSid, w.row.sid), undefined);
});
