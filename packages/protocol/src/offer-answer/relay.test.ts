import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSessionDescription, parseSessionDescription, type SessionDescription } from "../sdp/index.ts";
import { payloadTypesBetween, type RelaySide, relayAnswer, relayOffer } from "./index.ts";

function sdp(...lines: readonly string[]): SessionDescription {
  const head = ["v=0", "o=peer 5 9 IN IP4 198.51.100.7", "s=call", "c=IN IP4 198.51.100.7", "t=0 0"];
  const result = parseSessionDescription([...head, ...lines].join("\r\n"));
  assert.ok(result.ok, result.ok ? "" : result.error.message);
  return result.value;
}

const textOf = (description: SessionDescription) =>
  formatSessionDescription(description).split("\r\n").slice(0, -1);
const portLines = (description: SessionDescription) =>
  description.media.map(({ kind, port, formats }) => [kind, port, ...formats].join(" "));

const TO_B: RelaySide = {
  origin: { sessionId: "200" },
  address: "203.0.113.1",
  ports: [{ port: 30_000 }, { port: 30_002 }, { port: 30_004 }],
};
const TO_A: RelaySide = {
  origin: { sessionId: "100" },
  address: "192.0.2.1",
  ports: [{ port: 10_000 }, { port: 10_002 }, { port: 10_004 }],
};

function relayed(offer: SessionDescription, answer: SessionDescription, toA = TO_A, toB = TO_B) {
  const relayedOffer = relayOffer(offer, toB);
  const result = relayAnswer({ ...toA, offer, relayedOffer, answer });
  assert.ok(result.ok, result.ok ? "" : result.error.message);
  return { ...result.value, relayedOffer };
}

test("a WebRTC-like offer reaches the other leg with codecs, labels and unknown attributes, without the first leg's transport", () => {
  const offer = sdp(
    "a=group:BUNDLE a",
    "a=ice-lite",
    "a=fingerprint:sha-256 AA",
    "a=X-vendor:1",
    "a=sendonly",
    "m=audio 4000 RTP/AVP 111 0 8 9 18 97 101",
    "c=IN IP4 198.51.100.8",
    "b=AS:80",
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtpmap:97 X-UNKNOWN/16000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-16",
    "a=mid:a",
    "a=label:7",
    "a=ptime:20",
    "a=candidate:1 1 UDP 1 192.168.0.1 4000 typ host",
    "a=ice-ufrag:x",
    "a=ice-pwd:y",
    "a=setup:actpass",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret",
    "a=rtcp-mux",
    "a=rtcp:4009",
    "a=X-more",
  );
  assert.deepEqual(textOf(relayOffer(offer, TO_B)), [
    "v=0",
    "o=- 200 1 IN IP4 203.0.113.1",
    "s=call",
    "c=IN IP4 203.0.113.1",
    "t=0 0",
    "a=X-vendor:1",
    "m=audio 30000 RTP/AVP 111 0 8 9 18 97 101",
    "b=AS:80",
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtpmap:97 X-UNKNOWN/16000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-16",
    "a=mid:a",
    "a=label:7",
    "a=ptime:20",
    "a=X-more",
    "a=sendonly",
  ]);
});

test("lines that cannot be relayed keep their place with port 0", () => {
  const offer = sdp(
    "m=image 4000 udptl t38",
    "m=audio 0 RTP/AVP 0",
    "m=audio 4004 RTP/AVP 0",
    "m=audio 4006 RTP/AVP 0",
    "m=audio 4008 UDP/TLS/RTP/SAVPF 0",
  );
  const ports = [{ port: 1 }, { port: 2 }, { port: 30_004, rtcpPort: 30_099 }, null, { port: 5 }];
  const out = relayOffer(offer, { ...TO_B, ports });
  assert.deepEqual(portLines(out), ["image 0 t38", "audio 0 0", "audio 30004 0", "audio 0 0", "audio 0 0"]);
  assert.equal(textOf(out)[9], "a=rtcp:30099");
});

test("both styles of hold arrive as direction, and the answer goes back in kind", () => {
  const table = [
    [["a=sendonly"], "a=sendonly", "a=recvonly"],
    [["a=inactive"], "a=inactive", "a=inactive"],
    [["c=IN IP4 0.0.0.0"], "a=sendonly", "a=recvonly"],
    [["c=IN IP4 0.0.0.0", "a=recvonly"], "a=inactive", "a=inactive"],
    [["a=recvonly"], "a=recvonly", "a=sendonly"],
    [[], "a=sendrecv", "a=sendrecv"],
  ] as const;
  for (const [lines, towardsB, towardsA] of table) {
    const offer = sdp("m=audio 4000 RTP/AVP 0", ...lines);
    const { relayedOffer, description } = relayed(offer, sdp("m=audio 7000 RTP/AVP 0"));
    assert.equal(textOf(relayedOffer).at(-1), towardsB);
    assert.equal(textOf(description).at(-1), towardsA);
  }
  const held = relayed(sdp("m=audio 4000 RTP/AVP 0"), sdp("m=audio 7000 RTP/AVP 0", "c=IN IP4 0.0.0.0"));
  assert.equal(textOf(held.description).at(-1), "a=sendonly");
  assert.equal(held.answererMedia[0]?.remote, null);
  assert.equal(held.answererMedia[0]?.direction, "recvonly");
  assert.equal(held.offererMedia[0]?.direction, "sendonly");
});

