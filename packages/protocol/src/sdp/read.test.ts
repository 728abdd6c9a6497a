import assert from "node:assert/strict";
import { test } from "node:test";
import {
  codecsOf,
  directionOf,
  isHeld,
  isToken,
  labelOf,
  type MediaDescription,
  parseSessionDescription,
  ptimeOf,
  recordIndicationOf,
  recordPreferenceOf,
  rtcpAddressOf,
  type SessionDescription,
  sameCodec,
  samplingRateHzOf,
} from "./index.ts";

function sdp(session: readonly string[], ...media: readonly (readonly string[])[]): SessionDescription {
  const head = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "t=0 0", ...session];
  const result = parseSessionDescription([...head, ...media.flat()].map((line) => `${line}\r\n`).join(""));
  assert.ok(result.ok, result.ok ? "" : result.error.message);
  return result.value;
}

const line = (...lines: readonly string[]): MediaDescription => sdp([], lines).media[0]!;
const AUDIO = "m=audio 4000 RTP/AVP 0";
const HOST = "c=IN IP4 192.0.2.1";

test("[R3551-6-1] static payload types need no rtpmap; G722 has a clock of 8000", () => {
  const codecs = codecsOf(line("m=audio 4000 RTP/AVP 0 3 4 8 9 13 18 96", "a=fmtp:18 annexb=no"));
  assert.deepEqual(
    codecs.map(({ payloadType, name, clockRateHz }) => `${payloadType} ${name}/${clockRateHz}`),
    ["0 PCMU/8000", "3 GSM/8000", "4 G723/8000", "8 PCMA/8000", "9 G722/8000", "13 CN/8000", "18 G729/8000"],
  );
  assert.equal(codecs.at(-1)?.fmtp, "annexb=no");
  assert.equal(samplingRateHzOf(codecs[4]!), 16000);
  assert.equal(samplingRateHzOf(codecs[0]!), 8000);
  assert.equal(codecsOf(line("m=audio 4000 RTP/AVP 9", "a=rtpmap:9 G722/16000"))[0]?.clockRateHz, 8000);
  const video = codecsOf(line("m=video 4000 RTP/AVP 26 31 34"));
  assert.deepEqual(
    video.map(({ name }) => name),
    ["JPEG", "H261", "H263"],
  );
});

test("rtpmap and fmtp of dynamic types; junk and repeats are left out", () => {
  const media = line(
    "m=audio 4000 RTP/SAVPF 111 0 111 101 200 x 120 121",
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10; useinbandfec=1",
    "a=rtpmap:101 telephone-event/8000",
    "a=rtpmap:120 broken",
    "a=rtpmap:121 zero/0",
  );
  assert.deepEqual(codecsOf(media), [
    { payloadType: 111, name: "opus", clockRateHz: 48000, channels: 2, fmtp: "minptime=10; useinbandfec=1" },
    { payloadType: 0, name: "PCMU", clockRateHz: 8000, channels: 1 },
    { payloadType: 101, name: "telephone-event", clockRateHz: 8000, channels: 1 },
  ]);
  assert.deepEqual(codecsOf(line("m=application 4000 udptl 0")), []);
  const pcmu = { name: "PCMU", clockRateHz: 8000, channels: 1 };
  assert.ok(sameCodec(pcmu, { ...pcmu, name: "pcmu" }));
  assert.ok(!sameCodec(pcmu, { ...pcmu, clockRateHz: 16000 }));
});

test("[R8866-6.7-2] direction: the media's, else the session's, else sendrecv", () => {
  const description = sdp(["a=sendonly"], [AUDIO], [AUDIO, "a=recvonly"]);
  assert.deepEqual(
    description.media.map((media) => directionOf(description, media)),
    ["sendonly", "recvonly"],
  );
  const silent = sdp([], [AUDIO, "a=direction:both"]);
  assert.equal(directionOf(silent, silent.media[0]!), "sendrecv");
});

test("[R3264-8.4-1] hold: by direction, by c=0.0.0.0, and like addresses; names and IPv6 are addresses", () => {
  const held = (...lines: readonly string[]) => {
    const description = sdp([], [AUDIO, ...lines]);
    return isHeld(description, description.media[0]!);
  };
  assert.ok(held(HOST, "a=sendonly"));
  assert.ok(held(HOST, "a=inactive"));
  assert.ok(held("c=IN IP4 0.0.0.0"));
  assert.ok(held("c=IN IP6 ::"));
  assert.ok(held("c=IN IP6 hold.invalid"));
  assert.ok(!held(HOST));
  assert.ok(!held(HOST, "a=recvonly"));
  assert.ok(!held("c=IN IP6 2001:db8::5"));
  assert.ok(!held("c=IN IP4 media.example.com"));
});

