import assert from "node:assert/strict";
import { test } from "node:test";
import { METADATA_MEDIA_TYPE, readSnapshotOrMetadata } from "@callfork/protocol/siprec";
import type { SipDialog } from "@callfork/server/signalling";
import {
  ACCOUNT,
  body,
  completeXml,
  drainFile,
  metadataPart,
  newCast,
  newId,
  type Part,
  RecorderWorld,
  recordingXml,
  sdp,
  sdpPart,
  speech,
  stream,
  text,
} from "./recorder-world.ts";

const INBOUND = { label: "inbound", port: 4_000 };
const OUTBOUND = { label: "outbound", port: 4_002 };

/** Sends a re-INVITE and gives back status and m-lines of the answer. */
async function reinvite(
  world: RecorderWorld,
  dialog: SipDialog,
  ...parts: readonly Part[]
): Promise<{ readonly status: number; readonly media: readonly string[] }> {
  let answer = "";
  const response = await world.settle(
    dialog.reinvite({
      body: body(...parts),
      onAnswered: ({ body: octets }) => {
        answer = new TextDecoder().decode(octets);
        return undefined;
      },
    }),
  );
  const media = [...answer.matchAll(/^m=audio (\d+)|^a=(recvonly|inactive)/gm)];
  return {
    status: response.status,
    media: media.map(([, port, direction]) => direction ?? (port === "0" ? "0" : "port")),
  };
}

const update = async (world: RecorderWorld, dialog: SipDialog, ...parts: readonly Part[]) =>
  (await world.settle(dialog.update({ body: body(...parts) }))).status;

const samplesOf = async (world: RecorderWorld, sid: string, label: string): Promise<Int16Array> => {
  const octets = await drainFile((await world.recorder.library.track(ACCOUNT, sid, label))!);
  return new Int16Array(octets.buffer.slice(octets.byteOffset + 44, octets.byteOffset + octets.length));
};

for (const { style, pause } of [
  { style: "a=inactive", pause: { direction: "inactive" } },
  { style: "c=0.0.0.0", pause: { address: "0.0.0.0" } },
]) {
  test(`[R7866-7.1.1.1-3] [R7866-7.1.1.1-4] [V-22] [V-32] a pause by ${style} is silence of its length, and what is sent meanwhile is not heard`, async (t) => {
    const world = await RecorderWorld.start(t);
    const { dialog, ports } = await world.record();
    const { clock } = world.world;
    const began = clock.wallNow();
    const port = ports[0]!;
    const sent = stream({ packets: 50, startTime: began, payload: speech });
    world.media.arrive(port, sent);
    await clock.advance(1_000);
    const paused = await reinvite(world, dialog, sdpPart(sdp([{ ...INBOUND, ...pause }, OUTBOUND], 2)));
    assert.deepEqual(paused, { status: 200, media: ["port", "inactive", "port", "recvonly"] });
    const more = { ssrc: 0xcafe, sequence: 65_530 + 50, timestamp: 0xffff_ff00 + 50 * 160 };
    world.media.arrive(port, stream({ packets: 5, startTime: began + 1_500, payload: speech, ...more }));
    await clock.advance(20_000);
    const resumed = await reinvite(world, dialog, sdpPart(sdp([INBOUND, OUTBOUND], 3)));
    assert.deepEqual(resumed, { status: 200, media: ["port", "recvonly", "port", "recvonly"] });
    assert.deepEqual(
      [...world.media.receivers.values()].map(({ port }) => port),
      ports,
      "the ports stay",
    );
    const after = began + 30_000;
    world.media.arrive(
      port,
      stream({ packets: 50, startTime: after, payload: (at) => speech(at, 9), ...more }),
    );
    const row = await world.hangUp(dialog);
    const [track] = row.tracks;
    assert.deepEqual([track?.durationMs, track?.packets, track?.lost], [31_000, 100, 0]);
    const samples = await samplesOf(world, row.sid, "inbound");
    assert.equal(samples.length, 31 * 8_000);
    assert.ok(samples.subarray(8_000, 30 * 8_000).every((sample) => sample === 0));
    assert.ok(samples.subarray(30 * 8_000).some((sample) => sample !== 0));
    assert.equal(row.status, "completed");
  });
}

