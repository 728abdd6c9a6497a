import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  ACCOUNT,
  answerText,
  body,
  completeXml,
  type Invited,
  type Line,
  metadataPart,
  newCast,
  portsOf,
  RecorderWorld,
  sdp,
  sdpPart,
  speech,
  stream,
  text,
} from "./recorder-world.ts";

const TWO: readonly Line[] = [
  { label: "1", port: 4_000 },
  { label: "2", port: 4_002 },
];
const usual = () => body(sdpPart(sdp(TWO)), metadataPart(completeXml(newCast(), ["1", "2"])));
const codes = (world: RecorderWorld): string[] => world.onlyRow.warnings.map(({ code }) => code);
const lines = (invited: Invited, pattern: RegExp): string[] =>
  [...answerText(invited.answer).matchAll(pattern)].map(([line]) => line.trim());

test("[R7866-6.2-1] strictly, siprec in Require and +sip.src in Contact make a recording session, neither alone", async (t) => {
  const world = await RecorderWorld.start(t, { strict: true });
  const matrix = [
    { require: true, tag: ";+sip.src", status: 200 },
    { require: true, tag: "", status: 403 },
    { require: false, tag: ";+sip.src", status: 403 },
    { require: false, tag: "", status: 403 },
    { require: true, tag: ';+sip.src="FALSE"', status: 403 },
    { require: true, tag: ";src", status: 403 },
  ];
  for (const { require, tag, status } of matrix) {
    const { response, failure, dialog } = await world.invite(usual(), {
      headers: require ? [["Require", "siprec"]] : [],
      contactParameters: tag,
    });
    assert.equal(response?.status ?? failure?.status, status, `${require} ${tag}`);
    if (dialog !== undefined) await world.hangUp(dialog);
  }
  assert.equal(world.store.rows.size, 1);
  assert.deepEqual(world.refused, new Array(5).fill("no-recording-session"));
});

test("[R7866-11.1-1] siprec in Supported alone makes no recording session, in both fields it does", async (t) => {
  const world = await RecorderWorld.start(t, { strict: true });
  const alone = await world.invite(usual(), { headers: [["Supported", "siprec"]] });
  assert.equal(alone.failure?.status, 403);
  const both = await world.invite(usual(), {
    headers: [
      ["Supported", "siprec"],
      ["Require", "siprec"],
    ],
  });
  await world.hangUp(both.dialog!);
});

test("[R7866-6.1.1-6] what bears no mark of a recording session is told apart from what bears one", async (t) => {
  const world = await RecorderWorld.start(t);
  const seen: boolean[] = [];
  world.world.party("10.0.0.3", {
    onInvite: (invite) => {
      seen.push(world.recorder.isRecordingInvite(invite));
      invite.reject(486);
    },
  });
  const to = "sip:+15550100@10.0.0.3";
  await world.invite(body(sdpPart(sdp(TWO))), { to, headers: [], contactParameters: "" });
  await world.invite(body(sdpPart(sdp(TWO))), { to, contactParameters: "" });
  await world.invite(body(sdpPart(sdp(TWO))), { to, headers: [] });
  await world.invite(usual(), { to, headers: [], contactParameters: "" });
  assert.deepEqual(seen, [false, true, true, true]);
  assert.equal(world.store.rows.size, 0);
});

for (const { id, contact, require, expected } of [
  { id: "[V-15]", contact: ";src", require: true, expected: ["SIP_SRC_MISPLACED"] },
  { id: "[V-17]", contact: ";+sip.src", require: false, expected: ["REQUIRE_SIPREC_MISSING"] },
  { id: "", contact: "", require: true, expected: ["SIP_SRC_MISSING"] },
  { id: "", contact: "", require: false, expected: ["REQUIRE_SIPREC_MISSING", "SIP_SRC_MISSING"] },
]) {
  test(`${id} leniently, Contact "${contact}" and ${require ? "" : "no "}Require are recorded with a warning`, async (t) => {
    const world = await RecorderWorld.start(t);
    const { dialog } = await world.invite(usual(), {
      headers: require ? [["Require", "siprec"]] : [],
      contactParameters: contact,
    });
    assert.deepEqual(codes(world), expected);
    await world.hangUp(dialog!);
  });
}

test("[V-16] +sip.src inside the brackets counts", async (t) => {
  const world = await RecorderWorld.start(t);
  const contact = "<sip:src@10.0.0.1;transport=tcp;+sip.src>";
  const { dialog } = await world.invite(usual(), {
    headers: [
      ["Require", "siprec"],
      ["Contact", contact],
    ],
    contactParameters: "",
  });
  assert.deepEqual(codes(world), ["SIP_SRC_MISPLACED"]);
  await world.hangUp(dialog!);
});

