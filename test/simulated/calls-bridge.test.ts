import assert from "node:assert/strict";
import { test } from "node:test";
import { writeWavHeader } from "@callfork/protocol/audio";
import { codecsOf, directionOf, type SessionDescription } from "@callfork/protocol/sdp";
import { createResponse, formatSipMessage } from "@callfork/protocol/sip";
import { CallsWorld } from "./calls-world.ts";
import { RawPeer } from "./raw-peer.ts";

const DIAL = '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>';

/** Alice and Bob, bridged. */
async function bridged(twiml = DIAL) {
  const w = new CallsWorld();
  w.number("1001", twiml);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  alice.call("1001");
  await w.advance(500);
  assert.ok(alice.dialog && bob.dialog, w.story);
  return { w, alice, bob, a: alice.dialog, b: bob.dialog };
}

const audioDirection = (description: SessionDescription | undefined) =>
  description && directionOf(description, description.media[0]!);

test("the callee holds, hangs up, and the caller hears the next verb", async () => {
  const { w, alice, bob, b } = await bridged(`${DIAL}<Pause length="5"/>`);
  alice.reoffered = (offer) => ({
    direction: audioDirection(offer) === "sendonly" ? "recvonly" : "sendrecv",
    version: alice.offers.length + 1,
  });
  const held = b.reinvite({ body: bob.sdp({ direction: "sendonly", version: 2 }) });
  await w.advance(500);
  assert.equal((await held).status, 200);
  assert.equal(audioDirection(alice.offers[0]?.sdp), "sendonly");
  void b.bye();
  await w.advance(1_000);
  assert.equal(audioDirection(alice.offers[1]?.sdp), "sendrecv", w.story);
});

test("[R3261-14.2-2] a session refresh is answered alone; the same description comes back under the same version", async () => {
  const { w, alice, bob, a } = await bridged();
  const first = a.reinvite({ body: alice.sdp({}) });
  await w.advance(500);
  const second = a.reinvite({ body: alice.sdp({}) });
  await w.advance(500);
  assert.equal(bob.offers.length, 0);
  assert.deepEqual((await first).body, (await second).body);
});

test("a re-INVITE without an offer gets one, of what is agreed", async () => {
  const { w, a, bob } = await bridged();
  const response = a.reinvite({});
  await w.advance(500);
  const { status, body } = await response;
  assert.equal(status, 200);
  assert.match(new TextDecoder().decode(body), /m=audio \d+ RTP\/AVP 0 101\r\n/);
  assert.equal(bob.offers.length, 0);
});

test("a codec change that the other side takes reaches the media plane on both legs", async () => {
  const { w, alice, bob, a } = await bridged();
  bob.reoffered = () => ({ codecs: ["9 G722/8000"], version: 2 });
  const tap = w.room.tap(w.store.calls[0]!.sid)!;
  let changes = 0;
  tap.onChange(() => {
    changes += 1;
  });
  const response = a.reinvite({ body: alice.sdp({ codecs: ["9 G722/8000", "0 PCMU/8000"], version: 2 }) });
  await w.advance(500);
  assert.equal((await response).status, 200);
  assert.deepEqual(tap.codecs(), [
    { name: "G722", clockRateHz: 8000, payloadType: 9, receivePayloadType: 9 },
  ]);
  assert.ok(changes > 0);
  for (const id of w.media.open.keys()) assert.equal(w.media.connections.get(id)?.codecs[0]?.name, "G722");
});

test("a callee that numbers its codecs by itself: packets get the other side's numbers", async () => {
  const w = new CallsWorld();
  w.number("1001", "<Dial><Sip>sip:bob@10.0.0.2</Sip></Dial>");
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite, { codecs: ["0 PCMU/8000", "97 telephone-event/8000"] });
  alice.call("1001");
  await w.advance(500);
  const [bridge] = [...w.media.bridges.values()];
  assert.deepEqual([...(bridge?.options.aToB ?? [])], [[101, 97]]);
});