test("[R7866-7.1.1.1-1] [R7866-7.1.1.1-2] a stream ends by port 0 and another takes its slot, or a line at the end", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog, ports } = await world.record();
  const startTime = world.world.clock.wallNow();
  for (const port of ports) world.media.arrive(port, stream({ packets: 20, startTime, payload: speech }));
  const removed = await reinvite(world, dialog, sdpPart(sdp([{ ...INBOUND, port: 0 }, OUTBOUND], 2)));
  assert.deepEqual(removed.media, ["0", "port", "recvonly"]);
  await world.until(() => [...world.media.receivers.values()].filter(({ closed }) => closed).length === 1);
  const cast = newCast();
  const xml = completeXml(cast, ["third", "fourth"]);
  const added = await reinvite(
    world,
    dialog,
    sdpPart(sdp([{ label: "third", port: 4_004 }, OUTBOUND, { label: "fourth", port: 4_006 }], 3)),
    metadataPart(xml),
  );
  assert.deepEqual(added.media, ["port", "recvonly", "port", "recvonly", "port", "recvonly"]);
  const row = await world.hangUp(dialog);
  assert.deepEqual(
    row.tracks.map(({ label, packets, streamId }) => [label, packets, streamId === null]),
    [
      ["inbound", 20, false],
      ["outbound", 20, false],
      ["third", 0, false],
      ["fourth", 0, false],
    ],
  );
  assert.deepEqual(
    row.tracks.slice(2).map(({ senders }) => senders),
    [[cast.alice], [cast.bob]],
  );
});

test("[R7866-7.1.1-4] labels that are swapped together with the metadata leave every track with its stream", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const { dialog } = await world.record(cast);
  const swapped = sdp(
    [
      { ...INBOUND, label: "outbound" },
      { ...OUTBOUND, label: "inbound" },
    ],
    2,
  );
  const { status } = await reinvite(
    world,
    dialog,
    sdpPart(swapped),
    metadataPart(completeXml(cast, ["outbound", "inbound"])),
  );
  assert.equal(status, 200);
  const row = await world.hangUp(dialog);
  assert.deepEqual(
    row.tracks.map(({ streamId, senders }) => [streamId, senders]),
    [
      [cast.inbound, [cast.alice]],
      [cast.outbound, [cast.bob]],
    ],
  );
});

test("another port of the client's, another address, another law: the track goes on", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog, ports } = await world.record();
  const began = world.world.clock.wallNow();
  world.media.arrive(ports[0]!, stream({ packets: 25, startTime: began, payload: speech }));
  const moved = sdp([{ ...INBOUND, port: 5_000, address: "10.0.0.7", formats: "8" }, OUTBOUND], 2);
  assert.equal((await reinvite(world, dialog, sdpPart(moved))).status, 200);
  const [receiver] = world.media.receivers.values();
  assert.deepEqual(receiver!.remote, { address: "10.0.0.7", rtpPort: 5_000, rtcpPort: 5_001 });
  world.media.arrive(
    ports[0]!,
    stream({
      packets: 25,
      startTime: began + 500,
      payload: speech,
      ssrc: 77,
      sequence: 1,
      timestamp: 1,
      payloadType: 8,
    }),
  );
  const row = await world.hangUp(dialog);
  assert.deepEqual([row.tracks[0]?.packets, row.tracks[0]?.durationMs, row.tracks[0]?.lost], [50, 1_000, 0]);
  assert.deepEqual(
    row.warnings.map(({ code }) => code),
    ["SOURCE_CHANGED"],
  );
});

test("[R7866-9.1-11] [V-24] requests without metadata change no metadata: refresh by UPDATE, re-INVITE with SDP only", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog } = await world.record();
  const before = world.onlyRow;
  assert.equal((await world.settle(dialog.update({}))).status, 200);
  assert.equal((await reinvite(world, dialog, sdpPart(sdp([INBOUND, OUTBOUND])))).status, 200);
  assert.equal(world.store.versions.length, 1);
  assert.deepEqual(world.onlyRow, before);
  await world.hangUp(dialog);
});

test("[R7866-9.1-7] a document alone counts the same bare and in a multipart of one part", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const { dialog } = await world.record(cast);
  const carol = newId();
  const join = (name: string) =>
    recordingXml(
      "partial",
      `<participant participant_id="${carol}"><nameID aor="sip:carol@example.com"><name>${name}</name></nameID></participant>`,
    );
  assert.equal(await update(world, dialog, metadataPart(join("Carol"))), 200);
  assert.equal(world.onlyRow.participants.at(-1)?.name, "Carol");
  const wrapped = `--b\r\nContent-Type: application/rs-metadata+xml\r\n\r\n${join("Carola")}\r\n--b--\r\n`;
  assert.equal(await update(world, dialog, { type: "multipart/mixed;boundary=b", body: wrapped }), 200);
  const row = await world.hangUp(dialog);
  assert.deepEqual(
    row.participants.map(({ name }) => name),
    ["Alice", "Bob", "Carola"],
  );
});

