import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { rtpPayloadType, rtpSequenceNumber, rtpSsrc, rtpTimestamp } from "@callfork/protocol/rtp";
import { directionOf, parseSessionDescription } from "@callfork/protocol/sdp";
import { createResolver, createSipTransports, createSystemClock } from "@callfork/server/net";
import { createUserAgent, type ReceivedPart, type SipBody } from "@callfork/server/signalling";
import { memoryLog } from "../simulated/pair.ts";
import { parameterOf } from "../simulated/recording-world.ts";
import { forked, indexOf, noise, random, until } from "./fork-rig.ts";

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
