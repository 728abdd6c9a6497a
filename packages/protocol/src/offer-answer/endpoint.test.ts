import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSessionDescription, parseSessionDescription, type SessionDescription } from "../sdp/index.ts";
import {
  type AnswerOptions,
  anyAccepted,
  codecsForOtherLeg,
  createAnswer,
  createOffer,
  negotiate,
  payloadTypesBetween,
  usableLines,
} from "./index.ts";

function sdp(...lines: readonly string[]): SessionDescription {
  const head = ["v=0", "o=peer 5 9 IN IP4 198.51.100.7", "s=call", "c=IN IP4 198.51.100.7"];
  const timing = lines.some((line) => line.startsWith("t=")) ? [] : ["t=0 0"];
  const result = parseSessionDescription([...head, ...timing, ...lines].join("\r\n"));
  assert.ok(result.ok, result.ok ? "" : result.error.message);
  return result.value;
}

const PCMU = { payloadType: 0, name: "PCMU", clockRateHz: 8000, channels: 1 };
const PCMA = { payloadType: 8, name: "PCMA", clockRateHz: 8000, channels: 1 };
const EVENTS = { payloadType: 101, name: "telephone-event", clockRateHz: 8000, channels: 1, fmtp: "0-16" };
const LOCAL = { origin: { sessionId: "77", version: "3" }, address: "192.0.2.1" };
const ANSWERER: AnswerOptions = {
  ...LOCAL,
  lines: [{ port: 20_000 }, { port: 20_002 }],
  codecs: [PCMU, PCMA, EVENTS],
};
const mediaText = (description: SessionDescription) =>
  formatSessionDescription(description).split("\r\n").slice(5, -1);

test("[R3264-5-1] an offer of ours: o= numbers as given, s=-, t=0 0", () => {
  const offer = createOffer({
    ...LOCAL,
    media: [{ local: { port: 20_000 }, codecs: [PCMU, EVENTS], ptimeMs: 20, label: "1" }],
  });
  assert.equal(
    formatSessionDescription(offer),
    [
      "v=0",
      "o=- 77 3 IN IP4 192.0.2.1",
      "s=-",
      "c=IN IP4 192.0.2.1",
      "t=0 0",
      "m=audio 20000 RTP/AVP 0 101",
      "a=rtpmap:0 PCMU/8000",
      "a=rtpmap:101 telephone-event/8000",
      "a=fmtp:101 0-16",
      "a=ptime:20",
      "a=label:1",
      "a=sendrecv",
      "",
    ].join("\r\n"),
  );
  const six = createOffer({ ...LOCAL, address: "2001:db8::1", media: [] });
  assert.equal(six.connection?.addressType, "IP6");
});

test("[R3264-5.1-1] directions are said; a line that is not wanted has port 0", () => {
  const offer = createOffer({
    ...LOCAL,
    media: [
      { local: { port: 4000 }, codecs: [PCMU], direction: "sendonly" },
      { local: { port: 4002 }, codecs: [PCMU], direction: "inactive" },
      { local: null, codecs: [PCMU] },
    ],
  });
  assert.deepEqual(mediaText(offer), [
    "m=audio 4000 RTP/AVP 0",
    "a=rtpmap:0 PCMU/8000",
    "a=sendonly",
    "m=audio 4002 RTP/AVP 0",
    "a=rtpmap:0 PCMU/8000",
    "a=inactive",
    "m=audio 0 RTP/AVP 0",
  ]);
});

test("[R3605-2.1-2] an RTCP port that is not the next one is announced", () => {
  const offer = createOffer({ ...LOCAL, media: [{ local: { port: 4001, rtcpPort: 5000 }, codecs: [PCMU] }] });
  assert.equal(mediaText(offer).at(-1), "a=rtcp:5000");
  const next = createOffer({ ...LOCAL, media: [{ local: { port: 4000, rtcpPort: 4001 }, codecs: [PCMU] }] });
  assert.equal(mediaText(next).at(-1), "a=sendrecv");
});

