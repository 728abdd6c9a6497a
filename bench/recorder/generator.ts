// Speaks on all streams of all recordings: packets leave evenly over 20 ms. A process of its own.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeRtpHeader } from "@callfork/protocol/rtp";
import {
  fillPayload,
  type Gap,
  type GeneratorMessage,
  PACKET_MS,
  PAYLOAD_BYTES,
  type TrafficOrder,
} from "./traffic.ts";

const RING = 4_096;
/** Held up for longer than that, it leaves a gap: a storm to catch up is nothing that senders do. */
const MAX_CATCH_UP_MS = 20;

const tell = (message: GeneratorMessage): void => void process.send?.(message);

const socket = createSocket({
  type: "udp4",
  sendBufferSize: 4 * 1024 * 1024,
  lookup: (host, _options, callback) => callback(null, host, 4),
});
const listening = once(socket, "listening");
socket.bind(0, "127.0.0.1");
await listening;
tell({ kind: "ready", port: socket.address().port });

process.on("message", ({ ports, warmUpPackets, packets }: TrafficOrder) => {
  const streams = ports.length;
  const perMs = streams / PACKET_MS;
  const warm = warmUpPackets * streams;
  const total = warm + packets * streams;
  const ring = Array.from({ length: RING }, () => new Uint8Array(12 + PAYLOAD_BYTES));
  let startAt = performance.now() + 20;
  let number = 0;
  let worstLagMs = 0;
  /** In gaps so far. */
  let samples = 0;
  const gaps: Gap[] = [];
  const tick = (): void => {
    const behindMs = performance.now() - startAt - number / perMs;
    if (number > warm) worstLagMs = Math.max(worstLagMs, behindMs);
    if (behindMs > MAX_CATCH_UP_MS) {
      startAt += behindMs;
      const gap = Math.round(behindMs * 8);
      samples += gap;
      if (number > 0) gaps.push({ number, samples: gap });
    }
    const due = Math.min(total, Math.floor((performance.now() - startAt) * perMs), number + RING);
    for (; number < due; number++) {
      if (number === warm) tell({ kind: "begin" });
      const stream = number % streams;
      const index = Math.floor(number / streams);
      const packet = ring[number % RING]!;
      writeRtpHeader(
        packet,
        0,
        index === 0,
        0,
        index & 0xffff,
        (index * PAYLOAD_BYTES + samples) >>> 0,
        stream + 1,
      );
      fillPayload(packet, 12, stream, index);
      socket.send(packet, ports[stream]!, "127.0.0.1");
    }
    if (number < total) setTimeout(tick, 1);
    else tell({ kind: "end", worstLagMs, gaps });
  };
  setTimeout(tick, 20);
});
