import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMultipart } from "@callfork/protocol/sip";
import type { IncomingInvite } from "@callfork/server/signalling";
import { parameterOf, RECORDER, RecordingWorld } from "./recording-world.ts";

const SECOND = "10.0.0.10";

test("the first recorder answers 503, the second takes the session; the first is told of in an alert", async () => {
  const w = new RecordingWorld();
  w.connector({ sipUris: [`sip:a@${RECORDER}`, `sip:b@${SECOND}`] });
  const first = w.recorder();
  first.answering = (invite) => invite.reject(503, { headers: [["Warning", '399 srs "disk full"']] });
  const second = w.recorder(SECOND);
  await w.start();
  await w.advance(500);
  assert.equal(second.invites.length, 1, w.story);
  assert.equal(w.row.recorderUri, `sip:b@${SECOND}`);
  assert.deepEqual(w.store.events, ["siprec-started"]);
  assert.equal(w.alerts.length, 1);
  const [alert] = w.alerts;
  assert.deepEqual([alert?.errorCode, alert?.level, alert?.responseStatus], [32011, "warning", 503]);
  assert.equal(alert?.requestUrl, `sip:a@${RECORDER}`);
  assert.match(alert?.responseBody ?? "", /disk full/);
  // Ports face each recorder's own address; nothing stays open for the first.
  assert.equal(w.media.openCount, 2);
});

test("[R3261-21.5.4-1] after 503 with Retry-After the other recorder is called first, for that time; alone it is called all the same", async () => {
  const w = new RecordingWorld();
  w.connector({ sipUris: [`sip:a@${RECORDER}`, `sip:b@${SECOND}`] });
  const first = w.recorder();
  first.answering = (invite) => invite.reject(503, { headers: [["Retry-After", "30"]] });
  const second = w.recorder(SECOND);
  const fork = async (connectorName = "recorder") => {
    const { sid } = await w.start({ connectorName, track: "inbound_track" });
    await w.advance(500);
    await w.client.stop(w.call.callSid, sid);
    await w.advance(500);
    return [first.invites.length, second.invites.length];
  };
  assert.deepEqual(await fork(), [1, 1]);
  assert.deepEqual(await fork(), [1, 2]);
  w.connector({ uniqueName: "alone", sipUris: [`sip:a@${RECORDER}`] });
  assert.deepEqual(await fork("alone"), [2, 2]);
  await w.advance(31_000);
  assert.deepEqual(await fork(), [3, 3]);
});

test("a recorder that never answers is given up after its time, then the next is called", async () => {
  const w = new RecordingWorld();
  w.connector({ sipUris: [`sip:a@${RECORDER}`, `sip:b@${SECOND}`] });
  const first = w.recorder();
  first.answering = (invite) => invite.provisional(180);
  const second = w.recorder(SECOND);
  await w.start();
  await w.advance(9_900);
  assert.equal(second.invites.length, 0);
  await w.advance(1_000);
  assert.equal(second.invites.length, 1);
  assert.equal(w.alerts[0]?.errorCode, 31901);
  assert.equal(first.canceled, true);
});

const refusals: [what: string, answering: (invite: IncomingInvite) => void, code: number][] = [
  ["403", (invite) => invite.reject(403), 32106],
  ["407 without credentials of ours", (invite) => invite.reject(407), 32106],
  ["486", (invite) => invite.reject(486), 32011],
  ["488", (invite) => invite.reject(488), 32102],
  ["420", (invite) => invite.reject(420, { headers: [["Unsupported", "siprec"]] }), 31924],
  ["603", (invite) => invite.reject(603), 32011],
  ["silence", () => {}, 31901],
];

for (const [what, answering, code] of refusals) {
  test(`all recorders fail (${what}): row, siprec-error and alert say ${code}; the call is untouched`, async () => {
    const w = new RecordingWorld();
    const recorder = w.recorder();
    recorder.answering = answering;
    const started = await w.start({ name: "n" });
    assert.equal(started.status, "in-progress");
    await w.advance(15_000);
    assert.deepEqual([w.row.status, w.row.errorCode], ["stopped", code], w.story);
    assert.deepEqual(w.store.events, ["siprec-error"]);
    const [callback] = w.store.callbacks;
    assert.equal(parameterOf(callback, "SiprecErrorCode"), String(code));
    assert.equal(parameterOf(callback, "SiprecError"), w.row.errorMessage);
    assert.deepEqual(
      w.alerts.map(({ errorCode, level }) => [errorCode, level]),
      [[code, "error"]],
    );
    assert.equal(w.media.openCount, 0);
    assert.equal(w.client.liveCount, 0);
    assert.equal(w.call.listeners, 0);
    assert.deepEqual(w.results, ["failed false"]);
    assert.equal(w.call.ended, false);
    // The name is free again.
    await w.start({ name: "n" });
  });
}

test("nobody listens, or the name has no address: 31902 and 31904", async () => {
  const w = new RecordingWorld();
  w.connector({ sipUris: ["sip:srs@10.0.0.77;transport=tcp", "sip:srs@nowhere.example.com"] });
  await w.start();
  await w.advance(40_000);
  assert.equal(w.row.status, "stopped", w.story);
  assert.deepEqual(
    w.alerts.map(({ errorCode }) => errorCode),
    [31902, 31904],
  );
  assert.equal(w.row.errorCode, 31904);
});