test("[R3264-6-1] [R3264-6-2] an answer has every line in its place, refused ones with port 0 and a format", () => {
  const offer = sdp(
    "t=3034423619 3042462419",
    "m=video 5000 RTP/AVP 31",
    "m=audio 5002 RTP/AVP 0",
    "m=image 5004 udptl t38",
    "m=audio 5006 RTP/AVP 18",
    "m=audio 5008 RTP/SAVP 0",
    "m=audio 5010 RTP/AVP 101",
    "a=rtpmap:101 telephone-event/8000",
  );
  const lines = offer.media.map((_, i) => ({ port: 20_000 + 2 * i }));
  const { description, media } = createAnswer(offer, { ...ANSWERER, lines });
  assert.deepEqual(
    description.media.map(({ kind, port, protocol, formats }) =>
      [kind, port, protocol, ...formats].join(" "),
    ),
    [
      "video 0 RTP/AVP 31",
      "audio 20002 RTP/AVP 0",
      "image 0 udptl t38",
      "audio 0 RTP/AVP 18",
      "audio 0 RTP/SAVP 0",
      "audio 0 RTP/AVP 101",
    ],
  );
  assert.deepEqual(description.timings, offer.timings);
  assert.equal(description.origin.sessionId, "77");
  assert.deepEqual(
    media.map(({ accepted }) => accepted),
    [false, true, false, false, false, false],
  );
  assert.deepEqual(usableLines(offer), [true, true, false, true, false, true]);
  assert.ok(anyAccepted(media));
  assert.ok(!anyAccepted(createAnswer(offer, { ...ANSWERER, lines: [] }).media));
});

test("[R3264-8.2-1] port 0 in the offer is answered with port 0", () => {
  const { description } = createAnswer(sdp("m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 0"), ANSWERER);
  assert.deepEqual(
    description.media.map(({ port }) => port),
    [0, 20_002],
  );
});

test("[R8866-5.14-1] several ports in one line are refused with port 0", () => {
  const { description } = createAnswer(sdp("m=audio 4000/2 RTP/AVP 0", "m=audio 5000/1 RTP/AVP 0"), ANSWERER);
  assert.deepEqual(
    description.media.map(({ port, portCount }) => [port, portCount]),
    [
      [0, undefined],
      [20_002, undefined],
    ],
  );
});

test("[R3264-6.1-1] direction of the answer by direction of the offer and our wish; transport as offered", () => {
  const answered = (offered: string, wanted: "sendrecv" | "sendonly" | "recvonly" | "inactive") =>
    mediaText(
      createAnswer(sdp("m=audio 4000 RTP/AVPF 0", offered), {
        ...ANSWERER,
        lines: [{ port: 20_000, direction: wanted }],
      }).description,
    );
  const table = [
    ["a=x", "sendrecv", "sendrecv"],
    ["a=sendrecv", "recvonly", "recvonly"],
    ["a=sendonly", "sendrecv", "recvonly"],
    ["a=sendonly", "sendonly", "inactive"],
    ["a=recvonly", "sendrecv", "sendonly"],
    ["a=recvonly", "recvonly", "inactive"],
    ["a=inactive", "sendrecv", "inactive"],
    ["c=IN IP4 0.0.0.0", "sendrecv", "recvonly"],
  ] as const;
  for (const [offered, wanted, expected] of table) {
    const lines = answered(offered, wanted);
    assert.equal(lines.at(-1), `a=${expected}`, `${offered} wanted ${wanted}`);
    assert.equal(lines[0], "m=audio 20000 RTP/AVPF 0");
  }
});

test("[R3264-6.1-2] formats of the answer: ours of the offer's, in its order, under its numbers", () => {
  const offer = sdp(
    "m=audio 4000 RTP/AVP 18 8 96 0 97 13",
    "a=rtpmap:96 TELEPHONE-EVENT/8000",
    "a=fmtp:96 0-15",
    "a=rtpmap:97 opus/48000/2",
    "a=ptime:30",
    "a=mid:a1",
  );
  const all = createAnswer(offer, ANSWERER);
  assert.deepEqual(mediaText(all.description), [
    "m=audio 20000 RTP/AVP 8 96 0",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:96 TELEPHONE-EVENT/8000",
    "a=fmtp:96 0-15",
    "a=rtpmap:0 PCMU/8000",
    "a=ptime:30",
    "a=mid:a1",
    "a=sendrecv",
  ]);
  assert.deepEqual(
    all.media[0]?.codecs.map(({ name }) => name),
    ["PCMA", "PCMU"],
  );
  const first = createAnswer(offer, { ...ANSWERER, choose: "first" });
  assert.deepEqual(first.description.media[0]?.formats, ["8", "96"]);
});

