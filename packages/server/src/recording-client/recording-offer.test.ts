import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingOffer, readRecordingAnswer } from "@callfork/protocol/offer-answer";
import {
  attribute,
  directionOf,
  formatSessionDescription,
  labelOf,
  parseSessionDescription,
} from "@callfork/protocol/sdp";
import { parseMultipart } from "@callfork/protocol/sip";
import { utf8Decode } from "@callfork/protocol/text";
import { recordingBody, wantsOldLabel } from "./recording-body.ts";
import {
  answerRecorder,
  connectionOf,
  forkCodecs,
  offeredTracks,
  type TrackLine,
} from "./recording-offer.ts";

const port = (id: number) => ({
  id,
  address: "192.0.2.1",
  rtpPort: 20_000 + 2 * id,
  rtcpPort: 20_001 + 2 * id,
});
const LINES: readonly TrackLine[] = [
  { label: "inbound", port: port(1) },
  { label: "outbound", port: port(2) },
];
const CODECS = forkCodecs({
  codecs: () => [
    { name: "G729", clockRateHz: 8000, payloadType: 18, fmtp: "annexb=no" },
    { name: "telephone-event", clockRateHz: 8000, payloadType: 101 },
    { name: "PCMU", clockRateHz: 8000, payloadType: 0 },
    { name: "PCMA", clockRateHz: 8000, payloadType: 0 },
  ],
});

const offer = createRecordingOffer({
  origin: { sessionId: "1" },
  address: "192.0.2.1",
  tracks: offeredTracks(LINES, CODECS),
});

function sdp(text: string) {
  const parsed = parseSessionDescription(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

const answerOf = (...lines: string[]) =>
  sdp(["v=0", "o=- 1 1 IN IP4 10.0.0.9", "s=-", "c=IN IP4 10.0.0.9", "t=0 0", ...lines].join("\r\n"));

test("[R7866-7.1.1-1] [R7866-7.1.1-2] [R7245-3.2-5] each track is a labelled sendonly line with the call's codecs, under their numbers", () => {
  assert.deepEqual(
    offer.media.map((line) => [labelOf(line), attribute(line, "sendonly"), line.port, line.formats]),
    [
      ["inbound", "", 20_002, ["18", "0"]],
      ["outbound", "", 20_004, ["18", "0"]],
    ],
  );
  assert.equal(attribute(offer.media[0]!, "fmtp"), "18 annexb=no");
});

test("packets are renumbered as the answer says; nothing flows on hold, without address, or to a host name", () => {
  const answer = answerOf("m=audio 30000 RTP/AVP 0", "a=recvonly", "m=audio 30002 RTP/AVP 18", "a=inactive");
  const media = readRecordingAnswer(offer, answer);
  assert.ok(media.ok);
  const connection = connectionOf(media.value[0]!, CODECS, "cname");
  assert.deepEqual(connection, {
    remote: { address: "10.0.0.9", rtpPort: 30_000, rtcpPort: 30_001 },
    payloadTypes: new Map([[0, 0]]),
    clockRateHz: 8000,
    cname: "cname",
  });
  assert.equal(connectionOf(media.value[1]!, CODECS, "cname"), undefined);
  for (const address of ["0.0.0.0", "media.example.com"]) {
    const held = answerOf("m=audio 30000 RTP/AVP 0", `c=IN IP4 ${address}`, "m=audio 0 RTP/AVP 0");
    const lines = readRecordingAnswer(offer, held);
    assert.ok(lines.ok);
    assert.equal(connectionOf(lines.value[0]!, CODECS, "cname"), undefined, address);
  }
});

test("[R7866-7.1.1-3] our answers have the labels of our offer, also where the recorder left them out", () => {
  const theirs = answerOf(
    "m=audio 30000 RTP/AVP 0",
    "a=recvonly",
    "m=audio 0 RTP/AVP 0",
    "m=audio 4 RTP/AVP 0",
  );
  const options = { sessionId: "1", address: "192.0.2.1", previous: offer, lines: LINES, codecs: CODECS };
  const answer = answerRecorder(theirs, options);
  assert.deepEqual(
    answer.media.map((line) => [labelOf(line), line.port, directionOf(answer, line)]),
    [
      ["inbound", 20_002, "sendonly"],
      ["outbound", 0, "sendrecv"],
      [undefined, 0, "sendrecv"],
    ],
  );
  assert.equal(answer.origin.version, "2");
  assert.equal(answerRecorder(theirs, { ...options, previous: answer }).origin.version, "2");
});

test("[R7866-9.1-6] the boundary occurs in no part, whatever the metadata holds", () => {
  let calls = 0;
  const random = { bytes: (length: number) => new Uint8Array(length).fill(calls++ * 0) };
  const seed = `callfork-${"00".repeat(12)}`;
  const metadata = `<a>\r\n--${seed}--\r\n--${seed}-1\r\n</a>`;
  const body = recordingBody(offer, metadata, "application/rs-metadata+xml", random);
  const read = parseMultipart(body.bytes, body.contentType);
  assert.ok(read.ok);
  assert.deepEqual(
    read.value.parts.map((part) => utf8Decode(part.body)),
    [formatSessionDescription(offer), metadata],
  );
});

test("only a 415 that names the old label and not the new one asks for it", () => {
  assert.equal(wantsOldLabel(415, ["application/sdp", "Application/rs-metadata;q=0.5"]), true);
  assert.equal(wantsOldLabel(415, ["application/rs-metadata", "application/rs-metadata+xml"]), false);
  assert.equal(wantsOldLabel(415, []), false);
  assert.equal(wantsOldLabel(488, ["application/rs-metadata"]), false);
});
