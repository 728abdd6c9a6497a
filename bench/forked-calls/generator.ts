// Both parties of all calls, and the recorder, in one process: sends on schedule, receives relays and forks, checks
// samples of them. Started by run.ts.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { RTP_FIXED_HEADER_LENGTH as HEADER, writeRtpHeader } from "@callfork/protocol/rtp";
import { type GeneratorMessage, PACKET_MS, PAYLOAD_BYTES, type TrafficOrder } from "./traffic.ts";

const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
const SAMPLE_EVERY = 64;
/** Packets handed to a socket in one tick of the schedule, at most. */
const RING = 8192;
const STRAGGLERS_MS = 500;
const MAX_CATCH_UP_MS = 20;
const BUCKETS_PER_MS = 20;

const tell = (message: GeneratorMessage): void => {
  process.send?.(message);
};

const party = await openPair();
const sink = await openPair();
tell({ kind: "ready", partyPort: party.address().port, sinkPort: sink.address().port });
process.on("message", (order: TrafficOrder) => {
  run(order).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

async function run(order: TrafficOrder): Promise<void> {
  const streams = order.calls.length * 2;
  const perSecond = (streams * 1000) / PACKET_MS;
  const windowFrom = Math.ceil((order.warmUpMs / 1000) * perSecond);
  const windowTo = windowFrom + Math.round((order.measureMs / 1000) * perSecond);
  const latency = new Uint32Array(1000 * BUCKETS_PER_MS);
  let relayed = 0;
  let forked = 0;
  let sampled = 0;
  let wrong = 0;

  const receive = (bytes: Buffer, isRelay: boolean, fromPort: number): void => {
    const number = bytes.readUInt32LE(HEADER);
    if (bytes.length !== HEADER + PAYLOAD_BYTES || number < windowFrom || number >= windowTo) return;
    if (isRelay) {
      relayed++;
      const delayMs = performance.now() - bytes.readDoubleLE(HEADER + 8);
      latency[Math.min(latency.length - 1, Math.max(0, Math.floor(delayMs * BUCKETS_PER_MS)))]!++;
    } else {
      forked++;
    }
    if ((relayed + forked) % SAMPLE_EVERY !== 0) return;
    sampled++;
    const stream = number % streams;
    const call = order.calls[stream >> 1]!;
    // What one party says comes from the port of the other's leg.
    const wayIsRight = !isRelay || fromPort === (stream % 2 === 0 ? call.b : call.a);
    if (!wayIsRight || !isPattern(bytes, number)) wrong++;
  };
  const onRelay = (bytes: Buffer, from: { port: number }): void => receive(bytes, true, from.port);
  const onFork = (bytes: Buffer, from: { port: number }): void => receive(bytes, false, from.port);
  party.on("message", onRelay);
  sink.on("message", onFork);

  const ring = Array.from({ length: RING }, () => Buffer.alloc(HEADER + PAYLOAD_BYTES));
  let startAt = performance.now() + 50;
  let worstLagMs = 0;
  let number = 0;
  let begun = false;
  let measuredFrom = 0;
  const total = windowTo;
  await new Promise<void>((resolve) => {
    const tick = (): void => {
      const now = performance.now();
      const behindMs = now - startAt - (number / perSecond) * 1000;
      if (begun) worstLagMs = Math.max(worstLagMs, behindMs);
      // Held up for longer than that, it goes on where it was: a storm to catch up is nothing that parties do.
      if (behindMs > MAX_CATCH_UP_MS) startAt += behindMs;
      const elapsed = now - startAt;
      const due =
        order.pattern === "spread"
          ? Math.floor((elapsed / 1000) * perSecond)
          : (Math.floor(elapsed / PACKET_MS) + 1) * streams;
      const last = Math.min(total, due, number + RING);
      for (; number < last; number++) {
        const stream = number % streams;
        const call = order.calls[stream >> 1]!;
        const packet = ring[number % RING]!;
        fill(packet, number, stream, Math.floor(number / streams), now);
        party.send(packet, stream % 2 === 0 ? call.a : call.b, "127.0.0.1");
      }
      if (!begun && number >= windowFrom) {
        begun = true;
        measuredFrom = performance.now();
        tell({ kind: "begin" });
      }
      if (number >= total) resolve();
      else setTimeout(tick, 1);
    };
    setTimeout(tick, 50);
  });
  tell({ kind: "end" });
  const scheduled = Math.floor(((performance.now() - measuredFrom) / 1000) * perSecond);
  await new Promise((resolve) => setTimeout(resolve, STRAGGLERS_MS));
  party.off("message", onRelay);
  sink.off("message", onFork);
  tell({
    kind: "report",
    sent: number - windowFrom,
    scheduled,
    relayed,
    forked,
    wrong,
    sampled,
    relayP50Ms: quantile(latency, relayed, 0.5),
    relayP99Ms: quantile(latency, relayed, 0.99),
    worstLagMs,
  });
}

/** Payload: packet number, time of sending, then octets that follow from the number. */
function fill(packet: Buffer, number: number, stream: number, round: number, now: number): void {
  writeRtpHeader(packet, 0, round === 0, 0, round & 0xffff, (round * 160) >>> 0, stream + 1);
  packet.writeUInt32LE(number, HEADER);
  packet.writeUInt32LE(stream, HEADER + 4);
  packet.writeDoubleLE(now, HEADER + 8);
  packet.fill(patternOf(number), HEADER + 16);
}

function isPattern(packet: Buffer, number: number): boolean {
  for (let i = HEADER + 16; i < packet.length; i++) if (packet[i] !== patternOf(number)) return false;
  return true;
}

const patternOf = (number: number): number => (number * 31 + (number >> 8)) & 0xff;

function quantile(buckets: Uint32Array, total: number, share: number): number {
  let seen = 0;
  for (let i = 0; i < buckets.length; i++) {
    seen += buckets[i]!;
    if (seen >= total * share) return (i + 1) / BUCKETS_PER_MS;
  }
  return buckets.length / BUCKETS_PER_MS;
}

/** An even port and the odd one above, which takes RTCP and throws it away. */
async function openPair(): Promise<Socket> {
  for (;;) {
    const rtp = await bind(0);
    const port = rtp.address().port;
    try {
      if (port % 2 !== 0) throw new Error("odd");
      (await bind(port + 1)).unref();
      return rtp;
    } catch {
      rtp.close();
    }
  }
}

async function bind(port: number): Promise<Socket> {
  const socket = createSocket({
    type: "udp4",
    recvBufferSize: SOCKET_BUFFER_BYTES,
    sendBufferSize: SOCKET_BUFFER_BYTES,
    lookup: (host, _options, callback) => callback(null, host, 4),
  });
  const listening = once(socket, "listening");
  socket.bind(port, "127.0.0.1");
  await listening;
  return socket;
}
