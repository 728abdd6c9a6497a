import assert from "node:assert/strict";
import { test } from "node:test";
import type { SipBody } from "@callfork/server/signalling";
import {
  ACCOUNT,
  answerText,
  body,
  bytes,
  completeXml,
  metadataPart,
  newCast,
  newId,
  portsOf,
  RecorderWorld,
  recordingXml,
  sdp,
  sdpPart,
  speech,
  stream,
  text,
} from "./recorder-world.ts";

const codes = (world: RecorderWorld): string[] => world.onlyRow.warnings.map(({ code }) => code);
const TWO = [{ label: "inbound" }, { label: "outbound", port: 4_002 }];

/** A multipart exactly as it is written here. */
const raw = (octets: string, boundary = "b1"): SipBody => ({
  contentType: `multipart/mixed;boundary=${boundary}`,
  bytes: bytes(octets),
});

test("an INVITE without offer gets ours, recvonly with a label; the answer in the ACK is recorded", async (t) => {
  const world = await RecorderWorld.start(t);
  const invited = await world.invite(undefined, {
    answer: body(sdpPart(sdp([{ label: "1", formats: "8" }]))),
  });
  const offer = answerText(invited.answer);
  assert.match(offer, /^m=audio \d+ RTP\/AVP 0 8\r$/m);
  assert.match(offer, /^a=label:1\r$/m);
  assert.match(offer, /^a=recvonly\r$/m);
  const [port] = portsOf(invited.answer);
  await world.until(() => world.media.onPort(port!).remote !== null, "the answer of the ACK");
  assert.deepEqual(world.media.onPort(port!).remote, {
    address: "10.0.0.1",
    rtpPort: 4_000,
    rtcpPort: 4_001,
  });
  const startTime = world.world.clock.wallNow();
  world.media.arrive(port!, stream({ packets: 50, startTime, payload: speech, payloadType: 8 }));
  const row = await world.hangUp(invited.dialog!);
  assert.equal(row.status, "completed");
  assert.deepEqual(
    row.tracks.map(({ label, packets, codec }) => [label, packets, codec]),
    [["1", 50, "PCMA"]],
  );
  assert.ok(codes(world).includes("OFFER_MISSING"));
});

test("our offer has a line for each stream of the metadata; an ACK without answer ends the session", async (t) => {
  const world = await RecorderWorld.start(t);
  const invited = await world.invite(body(metadataPart(completeXml(newCast(), ["a", "b"]))));
  assert.deepEqual(
    [...answerText(invited.answer).matchAll(/^a=label:(.*)\r$/gm)].map(([, label]) => label),
    ["a", "b"],
  );
  await world.until(() => invited.ended !== undefined, "BYE");
  await world.until(() => world.recorder.liveCount === 0, "the recording's end");
  assert.equal(world.onlyRow.status, "failed");
  assert.ok(codes(world).includes("ANSWER_MISSING"));
});

test("[V-19] Cisco's built-in bridge: two calls without offer, each with one voice, parties from From", async (t) => {
  const world = await RecorderWorld.start(t);
  for (const [side, speaker] of [
    ["x-nearend", "sip:2000@cucm1.example.com"],
    ["x-farend", "sip:1000@cucm1.example.com"],
  ] as const) {
    const from = `<sip:2000@cucm1.example.com;${side};x-refci=28093100;x-nearenddevice=SEP0123456789AB;x-farendrefci=28093099;x-farenddevice=SEPBA9876543210;x-farendaddr=1000>`;
    const { dialog } = await world.invite(undefined, {
      from,
      headers: [],
      contactParameters: "",
      answer: body(sdpPart(sdp([{}]))),
    });
    const row = [...world.store.rows.values()].at(-1)!;
    assert.deepEqual(
      row.participants.map(({ aor }) => aor),
      ["sip:2000@cucm1.example.com", "sip:1000@cucm1.example.com"],
    );
    const [sender] = row.tracks[0]!.senders;
    assert.equal(row.participants.find(({ participantId }) => participantId === sender)?.aor, speaker);
    assert.ok(row.warnings.some(({ code }) => code === "PARTICIPANTS_GUESSED"));
    await world.hangUp(dialog!);
  }
});

test("[V-19] Cisco's network-based recording: a header field names each party and its line", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog } = await world.invite(body(sdpPart(sdp([{}, { port: 4_002 }]))), {
    headers: [
      ["X-Cisco-Recording-Participant", 'sip:708090@192.0.2.34;media-index="0"'],
      ["X-Cisco-Recording-Participant", '"Bob" <sip:808@192.0.2.35>;media-index="1"'],
    ],
    contactParameters: "",
  });
  const row = await world.hangUp(dialog!);
  const [first, second] = row.participants;
  assert.deepEqual(
    [first, second].map((one) => [one!.aor, one!.name]),
    [
      ["sip:708090@192.0.2.34", null],
      ["sip:808@192.0.2.35", "Bob"],
    ],
  );
  assert.deepEqual(
    row.tracks.map(({ senders }) => senders),
    [[first!.participantId], [second!.participantId]],
  );
});