test("[R7866-9.2-1] partial documents build on one another in the order of their requests", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const { dialog } = await world.record(cast);
  const carol = newId();
  const speaks = (participant: string, streams: string) =>
    `<participantstreamassoc participant_id="${participant}">${streams}</participantstreamassoc>`;
  // Alice leaves, Carol joins on her stream.
  const steps = [
    speaks(cast.alice, ""),
    `<participant participant_id="${carol}"><nameID aor="sip:carol@example.com"/></participant>`,
    speaks(carol, `<send>${cast.inbound}</send>`),
  ];
  const answers = [];
  for (const step of steps) {
    const update = dialog.update({ body: body(metadataPart(recordingXml("partial", step))) });
    answers.push(await world.settle(update));
  }
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  );
  const row = await world.hangUp(dialog);
  assert.deepEqual(row.tracks[0]?.senders, [cast.alice, carol]);
  assert.deepEqual(
    world.store.versions.map(({ version, carrier }) => [version, carrier]),
    [
      [1, "INVITE"],
      [2, "UPDATE"],
      [3, "UPDATE"],
      [4, "UPDATE"],
    ],
  );
  // The latest complete document is the first one, not the latest of all.
  assert.match(
    text((await world.recorder.library.metadataXml(ACCOUNT, row.sid))!.octets),
    /<datamode>complete/,
  );
});

test("[R7866-9.2-7] ids that another recording defined may be referred to", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const first = await world.record(cast);
  const partial = recordingXml(
    "complete",
    `<stream stream_id="${newId()}" session_id="${cast.session}"><label>1</label></stream>` +
      `<participantsessionassoc participant_id="${cast.alice}" session_id="${cast.session}"/>`,
  );
  const second = await world.invite(body(sdpPart(sdp([{ label: "1" }])), metadataPart(partial)));
  assert.equal(second.response?.status, 200);
  const row = [...world.store.rows.values()].at(-1)!;
  assert.ok(!row.warnings.some(({ code }) => code === "METADATA_MALFORMED"));
  await world.settle(second.dialog!.bye());
  await world.settle(first.dialog.bye());
  await world.until(() => world.recorder.liveCount === 0);
});

test("[V-21] a stream whose label comes later is found when its line comes, with SDP only", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const { dialog } = await world.invite(body(sdpPart(sdp([INBOUND])), metadataPart(completeXml(cast))));
  assert.ok(world.onlyRow.warnings.some(({ code }) => code === "STREAM_LABEL_UNKNOWN"));
  assert.equal((await reinvite(world, dialog!, sdpPart(sdp([INBOUND, OUTBOUND], 2)))).status, 200);
  const row = await world.hangUp(dialog!);
  assert.deepEqual(
    row.tracks.map(({ streamId, senders }) => [streamId, senders]),
    [
      [cast.inbound, [cast.alice]],
      [cast.outbound, [cast.bob]],
    ],
  );
});

test("lines may come and go many times; so many at once is the limit, and not all without end", async (t) => {
  const world = await RecorderWorld.start(t, { limits: { tracksPerRecording: 2 } });
  const { dialog } = await world.record();
  let version = 2;
  for (let turn = 0; turn < 15; turn++) {
    await reinvite(
      world,
      dialog,
      sdpPart(
        sdp(
          [
            { ...INBOUND, port: 0 },
            { ...OUTBOUND, port: 0 },
          ],
          version++,
        ),
      ),
    );
    const { media } = await reinvite(world, dialog, sdpPart(sdp([INBOUND, OUTBOUND], version++)));
    assert.deepEqual(media, ["port", "recvonly", "port", "recvonly"], `turn ${turn}`);
  }
  const three = await reinvite(
    world,
    dialog,
    sdpPart(sdp([INBOUND, OUTBOUND, { label: "third" }], version++)),
  );
  assert.deepEqual(three.media, ["port", "recvonly", "port", "recvonly", "0"]);
  await reinvite(
    world,
    dialog,
    sdpPart(sdp([{ ...INBOUND, port: 0 }, OUTBOUND, { label: "third", port: 0 }], version++)),
  );
  const { media } = await reinvite(
    world,
    dialog,
    sdpPart(sdp([INBOUND, OUTBOUND, { label: "third", port: 0 }], version++)),
  );
  assert.deepEqual(media, ["0", "port", "recvonly", "0"]);
  assert.equal((await world.hangUp(dialog)).tracks.length, 32);
});

