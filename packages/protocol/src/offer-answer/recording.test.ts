import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attribute,
  directionOf,
  labelOf,
  parseSessionDescription,
  type SessionDescription,
} from "../sdp/index.ts";
import {
  createRecordingAnswer,
  createRecordingOffer,
  type RecordingAnswerOptions,
  type RecordingTrack,
  readRecordingAnswer,
} from "./index.ts";

function sdp(...lines: readonly string[]): SessionDescription {
  const head = ["v=0", "o=peer 5 9 IN IP4 198.51.100.7", "s=call", "c=IN IP4 198.51.100.7", "t=0 0"];
  const result = parseSessionDescription([...head, ...lines].join("\r\n"));
  assert.ok(result.ok, result.ok ? "" : result.error.message);
  return result.value;
}

const PCMU = { payloadType: 0, name: "PCMU", clockRateHz: 8000, channels: 1 };
const PCMA = { payloadType: 8, name: "PCMA", clockRateHz: 8000, channels: 1 };
const H264 = { name: "H264", clockRateHz: 90000, kind: "video" };
const LOCAL = { origin: { sessionId: "77" }, address: "192.0.2.1" };
const PORTS = [20_000, 20_002, 20_004, 20_006, 20_008, 20_010].map((port) => ({ port }));
const RECORDER: RecordingAnswerOptions = { ...LOCAL, ports: PORTS, codecs: [PCMU, PCMA] };
const INBOUND: RecordingTrack = { label: "inbound", codecs: [PCMU], local: { port: 4000 } };
const OUTBOUND: RecordingTrack = { label: "outbound", codecs: [PCMU], local: { port: 4002 } };

const lines = (description: SessionDescription) =>
  description.media.map((media) => `${labelOf(media)} ${media.port} ${directionOf(description, media)}`);

test("[R7866-7.1.1-1] [R7866-7.1.1-2] every track is a sendonly line with a label of its own", () => {
  const offer = createRecordingOffer({ ...LOCAL, tracks: [INBOUND, OUTBOUND] });
  assert.deepEqual(lines(offer), ["inbound 4000 sendonly", "outbound 4002 sendonly"]);
  assert.ok(offer.media.every((media) => attribute(media, "sendonly") === ""));
  assert.throws(() => createRecordingOffer({ ...LOCAL, tracks: [INBOUND, INBOUND] }), RangeError);
  assert.throws(() => createRecordingOffer({ ...LOCAL, tracks: [{ ...INBOUND, label: "a b" }] }), RangeError);
});

test("[R7866-7.1.1.1-1] [R7866-7.1.1.1-2] an ended track keeps its line with port 0; its place can be used again", () => {
  const first = createRecordingOffer({ ...LOCAL, tracks: [INBOUND, OUTBOUND] });
  const ended = { ...INBOUND, local: null };
  const removed = createRecordingOffer({ ...LOCAL, tracks: [ended, OUTBOUND], previous: first });
  assert.deepEqual(
    removed.media.map(({ port }) => port),
    [0, 4002],
  );
  const third = { ...INBOUND, label: "third", local: { port: 4004 } };
  const reused = createRecordingOffer({ ...LOCAL, tracks: [third, OUTBOUND], previous: removed });
  assert.deepEqual(lines(reused), ["third 4004 sendonly", "outbound 4002 sendonly"]);
  const appended = createRecordingOffer({ ...LOCAL, tracks: [ended, OUTBOUND, third], previous: removed });
  assert.deepEqual(
    appended.media.map(({ port }) => port),
    [0, 4002, 4004],
  );
  assert.deepEqual(
    [first, removed, reused].map(({ origin }) => origin.version),
    ["1", "2", "3"],
  );
});

test("[R7866-7.1.1.1-3] pause is inactive, resume is sendonly; the port stays", () => {
  const first = createRecordingOffer({ ...LOCAL, tracks: [INBOUND, OUTBOUND] });
  const paused = [INBOUND, OUTBOUND].map((track) => ({ ...track, direction: "inactive" as const }));
  const pause = createRecordingOffer({ ...LOCAL, tracks: paused, previous: first });
  assert.deepEqual(lines(pause), ["inbound 4000 inactive", "outbound 4002 inactive"]);
  const resume = createRecordingOffer({ ...LOCAL, tracks: [INBOUND, OUTBOUND], previous: pause });
  assert.deepEqual(resume.media, first.media);
  assert.equal(resume.origin.version, "3");
});

