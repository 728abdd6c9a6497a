// Both parties of all calls, and the recorder, in one process: sends on schedule, receives relays and forks, checks
// every one of them. Started by forked-calls.ts.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { RTP_FIXED_HEADER_LENGTH as HEADER, writeRtpHeader } from "@callfork/protocol/rtp";
import { SrtpReceiver, SrtpSender } from "@callfork/protocol/srtp";
import { createPacketIo, createSrtpCiphers, type PacketBatch } from "@callfork/server/net";
import {
  type GeneratorMessage,
  isPattern,
  keyingOf,
  type OpenOrder,
  PACKET_MS,
  PAYLOAD_BYTES,
  type PartyPorts,
  type TrafficOrder,
  writePattern,
} from "./traffic.ts";

const LOCALHOST = "127.0.0.1";
const FIRST_PORT = 33_000;
const STRAGGLERS_MS = 500;
const MAX_CATCH_UP_MS = 20;
const BUCKETS_PER_MS = 20;
const TICK_MS = 1;
/** Sent in one tick at most, when it has to catch up. */
const TICK_PACKETS = 1500;
const LENGTH = HEADER + PAYLOAD_BYTES;
const TIME_AT = HEADER + 8;

const tell = (message: GeneratorMessage): void => {
  process.send?.(message);
};
const { io } = createPacketIo({ choice: "auto", receiveBufferBytes: 1 << 20 });
const ciphers = createSrtpCiphers();
let onBatch = (_batch: PacketBatch): void => {};
let onWake = (_now: number): void => {};
io.attach({ onBatch: (batch) => onBatch(batch), onWake: (now) => onWake(now), onUnreachable() {} });

/** By port index: which call, and which of its ports. */
const callOf: number[] = [];
const roleOf: ("a" | "b" | "recorder")[] = [];
const portsOf: { a: number; b: number; recorder: number }[] = [];

