import assert from "node:assert/strict";
import { test } from "node:test";
import { LOCALHOST, startPlane, TestParty, until } from "./testing/party.ts";

const PCMU = { name: "PCMU", clockRateHz: 8000, payloadType: 0 };
const EDGE = "127.0.0.2";

test("a fork that leaves from an edge: its ports, its public address in the SDP, its own as source of RTP and RTCP", async (t) => {
  const plane = await startPlane(t, 42_600, {
    edges: [
      {
        name: "dublin",
        bindAddress: EDGE,
        advertisedAddress: "198.51.100.7",
        ports: { first: 42_800, last: 42_803 },
      },
    ],
  });
  const [alice, recorder] = [await TestParty.open(t), await TestParty.open(t)];
  const leg = await plane.openLeg({ group: "CA1" });
  plane.connectLeg(leg.id, { direction: "sendrecv", codecs: [PCMU], remote: alice.target });
  const ports = [
    await plane.openFork({ leg: leg.id, track: "inbound", edge: "dublin" }),
    await plane.openFork({ leg: leg.id, track: "outbound", edge: "dublin" }),
  ];
  assert.deepEqual(ports.map(({ rtpPort }) => rtpPort).sort(), [42_800, 42_802]);
  assert.deepEqual(new Set(ports.map(({ address }) => address)), new Set(["198.51.100.7"]));
  await assert.rejects(plane.openFork({ leg: leg.id, track: "inbound", edge: "dublin" }), {
    code: "MEDIA_PORTS_EXHAUSTED",
  });
  await assert.rejects(plane.openFork({ leg: leg.id, track: "inbound", edge: "atlantis" }), /no edge/);

  const [fork] = ports;
  plane.startFork(fork!.id, {
    remote: recorder.target,
    payloadTypes: new Map([[0, 0]]),
    clockRateHz: 8000,
    cname: "c",
  });
  await plane.stats(fork!.id);
  await alice.send(leg, { sequence: 1, timestamp: 160 });
  const [heard] = await recorder.take(t, 1);
  assert.deepEqual([heard!.from.address, heard!.from.port], [EDGE, fork!.rtpPort]);
  assert.equal(leg.address, LOCALHOST);
  await plane.close(fork!.id);
  await until(t, () => recorder.reports.length > 0);
  const [bye] = recorder.reports;
  assert.deepEqual([bye!.from.address, bye!.from.port], [EDGE, fork!.rtcpPort]);
});