test("the client reads an answer: accepted lines, where to send, numbers, inactive and refused lines", () => {
  const offer = createRecordingOffer({
    ...LOCAL,
    tracks: [INBOUND, OUTBOUND, { ...INBOUND, label: "3", codecs: [{ ...PCMU, payloadType: 96 }] }],
  });
  const answer = sdp(
    "m=audio 7000 RTP/AVP 0",
    "a=inactive",
    "m=audio 0 RTP/AVP 0",
    "m=audio 7004 RTP/AVP 107",
    "a=rtpmap:107 PCMU/8000",
  );
  const read = readRecordingAnswer(offer, answer);
  assert.ok(read.ok);
  assert.deepEqual(
    read.value.map(({ label, accepted, direction, remote, codecs }) =>
      [label, accepted, direction, remote?.rtpPort, codecs[0]?.sendPayloadType].join(" "),
    ),
    ["inbound true inactive 7000 0", "outbound false inactive  ", "3 true sendonly 7004 107"],
  );
  const short = readRecordingAnswer(offer, sdp("m=audio 7000 RTP/AVP 0"));
  assert.equal(short.ok || short.error.code, "MEDIA_LINES_DIFFER");
});

test("[R7866-7.2-1] [R7866-8.4-1] a recorder receives on every audio line it takes, also without direction", () => {
  const offer = sdp("m=audio 4000 RTP/AVP 0", "a=sendonly", "m=audio 4002 RTP/AVP 8 0");
  const { description, media } = createRecordingAnswer(offer, RECORDER);
  assert.deepEqual(
    description.media.map((line) => directionOf(description, line)),
    ["recvonly", "recvonly"],
  );
  assert.deepEqual(
    description.media.map(({ formats }) => formats),
    [["0"], ["8", "0"]],
  );
  assert.deepEqual(
    media.map(({ direction }) => direction),
    ["recvonly", "recvonly"],
  );
});

test("[R7866-7.1.1.1-6] a first offer may be inactive throughout; c=0.0.0.0 and recvonly are answered alike", () => {
  const offer = sdp(
    "m=audio 4000 RTP/AVP 0",
    "a=inactive",
    "m=audio 4002 RTP/AVP 0",
    "c=IN IP4 0.0.0.0",
    "m=audio 4004 RTP/AVP 0",
    "a=recvonly",
  );
  const { description, media } = createRecordingAnswer(offer, RECORDER);
  assert.deepEqual(
    description.media.map((line) => directionOf(description, line)),
    Array(3).fill("inactive"),
  );
  assert.ok(media.every(({ accepted }) => accepted));
});

test("[R7866-7.2-2] a recorder that is not ready answers inactive, and recvonly later", () => {
  const offer = sdp("m=audio 4000 RTP/AVP 0", "a=sendonly");
  const early = createRecordingAnswer(offer, { ...RECORDER, ready: false });
  assert.equal(directionOf(early.description, early.description.media[0]!), "inactive");
  const later = createRecordingAnswer(offer, { ...RECORDER, previous: early.description });
  assert.equal(directionOf(later.description, later.description.media[0]!), "recvonly");
  assert.equal(later.description.origin.version, "2");
});

test("[R7866-7.2-8] labels come back octet for octet, on refused lines too", () => {
  const offered = ["01", "a b;c=d", " lead", "{urn:x}", ""];
  const offer = sdp(
    ...offered.flatMap((label, i) => [
      `m=audio ${4000 + 2 * i} RTP/AVP ${i === 3 ? 18 : 0}`,
      `a=label:${label}`,
    ]),
  );
  const { description, media } = createRecordingAnswer(offer, RECORDER);
  assert.deepEqual(description.media.map(labelOf), offered);
  assert.deepEqual(
    media.map(({ label }) => label),
    offered,
  );
  assert.equal(description.media[3]?.port, 0);
});

test("[R7866-8.3.1-1] the answer has all offered lines; text, image and unknown codecs have port 0", () => {
  const offer = sdp(
    "m=audio 4000 RTP/AVP 0",
    "m=text 4002 RTP/AVP 98",
    "a=rtpmap:98 t140/1000",
    "m=image 4004 udptl t38",
    "m=audio 4006 RTP/AVP 96",
    "a=rtpmap:96 AMR-WB/16000",
    "m=audio 4008 RTP/AVP 8",
  );
  const { description } = createRecordingAnswer(offer, RECORDER);
  assert.deepEqual(
    description.media.map(({ port }) => port),
    [20_000, 0, 0, 0, 20_008],
  );
  assert.deepEqual(
    description.media.map(({ kind }) => kind),
    ["audio", "text", "image", "audio", "audio"],
  );
});

test("[R7866-8.4-2] four lines, two of audio and two of video, are all taken by a recorder that knows the codec", () => {
  const video = ["a=rtpmap:99 H264/90000", "a=fmtp:99 profile-level-id=42e01f", "a=sendonly"];
  const offer = sdp(
    ...["m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/AVP 0"],
    ...["m=video 4004 RTP/AVP 99", ...video, "m=video 4006 RTP/AVP 99", ...video],
  );
  const { media } = createRecordingAnswer(offer, { ...RECORDER, codecs: [PCMU, H264] });
  assert.deepEqual(
    media.map(({ accepted, localPort }) => accepted && localPort),
    [20_000, 20_002, 20_004, 20_006],
  );
  assert.equal(media[2]?.codecs[0]?.fmtp, "profile-level-id=42e01f");
});