test("[R3261-12.2.2-2] of a refused request nothing is applied, neither its offer nor its metadata", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog, ports } = await world.record();
  const before = world.onlyRow;
  const stranger = metadataPart(completeXml(newCast(), ["inbound", "outbound"]));
  const unusable = sdp(
    [
      { ...INBOUND, formats: "96" },
      { ...OUTBOUND, formats: "96" },
    ],
    2,
  );
  assert.equal((await reinvite(world, dialog, sdpPart(unusable), stranger)).status, 488);
  assert.equal(
    (await reinvite(world, dialog, sdpPart(sdp([INBOUND], 2)), stranger)).status,
    488,
    "a line is missing",
  );
  world.media.free = 0;
  const larger = sdp([INBOUND, OUTBOUND, { label: "third" }], 2);
  assert.equal((await reinvite(world, dialog, sdpPart(larger), stranger)).status, 503);
  world.media.free = 10;
  for (const operation of ["addMetadataVersion", "saveRecording"] as const) {
    world.store.failing.set(operation, 1);
    assert.equal((await reinvite(world, dialog, sdpPart(larger), stranger)).status, 500);
    assert.equal(world.media.free, 10, "the port that was opened for it is free again");
  }
  assert.deepEqual(await world.now(), before);
  assert.deepEqual(
    [...world.media.receivers.values()].filter(({ closed }) => !closed).map(({ port }) => port),
    ports,
  );
  // And the next request, which is in order, is taken.
  assert.equal((await reinvite(world, dialog, sdpPart(larger), stranger)).status, 200);
  assert.equal((await world.hangUp(dialog)).tracks.length, 3);
});

test("[R7866-11.3-1] a snapshot request is not for a recorder", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog } = await world.record();
  const request = `<requestsnapshot xmlns="urn:ietf:params:xml:ns:recording:1"/>`;
  assert.equal(await update(world, dialog, metadataPart(request)), 488);
  assert.equal(world.store.versions.length, 1);
  await world.hangUp(dialog);
});

test("[R7866-9.2-2] [R7866-9.2-3] [R7866-9.2-4] [R9806-2-2] a partial document without any before it: one snapshot is asked for, by UPDATE without SDP", async (t) => {
  const world = await RecorderWorld.start(t);
  const asked: { readonly types: string[]; readonly kind: string }[] = [];
  const partial = recordingXml("partial", `<session session_id="${newId()}"/>`);
  const { dialog } = await world.invite(body(sdpPart(sdp([INBOUND])), metadataPart(partial)), {
    headers: [
      ["Require", "siprec"],
      ["Allow", "INVITE, ACK, BYE, UPDATE"],
    ],
    handlers: {
      onUpdate: (request, parts) => {
        const [part] = parts;
        const read = readSnapshotOrMetadata(part!.bytes);
        asked.push({
          types: parts.map(({ mediaType }) => mediaType),
          kind: read.ok ? read.value.kind : "broken",
        });
        assert.equal(request.headers.get("Content-Disposition"), "recording-session");
        return { status: 200 };
      },
    },
  });
  await world.until(() => asked.length > 0);
  assert.deepEqual(asked, [{ types: [METADATA_MEDIA_TYPE], kind: "snapshotRequest" }]);
  assert.equal(await update(world, dialog!, metadataPart(partial)), 200);
  const cast = newCast();
  assert.equal(await update(world, dialog!, metadataPart(completeXml(cast))), 200);
  await world.world.clock.advance(5_000);
  assert.equal(asked.length, 1);
  const carriers = world.world.network.sent.filter(({ text }) => text.includes("<requestsnapshot"));
  assert.deepEqual(
    carriers.map(({ startLine }) => startLine.split(" ")[0]),
    ["UPDATE"],
  );
  const row = await world.hangUp(dialog!);
  assert.deepEqual(
    row.participants.map(({ name }) => name),
    ["Alice", "Bob"],
  );
});

