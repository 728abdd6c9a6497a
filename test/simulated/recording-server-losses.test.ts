import assert from "node:assert/strict";
import { test } from "node:test";
import { PCMU_SILENCE } from "@callfork/protocol/audio";
import {
  ACCOUNT,
  answerText,
  body,
  completeXml,
  metadataPart,
  newCast,
  portsOf,
  RecorderWorld,
  sdp,
  sdpPart,
  speech,
  stream,
} from "./recorder-world.ts";

const START = 1_000_000_000_000;

test("a stream of the metadata that was on no line is told of when the recording ends", async (t) => {
  const world = await RecorderWorld.start(t);
  const xml = completeXml(newCast(), ["1", "nowhere"]);
  const invited = await world.invite(body(sdpPart(sdp([{ label: "1" }])), metadataPart(xml)));
  const [port] = portsOf(invited.answer);
  world.media.arrive(port!, stream({ packets: 50, payload: speech, startTime: START }));
  const row = await world.hangUp(invited.dialog!);
  assert.equal(row.status, "completed");
  const said = row.warnings.filter(({ code }) => code === "METADATA_WITHOUT_RECORDING");
  assert.deepEqual(
    said.map(({ message }) => message),
    ["the metadata names stream nowhere, which was on no line that was recorded"],
  );
  assert.ok(world.alerts.some(({ errorCode, text }) => errorCode === 32014 && text.includes("nowhere")));
});

test("[R7865-6.7-5] the metadata may name streams of lines that were refused: kept, and nobody is alarmed", async (t) => {
  const world = await RecorderWorld.start(t);
  const text = { kind: "text", label: "t", formats: "98", attributes: ["rtpmap:98 t140/1000"] };
  const xml = completeXml(newCast(), ["1", "t"]);
  const invited = await world.invite(body(sdpPart(sdp([{ label: "1" }, text])), metadataPart(xml)));
  assert.match(answerText(invited.answer), /^m=text 0 /m);
  const [port] = portsOf(invited.answer);
  world.media.arrive(port!, stream({ packets: 50, payload: speech, startTime: START }));
  const row = await world.hangUp(invited.dialog!);
  assert.ok(!row.warnings.some(({ code }) => code === "METADATA_WITHOUT_RECORDING"));
  assert.deepEqual(world.alerts, []);
  const kept = JSON.stringify(await world.recorder.library.metadataJson(ACCOUNT, row.sid));
  assert.ok(kept.includes("<label>t</label>"));
});

test("a track on which nobody is heard is told of, and how much of a track is silent", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog, ports } = await world.record();
  const quiet = new Uint8Array(160).fill(PCMU_SILENCE);
  world.media.arrive(ports[0]!, stream({ packets: 300, payload: () => quiet, startTime: START }));
  const spoken = stream({
    packets: 300,
    payload: (index) => (index % 3 === 0 ? speech(index) : quiet),
    startTime: START,
  });
  world.media.arrive(ports[1]!, spoken);
  const row = await world.hangUp(dialog);
  assert.deepEqual(
    row.tracks.map(({ detail }) => detail?.silenceShare),
    [1, 0.667],
  );
  const silent = row.warnings.filter(({ code }) => code === "TRACK_SILENT");
  assert.deepEqual(
    silent.map(({ message }) => message),
    ["track inbound: packets came, but nobody is heard in 6 s"],
  );
  assert.deepEqual(
    world.alerts.map(({ errorCode }) => errorCode),
    [32014],
  );
  const [inbound] = row.tracks;
  assert.deepEqual(
    [inbound?.detail?.firstPacketTime, inbound?.detail?.lastPacketTime],
    [START, START + 299 * 20],
  );
});

test("every warning is counted under its code", async (t) => {
  const counted: string[] = [];
  const world = await RecorderWorld.start(t, { onWarning: (code) => void counted.push(code) });
  const invited = await world.invite(body(sdpPart(sdp([{}]))), { headers: [] });
  const row = await world.hangUp(invited.dialog!);
  assert.deepEqual(counted.toSorted(), row.warnings.map(({ code }) => code).toSorted());
  assert.ok(counted.includes("LABEL_MISSING") && counted.includes("RECORDING_WITHOUT_MEDIA"));
});