test("[R3264-5.1-2] we send with the numbers of the peer's answer and expect those of our offer", () => {
  const offer = createOffer({
    ...LOCAL,
    media: [{ local: { port: 4000 }, codecs: [PCMU, { ...EVENTS, payloadType: 96 }], label: "x" }],
  });
  const answer = sdp(
    "m=audio 7000 RTP/AVP 101 0",
    "c=IN IP4 203.0.113.5",
    "a=rtcp:7009",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-11",
    "a=recvonly",
    "a=ptime:40",
  );
  assert.deepEqual(negotiate(offer, answer, "remote"), [
    {
      index: 0,
      kind: "audio",
      protocol: "RTP/AVP",
      accepted: true,
      localPort: 4000,
      remote: { address: "203.0.113.5", rtpPort: 7000, rtcpAddress: "203.0.113.5", rtcpPort: 7009 },
      direction: "sendonly",
      codecs: [{ name: "PCMU", clockRateHz: 8000, channels: 1, sendPayloadType: 0, receivePayloadType: 0 }],
      telephoneEvents: [
        {
          name: "telephone-event",
          clockRateHz: 8000,
          channels: 1,
          fmtp: "0-11",
          sendPayloadType: 101,
          receivePayloadType: 96,
        },
      ],
      ptimeMs: 40,
      label: "x",
    },
  ]);
});

test("[R3264-8.3.2-2] an answer without a common codec, address or port is not accepted; hold has no address", () => {
  const offer = createOffer({ ...LOCAL, media: [{ local: { port: 4000 }, codecs: [PCMU] }] });
  const [other] = negotiate(offer, sdp("m=audio 7000 RTP/AVP 8"), "remote");
  const [zero] = negotiate(offer, sdp("m=audio 0 RTP/AVP 0"), "remote");
  const [missing] = negotiate(offer, sdp(), "remote");
  for (const media of [other, zero, missing]) {
    assert.deepEqual([media?.accepted, media?.remote, media?.direction], [false, null, "inactive"]);
  }
  const [held] = negotiate(offer, sdp("m=audio 7000 RTP/AVP 0", "c=IN IP4 0.0.0.0"), "remote");
  assert.deepEqual([held?.accepted, held?.remote, held?.direction], [true, null, "recvonly"]);
});

test("two legs negotiated one after the other: codecs carried over, numbers mapped", () => {
  const fromA = sdp("m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000");
  const [legA] = createAnswer(fromA, ANSWERER).media;
  const codecs = codecsForOtherLeg(legA!);
  assert.deepEqual(
    codecs.map(({ payloadType }) => payloadType),
    [0, 96],
  );
  const toB = createOffer({ ...LOCAL, media: [{ local: { port: 6000 }, codecs }] });
  const fromB = sdp("m=audio 7000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000");
  const [legB] = negotiate(toB, fromB, "remote");
  const numbers = (rows: ReturnType<typeof payloadTypesBetween>) =>
    rows.map(({ name, from, to }) => `${name} ${from}>${to}`);
  assert.deepEqual(numbers(payloadTypesBetween(legA!, legB!)), ["PCMU 0>0", "telephone-event 96>101"]);
  assert.deepEqual(numbers(payloadTypesBetween(legB!, legA!)), ["PCMU 0>0", "telephone-event 96>96"]);
});

test("[R3264-8-1] the version rises by one when something changed, and only then", () => {
  const media = [{ local: { port: 4000 }, codecs: [PCMU] }];
  const first = createOffer({ ...LOCAL, media });
  const same = createOffer({
    origin: { sessionId: "other" },
    address: LOCAL.address,
    media,
    previous: first,
  });
  assert.deepEqual(same, first);
  const held = createOffer({ ...LOCAL, media: [{ ...media[0]!, direction: "sendonly" }], previous: same });
  assert.deepEqual(held.origin, { ...first.origin, version: "4" });
  const moved = createOffer({ ...LOCAL, address: "192.0.2.2", media, previous: held });
  assert.deepEqual(moved.origin, { ...first.origin, version: "5" });
  const large = createOffer({ ...LOCAL, origin: { sessionId: "1", version: "9007199254740993" }, media });
  const next = createOffer({ ...LOCAL, media: [], previous: large });
  assert.equal(next.origin.version, "9007199254740994");
  assert.deepEqual(
    next.media.map(({ port }) => port),
    [0],
  );
});