test("offers of both sides at once: one of them gets 491, and the call is as it was or as one of them wished", async () => {
  const { w, alice, bob, a, b } = await bridged();
  bob.reoffered = () => ({ direction: "recvonly", version: 3 });
  alice.reoffered = () => ({ direction: "recvonly", version: 3 });
  const fromAlice = a.reinvite({ body: alice.sdp({ direction: "sendonly", version: 2 }) });
  const fromBob = b.reinvite({ body: bob.sdp({ direction: "sendonly", version: 2 }) });
  await w.advance(60_000);
  const statuses = [(await fromAlice).status, (await fromBob).status];
  assert.ok(statuses.includes(200), String(statuses));
  assert.equal(w.room.liveCount, 2);
  void a.bye();
  await w.advance(40_000);
  assert.equal(w.room.liveCount, 0);
});

test("INFO passes through with its body; a trunk's REFER is declined by default", async () => {
  const { w, a, b, bob } = await bridged();
  const seen: string[] = [];
  b.attach({
    onRequest: (request, body) => {
      seen.push(`${request.method} ${body[0]?.mediaType} ${new TextDecoder().decode(body[0]?.bytes)}`);
      return { status: 200 };
    },
    onEnded: (why) => {
      bob.end = why;
    },
  });
  const info = a.request("INFO", {
    body: { contentType: "application/dtmf-relay", bytes: new TextEncoder().encode("Signal=5") },
  });
  const refer = a.request("REFER", { headers: [["Refer-To", "<sip:carol@10.0.0.3>"]] });
  await w.advance(500);
  assert.equal((await info).status, 200);
  assert.equal((await refer).status, 603);
  assert.deepEqual(seen, ["INFO application/dtmf-relay Signal=5"]);
});

test("the time limit of a Dial parts the legs, and the document goes on", async () => {
  const { w, alice, bob } = await bridged(
    `${DIAL.replace("<Dial", '<Dial timeLimit="10"')}<Pause length="5"/>`,
  );
  await w.advance(10_000);
  assert.equal(bob.end?.by, "remote");
  assert.equal(Boolean(alice.end), false);
  await w.advance(6_000);
  assert.equal(alice.end?.by, "remote");
});

test("a leg whose transport is gone takes the bridge down; no call is wedged", async () => {
  const { w, alice, a } = await bridged();
  w.world.network.filter = ({ to }) => (to.startsWith("10.0.0.2") ? "drop" : "pass");
  const response = a.reinvite({ body: alice.sdp({ direction: "sendonly", version: 2 }) });
  await w.advance(120_000);
  assert.ok((await response).status >= 400);
  assert.ok(alice.end, w.story);
  assert.equal(w.room.liveCount, 0);
  assert.equal(w.media.open.size, 0);
});

test("audio after a bridge with another codec: the party is asked to change first", async () => {
  const w = new CallsWorld();
  w.number("1001", `${DIAL}<Play>http://app.example.com/bye.wav</Play>`);
  const header = writeWavHeader({
    channels: 1,
    sampleRateHz: 8000,
    bitsPerSample: 16,
    format: "pcm",
    dataBytes: 320,
  });
  w.documents.set("http://app.example.com/bye.wav", {
    body: Uint8Array.of(...header, ...new Uint8Array(320)),
  });
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  const opus = ["111 opus/48000/2"];
  bob.answering = (invite) => bob.pickUp(invite, { codecs: opus });
  alice.call("1001", { sdp: { codecs: opus } });
  alice.reoffered = () => ({ codecs: ["0 PCMU/8000"], version: 2 });
  await w.advance(500);
  void bob.dialog!.bye();
  await w.advance(500);
  assert.deepEqual(
    codecsOf(alice.offers[0]!.sdp!.media[0]!).map(({ name }) => name),
    ["PCMU", "PCMA", "telephone-event"],
  );
  assert.equal(w.media.plays.at(-1)?.options.samples.length, 160, w.story);
});

