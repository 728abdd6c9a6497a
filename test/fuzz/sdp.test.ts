import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createAnswer,
  createRecordingAnswer,
  relayAnswer,
  relayOffer,
} from "@callfork/protocol/offer-answer";
import {
  codecsOf,
  connectionOf,
  cryptoOf,
  directionOf,
  formatSessionDescription,
  isHeld,
  labelOf,
  parseSessionDescription,
  ptimeOf,
  recordIndicationOf,
  recordPreferenceOf,
  rtcpAddressOf,
  type SessionDescription,
} from "@callfork/protocol/sdp";
import { type Below, corpusOf, fuzz, mutate, octetsOf, rounds } from "./fuzzer.ts";

const KEY = `inline:${Buffer.alloc(30, 7).toString("base64")}`;
const corpus = [
  [
    "v=0",
    "o=- 1 1 IN IP4 10.0.0.1",
    "s=-",
    "c=IN IP4 10.0.0.1",
    "t=0 0",
    "m=audio 4000 RTP/AVP 0 8 101",
  ].concat(["a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=ptime:20", "a=sendrecv", ""]),
  [
    "v=0",
    "o=alice 2890844526 2890844527 IN IP6 2001:db8::1",
    "s= ",
    "i=a call",
    "u=http://a.example",
    "e=a@b",
  ]
    .concat([
      "p=+1 617 555-6011",
      "c=IN IP6 2001:db8::1",
      "b=AS:64",
      "t=3034423619 3042462419",
      "r=7d 1h 0 25h",
    ])
    .concat([
      "k=prompt",
      "a=recvonly",
      "m=audio 49170 RTP/SAVP 0 9",
      `a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}|2^20|1:4`,
    ])
    .concat([`a=crypto:2 AES_CM_128_HMAC_SHA1_32 ${KEY} WSH=64 -x`, "a=rtcp:53020 IN IP6 2001:db8::2", ""]),
  [
    "v=0",
    "o=SRC 9 10 IN IP4 10.0.0.2",
    "s=-",
    "c=IN IP4 10.0.0.2",
    "t=0 0",
    "a=recordpref:on",
    "a=record:paused",
  ]
    .concat([
      "m=audio 6000 RTP/AVP 8",
      "a=label:1",
      "a=sendonly",
      "m=audio 6002 RTP/AVP 8",
      "a=label:2",
      "a=inactive",
    ])
    .concat(["m=video 6004 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=rtcp-mux", "m=image 0 udptl t38", ""]),
]
  .map((lines) => octetsOf(lines.join("\r\n")))
  .concat(corpusOf("sdp"));

const SPICE = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  "=",
  ":",
  " ",
  "  ",
  "/",
  ";",
  "|",
  "-1",
  "65536",
  "9".repeat(40),
  "\xff",
  "\xc3\x28",
]
  .concat([
    "m=audio 1 RTP/AVP 0\r\n",
    "a=rtpmap:0 PCMU/0\r\n",
    "a=rtpmap:300 x/1\r\n",
    "a=label:\r\n",
    "c=IN IP4 0.0.0.0\r\n",
  ])
  .concat([
    "m=audio 1/4 RTP/AVP\r\n",
    "a=crypto:1 x inline:\r\n",
    "a=ptime:-0\r\n",
    "o=\r\n",
    "v=1\r\n",
    "IN IP4 x",
  ])
  .map(octetsOf);

const CODECS = [
  { payloadType: 0, name: "PCMU", clockRateHz: 8000, channels: 1 },
  { payloadType: 8, name: "PCMA", clockRateHz: 8000, channels: 1 },
  { payloadType: 101, name: "telephone-event", clockRateHz: 8000, channels: 1, fmtp: "0-16" },
];
const SIDE = {
  origin: { sessionId: "1" },
  address: "192.0.2.1",
  ports: Array.from({ length: 100 }, (_, i) => ({ port: 20_000 + 2 * i })),
};

/** Every question that a description is asked. */
function readEverything(description: SessionDescription): void {
  for (const media of description.media) {
    codecsOf(media);
    connectionOf(description, media);
    cryptoOf(media);
    directionOf(description, media);
    isHeld(description, media);
    labelOf(media);
    ptimeOf(media);
    recordIndicationOf(description, media);
    recordPreferenceOf(description, media);
    rtcpAddressOf(description, media);
  }
}

test("no mutation of a description makes parser, readers or answers throw or take long, and what was written is written the same again", () => {
  let [understood, answered] = [0, 0];
  let before: SessionDescription | undefined;
  const mutation = (random: Below): Uint8Array => mutate(corpus, SPICE, random);
  fuzz("sdp", mutation, (bytes) => {
    const parsed = parseSessionDescription(bytes);
    if (!parsed.ok) {
      assert.ok(parsed.error.line >= 0 && parsed.error.message !== "");
      return;
    }
    understood += 1;
    const offer = parsed.value;
    readEverything(offer);
    // Lines out of order move to where they belong when they are written; after that nothing moves any more.
    const written = formatSessionDescription(offer);
    const again = parseSessionDescription(written);
    assert.ok(again.ok);
    assert.equal(formatSessionDescription(again.value), written);

    const lines = offer.media.length;
    const { description } = createAnswer(offer, { ...SIDE, lines: SIDE.ports, codecs: CODECS });
    assert.equal(description.media.length, lines);
    const recorded = createRecordingAnswer(offer, { ...SIDE, codecs: CODECS });
    assert.equal(recorded.description.media.length, lines);
    // The mutation before answers what this one offers, by way of us.
    const relayedOffer = relayOffer(offer, SIDE);
    assert.equal(relayedOffer.media.length, lines);
    const relayed = relayAnswer({ ...SIDE, offer, relayedOffer, answer: before ?? offer });
    if (relayed.ok) {
      answered += 1;
      assert.equal(relayed.value.description.media.length, lines);
    }
    before = offer;
  });
  assert.ok(understood > rounds / 5, `${understood} were understood`);
  // Two mutations in a row have to agree on their lines for that.
  assert.ok(answered > rounds / 100, `${answered} were answered`);
});