test("an answer goes back with our address, the answerer's numbers and the offer's transport; both legs are told", () => {
  const offer = sdp(
    "m=audio 4000 RTP/AVPF 0 96 101",
    "a=rtcp:4100",
    "a=rtpmap:96 opus/48000/2",
    "a=rtpmap:101 telephone-event/8000",
    "a=label:L",
    "m=video 4002 RTP/AVP 31",
  );
  const answer = sdp(
    "m=audio 7000 RTP/AVP 111 18 102",
    "a=rtpmap:111 OPUS/48000/2",
    "a=rtpmap:18 G729/8000",
    "a=fmtp:18 annexb=no",
    "a=rtpmap:102 telephone-event/8000",
    "a=ptime:60",
    "m=video 0 RTP/AVP 31",
  );
  const { description, offererMedia, answererMedia } = relayed(offer, answer);
  assert.deepEqual(textOf(description), [
    "v=0",
    "o=- 100 1 IN IP4 192.0.2.1",
    "s=call",
    "c=IN IP4 192.0.2.1",
    "t=0 0",
    "m=audio 10000 RTP/AVPF 111 102",
    "a=rtpmap:111 OPUS/48000/2",
    "a=rtpmap:102 telephone-event/8000",
    "a=ptime:60",
    "a=sendrecv",
    "m=video 0 RTP/AVP 31",
  ]);
  const [a, b] = [offererMedia[0]!, answererMedia[0]!];
  assert.deepEqual([a.localPort, b.localPort], [10_000, 30_000]);
  assert.deepEqual(a.remote, {
    address: "198.51.100.7",
    rtpPort: 4000,
    rtcpAddress: "198.51.100.7",
    rtcpPort: 4100,
  });
  assert.equal(b.remote?.rtpPort, 7000);
  assert.deepEqual([a.label, a.ptimeMs, b.ptimeMs], ["L", undefined, 60]);
  assert.deepEqual([offererMedia[1]?.accepted, answererMedia[1]?.accepted], [false, false]);
  for (const [from, to, numbers] of [
    [a, b, [111, 102]],
    [b, a, [96, 101]],
  ] as const) {
    const rows = payloadTypesBetween(from, to);
    assert.deepEqual(
      rows.map((row) => row.from),
      numbers,
    );
    assert.deepEqual(
      rows.map((row) => row.to),
      numbers,
    );
  }
});

test("an answerer that takes what was not offered is not believed", () => {
  const offer = sdp("m=audio 0 RTP/AVP 0", "m=audio 4002 RTP/AVP 0", "m=audio 4004 RTP/AVP 0", "a=sendonly");
  const answer = sdp(
    "m=audio 7000 RTP/AVP 0",
    "m=audio 7002 RTP/AVP 8",
    "m=audio 7004 RTP/AVP 0",
    "a=sendrecv",
  );
  const { description, offererMedia, answererMedia } = relayed(offer, answer);
  assert.deepEqual(portLines(description), ["audio 0 0", "audio 0 0", "audio 10004 0"]);
  assert.equal(textOf(description).at(-1), "a=recvonly");
  for (const media of [offererMedia, answererMedia]) {
    assert.deepEqual(
      media.map(({ accepted }) => accepted),
      [false, false, true],
    );
  }
  assert.deepEqual([offererMedia[2]?.direction, answererMedia[2]?.direction], ["recvonly", "sendonly"]);
});

test("a line for which we have no port towards the offerer is off on both legs", () => {
  const offer = sdp("m=audio 4000 RTP/AVP 0");
  const result = relayed(offer, sdp("m=audio 7000 RTP/AVP 0"), { ...TO_A, ports: [] });
  assert.deepEqual([result.offererMedia[0]?.accepted, result.answererMedia[0]?.accepted], [false, false]);
});

test("an answer with another number of lines is an error", () => {
  const offer = sdp("m=audio 4000 RTP/AVP 0");
  const relayedOffer = relayOffer(offer, TO_B);
  for (const answer of [sdp(), sdp("m=audio 1 RTP/AVP 0", "m=audio 2 RTP/AVP 0")]) {
    const result = relayAnswer({ ...TO_A, offer, relayedOffer, answer });
    assert.equal(result.ok || result.error.code, "MEDIA_LINES_DIFFER");
  }
});

test("a later offer keeps o=, raises the version only for a change, and keeps lines the other leg already has", () => {
  const offer = sdp("m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 31");
  const first = relayOffer(offer, TO_B);
  assert.deepEqual(relayOffer(offer, { ...TO_B, previous: first }), first);
  const shorter = sdp("m=audio 4000 RTP/AVP 0", "a=sendonly");
  const held = relayOffer(shorter, { ...TO_B, previous: first });
  assert.deepEqual(portLines(held), ["audio 30000 0", "video 0 31"]);
  assert.deepEqual([held.origin.sessionId, held.origin.version], ["200", "2"]);
  const answer = sdp("m=audio 7000 RTP/AVP 0", "a=recvonly", "m=video 0 RTP/AVP 31");
  const back = relayAnswer({ ...TO_A, offer: shorter, relayedOffer: held, answer });
  assert.ok(back.ok);
  assert.deepEqual(portLines(back.value.description), ["audio 10000 0"]);
  assert.equal(back.value.answererMedia.length, 1);
});
