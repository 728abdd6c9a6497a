import assert from "node:assert/strict";
import { test } from "node:test";
import { codecsOf, type SessionDescription } from "@callfork/protocol/sdp";
import { DEFAULT_CONNECTOR_SETTINGS } from "../../packages/server/src/recording-client/index.ts";
import { PCMA, PCMU, type Recorder, RecordingWorld, sdpIn } from "./recording-world.ts";

const OPUS = { name: "opus", clockRateHz: 48_000, payloadType: 111, fmtp: "useinbandfec=1" };
const G729 = { name: "G729", clockRateHz: 8000, payloadType: 18 };

/** A recorder that takes only formats of these names, or, where an offer has none of them, refuses it. */
function picky(w: RecordingWorld, ...names: readonly string[]): Recorder {
  const recorder = w.recorder();
  const answer = (offer: SessionDescription) => {
    const formats = codecsOf(offer.media[0]!).filter(({ name }) => names.includes(name));
    if (formats.length === 0) return undefined;
    const lines = offer.media.map((_, i) => ({
      port: 30_000 + 2 * i,
      formats: formats.map(({ payloadType }) => String(payloadType)),
    }));
    const rtpmaps = formats.map((codec) => {
      const channels = codec.channels === 2 ? "/2" : "";
      return `a=rtpmap:${codec.payloadType} ${codec.name}/${codec.clockRateHz}${channels}`;
    });
    // Behind each m-line.
    return recorder.description(lines, (line) =>
      line.startsWith("m=") ? [line, ...rtpmaps].join("\r\n") : line,
    );
  };
  recorder.answering = (invite) => {
    const body = answer(sdpIn(invite.body)!);
    if (body === undefined) invite.reject(488);
    else recorder.attach(invite.answer({ body, contactParameters: ";+sip.srs" }));
  };
  recorder.reoffered = (received) => {
    const offer = sdpIn(received);
    const body = offer && answer(offer);
    return body === undefined ? { status: offer ? 488 : 200 } : { status: 200, body };
  };
  return recorder;
}

const way = (w: RecordingWorld) => {
  const connection = w.media.forks[0]!.connections.at(-1)!;
  return {
    passing: [...connection.payloadTypes],
    transcoded: (connection.transcodings ?? []).map(({ from, to }) => `${from.name} ${to.name}`),
    clockRateHz: connection.clockRateHz,
    withhold: connection.withhold,
  };
};

const formatsOf = (offer: SessionDescription) => codecsOf(offer.media[0]!).map(({ name }) => name);

test("a recorder that takes the call's codec gets it untouched, whatever else it takes", async () => {
  const w = new RecordingWorld();
  picky(w, "PCMU", "PCMA", "opus");
  await w.start();
  await w.advance(200);
  assert.deepEqual(way(w), { passing: [[0, 0]], transcoded: [], clockRateHz: 8000, withhold: false });
  assert.deepEqual(w.alerts, []);
});

test("a recorder that refuses the call's codec gets another: said once, in the log, as alert and in the metrics", async () => {
  const counted: string[] = [];
  const w = new RecordingWorld({
    client: { onTranscoding: (from, to) => void counted.push(`${from} ${to}`) },
  });
  const recorder = picky(w, "G722");
  await w.start();
  await w.advance(200);
  assert.deepEqual(formatsOf(recorder.offers[0]!), ["PCMU", "PCMA", "G722", "opus"]);
  assert.deepEqual(way(w), { passing: [], transcoded: ["PCMU G722"], clockRateHz: 8000, withhold: false });
  assert.deepEqual(counted, ["PCMU G722", "PCMU G722"], "each track");
  assert.deepEqual(
    w.alerts.map(({ errorCode, level }) => [errorCode, level]),
    [[98011, "warning"]],
  );
  assert.match(w.alerts[0]!.text, /does not take PCMU, .* gets G722/);
  assert.equal(w.row.status, "in-progress");
});

test("a connector that lets G.711 be offered and nothing else: an Opus call is transcoded, without complaint", async () => {
  const w = new RecordingWorld();
  w.call.list = [OPUS];
  w.connector({
    settings: { ...DEFAULT_CONNECTOR_SETTINGS, profile: "amazon-chime", codecs: ["PCMU", "PCMA"] },
  });
  const recorder = picky(w, "PCMU", "PCMA", "opus");
  await w.start();
  await w.advance(200);
  assert.deepEqual(formatsOf(recorder.offers[0]!), ["PCMU", "PCMA"]);
  assert.deepEqual(way(w).transcoded, ["opus PCMU"]);
  assert.deepEqual(w.alerts, []);
});