test("the action URL is told how the Dial ended, and its document goes on", async () => {
  const w = new CallsWorld();
  w.number("1001", "", { voiceTwiml: null, voiceUrl: "http://app.example.com/voice" });
  const document = (twiml: string) => ({ body: new TextEncoder().encode(`<Response>${twiml}</Response>`) });
  w.documents.set("http://app.example.com/voice", document(DIAL.replace("<Dial", '<Dial action="after"')));
  w.documents.set("http://app.example.com/after", document("<Reject reason='busy'/>"));
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => invite.reject(486);
  alice.call("1001", { headers: [["X-Customer", "42"]] });
  await w.advance(1_000);
  assert.equal(alice.failure?.status, 486);
  const [first, second] = w.fetched;
  assert.equal(first!.parameters.CallStatus, "ringing");
  assert.equal(first!.parameters["SipHeader_X-Customer"], "42");
  assert.equal(first!.parameters.From, "sip:alice@phones.example.com");
  assert.equal(second!.parameters.DialCallStatus, "busy");
  assert.equal(second!.parameters.DialBridged, "false");
  assert.match(second!.parameters.DialCallSid!, /^CA[0-9a-f]{32}$/);
});

test("[R3261-13.2.1-5] a forked INVITE: the latest early media is heard, and the one who answers counts with its own answer", async () => {
  const w = new CallsWorld();
  w.number("1001", DIAL);
  const alice = w.phone("10.0.0.1");
  const fork = new RawPeer(w.world, "10.0.0.2");
  alice.call("1001");
  await w.advance(300);
  const invite = fork.last("INVITE");
  const answer = (status: number, tag: string, port: number | undefined) => {
    const lines = [
      ["Contact", "<sip:fork@10.0.0.2>"],
      ...(port ? [["Content-Type", "application/sdp"]] : []),
    ] as [string, string][];
    const body = new TextEncoder().encode(
      `v=0\r\no=- ${port} 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio ${port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n`,
    );
    const response = createResponse(invite.request, status, {
      toTag: tag,
      headers: lines,
      ...(port && { body }),
    });
    void fork.node.send(formatSipMessage(response), invite.flow);
  };
  const heardFrom = () => [...w.media.connections.values()].map(({ remote }) => remote?.rtpPort).at(-1);
  answer(183, "one", 5_000);
  await w.advance(300);
  assert.equal(alice.provisionals.at(-1)?.status, 183);
  assert.equal(w.media.bridges.size, 1);
  const calleeLeg = [...w.media.connections].find(([, { remote }]) => remote?.rtpPort === 5_000)?.[0];
  answer(183, "two", 6_000);
  await w.advance(300);
  assert.equal(w.media.connections.get(calleeLeg!)?.remote?.rtpPort, 6_000, `${heardFrom()}`);
  assert.equal(alice.provisionals.filter(({ status }) => status === 183).length, 1);
  answer(200, "one", undefined); // it has described itself before
  await w.advance(300);
  assert.equal(w.media.connections.get(calleeLeg!)?.remote?.rtpPort, 5_000, w.story);
  assert.ok(alice.dialog);
});

test("DTMF by INFO passes in both directions, in both dialects, with its type", async () => {
  const { w, a, b, alice, bob } = await bridged();
  const seen: string[] = [];
  for (const [dialog, phone, name] of [
    [a, alice, "alice"],
    [b, bob, "bob"],
  ] as const) {
    dialog.attach({
      onRequest: ({ method }, [part]) => {
        seen.push(`${name} ${method} ${part?.contentType} ${new TextDecoder().decode(part?.bytes)}`);
        return { status: 200 };
      },
      onEnded: (why) => {
        phone.end = why;
      },
    });
  }
  const info = (contentType: string, text: string) => ({
    body: { contentType, bytes: new TextEncoder().encode(text) },
  });
  const sent = [
    a.request("INFO", info("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")),
    b.request("INFO", info("application/dtmf", "#")),
  ];
  await w.advance(500);
  assert.deepEqual(
    (await Promise.all(sent)).map(({ status }) => status),
    [200, 200],
  );
  assert.deepEqual(seen.sort(), [
    "alice INFO application/dtmf #",
    "bob INFO application/dtmf-relay Signal=5\r\nDuration=160\r\n",
  ]);
});