test("[V-19] without metadata and Cisco's marks: who is asserted, else From, and To when it is not the recorder", async (t) => {
  const world = await RecorderWorld.start(t);
  const asserted = await world.invite(body(sdpPart(sdp([{}]))), {
    headers: [["P-Asserted-Identity", '"Alice" <sip:+15550100@sbc.example.com;user=phone>']],
  });
  assert.deepEqual(
    world.onlyRow.participants.map(({ aor, name }) => [aor, name]),
    [["sip:+15550100@sbc.example.com", "Alice"]],
  );
  assert.deepEqual(world.onlyRow.tracks[0]!.senders, [], "which of them speaks is not told");
  // Metadata that comes later takes their place.
  const cast = newCast();
  const xml = completeXml(cast);
  await world.settle(asserted.dialog!.update({ body: body(metadataPart(xml)) }));
  assert.deepEqual(
    world.onlyRow.participants.map(({ name }) => name),
    ["Alice", "Bob"],
  );
  await world.hangUp(asserted.dialog!);
});

test("[R7866-8.3.2-3] [V-11] one mixed line has all who send on it, and the streams they are", async (t) => {
  const world = await RecorderWorld.start(t);
  const [session, mix, alice, bob] = [newId(), newId(), newId(), newId()];
  const person = (id: string, name: string) =>
    `<participant participant_id="${id}"><nameID aor="sip:${name}@example.com"/></participant>` +
    `<participantstreamassoc participant_id="${id}"><send>${mix}</send></participantstreamassoc>`;
  const xml = recordingXml(
    "complete",
    `<session session_id="${session}"/><stream stream_id="${mix}" session_id="${session}"><label>mix</label><mode>mixed</mode></stream>${person(alice, "alice")}${person(bob, "bob")}`,
  );
  const { dialog } = await world.invite(body(sdpPart(sdp([{ label: "mix" }])), metadataPart(xml)));
  const row = await world.hangUp(dialog!);
  assert.deepEqual(
    row.tracks.map(({ streamId, senders }) => [streamId, [...senders].sort()]),
    [[mix, [alice, bob].sort()]],
  );
});

test("[V-22] four lines, one of them paused by c=0.0.0.0 and taken up again", async (t) => {
  const world = await RecorderWorld.start(t);
  const lines = ["a", "b", "c", "d"].map((label, at) => ({ label, port: 4_000 + 2 * at }));
  const { dialog, answer } = await world.invite(body(sdpPart(sdp(lines))));
  const ports = portsOf(answer);
  assert.equal(new Set(ports).size, 4);
  const startTime = world.world.clock.wallNow();
  for (const port of ports) world.media.arrive(port, stream({ packets: 50, startTime, payload: speech }));
  const held = lines.map((line, at) => (at === 2 ? { ...line, address: "0.0.0.0" } : line));
  const response = await world.settle(dialog!.reinvite({ body: body(sdpPart(sdp(held, 2))) }));
  assert.deepEqual(
    [...text(response.body).matchAll(/^a=(recvonly|inactive)\r$/gm)].map(([, direction]) => direction),
    ["recvonly", "recvonly", "inactive", "recvonly"],
  );
  await world.settle(dialog!.reinvite({ body: body(sdpPart(sdp(lines, 3))) }));
  const later = { packets: 50, startTime: startTime + 3_000, payload: speech, sequence: 500, timestamp: 99 };
  world.media.arrive(ports[2]!, stream(later));
  const row = await world.hangUp(dialog!);
  assert.deepEqual(
    row.tracks.map(({ durationMs }) => durationMs),
    [1_000, 1_000, 4_000, 1_000],
  );
});

