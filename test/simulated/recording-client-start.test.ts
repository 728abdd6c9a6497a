import assert from "node:assert/strict";
import { test } from "node:test";
import { codecsOf, directionOf, labelOf } from "@callfork/protocol/sdp";
import { parseMultipart } from "@callfork/protocol/sip";
import { isUuidObjectId } from "@callfork/protocol/siprec";
import { CALL, PCMA, parameterOf, RECORDER, RecordingWorld } from "./recording-world.ts";

test("[R7866-8.1.2-2] [R7245-3.1-1] [R7866-6.1.1-2] [R7866-6.1.1-4] a call is forked: INVITE with siprec in Require, media, row and callback", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  const started = await w.start({ name: "My SIPREC Stream" });
  assert.equal(started.status, "in-progress");
  assert.match(started.sid, /^SR[0-9a-f]{32}$/);
  assert.deepEqual(w.store.events, []);
  await w.advance(200);

  const { request } = recorder.invites[0]!;
  assert.equal(request.uri, `sip:srs@${RECORDER}`);
  assert.deepEqual(request.headers.list("Require"), ["siprec"]);
  assert.match(request.headers.get("From")!, /^<sip:SRC@platform\.example\.com>;tag=/);
  assert.equal(request.headers.get("To"), `<sip:srs@${RECORDER}>`);
  assert.ok(
    request.headers.has("Allow") && request.headers.has("Accept") && request.headers.has("User-Agent"),
  );

  assert.deepEqual(
    w.media.forks.map(({ options }) => [options.leg, options.track]),
    [
      [7, "inbound"],
      [7, "outbound"],
    ],
  );
  assert.deepEqual(w.media.flows("inbound")?.remote, {
    address: RECORDER,
    rtpPort: 30_000,
    rtcpPort: 30_001,
  });
  assert.deepEqual(w.media.flows("outbound")?.remote, {
    address: RECORDER,
    rtpPort: 30_002,
    rtcpPort: 30_003,
  });
  assert.deepEqual(w.store.events, ["siprec-started"]);
  assert.ok(w.row.startTime !== null && w.row.recorderUri === `sip:srs@${RECORDER}`, w.story);
  assert.equal(w.client.liveCount, 1);
  const { record, callbacks } = w.store.saves.at(-1)!;
  assert.equal(record.startTime, w.row.startTime);
  assert.equal(callbacks.length, 1);
  assert.equal(parameterOf(callbacks[0], "SiprecName"), "My SIPREC Stream");
  assert.equal(parameterOf(callbacks[0], "From"), "+15550001");
  assert.match(parameterOf(callbacks[0], "Timestamp")!, /^2026-01-01T00:00:00\.\d{6}Z$/);
  assert.equal(parameterOf(callbacks[0], "SiprecErrorCode"), undefined);
});