test("a refusal that counts for all (6xx) ends the list", async () => {
  const w = new RecordingWorld();
  w.connector({ sipUris: [`sip:a@${RECORDER}`, `sip:b@${SECOND}`] });
  w.recorder().answering = (invite) => invite.reject(603);
  const second = w.recorder(SECOND);
  await w.start();
  await w.advance(1_000);
  assert.equal(second.invites.length, 0);
  assert.equal(w.row.status, "stopped");
});

test("[R4568-8-2] secure=true and TLS where this node has none: an honest error, and no INVITE in the clear", async () => {
  for (const [uri, code] of [
    [`sip:srs@${RECORDER};secure=true`, 31910],
    [`sip:srs@${RECORDER};transport=tls`, 31910],
    [`sips:srs@${RECORDER}`, 31910],
  ] as const) {
    const w = new RecordingWorld();
    w.connector({ sipUris: [uri] });
    const recorder = w.recorder();
    await w.start();
    await w.advance(1_000);
    assert.deepEqual([w.row.status, w.row.errorCode, recorder.invites.length], ["stopped", code, 0]);
    assert.deepEqual(w.store.events, ["siprec-error"]);
    assert.equal(w.alerts[0]?.errorCode, code);
    assert.equal(w.media.openCount, 0);
  }
});

test("[R9806-2-4] 415 whose Accept names only the old label: once more under that label", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  recorder.answering = (invite) => {
    if (recorder.invites.length > 1) recorder.accept(invite);
    else
      invite.reject(415, {
        headers: [["Accept", "application/sdp, application/rs-metadata, multipart/mixed"]],
      });
  };
  await w.start();
  await w.advance(500);
  assert.equal(recorder.invites.length, 2, w.story);
  const { request } = recorder.invites[1]!;
  const body = parseMultipart(request.body, request.headers.get("Content-Type")!);
  assert.ok(body.ok);
  assert.equal(body.value.parts[1]!.headers.get("Content-Type"), "application/rs-metadata");
  assert.equal(w.row.startTime !== null, true);
  assert.deepEqual(w.alerts, []);

  const stubborn = new RecordingWorld();
  const other = stubborn.recorder();
  other.answering = (invite) => invite.reject(415, { headers: [["Accept", "application/rs-metadata"]] });
  await stubborn.start();
  await stubborn.advance(500);
  assert.equal(other.invites.length, 2);
  assert.equal(stubborn.row.errorCode, 31924);
});

test("a 200 that is of no use gets ACK and BYE: no SDP, another number of lines, nothing accepted, a host name", async () => {
  const useless: ((
    w: RecordingWorld,
    recorder: ReturnType<RecordingWorld["recorder"]>,
  ) => Uint8Array | undefined)[] = [
    () => undefined,
    () => new TextEncoder().encode("v=0\r\nnonsense"),
    (_w, recorder) => recorder.description([{ port: 30_000 }]).bytes,
    (_w, recorder) => recorder.description([{ port: 0 }, { port: 0 }]).bytes,
    (_w, recorder) =>
      recorder.description([{ port: 30_000 }, { port: 30_002 }], (line) =>
        line.replace(/^c=.*/, "c=IN IP4 media.example.com"),
      ).bytes,
  ];
  for (const bytesOf of useless) {
    const w = new RecordingWorld();
    const recorder = w.recorder();
    recorder.answering = (invite) => {
      const bytes = bytesOf(w, recorder);
      recorder.attach(invite.answer(bytes ? { body: { contentType: "application/sdp", bytes } } : {}));
    };
    await w.start();
    await w.advance(1_000);
    assert.equal(recorder.end?.cause, "bye", w.story);
    assert.ok(w.world.wire.some((line) => line.startsWith("ACK ")));
    assert.deepEqual([w.row.status, w.row.errorCode], ["stopped", 32102]);
    assert.equal(w.media.openCount, 0);
  }
});

test("[R7866-8.3.1-2] a track that the recorder refuses is closed with a warning; the other is recorded", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  recorder.answering = (invite) =>
    recorder.accept(invite, (line) => line.replace(/^m=audio 30002 /, "m=audio 0 "));
  await w.start();
  await w.advance(500);
  assert.deepEqual(w.store.events, ["siprec-started"]);
  assert.ok(w.media.flows("inbound"));
  assert.equal(w.media.flows("outbound"), undefined);
  assert.equal(w.media.openCount, 1);
  assert.deepEqual(
    w.alerts.map(({ errorCode, level, text }) => [errorCode, level, /outbound/.test(text)]),
    [[31931, "warning", true]],
  );
});

test("no ports: the fork fails, the recorder is not called", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  w.media.fails = true;
  await w.start();
  await w.advance(500);
  assert.deepEqual([w.row.status, w.row.errorCode, recorder.invites.length], ["stopped", 31900, 0]);

  const slow = new RecordingWorld();
  let open = () => {};
  slow.media.slow = new Promise((resolve) => {
    open = resolve;
  });
  await slow.start();
  await slow.advance(6_000);
  assert.equal(slow.row.errorCode, 31900);
  open(); // too late: given back at once
  await slow.advance(10);
  assert.equal(slow.media.openCount, 0);
  assert.equal(slow.media.forks.length, 2);
});
