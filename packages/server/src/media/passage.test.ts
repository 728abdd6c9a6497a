import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { formatRtcp, type RtcpPacket } from "@callfork/protocol/rtp";
import { buildRtp, startPlane, TestParty, until, untilStats, voice } from "./testing/party.ts";
import type { LegConnection, MediaPlane, MediaPort } from "./types.ts";

const FIRST_PORT = 42_400;
const VIDEO: Omit<LegConnection, "remote"> = {
  direction: "sendrecv",
  codecs: [{ name: "H264", clockRateHz: 90_000, payloadType: 97 }],
};

interface Passages {
  readonly plane: MediaPlane;
  readonly a: MediaPort;
  readonly b: MediaPort;
  readonly alice: TestParty;
  readonly bob: TestParty;
}

async function passages(t: TestContext): Promise<Passages> {
  const plane = await startPlane(t, FIRST_PORT);
  const [alice, bob] = [await TestParty.open(t), await TestParty.open(t)];
  const open = () => plane.openLeg({ group: "CA1", isPassage: true });
  const [a, b] = [await open(), await open()];
  plane.connectLeg(a.id, { ...VIDEO, remote: alice.target });
  plane.connectLeg(b.id, { ...VIDEO, remote: bob.target });
  plane.bridge(a.id, b.id);
  await plane.stats(a.id);
  return { plane, a, b, alice, bob };
}

const frame = (i: number, more: object = {}) => ({
  sequence: i,
  timestamp: i * 3000,
  payloadType: 97,
  payload: voice(i, 1200),
  ...more,
});
const bytesOf = ({ bytes }: { readonly bytes: Uint8Array }) => Buffer.from(bytes);

test("[R3264-5-2] video passes octet for octet both ways: SSRC, sequence, payload type, marker, two sources at once", async (t) => {
  const { a, b, alice, bob } = await passages(t);
  const sent: Uint8Array[] = [];
  for (let i = 0; i < 60; i++) {
    // A stream and its retransmissions; the second type was named by nobody, and is the parties' own affair.
    const packet = frame(
      60_000 + i,
      i % 3 === 2 ? { ssrc: 2, payloadType: 99 } : { ssrc: 1, marker: i % 9 === 0 },
    );
    sent.push(buildRtp(packet));
    await alice.send(a, packet);
    await bob.send(b, frame(i, { ssrc: 3 }));
  }
  assert.deepEqual((await bob.take(t, 60)).map(bytesOf), sent.map(Buffer.from));
  assert.deepEqual(
    (await alice.take(t, 60)).map(bytesOf),
    sent.map((_, i) => Buffer.from(buildRtp(frame(i, { ssrc: 3 })))),
  );
});

test("RTCP passes as it came: reports, requests for pictures, and one that stands alone", async (t) => {
  const { a, b, alice, bob } = await passages(t);
  const pli: RtcpPacket = {
    kind: "other",
    packetType: 206,
    count: 1,
    body: Uint8Array.of(0, 0, 0, 3, 0, 0, 0, 1),
  };
  const compound: RtcpPacket[] = [
    {
      kind: "sr",
      ssrc: 3,
      ntp: { seconds: 7, fraction: 8 },
      rtpTimestamp: 9,
      packets: 1,
      octets: 2,
      reports: [],
    },
    { kind: "sdes", chunks: [{ source: 3, items: [{ type: 1, value: "bob@host" }] }] },
    pli,
    { kind: "bye", sources: [3] },
  ];
  await bob.sendReports(b, compound);
  await until(t, () => alice.reports.length === 1);
  assert.deepEqual(Buffer.from(formatRtcp(alice.reports[0]!.packets)), Buffer.from(formatRtcp(compound)));
  assert.equal(alice.reports[0]!.from.port, a.rtcpPort);
  const lone = formatRtcp([{ kind: "rr", ssrc: 3, reports: [] }, pli]).subarray(8);
  const seen: Uint8Array[] = [];
  bob.rtcp.removeAllListeners("message");
  bob.rtcp.on("message", (bytes) => seen.push(bytes));
  await new Promise<void>((resolve) => alice.rtcp.send(lone, a.rtcpPort, "127.0.0.1", () => resolve()));
  await until(t, () => seen.length === 1);
  assert.deepEqual(Buffer.from(seen[0]!), Buffer.from(lone));
});

test("the counters of a passage: all sources together, loss by each one's own sequence", async (t) => {
  const { plane, a, b, alice, bob } = await passages(t);
  for (const i of [0, 1, 2, 5, 6]) {
    await alice.send(a, frame(i, { ssrc: 1 }));
    await alice.send(a, frame(9000 + i, { ssrc: 2 }));
  }
  await bob.take(t, 10);
  const { received, sent } = await untilStats(t, plane, a.id, ({ received }) => received.packets === 10);
  assert.equal(received.lost, 4);
  assert.equal(received.octets, 12_000);
  assert.equal(sent.packets, 0);
  assert.equal((await plane.stats(b.id))?.sent.packets, 10);
});

test("a party behind a NAT is found by its packets; strangers are not heard afterwards", async (t) => {
  const { plane, a, alice, bob, b } = await passages(t);
  plane.connectLeg(a.id, { ...VIDEO, remote: { address: "127.0.0.1", rtpPort: 9, rtcpPort: 10 } });
  await plane.stats(a.id);
  for (let i = 0; i < 5; i++) await alice.send(a, frame(i));
  await bob.take(t, 4);
  await bob.send(b, frame(1));
  await alice.take(t, 1);
  const stranger = await TestParty.open(t);
  for (let i = 0; i < 5; i++) await stranger.send(a, frame(100 + i));
  await alice.send(a, frame(5));
  assert.equal((await bob.take(t, 1))[0]!.sequence, 5);
});

test("[R5761-4-3] RTP and RTCP of a muxed line share the port of both sides, and are told apart", async (t) => {
  const { plane, a, b, alice, bob } = await passages(t);
  const { address, rtpPort } = alice.target;
  plane.connectLeg(a.id, { ...VIDEO, remote: { address, rtpPort, rtcpPort: rtpPort } });
  await plane.stats(a.id);
  const reports: RtcpPacket[] = [{ kind: "rr", ssrc: 1, reports: [] }];
  await alice.sendRaw(a.rtpPort, formatRtcp(reports));
  await until(t, () => bob.reports.length === 1);
  assert.equal(bob.reports[0]!.from.port, b.rtcpPort);
  await bob.sendReports(b, reports);
  await until(t, () => alice.reports.length === 1);
  assert.equal(alice.reports[0]!.from.port, a.rtpPort);
});

test("a line on hold, closed or unbridged carries nothing", async (t) => {
  const { plane, a, b, alice, bob } = await passages(t);
  plane.connectLeg(b.id, { ...VIDEO, direction: "recvonly", remote: bob.target });
  await plane.stats(b.id);
  await alice.send(a, frame(0));
  await bob.send(b, frame(0));
  await alice.take(t, 1);
  plane.unbridge(a.id);
  await plane.stats(a.id);
  await bob.send(b, frame(1));
  await untilStats(t, plane, b.id, ({ received }) => received.packets === 2);
  assert.equal((await plane.stats(b.id))?.sent.packets, 0);
  assert.equal((await plane.stats(a.id))?.sent.packets, 1);
  assert.equal((await plane.close(a.id))?.received.packets, 1);
});