test("a call in a codec that nobody here decodes: offered as it is, and refused", async () => {
  const w = new RecordingWorld();
  w.call.list = [G729];
  const recorder = picky(w, "PCMU");
  await w.start();
  await w.advance(500);
  assert.deepEqual(formatsOf(recorder.offers[0]!), ["G729"]);
  assert.equal(w.row.errorCode, 32_102);
  assert.deepEqual(w.results, ["failed false"]);
});

test("the call's codec changes to one that the recorder took: packets go on at once, before it is told", async () => {
  const w = new RecordingWorld();
  const recorder = picky(w, "PCMU", "PCMA");
  await w.start();
  await w.advance(200);
  w.call.list = [PCMA];
  w.call.change();
  assert.deepEqual(way(w).passing, [[8, 8]]);
  assert.equal(recorder.offers.length, 1);
  await w.advance(200);
  assert.deepEqual(formatsOf(recorder.offers[1]!), ["PCMA", "PCMU", "G722", "opus"]);
  assert.equal(recorder.requests[1]!.request.method, "UPDATE");
  assert.deepEqual(way(w), { passing: [[8, 8]], transcoded: [], clockRateHz: 8000, withhold: false });
  assert.deepEqual(w.alerts, []);
});

test("it changes to one that the recorder has not agreed to: transcoded until it has, then as it is", async () => {
  const w = new RecordingWorld();
  const recorder = picky(w, "PCMU");
  await w.start();
  await w.advance(200);
  recorder.reoffered = (received) => {
    const offer = sdpIn(received)!;
    const number = codecsOf(offer.media[0]!).find(({ name }) => name === "opus")!.payloadType;
    const lines = offer.media.map((_, i) => ({ port: 30_000 + 2 * i, formats: [String(number)] }));
    const body = recorder.description(lines, (line) =>
      line.startsWith("m=") ? `${line}\r\na=rtpmap:${number} opus/48000/2` : line,
    );
    return { status: 200, body };
  };
  w.call.list = [OPUS];
  w.call.change();
  assert.deepEqual(way(w), { passing: [], transcoded: ["opus PCMU"], clockRateHz: 8000, withhold: false });
  await w.advance(200);
  assert.deepEqual(way(w), { passing: [[111, 111]], transcoded: [], clockRateHz: 48_000, withhold: false });
});

test("it changes to one that the recorder refuses: 488, and the fork stays transcoded", async () => {
  const w = new RecordingWorld();
  const recorder = picky(w, "PCMU");
  await w.start();
  await w.advance(200);
  recorder.reoffered = () => ({ status: 488 });
  w.call.list = [OPUS];
  w.call.change();
  await w.advance(500);
  assert.equal(recorder.requests.length, 2);
  assert.deepEqual(way(w).transcoded, ["opus PCMU"]);
  assert.equal(w.row.status, "in-progress");
  assert.equal(w.media.openCount, 2);
});

test("while it is paused a change of codec lets nothing through; after it the new one flows", async () => {
  const w = new RecordingWorld();
  picky(w, "PCMU");
  const { sid } = await w.start();
  await w.advance(200);
  const pausing = w.client.pause(w.call.callSid, sid);
  await w.advance(200);
  await pausing;
  w.call.list = [PCMA];
  w.call.change();
  await w.advance(200);
  assert.equal(way(w).withhold, true);
  const resuming = w.client.resume(w.call.callSid, sid);
  await w.advance(200);
  await resuming;
  assert.deepEqual([way(w).transcoded, way(w).withhold], [["PCMA PCMU"], false]);
});

test("the call falls back to its first codec: what the recorder said of it before still holds", async () => {
  const w = new RecordingWorld();
  picky(w, "PCMU");
  await w.start();
  await w.advance(200);
  for (const [list, transcoded] of [
    [[PCMA], ["PCMA PCMU"]],
    [[PCMU], []],
    [[OPUS, PCMU], ["opus PCMU"]],
  ] as const) {
    w.call.list = list;
    w.call.change();
    assert.deepEqual(way(w).transcoded, transcoded);
    await w.advance(200);
    assert.deepEqual(way(w).transcoded, transcoded);
  }
});