process.on("message", (order: OpenOrder | TrafficOrder) => {
  (order.kind === "open" ? open(order) : run(order)).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

async function open({ calls }: OpenOrder): Promise<void> {
  const rtcp = createSocket("udp4").unref();
  rtcp.bind(0, LOCALHOST);
  await once(rtcp, "listening");
  const ports: PartyPorts[] = [];
  let next = FIRST_PORT;
  const openOne = async (call: number, role: "a" | "b" | "recorder"): Promise<number> => {
    for (;;) {
      try {
        const index = await io.open(LOCALHOST, next++);
        callOf[index] = call;
        roleOf[index] = role;
        return index;
      } catch (error) {
        if (next > 65_000) throw error;
      }
    }
  };
  for (let call = 0; call < calls; call++) {
    const [a, b] = [await openOne(call, "a"), await openOne(call, "b")];
    const recorder = await openOne(call, "recorder");
    portsOf.push({ a, b, recorder });
    ports.push({ a: io.localPort(a), b: io.localPort(b), recorder: io.localPort(recorder) });
  }
  tell({ kind: "ready", io: io.name, calls: ports, rtcpPort: rtcp.address().port });
}

async function run(order: TrafficOrder): Promise<void> {
  const streams = order.calls.length * 2;
  const perSecond = (streams * 1000) / PACKET_MS;
  const windowFrom = Math.ceil((order.warmUpMs / 1000) * perSecond);
  const windowTo = windowFrom + Math.round((order.measureMs / 1000) * perSecond);
  const latency = new Uint32Array(1000 * BUCKETS_PER_MS);
  const senders: (SrtpSender | undefined)[] = [];
  const receivers: (SrtpReceiver | undefined)[] = [];
  let relayed = 0;
  let forked = 0;
  let wrong = 0;
  let view = new DataView(io.slab.buffer, io.slab.byteOffset, io.slab.byteLength);
  order.calls.forEach(({ a, b }, call) => {
    const ports = portsOf[call]!;
    io.setPeer(ports.a, LOCALHOST, a, true);
    io.setPeer(ports.b, LOCALHOST, b, true);
    if (!order.srtp) return;
    for (const role of ["a", "b"] as const) {
      senders[ports[role]] = new SrtpSender(ciphers, keyingOf(call, role));
      receivers[ports[role]] = new SrtpReceiver(ciphers, keyingOf(call, role === "a" ? "toA" : "toB"));
    }
    receivers[ports.recorder] = new SrtpReceiver(ciphers, keyingOf(call, "fork"));
  });

  onBatch = (batch) => {
    if (view.buffer !== batch.bytes.buffer) {
      view = new DataView(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
    }
    const now = performance.now();
    for (let i = 0; i < batch.count; i++) {
      const at = batch.offset[i]!;
      const port = batch.port[i]!;
      const receiver = receivers[port];
      const length =
        receiver === undefined ? batch.length[i]! : receiver.unprotectRtp(batch.bytes, at, batch.length[i]!);
      const number = view.getUint32(at + HEADER, true);
      if (length !== LENGTH || number >= windowTo) {
        wrong++;
        continue;
      }
      if (number < windowFrom) continue;
      const isRelay = roleOf[port] !== "recorder";
      if (isRelay) {
        relayed++;
        const delayMs = now - view.getFloat64(at + TIME_AT, true);
        latency[Math.min(latency.length - 1, Math.max(0, Math.floor(delayMs * BUCKETS_PER_MS)))]!++;
      } else {
        forked++;
      }
      const stream = number % streams;
      // What one party says comes to the other; the recorder hears both.
      const wayIsRight =
        callOf[port] === stream >> 1 && (!isRelay || roleOf[port] === (stream % 2 === 0 ? "b" : "a"));
      if (!wayIsRight || !isPattern(view, at + HEADER, number)) wrong++;
    }
  };

  let startAt = performance.now() + 50;
  let worstLagMs = 0;
  let number = 0;
  let begun = false;
  let measuredFrom = 0;
  const overhead = order.srtp ? 10 : 0;
  await new Promise<void>((resolve) => {
    onWake = (now) => {
      const behindMs = now - startAt - (number / perSecond) * 1000;
      if (begun && order.pattern === "spread") worstLagMs = Math.max(worstLagMs, behindMs);
      // Held up for longer than that, it goes on where it was: a storm to catch up is nothing that parties do.
      if (behindMs > MAX_CATCH_UP_MS) startAt += behindMs;
      const elapsed = now - startAt;
      const due =
        order.pattern === "spread"
          ? Math.floor((elapsed / 1000) * perSecond)
          : (Math.floor(elapsed / PACKET_MS) + 1) * streams;
      const last = Math.min(windowTo, due, number + TICK_PACKETS);
      const slab = io.slab;
      if (view.buffer !== slab.buffer) view = new DataView(slab.buffer, slab.byteOffset, slab.byteLength);
      for (; number < last; number++) {
        const at = io.reserve((LENGTH + overhead + 7) & ~7);
        if (at < 0) break;
        const stream = number % streams;
        const ports = portsOf[stream >> 1]!;
        const port = stream % 2 === 0 ? ports.a : ports.b;
        fill(slab, view, at, number, stream, Math.floor(number / streams), now);
        const sender = senders[port];
        io.send(port, at, sender === undefined ? LENGTH : sender.protectRtp(slab, at, LENGTH));
      }
      if (!begun && number >= windowFrom) {
        begun = true;
        measuredFrom = performance.now();
        tell({ kind: "begin" });
      }
      if (number >= windowTo) resolve();
      else io.wakeAt(Math.max(now + TICK_MS, order.pattern === "burst" ? startAt + nextBurst(elapsed) : 0));
    };
    io.wakeAt(startAt);
  });
  tell({ kind: "end" });
  const scheduled = Math.floor(((performance.now() - measuredFrom) / 1000) * perSecond);
  await new Promise((resolve) => setTimeout(resolve, STRAGGLERS_MS));
  onBatch = () => {};
  tell({
    kind: "report",
    sent: number - windowFrom,
    scheduled,
    relayed,
    forked,
    wrong,
    relayP50Ms: quantile(latency, relayed, 0.5),
    relayP99Ms: quantile(latency, relayed, 0.99),
    worstLagMs,
  });
}

const nextBurst = (elapsed: number): number => (Math.floor(elapsed / PACKET_MS) + 1) * PACKET_MS;

function fill(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  number: number,
  stream: number,
  round: number,
  now: number,
): void {
  writeRtpHeader(bytes, at, round === 0, 0, round & 0xffff, (round * 160) >>> 0, stream + 1);
  view.setUint32(at + HEADER, number, true);
  view.setUint32(at + HEADER + 4, stream, true);
  view.setFloat64(at + TIME_AT, now, true);
  writePattern(view, at + HEADER, number);
}

function quantile(buckets: Uint32Array, total: number, share: number): number {
  let seen = 0;
  for (let i = 0; i < buckets.length; i++) {
    seen += buckets[i]!;
    if (seen >= total * share) return (i + 1) / BUCKETS_PER_MS;
  }
  return buckets.length / BUCKETS_PER_MS;
}
