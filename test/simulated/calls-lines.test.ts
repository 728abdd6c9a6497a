import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attribute,
  directionOf,
  parseSessionDescription,
  type SessionDescription,
} from "@callfork/protocol/sdp";
import { createResponse, formatSipMessage, type SipResponse } from "@callfork/protocol/sip";
import { CallsWorld, type Phone, type SdpOptions } from "./calls-world.ts";
import { RawPeer } from "./raw-peer.ts";

const DIAL = '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>';
const video = (port: number, more: readonly string[] = []) => [
  `m=video ${port} RTP/AVP 97 98`,
  "a=rtpmap:97 H264/90000",
  "a=fmtp:97 profile-level-id=42e01f;packetization-mode=1",
  "a=rtcp-fb:97 nack pli",
  "a=rtpmap:98 rtx/90000",
  "a=fmtp:98 apt=97",
  ...more,
];

interface Calling {
  readonly w: CallsWorld;
  readonly alice: Phone;
  readonly bob: Phone;
}

/** Alice calls with these lines; Bob answers with those. */
async function called(offer: SdpOptions, answer: SdpOptions = {}, twiml = DIAL): Promise<Calling> {
  const w = new CallsWorld({ transfers: "all" });
  w.number("1001", twiml);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite, answer);
  alice.call("1001", { sdp: offer });
  await w.advance(500);
  assert.ok(alice.dialog && bob.dialog, w.story);
  return { w, alice, bob };
}

const linesOf = (sdp: SessionDescription | undefined) =>
  sdp?.media.map(({ kind, port }) => `${kind} ${port === 0 ? "off" : "on"}`);
const offerTo = (phone: Phone) => phone.offerOf(phone.invites[0]);
const inAnswer = ({ body }: SipResponse) => {
  const parsed = parseSessionDescription(body);
  assert.ok(parsed.ok);
  return parsed.value;
};
/** The legs of the media plane that are for video, as far as they are open, and where their packets go. */
const passages = (w: CallsWorld) =>
  [...w.media.open].flatMap(([id, { isPassage }]) => (isPassage ? [id] : []));
const remotesOf = (w: CallsWorld) => passages(w).map((id) => w.media.connections.get(id)?.remote?.rtpPort);

test("[R3264-5-2] video passes through: both parties see each other's formats, and their packets are joined", async () => {
  const { w, alice, bob } = await called({ more: video(5000) }, { more: video(6000) });
  const offered = offerTo(bob).media[1]!;
  const answered = alice.answer!.media[1]!;
  for (const line of [offered, answered]) {
    assert.deepEqual(line.formats, ["97", "98"]);
    assert.equal(attribute(line, "rtcp-fb"), "97 nack pli");
    assert.equal(attribute(line, "fmtp"), "97 profile-level-id=42e01f;packetization-mode=1");
  }
  assert.deepEqual(remotesOf(w).sort(), [5000, 6000]);
  const [one, other] = passages(w);
  const bridge = [...w.media.bridges].find(([a]) => a === one || a === other);
  assert.deepEqual([bridge?.[0], bridge?.[1].to].sort(), [one, other]);
  assert.ok(w.media.open.size === 4 && offered.port > 10_000 && answered.port > 10_000);
  assert.equal(new Set([...offerTo(bob).media, ...alice.answer!.media].map(({ port }) => port)).size, 4);
  void alice.dialog!.bye();
  await w.advance(40_000);
  assert.equal(w.media.open.size, 0, "nothing of it is left");
});

test("[R7866-12.2-2] keys are of each leg and each line: video by SRTP on one side goes in the clear on the other", async () => {
  const key = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
  const secured = [
    "m=video 5000 RTP/SAVP 97",
    "a=rtpmap:97 H264/90000",
    `a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${key}`,
  ];
  const { w, alice, bob } = await called({ more: secured }, { more: video(6000).slice(0, 3) });
  const [offered, answered] = [offerTo(bob).media[1]!, alice.answer!.media[1]!];
  assert.equal(offered.protocol, "RTP/AVP");
  assert.equal(attribute(offered, "crypto"), undefined);
  assert.equal(answered.protocol, "RTP/SAVP");
  assert.match(attribute(answered, "crypto")!, /^1 AES_CM_128_HMAC_SHA1_80 inline:/);
  assert.ok(!attribute(answered, "crypto")!.includes(key));
  const keyed = passages(w).map((id) => {
    const { remote, srtp } = w.media.connections.get(id)!;
    return `${remote?.rtpPort} ${srtp === undefined ? "clear" : srtp.receive.suite}`;
  });
  assert.deepEqual(keyed.sort(), ["5000 AES_CM_128_HMAC_SHA1_80", "6000 clear"]);
});