test("[R3605-2.1-1] RTCP goes where a=rtcp of the m-line says, else to the next port", () => {
  const rtcp = (...lines: readonly string[]) => {
    const description = sdp(["a=rtcp:1111", HOST], lines);
    return rtcpAddressOf(description, description.media[0]!);
  };
  assert.deepEqual(rtcp(AUDIO), { address: "192.0.2.1", port: 4001 });
  assert.deepEqual(rtcp(AUDIO, "a=rtcp:53020"), { address: "192.0.2.1", port: 53020 });
  assert.deepEqual(rtcp(AUDIO, "a=rtcp:53020 IN IP4 192.0.2.9"), { address: "192.0.2.9", port: 53020 });
  assert.deepEqual(rtcp(AUDIO, "a=rtcp:53020 IN IP6 2001:db8::9"), { address: "2001:db8::9", port: 53020 });
  assert.deepEqual(rtcp(AUDIO, "a=rtcp:0"), { address: "192.0.2.1", port: 4001 });
  assert.deepEqual(rtcp(AUDIO, "a=rtcp:99999"), { address: "192.0.2.1", port: 4001 });
  assert.deepEqual(rtcp(AUDIO, "a=rtcp:junk"), { address: "192.0.2.1", port: 4001 });
  assert.deepEqual(rtcp("m=audio 65535 RTP/AVP 0"), { address: "192.0.2.1", port: 65535 });
  assert.equal(rtcp("m=audio 0 RTP/AVP 0"), undefined);
  const mux = sdp([HOST], [AUDIO, "a=rtcp-mux", "a=rtcp:5000"]);
  assert.equal(rtcpAddressOf(mux, mux.media[0]!)?.port, 5000);
  assert.equal(rtcpAddressOf(mux, mux.media[0]!, { mux: true })?.port, 4000);
});

test("[R4574-4-1] a label is a media attribute: tokens to send, any text to read", () => {
  assert.equal(labelOf(line(AUDIO, "a=label:01")), "01");
  assert.equal(labelOf(line(AUDIO, "a=label:a b;c=d")), "a b;c=d");
  assert.equal(labelOf(sdp(["a=label:session"], [AUDIO]).media[0]!), undefined);
  for (const good of ["inbound", "1", "a-b_c.d!", "0"]) assert.ok(isToken(good), good);
  for (const bad of ["", "a b", "a@b", "a/b", "a,b", "a;b", "a=b", 'a"b', "ä"]) assert.ok(!isToken(bad), bad);
});

test("ptime: positive numbers only", () => {
  assert.equal(ptimeOf(line(AUDIO, "a=ptime:20")), 20);
  assert.equal(ptimeOf(line(AUDIO, "a=ptime:2.5")), 2.5);
  for (const bad of ["", "0", "-20", "x", "1e9"])
    assert.equal(ptimeOf(line(AUDIO, `a=ptime:${bad}`)), undefined, bad);
  assert.equal(ptimeOf(line(AUDIO)), undefined);
});

test("[R7866-7.1.2-2] a=record: on, off, paused; the media's word counts before the session's", () => {
  const indications = (session: readonly string[], ...lines: readonly string[]) => {
    const description = sdp(session, [AUDIO, ...lines]);
    return recordIndicationOf(description, description.media[0]!);
  };
  assert.equal(indications(["a=record:on"]), "on");
  assert.equal(indications(["a=record:on"], "a=record:off"), "off");
  assert.equal(indications([], "a=record:paused"), "paused");
  assert.equal(indications(["a=record:off"], "a=record:pause"), "off");
  assert.equal(indications([]), undefined);
});

test("[R7866-7.3.2-1] [R7866-7.3.2-2] a=recordpref: four values, absent is nopreference, media before session", () => {
  const preference = (session: readonly string[], ...lines: readonly string[]) => {
    const description = sdp(session, [AUDIO, ...lines]);
    return recordPreferenceOf(description, description.media[0]!);
  };
  for (const value of ["on", "off", "pause", "nopreference"] as const) {
    assert.equal(preference([`a=recordpref:${value}`]), value);
  }
  assert.equal(preference(["a=recordpref:off"], "a=recordpref:on"), "on");
  assert.equal(preference([], "a=recordpref:paused"), "nopreference");
  assert.equal(preference([]), "nopreference");
});

test("[R7866-7.3.2-3] the doubled a= of the RFC's grammar is an unknown attribute", () => {
  const description = sdp([], [AUDIO, "a=a=recordpref:off"]);
  assert.equal(recordPreferenceOf(description, description.media[0]!), "nopreference");
});