test("[V-29] [R3261-12.2.1-3] a client that never answers the request for a snapshot is recorded on", async (t) => {
  const world = await RecorderWorld.start(t);
  let asked = 0;
  const partial = recordingXml("partial", `<session session_id="${newId()}"/>`);
  const { dialog } = await world.invite(body(sdpPart(sdp([INBOUND])), metadataPart(partial)), {
    headers: [
      ["Require", "siprec"],
      ["Allow", "INVITE, ACK, BYE, UPDATE"],
    ],
    handlers: {
      onUpdate: () => {
        asked++;
        return new Promise(() => {});
      },
    },
  });
  await world.until(() => asked > 0, "the request for a snapshot");
  await world.world.clock.advance(40_000); // Timer F ends it after 32 s
  await world.until(() => world.onlyRow.warnings.some(({ code }) => code === "SNAPSHOT_REFUSED"));
  assert.ok(!world.world.wire.some((line) => line.startsWith("BYE")));
  assert.equal(world.recorder.liveCount, 1);
  assert.equal(await update(world, dialog!, metadataPart(completeXml(newCast()))), 200);
  const row = await world.hangUp(dialog!);
  assert.equal(row.participants.length, 2);
});

test("a client that does not list UPDATE in Allow is not asked for a snapshot", async (t) => {
  const world = await RecorderWorld.start(t);
  const partial = recordingXml("partial", `<session session_id="${newId()}"/>`);
  const { dialog } = await world.invite(body(sdpPart(sdp([INBOUND])), metadataPart(partial)), {
    headers: [
      ["Require", "siprec"],
      ["Allow", "INVITE, ACK, BYE"],
    ],
  });
  await world.world.clock.advance(5_000);
  assert.ok(!world.world.wire.some((line) => line.startsWith("UPDATE")));
  await world.hangUp(dialog!);
});

test("[R7866-7.2-4] [R8068-3.4.1] a re-INVITE with metadata and no offer gets an offer of the same lines in its 200, and the answer in the ACK counts", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const { dialog } = await world.record(cast);
  const ended = recordingXml(
    "partial",
    `<session session_id="${cast.session}"><stop-time>2026-01-01T00:00:05Z</stop-time></session>`,
  );
  let offered = "";
  const response = await world.settle(
    dialog.reinvite({
      body: body(metadataPart(ended)),
      onAnswered: (answer) => {
        offered = new TextDecoder().decode(answer.body);
        return {
          contentType: "application/sdp",
          bytes: new TextEncoder().encode(sdp([{ ...INBOUND, direction: "inactive" }, OUTBOUND], 2)),
        };
      },
    }),
  );
  assert.equal(response.status, 200);
  assert.match(offered, /a=label:inbound\r\na=recvonly/);
  assert.deepEqual(
    [...offered.matchAll(/^a=label:(.*)\r$/gm)].map(([, label]) => label),
    ["inbound", "outbound"],
  );
  assert.equal(offered.match(/^m=/gm)?.length, 2, "no line is added");
  const paused = () => [...world.media.receivers.values()].map(({ payloadTypes }) => payloadTypes.length > 0);
  await world.until(() => !paused()[0]!, "the pause of the ACK's answer");
  assert.deepEqual(paused(), [false, true]);
  assert.equal(world.store.versions.length, 2);
  await world.hangUp(dialog);
});

test("[R8068-3.2.4] metadata in BYE is taken, and whatever BYE holds it is answered 200", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const { dialog } = await world.record(cast);
  const ended = recordingXml(
    "partial",
    `<session session_id="${cast.session}"><stop-time>2026-01-01T00:00:09Z</stop-time></session>`,
  );
  const wrapped = `--b\r\nContent-Type: application/rs-metadata\r\n\r\n${ended}\r\n--b--\r\n`;
  await world.hangUp(dialog, {
    contentType: "multipart/mixed;boundary=b",
    bytes: new TextEncoder().encode(wrapped),
  });
  assert.deepEqual(
    world.store.versions.map(({ carrier, document }) => [carrier, document === ended]),
    [
      ["INVITE", false],
      ["BYE", true],
    ],
  );
  const other = await world.record();
  await world.settle(
    other.dialog.bye({ body: { contentType: "multipart/mixed", bytes: new Uint8Array([0, 1, 2]) } }),
  );
  await world.until(() => world.recorder.liveCount === 0);
  assert.equal(world.world.wire.at(-1), "SIP/2.0 200 OK");
});

test("[R7866-6.2-2] Contact with +sip.srs stands in every answer to a target refresh", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog } = await world.record();
  await world.settle(dialog.update({}));
  await reinvite(world, dialog, sdpPart(sdp([INBOUND, OUTBOUND])));
  const answers = world.world.network.sent.filter(
    ({ startLine, from }) => startLine.includes("200 OK") && from.startsWith("10.0.0.2"),
  );
  assert.equal(answers.length, 3);
  for (const { text } of answers) assert.match(text, /\r\nContact: <[^>]+>;\+sip\.srs\r\n/);
  await world.hangUp(dialog);
});