test("[R3264-8.2-2] a callee without video: port 0 on both sides, and no port is kept for it", async () => {
  const refusal = ["m=video 0 RTP/AVP 97"];
  const { w, alice, bob } = await called({ more: video(5000) }, { more: refusal });
  assert.deepEqual(linesOf(offerTo(bob)), ["audio on", "video on"]);
  assert.deepEqual(linesOf(alice.answer), ["audio on", "video off"]);
  assert.deepEqual(passages(w), []);
  // A refresh says port 0, as it should, or the whole offer again: neither is news for Bob.
  for (const more of [refusal, video(5000)]) {
    const refreshed = alice.dialog!.reinvite({ body: alice.sdp({ more, version: 2 }) });
    await w.advance(500);
    if (more === refusal) assert.deepEqual(linesOf(inAnswer(await refreshed)), ["audio on", "video off"]);
  }
});

test("[R3264-6-2] other lines – a second audio, T.38, a data channel – are refused with port 0 wherever they stand", async () => {
  const more = [
    ...["m=image 5002 udptl t38", "a=T38FaxVersion:0"],
    ...["m=application 5004 UDP/BFCP *"],
    ...["m=audio 5006 RTP/AVP 0", "a=rtpmap:0 PCMU/8000"],
  ];
  const refusals = ["m=image 0 udptl t38", "m=application 0 UDP/BFCP *", "m=audio 0 RTP/AVP 0"];
  const { w, alice, bob } = await called({ more }, { more: refusals });
  const expected = ["audio on", "image off", "application off", "audio off"];
  assert.deepEqual(linesOf(offerTo(bob)), expected);
  assert.deepEqual(linesOf(alice.answer), expected);
  assert.equal(w.media.open.size, 2);
});

test("[R9143-7.3-1] BUNDLE is politely refused: no group is answered or passed on, and each line has a port of its own", async () => {
  const { alice, bob } = await called(
    { session: ["a=group:BUNDLE a v"], more: ["a=mid:a", ...video(5000, ["a=mid:v"])] },
    { more: ["a=mid:a", ...video(6000, ["a=mid:v"])] },
  );
  for (const description of [offerTo(bob), alice.answer!]) {
    assert.deepEqual(description.attributes, []);
    assert.deepEqual(
      description.media.map((line) => attribute(line, "mid")),
      ["a", "v"],
    );
    assert.notEqual(description.media[0]!.port, description.media[1]!.port);
  }
});

test("[R5761-5.1.1-1] rtcp-mux is answered to those who ask, on each leg by itself", async () => {
  const muxed = ["a=rtcp-mux"];
  const { w, alice, bob } = await called(
    { port: 4100, more: [...muxed, ...video(5000, muxed)] },
    { more: video(6000) },
  );
  for (const line of alice.answer!.media) assert.equal(attribute(line, "rtcp-mux"), "");
  for (const line of offerTo(bob).media) assert.equal(attribute(line, "rtcp-mux"), "");
  const remotes = [...w.media.connections.values()].map(({ remote }) => remote!);
  const rtcpOf = (rtpPort: number) => remotes.find((remote) => remote.rtpPort === rtpPort)?.rtcpPort;
  assert.deepEqual([4100, 5000, 4000, 6000].map(rtcpOf), [4100, 5000, 4001, 6001]);
});

test("[R5761-5.1.1-2] who does not ask for rtcp-mux is not offered it, and keeps two ports", async () => {
  const { w, alice, bob } = await called({ port: 4100 });
  for (const description of [offerTo(bob), alice.answer!]) {
    assert.equal(attribute(description.media[0]!, "rtcp-mux"), undefined);
  }
  const [remote] = [...w.media.connections.values()].flatMap(({ remote }) =>
    remote?.rtpPort === 4100 ? [remote] : [],
  );
  assert.equal(remote?.rtcpPort, 4101);
});

test("[R5761-5.1.3-1] one port for both is kept when the call is refreshed", async () => {
  const { w, alice } = await called({ more: ["a=rtcp-mux"] }, { more: ["a=rtcp-mux"], port: 4400 });
  const asked = alice.dialog!.reinvite({});
  await w.advance(500);
  assert.equal(attribute(inAnswer(await asked).media[0]!, "rtcp-mux"), "");
});