test("[R7866-7.2-1] [R7866-7.2-8] [R7866-8.4-1] every accepted line is recvonly under its own label", async (t) => {
  const world = await RecorderWorld.start(t);
  const odd = "a_leg:01.x";
  const offer = sdp([
    { label: "01", direction: "sendonly" },
    { label: "1", direction: "" },
    { label: odd, direction: "sendrecv" },
  ]);
  const invited = await world.invite(body(sdpPart(offer)));
  assert.deepEqual(lines(invited, /^a=(label:.*|recvonly|sendrecv|sendonly)$/gm), [
    "a=label:01",
    "a=recvonly",
    "a=label:1",
    "a=recvonly",
    `a=label:${odd}`,
    "a=recvonly",
  ]);
  assert.equal(new Set(portsOf(invited.answer)).size, 3);
  const row = await world.hangUp(invited.dialog!);
  assert.deepEqual(
    row.tracks.map(({ label, file }) => [label, file]),
    [
      ["01", "1-01.wav"],
      ["1", "2-1.wav"],
      [odd, "3-a_leg_01_x.wav"],
    ],
  );
});

test("[R7866-8.3.1-1] [R7866-8.3.2-1] lines that are not recorded have port 0 in their place", async (t) => {
  const world = await RecorderWorld.start(t);
  const invited = await world.invite(
    body(
      sdpPart(
        sdp([
          { kind: "text", label: "t", formats: "96", attributes: ["rtpmap:96 t140/1000"] },
          { label: "a", formats: "96 8", attributes: ["rtpmap:96 AMR-WB/16000"] },
          { label: "b", formats: "97" },
        ]),
      ),
    ),
  );
  const [text, audio, unnamed] = portsOf(invited.answer);
  assert.deepEqual([text, unnamed], [0, 0]);
  assert.ok(audio! > 0);
  assert.match(answerText(invited.answer), /^m=audio \d+ RTP\/AVP 8\r$/m);
  const row = await world.hangUp(invited.dialog!);
  assert.equal(row.warnings.filter(({ code }) => code === "LINE_REFUSED").length, 2);
});

test("an offer of nothing that can be recorded gets 488, an alert, and leaves nothing", async (t) => {
  const world = await RecorderWorld.start(t);
  for (const offer of [
    sdp([{ label: "1", formats: "96" }]),
    sdp([{ label: "1", kind: "text", formats: "98", attributes: ["rtpmap:98 t140/1000"] }]),
    sdp([{ label: "1", port: 0 }]),
    sdp(TWO).replaceAll("RTP/AVP", "RTP/SAVP"),
    "v=0\r\nno description\r\n",
  ]) {
    const { failure } = await world.invite(body(sdpPart(offer)));
    assert.equal(failure?.status, 488, offer);
    assert.match(failure.response?.headers.get("Warning") ?? "", /^399 /);
  }
  assert.deepEqual(new Set(world.alerts.map(({ errorCode }) => errorCode)), new Set([32102]));
  assert.equal(world.alerts.length, 5);
  await world.until(() => world.recorder.liveCount === 0);
  assert.equal(world.store.rows.size, 0);
  assert.equal(world.media.free, 1_000);
  assert.deepEqual(readdirSync(join(world.folder, "recordings")), []);
});

test("[R7866-7.1.1.1-6] [V-22] an offer that is inactive, or has c=0.0.0.0, is answered inactive; without direction recvonly", async (t) => {
  const world = await RecorderWorld.start(t);
  const invited = await world.invite(
    body(
      sdpPart(
        sdp([
          { label: "1", direction: "inactive" },
          { label: "2", address: "0.0.0.0" },
          { label: "3", direction: "" },
        ]),
      ),
    ),
  );
  assert.deepEqual(lines(invited, /^a=(inactive|recvonly)$/gm), ["a=inactive", "a=inactive", "a=recvonly"]);
  await world.hangUp(invited.dialog!);
});

test("[V-20] lines without label are recorded under their place, and streams found by their order", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const offer = sdp([{}, {}]);
  const xml = completeXml(cast).replaceAll(/<label>.*?<\/label>/g, "");
  const { dialog } = await world.invite(body(metadataPart(xml), sdpPart(offer)));
  const row = await world.hangUp(dialog!);
  assert.deepEqual(
    row.tracks.map(({ label, streamId, senders }) => [label, streamId, senders]),
    [
      ["1", cast.inbound, [cast.alice]],
      ["2", cast.outbound, [cast.bob]],
    ],
  );
  assert.equal(row.warnings.filter(({ code }) => code === "LABEL_MISSING").length, 2);
});

test("a label that two lines have names both, the second with a number", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog, answer } = await world.invite(body(sdpPart(sdp([{ label: "x" }, { label: "x" }]))));
  assert.equal([...answerText(answer).matchAll(/a=label:x\r/g)].length, 2);
  const row = await world.hangUp(dialog!);
  assert.deepEqual(
    row.tracks.map(({ label }) => label),
    ["x", "x-2"],
  );
});