test("[R8068-3.2.1] [R7245-3.2-4] [R6341-012] [R6341-031] [R3551-6-2] [R5621-4.3-1] [R5621-8.2-1] [R5621-6.2-1] [R7865-6.3-7] [R7865-6.5-6] [R7865-6.3-4] [R7866-8.3-1] [R7866-9-1] [R7866-9.1-1] [R7866-9.1-5] [R7866-9.1-6] [R7866-9.1-8] [R9806-2-1] the first INVITE has a complete document and the offer of its labels, a part each", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  await w.start({ parameters: [{ name: "Role", value: 'caller "1" <&>' }] });
  await w.advance(200);
  const { request } = recorder.invites[0]!;
  const body = parseMultipart(request.body, request.headers.get("Content-Type")!);
  assert.ok(body.ok);
  assert.equal(body.value.mediaType.subtype, "mixed");
  assert.deepEqual(
    body.value.parts.map(({ headers }) => [headers.get("Content-Type"), headers.get("Content-Disposition")]),
    [
      ["application/sdp", undefined],
      ["application/rs-metadata+xml", "recording-session"],
    ],
  );
  const offer = recorder.offers[0]!;
  assert.deepEqual(
    offer.media.map((media) => [labelOf(media), directionOf(offer, media), media.port]),
    [
      ["inbound", "sendonly", 20_002],
      ["outbound", "sendonly", 20_004],
    ],
  );
  // Events are never forwarded, so they are not offered either.
  assert.deepEqual(
    codecsOf(offer.media[0]!).map(({ name }) => name),
    ["PCMU", "PCMA", "G722", "opus"],
  );
  const [document] = recorder.documents;
  assert.equal(document?.dataMode, "complete");
  assert.deepEqual(
    document.streams.map(({ label }) => label),
    offer.media.map(labelOf),
  );
  assert.deepEqual(document.sessions[0]!.extensions[0]?.parameters, [
    { name: "Role", value: 'caller "1" <&>' },
  ]);
  assert.equal(document.sessions[0]!.groupRef, document.groups[0]!.groupId);
  const [inbound, outbound] = document.streams.map(({ streamId }) => streamId);
  assert.deepEqual(
    document.participantStreamAssociations.map(({ send, recv }) => [send, recv]),
    [
      [[inbound], [outbound]],
      [[outbound], [inbound]],
    ],
  );
  assert.ok(offer.media.every(({ kind }) => kind === "audio"));
  assert.deepEqual(
    document.participants.map(({ nameIds }) => nameIds),
    [
      [{ aor: "sip:alice@example.com", name: "Alice" }],
      [{ aor: "sip:bob@example.com", name: "Bob <B> & Sons" }],
    ],
  );
});

test("[R7866-6.1.1-1] +sip.src is a Contact parameter of the INVITE, of updates, and of answers to the recorder", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  await w.start();
  await w.advance(200);
  w.call.other = { aor: "sip:carol@example.com", displayName: null };
  w.call.change();
  await w.advance(200);
  const answer = await (async () => {
    const reinvite = recorder.dialog!.reinvite({ body: recorder.answerTo(recorder.offers.at(-1)!) });
    await w.advance(200);
    return reinvite;
  })();
  assert.equal(answer.status, 200, w.story);
  const refresh = recorder.requests.at(-1)!;
  assert.equal(refresh.method, "UPDATE");
  const contacts = [recorder.invites[0]!.request, refresh.request, answer].map(
    ({ headers }) => headers.get("Contact")!,
  );
  for (const contact of contacts) assert.match(contact, /^<sip:SRC@[^>]*>;\+sip\.src$/);
});

test("[R7866-8.3.1-3] [R7866-8.3.1-4] [R7022-4.1-1] [R7865-6.2-2] [R7866-8.1.5.1-1] [R7865-6.10-3] [R7865-6.5-2] two forks of a call name it and its parties alike", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  await w.start({ name: "a" });
  await w.advance(200);
  await w.start({ name: "b" });
  await w.advance(200);
  const [first, second] = recorder.documents;
  assert.ok(first && second, w.story);
  const ids = ({ groups, sessions, participants, streams }: typeof first) => [
    groups[0]!.groupId,
    sessions[0]!.sessionId,
    ...participants.map(({ participantId }) => participantId),
    ...streams.map(({ streamId }) => streamId),
  ];
  assert.deepEqual(ids(first), ids(second));
  assert.ok(ids(first).every(isUuidObjectId));
  assert.equal(new Set(ids(first)).size, 6);
  const cnames = w.media.forks.map(({ options, connections }) => [options.track, connections[0]!.cname]);
  assert.deepEqual(cnames.slice(0, 2), cnames.slice(2));
  assert.notEqual(cnames[0]![1], cnames[1]![1]);
  assert.match(cnames[0]![1]!, /^[A-Za-z0-9+/]{16}$/);
});

test("a fork waits for the call's media, and is stopped by its end without a word to the recorder", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  w.call.leg = undefined;
  await w.start();
  await w.advance(60_000);
  assert.equal(w.media.forks.length, 0);
  w.call.leg = 7;
  w.call.change();
  await w.advance(200);
  assert.equal(recorder.invites.length, 1);
  assert.equal(w.row.startTime !== null, true);

  const early = new RecordingWorld();
  early.call.leg = undefined;
  await early.start();
  early.call.end();
  await early.advance(100);
  assert.equal(early.row.status, "stopped");
  assert.deepEqual(early.store.events, ["siprec-stopped"]);
  assert.equal(early.world.network.sent.length, 0);
  assert.deepEqual(early.results, ["completed false"]);
});

