import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { ntpFromEpochMs, type ReceiverReport } from "@callfork/protocol/rtp";
import { type ReceivedPacket, readReceivedBatch } from "./received-batch.ts";
import { buildRtp, eventsOf, startPlane, TestParty, until, untilStats, voice } from "./testing/party.ts";
import type { MediaPlane, MediaPort } from "./types.ts";

const FIRST_PORT = 41_400;

interface Receiving {
  readonly plane: MediaPlane;
  readonly receiver: MediaPort;
  readonly sink: MessagePort;
  readonly sender: TestParty;
  /** Everything the sink got, copied. */
  readonly got: ReceivedPacket[];
  readonly batches: () => number;
  /** Of all batches. */
  readonly octets: () => number;
}

async function receiving(t: TestContext, acknowledge = true): Promise<Receiving> {
  const plane = await startPlane(t, FIRST_PORT);
  const sender = await TestParty.open(t);
  const { port1: sink, port2: batches } = new MessageChannel();
  t.after(() => batches.close());
  const got: ReceivedPacket[] = [];
  let count = 0;
  let octets = 0;
  batches.on("message", (buffer: ArrayBuffer) => {
    count++;
    octets += buffer.byteLength;
    got.push(...readReceivedBatch(buffer));
    if (acknowledge) batches.postMessage(0);
  });
  const receiver = await plane.openReceiver({ group: "RE1", sink, cname: "recorder", clockRateHz: 8000 });
  plane.connectReceiver(receiver.id, sender.target, [0, 8]);
  await plane.stats(receiver.id);
  return { plane, receiver, sink, sender, got, batches: () => count, octets: () => octets };
}

const packet = (i: number, more: object = {}) => ({ sequence: i, timestamp: i * 160, ...more });

test("whole packets reach the sink in order, with receiver, kind and time of arrival", async (t) => {
  const { receiver, sender, got, batches } = await receiving(t);
  const before = Date.now();
  const sent: Buffer[] = [];
  for (let i = 0; i < 200; i++) {
    const one = packet(i, { payloadType: i % 2 === 0 ? 0 : 8, payload: voice(i, 1 + (i % 200)) });
    sent.push(Buffer.from(buildRtp(one)));
    await sender.send(receiver, one);
  }
  await until(t, () => got.length === 200);
  assert.deepEqual(
    got.map((one) => Buffer.from(one.bytes)),
    sent,
  );
  assert.ok(got.every((one) => one.receiver === receiver.id && one.kind === "rtp"));
  let last = before - 1000;
  for (const { arrivalTime } of got) {
    assert.ok(arrivalTime >= last);
    last = arrivalTime;
  }
  assert.ok(last < Date.now() + 1000);
  assert.ok(batches() < 100, `${batches()} batches`);
});

test("other payload types, strangers and malformed packets never reach the sink", async (t) => {
  const { plane, receiver, sender, got } = await receiving(t);
  const stranger = await TestParty.open(t);
  await stranger.send(receiver, packet(50, { ssrc: 9 }));
  await sender.send(receiver, packet(0, { payloadType: 13 }));
  await sender.sendRaw(receiver.rtpPort, new Uint8Array(5));
  await sender.send(receiver, packet(1));
  await until(t, () => got.length > 0);
  assert.deepEqual(
    got.map((one) => Buffer.from(one.bytes)),
    [Buffer.from(buildRtp(packet(1)))],
  );
  await untilStats(t, plane, receiver.id, (stats) => stats.dropped === 3);
});

test("[R7866-8.1.8-2] receiver reports go back from the RTCP port, with loss, LSR and CNAME, though we send no RTP", async (t) => {
  const { receiver, sender, got } = await receiving(t);
  for (const i of [0, 1, 2, 4]) await sender.send(receiver, packet(i));
  await sender.sendReports(receiver, [
    {
      kind: "sr",
      ssrc: 0x11223344,
      ntp: ntpFromEpochMs(Date.now()),
      rtpTimestamp: 640,
      packets: 4,
      octets: 640,
      reports: [],
    },
  ]);
  await until(t, () => sender.reports.length > 0);
  const [{ packets, from }] = [sender.reports[0]!];
  assert.equal(from.port, receiver.rtcpPort);
  const report = packets[0] as ReceiverReport;
  assert.equal(report.kind, "rr");
  const [block] = report.reports;
  assert.equal(block!.ssrc, 0x11223344);
  assert.equal(block!.cumulativeLost, 1);
  assert.equal(block!.extendedHighestSequence, 4);
  assert.notEqual(block!.lastSenderReport, 0);
  assert.ok(block!.delaySinceLastSenderReport > 0);
  assert.deepEqual(packets[1], {
    kind: "sdes",
    chunks: [{ source: report.ssrc, items: [{ type: 1, value: "recorder" }] }],
  });
  assert.equal(got.filter((one) => one.kind === "rtcp").length, 1);
});

test("receivers that share a sink share its batches, and each can be closed alone", async (t) => {
  const { plane, receiver, sink, sender, got } = await receiving(t);
  const other = await plane.openReceiver({ group: "RE2", sink, cname: "recorder", clockRateHz: 8000 });
  plane.connectReceiver(other.id, sender.target, [0]);
  await plane.stats(other.id);
  await sender.send(receiver, packet(0));
  await sender.send(other, packet(1));
  await until(t, () => got.length === 2);
  assert.deepEqual(
    got.map((one) => one.receiver).sort((a, b) => a - b),
    [receiver.id, other.id],
  );
  await plane.close(receiver.id);
  await sender.send(other, packet(2));
  await until(t, () => got.length === 3);
  assert.equal(got[2]!.receiver, other.id);
});

test("closing a receiver delivers what was still waiting", async (t) => {
  const { plane, receiver, sender, got } = await receiving(t);
  await sender.send(receiver, packet(0));
  await untilStats(t, plane, receiver.id, (stats) => stats.received.packets === 1);
  await sender.send(receiver, packet(1));
  await untilStats(t, plane, receiver.id, (stats) => stats.received.packets === 2);
  const stats = await plane.close(receiver.id);
  assert.equal(stats!.received.packets, 2);
  assert.equal(stats!.received.octets, 320);
  await until(t, () => got.length === 2);
});

test("a sink that nobody reads does not grow without end", async (t) => {
  const { plane, receiver, sender, octets } = await receiving(t, false);
  const big = voice(1, 1400);
  let i = 0;
  for (; i < 14_000; i++) await sender.send(receiver, packet(i & 0xffff, { payload: big }));
  await sender.send(receiver, packet(i & 0xffff));
  await plane.close(receiver.id);
  // 64 MiB may be unread, and one batch more.
  assert.ok(octets() <= (64 * 1024 + 64) * 1024, `${octets()}`);
});

test("rtp-stopped is told once after the silence, also when nothing ever came", async (t) => {
  const plane = await startPlane(t, FIRST_PORT, { silenceMs: 300 });
  const sender = await TestParty.open(t);
  const leg = await plane.openLeg({ group: "CA1" });
  const events = eventsOf(plane, leg.id);
  plane.connectLeg(leg.id, {
    remote: sender.target,
    direction: "sendrecv",
    codecs: [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }],
  });
  await until(t, () => events.length === 1);
  assert.equal(events[0]!.kind, "rtp-stopped");
  await sender.send(leg, packet(0));
  await until(t, () => events.length === 3);
  assert.deepEqual(
    events.map((event) => event.kind),
    ["rtp-stopped", "rtp-started", "rtp-stopped"],
  );
});