test("[R3605-2.1-3] a=rtcp of either party is heeded: its port, and another machine", async () => {
  const { w } = await called(
    { port: 4100, more: ["a=rtcp:7001"] },
    { port: 4200, more: ["a=rtcp:7002 IN IP4 10.0.0.77"] },
  );
  const remotes = [...w.media.connections.values()].map(({ remote }) => remote!);
  const of = (port: number) => remotes.find(({ rtpPort }) => rtpPort === port);
  assert.deepEqual(of(4100), { address: "10.0.0.1", rtpPort: 4100, rtcpPort: 7001 });
  assert.deepEqual(of(4200), {
    address: "10.0.0.2",
    rtpPort: 4200,
    rtcpPort: 7002,
    rtcpAddress: "10.0.0.77",
  });
});

test("[R8866-6.4-1] ptime and maxptime pass from either party to the other", async () => {
  const { alice, bob } = await called(
    { more: ["a=ptime:30", "a=maxptime:60"] },
    { more: ["a=ptime:40", "a=maxptime:80"] },
  );
  const times = ({ media: [line] }: SessionDescription) =>
    ["ptime", "maxptime"].map((name) => attribute(line!, name));
  assert.deepEqual(times(offerTo(bob)), ["30", "60"]);
  assert.deepEqual(times(alice.answer!), ["40", "80"]);
});

test("[R3264-8.1-1] video is added to a call, taken away and added again; nothing else changes", async () => {
  const { w, alice, bob } = await called({});
  const dialog = alice.dialog!;
  const reinvite = async (more: readonly string[], answer: readonly string[], version: number) => {
    bob.reoffered = () => ({ more: answer, version });
    const response = dialog.reinvite({ body: alice.sdp({ more, version }) });
    await w.advance(500);
    return linesOf(inAnswer(await response));
  };
  assert.deepEqual(await reinvite(video(5000), video(6000), 2), ["audio on", "video on"]);
  assert.deepEqual(linesOf(bob.offers.at(-1)?.sdp), ["audio on", "video on"]);
  assert.deepEqual(remotesOf(w).sort(), [5000, 6000]);
  const off = ["m=video 0 RTP/AVP 97"];
  assert.deepEqual(await reinvite(off, off, 3), ["audio on", "video off"]);
  assert.deepEqual(passages(w), []);
  assert.deepEqual(await reinvite(video(5002), video(6002), 4), ["audio on", "video on"]);
  assert.deepEqual(remotesOf(w).sort(), [5002, 6002]);
  assert.equal(w.media.bridges.size, 2, w.story);
});

test("hold and resume of a call with video: each line's direction passes, and the video comes back", async () => {
  const { w, alice, bob } = await called({ more: video(5000) }, { more: video(6000) });
  const directions = (sdp: SessionDescription) => sdp.media.map((line) => directionOf(sdp, line));
  bob.reoffered = () => ({ direction: "recvonly", more: video(6000, ["a=inactive"]), version: 2 });
  const held = alice.dialog!.reinvite({
    body: alice.sdp({ direction: "sendonly", more: video(5000, ["a=inactive"]), version: 2 }),
  });
  await w.advance(500);
  assert.deepEqual(directions(inAnswer(await held)), ["recvonly", "inactive"]);
  assert.deepEqual(directions(bob.offers[0]!.sdp!), ["sendonly", "inactive"]);
  bob.reoffered = () => ({ more: video(6000), version: 3 });
  const resumed = alice.dialog!.reinvite({ body: alice.sdp({ more: video(5000), version: 3 }) });
  await w.advance(500);
  assert.deepEqual(directions(inAnswer(await resumed)), ["sendrecv", "sendrecv"]);
  assert.deepEqual(
    passages(w).map((id) => w.media.connections.get(id)?.direction),
    ["sendrecv", "sendrecv"],
  );
});

test("a session refresh, an UPDATE and an offer that is asked for keep the video, and the other party is left alone", async () => {
  const { w, alice, bob } = await called({ more: video(5000) }, { more: video(6000) });
  const body = alice.sdp({ more: video(5000) });
  const dialog = alice.dialog!;
  for (const ask of [
    () => dialog.reinvite({ body }),
    () => dialog.update({ body }),
    () => dialog.reinvite({}),
  ]) {
    const response = ask();
    await w.advance(500);
    const line = inAnswer(await response).media[1]!;
    assert.ok(line.port > 0, w.story);
    assert.deepEqual(line.formats, ["97", "98"]);
    assert.equal(attribute(line, "rtcp-fb"), "97 nack pli");
  }
  assert.equal(bob.offers.length, 0);
  assert.equal(passages(w).length, 2);
});