test("one track is one m-line; the recorder's payload type numbers and codecs are kept to", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  w.call.list = [{ name: "opus", clockRateHz: 48_000, payloadType: 111, fmtp: "useinbandfec=1" }, PCMA];
  recorder.answering = (invite) => {
    // Asymmetric numbers: RFC 3264 §5.1 lets the answer have its own.
    const body = recorder.description([{ port: 30_000, formats: ["96", "8"], label: "outbound" }]);
    recorder.attach(invite.answer({ body }));
  };
  await w.start({ track: "outbound_track" });
  await w.advance(200);
  const offer = recorder.offers[0]!;
  assert.deepEqual(offer.media.map(labelOf), ["outbound"]);
  assert.deepEqual(
    codecsOf(offer.media[0]!).map(
      (codec) => `${codec.payloadType} ${codec.name}/${codec.channels} ${codec.fmtp}`,
    ),
    ["111 opus/2 useinbandfec=1", "8 PCMA/1 undefined", "9 G722/1 undefined", "0 PCMU/1 undefined"],
  );
  const flow = w.media.flows("outbound");
  assert.deepEqual(
    [...flow!.payloadTypes],
    [
      [111, 96],
      [8, 8],
    ],
  );
  assert.equal(flow?.clockRateHz, 48_000);
  assert.deepEqual(
    recorder.documents[0]!.participantStreamAssociations.map(({ send, recv }) => [send.length, recv.length]),
    [
      [0, 1],
      [1, 0],
    ],
  );
});

test("connector credentials: a header field of the INVITE, and digest when the recorder asks", async () => {
  const w = new RecordingWorld();
  w.connector({
    credentialsHeaderName: "X-Auth-Token",
    credentials: "s3cr3t",
    username: "u",
    password: "p@ss",
  });
  const recorder = w.recorder();
  recorder.answering = (invite) => {
    if (recorder.invites.length > 1) recorder.accept(invite);
    else {
      invite.reject(401, {
        headers: [["WWW-Authenticate", 'Digest realm="srs", nonce="n1", algorithm=SHA-256, qop="auth"']],
      });
    }
  };
  await w.start();
  await w.advance(500);
  assert.equal(w.row.startTime !== null, true, w.story);
  const [, second] = recorder.invites;
  assert.equal(second!.request.headers.get("X-Auth-Token"), "s3cr3t");
  assert.match(second!.request.headers.get("Authorization")!, /username="u"/);
  for (const secret of ["s3cr3t", "p@ss"]) {
    assert.ok(!w.log.lines.some((line) => line.includes(secret)));
    assert.ok(!JSON.stringify([w.alerts, w.store.saves]).includes(secret));
  }
});

test("a recorder by an edge that is not there is not called; a password in the URI is shown nowhere", async () => {
  const w = new RecordingWorld();
  w.connector({
    sipUris: [
      `sip:srs:hunter2@${RECORDER}:5060;edge=ashburn`,
      `sip:srs:hunter2@${RECORDER}:5060;transport=tcp&secure=maybe`,
    ],
  });
  const recorder = w.recorder();
  await w.start();
  await w.advance(500);
  assert.equal(recorder.invites[0]!.request.uri, `sip:srs:hunter2@${RECORDER}:5060;transport=tcp`);
  assert.deepEqual(
    w.alerts.map(({ errorCode, level }) => [errorCode, level]),
    [
      [11241, "warning"],
      [32114, "warning"],
    ],
  );
  assert.equal(w.row.recorderUri, `sip:srs@${RECORDER}:5060;transport=tcp`);
  assert.ok(!w.log.lines.some((line) => line.includes("hunter2")));
  assert.ok(w.alerts.every(({ callSid, resourceSid }) => callSid === CALL && resourceSid === w.row.sid));
});
