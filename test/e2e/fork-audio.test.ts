import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { decodePcmu, encodePcmu } from "@callfork/protocol/audio";
import { rtpPayloadType, rtpSequenceNumber, rtpSsrc, rtpTimestamp } from "@callfork/protocol/rtp";
import { directionOf, parseSessionDescription } from "@callfork/protocol/sdp";
import { createMediaPlane } from "@callfork/server/media";
import { createResolver, createSipTransports, createSystemClock } from "@callfork/server/net";
import { createUserAgent, type ReceivedPart, type SipBody } from "@callfork/server/signalling";
import { TestPhone } from "@callfork/testkit";
import { createCalls, NO_PEER_CERTIFICATE } from "../../packages/server/src/calls/index.ts";
import {
  createRecordingClient,
  DEFAULT_CONNECTOR_SETTINGS,
  type RecordingClient,
} from "../../packages/server/src/recording-client/index.ts";
import { createDirector } from "../../packages/server/src/verbs/index.ts";
import { MemoryCallStore, numberOf } from "../simulated/calls-world.ts";
import { memoryLog } from "../simulated/pair.ts";
import { MemorySiprecStore, parameterOf } from "../simulated/recording-world.ts";

const SECONDS = 30;
const random = { bytes: (length: number) => Uint8Array.from(randomBytes(length)) };

/** Noise that does not repeat within the test: each packet of it is found at one place only. */
function noise(): Int16Array {
  const pcm = new Int16Array(SECONDS * 8_000);
  decodePcmu(randomBytes(pcm.length), pcm);
  return pcm;
}

/** Which packet of a voice a payload is. */
function indexOf(voice: Int16Array): (payload: Uint8Array) => number | undefined {
  const codes = new Uint8Array(voice.length);
  encodePcmu(voice, codes);
  const places = new Map<string, number>();
  for (let at = 0; at + 160 <= codes.length; at += 160)
    places.set(Buffer.from(codes.subarray(at, at + 160)).toString("base64"), at / 160);
  return (payload) => places.get(Buffer.from(payload).toString("base64"));
}