test("[R7866-9-1] metadata is found in any order, under either type, with its disposition or without", async (t) => {
  const world = await RecorderWorld.start(t);
  const xml = completeXml(newCast(), ["1", "2"]);
  for (const parts of [
    [sdpPart(sdp(TWO)), metadataPart(xml)],
    [metadataPart(xml, "Application/RS-Metadata"), sdpPart(sdp(TWO))],
    [{ type: "application/rs-metadata+xml;charset=utf-8", body: xml }, sdpPart(sdp(TWO))],
    [{ type: "application/xml", body: xml, disposition: "recording-session" }, sdpPart(sdp(TWO))],
  ]) {
    const { dialog } = await world.invite(body(...parts));
    const { sid } = [...world.store.rows.values()].at(-1)!;
    assert.equal(text((await world.recorder.library.metadataXml(ACCOUNT, sid))!.octets), xml);
    await world.settle(dialog!.bye());
    await world.until(() => world.recorder.liveCount === 0);
    assert.deepEqual(
      world.store.rows.get(sid)!.participants.map(({ name }) => name),
      ["Alice", "Bob"],
    );
  }
});

test("[R7866-9.2-8] broken metadata costs no media: recorded with a warning and an alert, the text kept, one request for a snapshot", async (t) => {
  const world = await RecorderWorld.start(t);
  const asked: string[] = [];
  const { dialog, answer } = await world.invite(
    body(sdpPart(sdp(TWO)), metadataPart("<recording><oops></recording>")),
    {
      headers: [
        ["Require", "siprec"],
        ["Allow", "INVITE, ACK, BYE, UPDATE"],
      ],
      handlers: {
        onUpdate: (request) => {
          asked.push(request.headers.get("Content-Disposition") ?? "");
          return { status: 200 };
        },
      },
    },
  );
  await world.until(() => asked.length > 0);
  const again = await world.settle(dialog!.update({ body: body(metadataPart("<again")) }));
  assert.equal(again.status, 200);
  const startTime = world.world.clock.wallNow();
  world.media.arrive(portsOf(answer)[0]!, stream({ packets: 50, startTime, payload: speech }));
  const row = await world.hangUp(dialog!);
  assert.equal(row.status, "completed");
  assert.deepEqual(asked, ["recording-session"]);
  assert.equal(row.warnings.filter(({ code }) => code === "METADATA_MALFORMED").length, 2);
  assert.deepEqual(
    world.store.versions.map(({ document, carrier }) => [document, carrier]),
    [
      ["<recording><oops></recording>", "INVITE"],
      ["<again", "UPDATE"],
    ],
  );
  assert.ok(
    world.alerts.some(({ errorCode, resourceSid }) => errorCode === 31950 && resourceSid === row.sid),
  );
  assert.equal(await world.recorder.library.metadataXml(ACCOUNT, row.sid), undefined);
});

test("[R7866-10-3] a recording session without metadata is recorded and stays", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog } = await world.invite(body(sdpPart(sdp(TWO))));
  assert.ok(codes(world).includes("METADATA_MISSING"));
  await world.world.clock.advance(600_000);
  assert.equal(world.recorder.liveCount, 1);
  await world.hangUp(dialog!);
});

test("[R3261-8.2.3-1] [R5621-8.4-1] a required part of an unknown type gets 415 strictly, a warning leniently; an optional one is ignored", async (t) => {
  const gtd = { type: "application/gtd", body: "IAM," };
  const optional = { ...gtd, disposition: "signal;handling=optional" };
  const parts = [sdpPart(sdp(TWO)), metadataPart(completeXml(newCast(), ["1", "2"]))];
  const strict = await RecorderWorld.start(t, { strict: true });
  const refused = await strict.invite(body(...parts, gtd));
  assert.equal(refused.failure?.status, 415);
  assert.match(refused.failure.response?.headers.get("Accept") ?? "", /application\/rs-metadata\+xml/);
  const taken = await strict.invite(body(...parts, optional));
  await strict.hangUp(taken.dialog!);
  const lenient = await RecorderWorld.start(t);
  const { dialog } = await lenient.invite(body(...parts, gtd));
  assert.deepEqual(codes(lenient), ["BODY_PART_IGNORED"]);
  await lenient.hangUp(dialog!);
});

test("[R7866-6.2-5] who is not allowed gets 403 and is counted; nothing is stored and nobody is alarmed", async (t) => {
  const world = await RecorderWorld.start(t, { allowedAddresses: ["192.0.2.0/24", "::1"] });
  const { failure } = await world.invite(usual());
  assert.equal(failure?.status, 403);
  assert.deepEqual(world.refused, ["address"]);
  assert.deepEqual(world.alerts, []);
  assert.deepEqual(world.store.journal, []);
});