const gtd = "PRN,isdn*,,\r\nGCI,0011223344556677";
for (const { id, what, octets, warnings } of [
  {
    id: "[V-23]",
    what: "metadata first, and a third part that is optional",
    octets: (description: string, xml: string) =>
      `--b1\r\nContent-Type:application/rs-metadata+xml\r\nContent-Disposition: recording-session\r\nContent-Length: ${xml.length}\r\n\r\n${xml}\r\n` +
      `--b1\r\nContent-Type: application/gtd\r\nContent-Disposition: signal;handling=optional\r\n\r\n${gtd}\r\n` +
      `--b1\r\nContent-Type: application/sdp\r\nContent-Disposition: session;handling=required\r\n\r\n${description}\r\n--b1-- \r\n`,
    warnings: ["BODY_PART_IGNORED"],
  },
  {
    id: "[V-23]",
    what: "no closing boundary",
    octets: (description: string, xml: string) =>
      `--b1\r\nContent-Type: application/sdp\r\n\r\n${description}\r\n--b1\r\nContent-Type: application/rs-metadata+xml\r\n\r\n${xml}`,
    warnings: ["BODY_REPAIRED"],
  },
  {
    id: "[V-23]",
    what: "bare line feeds",
    octets: (description: string, xml: string) =>
      `--b1\nContent-Type: application/sdp\n\n${description.replaceAll("\r\n", "\n")}\n--b1\nContent-Type: application/rs-metadata+xml\nContent-Disposition: recording-session\n\n${xml}\n--b1--\n`,
    warnings: ["BODY_REPAIRED"],
  },
  {
    id: "[V-01]",
    what: "the media type of before RFC 9806, in capitals",
    octets: (description: string, xml: string) =>
      `--b1\r\nContent-Type: application/sdp\r\n\r\n${description}\r\n--b1\r\nContent-Type:Application/RS-Metadata\r\n\r\n${xml}\r\n--b1--\r\n`,
    warnings: [],
  },
]) {
  test(`${id} a body with ${what} is read whole`, async (t) => {
    const world = await RecorderWorld.start(t);
    const cast = newCast();
    const xml = completeXml(cast);
    const { dialog } = await world.invite(raw(octets(sdp(TWO), xml)));
    const row = await world.hangUp(dialog!);
    assert.deepEqual(
      row.tracks.map(({ label, senders }) => [label, senders]),
      [
        ["inbound", [cast.alice]],
        ["outbound", [cast.bob]],
      ],
    );
    assert.equal(text((await world.recorder.library.metadataXml(ACCOUNT, row.sid))!.octets), xml);
    assert.deepEqual([...new Set(codes(world).filter((code) => code.startsWith("BODY_")))], warnings);
  });
}

test("[V-18] [V-28] [V-30] other tags beside siprec, large numbers as labels, the media type of RFC 8068 in Accept", async (t) => {
  const world = await RecorderWorld.start(t, { strict: true });
  const cast = newCast();
  const labels = ["4294967296", "007"] as const;
  const offer = sdp(labels.map((label, at) => ({ label, port: 4_000 + 2 * at })));
  const invited = await world.invite(body(sdpPart(offer), metadataPart(completeXml(cast, labels))), {
    headers: [
      ["Require", "100rel, siprec"],
      ["Supported", "timer, siprec"],
      ["Accept", "application/sdp, application/rs-metadata, application/rs-metadata-request"],
    ],
  });
  assert.equal(invited.response?.status, 200);
  assert.deepEqual(
    [...answerText(invited.answer).matchAll(/^a=label:(.*)\r$/gm)].map(([, label]) => label),
    labels,
  );
  const row = await world.hangUp(invited.dialog!);
  assert.deepEqual(
    row.tracks.map(({ label, senders }) => [label, senders]),
    [
      [labels[0], [cast.alice]],
      [labels[1], [cast.bob]],
    ],
  );
});

test("[R8068-X-1] the slips of RFC 8068's samples: a type in capitals, parts without disposition, H.264 for H264", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const lines = [
    { label: "inbound" },
    { label: "outbound", port: 4_002, kind: "video", formats: "97", attributes: ["rtpmap:97 H.264/90000"] },
  ];
  const part = (type: string, octets: string) => `--b1\r\nContent-Type: ${type}\r\n\r\n${octets}\r\n`;
  const octets = part("application/SDP", sdp(lines)) + part("application/rs-metadata+xml", completeXml(cast));
  const invited = await world.invite(raw(`${octets}--b1--\r\n`), {
    headers: [
      ["Require", "siprec"],
      ["Accept", "application/SDP, application/rs-metadata, application/rs-metadata-request"],
    ],
  });
  assert.equal(invited.response?.status, 200);
  assert.match(answerText(invited.answer), /^m=video [1-9]\d* RTP\/AVP 97\r$/m);
  const row = await world.hangUp(invited.dialog!);
  assert.deepEqual(
    row.tracks.map(({ label, senders }) => [label, senders]),
    [
      ["inbound", [cast.alice]],
      ["outbound", [cast.bob]],
    ],
  );
});

test("[V-23] strictly, a body that had to be repaired gets 400", async (t) => {
  const world = await RecorderWorld.start(t, { strict: true });
  const { failure } = await world.invite(raw(`--b1\r\nContent-Type: application/sdp\r\n\r\n${sdp(TWO)}\r\n`));
  assert.equal(failure?.status, 400);
  assert.equal(world.store.rows.size, 0);
});

test("[V-25] documents alone in UPDATE and in BYE are taken, complete ones without a new recording", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const { dialog } = await world.record(cast);
  const bare = (xml: string): SipBody => ({ contentType: "application/rs-metadata+xml", bytes: bytes(xml) });
  await world.settle(dialog.update({ body: bare(completeXml(cast).replace("Alice", "Alice B.")) }));
  assert.equal(world.onlyRow.participants[0]!.name, "Alice B.");
  const ended = `<session session_id="${cast.session}"><stop-time>2026-01-01T00:00:05Z</stop-time></session>`;
  await world.hangUp(dialog, bare(recordingXml("partial", ended)));
  assert.deepEqual(
    world.store.versions.map(({ carrier }) => carrier),
    ["INVITE", "UPDATE", "BYE"],
  );
  assert.equal(world.store.rows.size, 1);
});