async function until(what: string, done: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!done()) {
    assert.ok(performance.now() < deadline, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface Heard {
  readonly index: number;
  readonly ssrc: number;
  readonly sequence: number;
  readonly timestamp: number;
}

/** A recorder on real sockets that answers as RFC 7866 wants it, and knows which packet of which voice it was sent. */
async function recorder(t: TestContext, voices: readonly ((payload: Uint8Array) => number | undefined)[]) {
  const log = memoryLog();
  const clock = createSystemClock();
  const transports = await createSipTransports({
    listen: [{ transport: "tcp", address: "127.0.0.1", port: 0 }],
    log,
    clock,
  });
  const agent = createUserAgent({
    transports,
    resolver: createResolver(),
    clock,
    random,
    log,
    userAgentName: "recorder",
  });
  const heard: Heard[][] = [[], []];
  const directions: string[] = [];
  let strange = 0;
  const sockets = await Promise.all(
    voices.map(async (place, line) => {
      const socket = createSocket("udp4");
      socket.on("message", (bytes) => {
        if (rtpPayloadType(bytes, 0) !== 0) return;
        const index = place(bytes.subarray(12));
        if (index === undefined) strange += 1;
        else {
          const [ssrc, sequence] = [rtpSsrc(bytes, 0), rtpSequenceNumber(bytes, 0)];
          heard[line]!.push({ index, ssrc, sequence, timestamp: rtpTimestamp(bytes, 0) });
        }
      });
      socket.bind(0, "127.0.0.1");
      await once(socket, "listening");
      return socket;
    }),
  );
  let version = 0;
  const answer = (body: readonly ReceivedPart[]): SipBody | undefined => {
    const part = body.find(({ mediaType }) => mediaType === "application/sdp");
    const offer = part && parseSessionDescription(part.bytes);
    if (!offer?.ok) return undefined;
    const inactive = offer.value.media.every((media) => directionOf(offer.value, media) === "inactive");
    directions.push(inactive ? "inactive" : "sendonly");
    version += 1;
    const lines = offer.value.media.map(
      (_, line) =>
        `m=audio ${sockets[line]!.address().port} RTP/AVP 0\r\na=${inactive ? "inactive" : "recvonly"}\r\n`,
    );
    const head = `v=0\r\no=- 1 ${version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n`;
    return { contentType: "application/sdp", bytes: new TextEncoder().encode(head + lines.join("")) };
  };
  const answered = (body: readonly ReceivedPart[]) => {
    const made = answer(body);
    return { status: 200, ...(made && { body: made }) };
  };
  agent.attach({
    onInvite: (invite) => {
      const dialog = invite.answer({ body: answer(invite.body)!, contactParameters: ";+sip.srs" });
      dialog.attach({
        onReinvite: (_request, body) => answered(body),
        onUpdate: (_request, body) => answered(body),
        onEnded: () => {},
      });
    },
  });
  const closeSockets = () => {
    for (const socket of sockets.splice(0)) socket.close();
  };
  t.after(async () => {
    closeSockets();
    await agent.stop(200);
    await transports.close();
  });
  return {
    uri: `sip:srs@127.0.0.1:${transports.sentBy("tcp", "127.0.0.1").port};transport=tcp`,
    heard: heard as [Heard[], Heard[]],
    directions,
    get strange() {
      return strange;
    },
    /** The process is gone: its RTP ports are closed. */
    closeRtp: (closed: Socket[] = sockets) => {
      for (const socket of closed.splice(0)) socket.close();
    },
  };
}

/** A platform on real sockets with real media, a call between two phones, and a fork of it to `recorders`. */
async function forked(
  t: TestContext,
  voices: readonly [Int16Array, Int16Array],
  recorders: readonly string[],
) {
  const clock = createSystemClock();
  const log = memoryLog();
  const alerts: string[] = [];
  const transports = await createSipTransports({
    listen: [
      { transport: "udp", address: "127.0.0.1", port: 0 },
      { transport: "tcp", address: "127.0.0.1", port: 0 },
    ],
    log,
    clock,
  });
  const media = await createMediaPlane({
    advertisedAddress: "127.0.0.1",
    ports: { first: 31_400, last: 31_599 },
    workers: 1,
    log,
    drainMs: 0,
  });
  const userAgent = createUserAgent({
    transports,
    resolver: createResolver(),
    clock,
    random,
    log,
    userAgentName: "callfork",
  });
  const store = new MemoryCallStore();
  const siprecs = new MemorySiprecStore();
  let client: RecordingClient | undefined;
  const raise = { raise: ({ text }: { readonly text: string }) => void alerts.push(text) };
  const calls = createCalls({
    userAgent,
    media,
    store,
    director: createDirector({
      fetcher: { fetch: () => assert.fail("nothing is fetched") },
      forks: () => client!,
      clock,
      log,
      alerts: raise,
    }),
    clock,
    random,
    log,
    alerts: raise,
    sipHost: "127.0.0.1",
  });
  client = createRecordingClient({
    calls,
    userAgent,
    media,
    connectors: {
      starters: async () => [],
      find: async (accountSid, uniqueName) => ({
        sid: "XE1",
        accountSid,
        uniqueName,
        sipUris: recorders,
        credentialsHeaderName: null,
        credentials: null,
        username: null,
        password: null,
        ...NO_PEER_CERTIFICATE,
        settings: DEFAULT_CONNECTOR_SETTINGS,
        dateCreated: 0,
        dateUpdated: 0,
      }),
    },
    store: siprecs,
    clock,
    random,
    log,
    alerts: raise,
    sipHost: "127.0.0.1",
    defaultTrack: "both_tracks",
    extensionNamespace: "urn:x",
  });
  userAgent.attach({ onInvite: (invite) => calls.accept(invite) });
  const alice = await TestPhone.open({ user: "alice", voice: voices[0] });
  const bob = await TestPhone.open({ user: "bob", voice: voices[1] });
  t.after(async () => {
    await Promise.all([alice.close(), bob.close()]);
    await calls.drain(0);
    await userAgent.stop(500);
    await media.stop();
    await transports.close();
  });
  store.numbers.set(
    "1001",
    numberOf("1001", {
      voiceTwiml:
        '<Response><Start><Siprec name="f" connectorName="rec" statusCallback="http://x.example/"/></Start>' +
        `<Dial answerOnBridge="true"><Sip>${bob.uri}</Sip></Dial></Response>`,
    }),
  );
  const { port } = transports.sentBy("udp", "127.0.0.1");
  const call = await alice.call(`sip:1001@127.0.0.1:${port}`);
  const row = () => [...siprecs.rows.values()][0]!;
  return { client, call, siprecs, row, alerts, callSid: () => row().callSid };
}

test("[R7866-7.1.1.1-3] while a fork is paused not one packet of the call leaves for the recorder, by content", async (t) => {
  const voices = [noise(), noise()] as const;
  const srs = await recorder(t, voices.map(indexOf));
  const { client, call, row, callSid, siprecs } = await forked(t, voices, [srs.uri]);
  const [inbound, outbound] = srs.heard;
  await until("both tracks", () => inbound.length > 25 && outbound.length > 25);

  const paused = await client.pause(callSid(), "f");
  const fence = call.packetsSent; // what Alice says from here on is not for the recorder
  assert.equal(paused.status, "paused");
  await until("a second of talk", () => call.packetsSent > fence + 50);
  await until("the recorder has been told", () => srs.directions.at(-1) === "inactive");
  const heardWhilePaused = inbound.length;
  const open = call.packetsSent;
  await client.resume(callSid(), "f");
  await until("both tracks again", () => inbound.length > heardWhilePaused + 25);

  const during = inbound.filter(({ index }) => index >= fence && index < open);
  assert.deepEqual(during, []);
  assert.ok(inbound.some(({ index }) => index < fence) && inbound.some(({ index }) => index >= open));
  assert.equal(srs.strange, 0);
  for (const track of [inbound, outbound]) {
    const last = track.findLastIndex(
      ({ index }, at) => track[at + 1] !== undefined && track[at + 1]!.index - index > 40,
    );
    assert.ok(last > 0, "there is no hole in the track");
    const [before, after] = [track[last]!, track[last + 1]!];
    assert.equal(after.ssrc, before.ssrc);
    assert.equal(after.sequence, (before.sequence + 1) & 0xffff);
    assert.equal((after.timestamp - before.timestamp) >>> 0, (after.index - before.index) * 160);
  }
  assert.deepEqual(srs.directions, ["sendonly", "inactive", "sendonly"]);
  assert.equal(row().detail.pauses.length, 1);
  assert.deepEqual(siprecs.events, ["siprec-started", "siprec-paused", "siprec-resumed"]);
  await call.hangUp();
  await until("the end", () => row().status === "stopped" && client.liveCount === 0);
});

test("the recorder's RTP ports close in mid-sentence: the next recorder holds the rest, and what is missing is counted", async (t) => {
  const voices = [noise(), noise()] as const;
  const first = await recorder(t, voices.map(indexOf));
  const second = await recorder(t, voices.map(indexOf));
  const { client, call, row, siprecs, alerts } = await forked(t, voices, [first.uri, second.uri]);
  await until("both tracks", () => first.heard.every((track) => track.length > 50));
  first.closeRtp();
  await until("the second recorder", () => second.heard.every((track) => track.length > 25));
  await until("the report", () => row().detail.gaps.length === 1);

  const [gap] = row().detail.gaps;
  const missing = first.heard.map((track, line) => second.heard[line]![0]!.index - track.at(-1)!.index - 1);
  const total = missing[0]! + missing[1]!;
  // Within 20 ms, which is a packet of each track: the one that ICMP answered to had left before its word came.
  assert.ok(Math.abs(gap!.packets - total) <= 4, `${gap!.packets} reported, ${missing} are missing`);
  assert.equal(row().recorderUri, second.uri);
  assert.equal(second.heard[0][0]!.ssrc, first.heard[0][0]!.ssrc);
  assert.deepEqual(siprecs.events, ["siprec-started", "siprec-recovered"]);
  assert.equal(parameterOf(siprecs.callbacks.at(-1), "SiprecGapPackets"), String(gap!.packets));
  assert.ok(alerts.some((text) => text.includes("goes on")));
  await call.hangUp();
  await until("the end", () => row().status === "stopped" && client.liveCount === 0);
  await until("the counters", () => row().detail.tracks.length === 2);
  const [inbound] = row().detail.tracks;
  assert.deepEqual([inbound!.codec, inbound!.octets], ["PCMU", inbound!.packets * 160]);
});