test("beyond the limit of live recordings, and without ports, there is 503 with Retry-After", async (t) => {
  const world = await RecorderWorld.start(t, { limits: { liveRecordings: 1 } });
  const first = await world.invite(usual());
  const second = await world.invite(usual());
  assert.equal(second.failure?.status, 503);
  assert.equal(second.failure.response?.headers.get("Retry-After"), "10");
  await world.hangUp(first.dialog!);
  world.media.free = 1;
  const third = await world.invite(usual());
  assert.equal(third.failure?.status, 503);
  assert.equal(third.failure.response?.headers.get("Retry-After"), "10");
  await world.until(() => world.recorder.liveCount === 0);
  assert.equal(world.media.free, 1, "the port that was there is free again");
  assert.deepEqual(world.refused, ["limit", "media"]);
});

test("more lines than a recording may have are refused, the others recorded", async (t) => {
  const world = await RecorderWorld.start(t, { limits: { tracksPerRecording: 2 } });
  const { dialog, answer } = await world.invite(body(sdpPart(sdp([...TWO, { label: "3" }]))));
  assert.equal(portsOf(answer)[2], 0);
  assert.equal((await world.hangUp(dialog!)).tracks.length, 2);
});

test("the 200 goes out when row and metadata are on the disk, not before", async (t) => {
  const world = await RecorderWorld.start(t);
  const wire = () =>
    world.world.network.sent.filter(({ startLine }) => startLine === "SIP/2.0 200 OK").length;
  const order: string[] = [];
  const { saveRecording, addMetadataVersion } = world.store;
  world.store.saveRecording = async (record) => {
    order.push(`row before ${wire()}`);
    await new Promise<void>((resolve) => world.world.clock.setTimer(50, resolve));
    return saveRecording.call(world.store, record);
  };
  world.store.addMetadataVersion = async (version) => {
    order.push(`metadata before ${wire()}`);
    await new Promise<void>((resolve) => world.world.clock.setTimer(50, resolve));
    return addMetadataVersion.call(world.store, version);
  };
  const { dialog } = await world.invite(usual());
  assert.deepEqual(order, ["row before 0", "metadata before 0"]);
  assert.equal(wire(), 1);
  await world.hangUp(dialog!);
});

test("a disk or database that fails during set-up means 500, and nothing stays behind", async (t) => {
  for (const operation of ["saveRecording", "addMetadataVersion"] as const) {
    const world = await RecorderWorld.start(t);
    world.store.failing.set(operation, 1);
    const { failure } = await world.invite(usual());
    assert.equal(failure?.status, 500);
    await world.until(() => world.recorder.liveCount === 0);
    assert.equal(world.store.rows.size, 0);
    assert.equal(world.media.free, 1_000);
    assert.deepEqual(readdirSync(join(world.folder, "recordings")), []);
    assert.equal(world.alerts.at(-1)?.level, "error");
  }
});

test("CANCEL during set-up leaves nothing behind", async (t) => {
  const world = await RecorderWorld.start(t);
  const { saveRecording } = world.store;
  let release: (() => void) | undefined;
  world.store.saveRecording = async (record) => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return saveRecording.call(world.store, record);
  };
  let status = 0;
  const invite = world.agent.invite(
    {
      requestUri: "sip:recorder@10.0.0.2;transport=tcp",
      from: "sip:src@10.0.0.1",
      to: "sip:recorder@10.0.0.2",
      headers: [["Require", "siprec"]],
      contactParameters: ";+sip.src",
      body: usual(),
    },
    {
      onAnswered: () => undefined,
      onFailed: (failure) => {
        status = failure.status;
      },
    },
  );
  await world.until(() => release !== undefined);
  invite.cancel();
  await world.until(() => status !== 0);
  assert.equal(status, 487);
  release!();
  await world.until(() => world.recorder.liveCount === 0);
  assert.equal(world.store.rows.size, 0);
  assert.equal(world.media.free, 1_000);
  assert.equal(existsSync(join(world.folder, "recordings", world.store.journal[0]!)), false);
  assert.deepEqual(readdirSync(join(world.folder, "recordings")), []);
});

test("[R3264-6.1-3] what arrives as soon as the answer leaves is recorded: before the ACK", async (t) => {
  const world = await RecorderWorld.start(t);
  const { saveRecording } = world.store;
  world.store.saveRecording = async (record) => {
    if (world.store.rows.size === 0) {
      const [receiver] = world.media.receivers.values();
      const startTime = world.world.clock.wallNow();
      world.media.arrive(receiver!.port, stream({ packets: 30, startTime, payload: speech }));
    }
    return saveRecording.call(world.store, record);
  };
  const { dialog } = await world.invite(usual());
  assert.equal((await world.hangUp(dialog!)).tracks[0]?.packets, 30);
});