test("[R3264-8.3.1-2] a party that moves is followed: address and ports of a re-INVITE, on every line, and nobody else is asked", async () => {
  const { w, alice, bob } = await called({ more: video(5000) }, { more: video(6000) });
  const moved = alice.dialog!.reinvite({
    body: alice.sdp({ address: "10.9.9.9", port: 4800, more: video(5800), version: 2 }),
  });
  await w.advance(500);
  assert.equal((await moved).status, 200);
  assert.equal(bob.offers.length, 0);
  const remotes = [...w.media.connections.values()].map(
    ({ remote }) => `${remote?.address} ${remote?.rtpPort}`,
  );
  assert.ok(remotes.includes("10.9.9.9 4800") && remotes.includes("10.9.9.9 5800"), remotes.join());
  assert.ok(!remotes.includes("10.0.0.1 4000"));
});

test("a transfer to a party without video: the line that lost its other end is offered again with port 0", async () => {
  const { w, alice, bob } = await called({ more: video(5000) }, { more: video(6000) });
  const carol = w.phone("10.0.0.3");
  carol.answering = (invite) => carol.pickUp(invite);
  alice.reoffered = () => ({ more: ["m=video 0 RTP/AVP 97"], version: 2 });
  void bob.dialog!.request("REFER", { headers: [["Refer-To", "<sip:carol@10.0.0.3>"]] });
  await w.advance(2_000);
  assert.ok(carol.dialog, w.story);
  assert.deepEqual(linesOf(alice.offers.at(-1)?.sdp), ["audio on", "video off"]);
  assert.deepEqual(passages(w), []);
  assert.equal(w.media.bridges.size, 1);
});

test("early media of several callees: one without video is heard first, one with it answers; nobody sends pictures to nobody", async () => {
  const w = new CallsWorld();
  w.number("1001", DIAL);
  const alice = w.phone("10.0.0.1");
  const fork = new RawPeer(w.world, "10.0.0.2");
  alice.call("1001", { sdp: { more: video(5000) } });
  await w.advance(300);
  const invite = fork.last("INVITE");
  const answer = (status: number, toTag: string, audio: number, pictures: number) => {
    const lines = [
      ...["v=0", `o=- ${audio} 1 IN IP4 10.0.0.2`, "s=-", "c=IN IP4 10.0.0.2", "t=0 0"],
      ...[`m=audio ${audio} RTP/AVP 0`, `m=video ${pictures} RTP/AVP 97`, "a=rtpmap:97 H264/90000"],
    ];
    const headers: [string, string][] = [
      ["Contact", "<sip:fork@10.0.0.2>"],
      ["Content-Type", "application/sdp"],
    ];
    const body = new TextEncoder().encode(`${lines.join("\r\n")}\r\n`);
    void fork.node.send(
      formatSipMessage(createResponse(invite.request, status, { toTag, headers, body })),
      invite.flow,
    );
  };
  answer(183, "one", 5100, 0);
  await w.advance(300);
  assert.deepEqual(linesOf(alice.provisionals.at(-1)?.sdp), ["audio on", "video off"]);
  answer(183, "two", 5200, 6200);
  await w.advance(300);
  answer(200, "two", 5200, 6200);
  await w.advance(1_000);
  assert.deepEqual(linesOf(alice.answer), ["audio on", "video off"], "as she was told before");
  const again = fork.last("INVITE").request;
  const parsed = parseSessionDescription(again.body);
  assert.deepEqual(parsed.ok && linesOf(parsed.value), ["audio on", "video off"], w.story);
  assert.deepEqual(passages(w), []);
});

test("the ports run out: the call goes on without its video", async () => {
  const w = new CallsWorld();
  w.number("1001", DIAL);
  w.media.portsLeft = 2;
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite, { more: ["m=video 0 RTP/AVP 97"] });
  alice.call("1001", { sdp: { more: video(5000) } });
  await w.advance(500);
  assert.deepEqual(linesOf(alice.answer), ["audio on", "video off"], w.story);
});
