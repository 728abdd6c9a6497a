// Both parties of all calls, and the recorder, in one process: sends on schedule, receives relays and forks, checks
// every one of them. Started by forked-calls.ts.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { RTP_FIXED_HEADER_LENGTH as HEADER, writeRtpHeader } from "@callfork/protocol/rtp";
import { SrtpReceiver, SrtpSender } from "@callfork/protocol/srtp";
import { createSrtpCiphers } from "@callfork/server/net";
import {
  type GeneratorMessage,
  isPattern,
  keyingOf,
  type OpenOrder,
  PACKET_MS,
  PAYLOAD_BYTES,
  STRANGERS_OCTETS,
  STRANGERS_PER_MS,
  type TrafficOrder,
  writePattern,
} from "./traffic.ts";
import { type OnPacket, Wire } from "./wire.ts";

const STRAGGLERS_MS = 500;
const MAX_CATCH_UP_MS = 2;
const BUCKETS_PER_MS = 20;
/** So long it sleeps between two looks at the clock and at what has come. */
const TICK_US = 200;
/** Sent in one tick at most, when it has to catch up. */
const TICK_PACKETS = 1500;
const LENGTH = HEADER + PAYLOAD_BYTES;
const TIME_AT = HEADER + 8;
const SLOT_BYTES = 256;
const SLOTS = 512;
/** Calls take turns in using this many sockets for each role. */
const SOCKETS = 2;
const ROLE = { a: 0, b: SOCKETS, recorder: 2 * SOCKETS } as const;

const tell = (message: GeneratorMessage): void => {
  process.send?.(message);
};
const wire = new Wire(3 * SOCKETS, SLOT_BYTES, SLOTS);
const ciphers = createSrtpCiphers();

process.on("message", (order: OpenOrder | TrafficOrder) => {
  (order.kind === "open" ? open(order) : run(order)).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

const socketOf = (call: number, role: keyof typeof ROLE): number => ROLE[role] + (call % SOCKETS);

async function open({ calls }: OpenOrder): Promise<void> {
  const rtcp = createSocket("udp4").unref();
  rtcp.bind(0, "127.0.0.1");
  await once(rtcp, "listening");
  const portOf = (call: number, role: keyof typeof ROLE): number => wire.ports[socketOf(call, role)]!;
  tell({
    kind: "ready",
    calls: Array.from({ length: calls }, (_, call) => ({
      a: portOf(call, "a"),
      b: portOf(call, "b"),
      recorder: portOf(call, "recorder"),
    })),
    rtcpPort: rtcp.address().port,
  });
}

/** Floods ports with what is no RTP, from an address that nobody told of. */
class Strangers {
  sent = 0;
  readonly #socket = createSocket("udp4").unref();
  readonly #ports: readonly number[];
  readonly #junk = STRANGERS_OCTETS.map((length) => Buffer.alloc(length, 0x80));
  #from = 0;

  constructor(ports: readonly number[]) {
    this.#ports = ports;
    // A port that refuses them says so by ICMP.
    this.#socket.on("error", () => {});
  }

  run(now: number): void {
    if (this.#from === 0) this.#from = now;
    const due = Math.min(Math.floor((now - this.#from) * STRANGERS_PER_MS), this.sent + TICK_PACKETS);
    for (; this.sent < due && this.#ports.length > 0; this.sent++) {
      const junk = this.#junk[this.sent % this.#junk.length]!;
      for (const port of this.#ports) this.#socket.send(junk, port, "127.0.0.1");
    }
  }
}

/** Where packets of one of the device's ports have to come to, and which stream's they are. */
interface Way {
  readonly stream: number;
  readonly socket: number;
  readonly isRelay: boolean;
  readonly receiver: SrtpReceiver | undefined;
}

function waysOf({ calls, srtp }: TrafficOrder): (Way | undefined)[] {
  const ways: (Way | undefined)[] = [];
  calls.forEach(({ a, b, forks }, call) => {
    const add = (
      port: number | undefined,
      stream: number,
      role: keyof typeof ROLE,
      key: "toA" | "toB" | "fork",
    ) => {
      if (port === undefined) return;
      const receiver = srtp ? new SrtpReceiver(ciphers, keyingOf(call, key)) : undefined;
      ways[port] = { stream, socket: socketOf(call, role), isRelay: role !== "recorder", receiver };
    };
    // What one party says comes to the other, from the port that the other sends to; the recorder hears both.
    add(b, call * 2, "b", "toB");
    add(a, call * 2 + 1, "a", "toA");
    add(forks[0], call * 2, "recorder", "fork");
    add(forks[1], call * 2 + 1, "recorder", "fork");
  });
  return ways;
}

async function run(order: TrafficOrder): Promise<void> {
  const streams = order.calls.length * 2;
  const perSecond = (streams * 1000) / PACKET_MS;
  const windowFrom = Math.ceil((order.warmUpMs / 1000) * perSecond);
  const windowTo = windowFrom + Math.round((order.measureMs / 1000) * perSecond);
  const latency = new Uint32Array(1000 * BUCKETS_PER_MS);
  const ways = waysOf(order);
  const strangers = new Strangers(order.floodedPorts);
  const senders = Array.from({ length: streams }, (_, stream) =>
    order.srtp ? new SrtpSender(ciphers, keyingOf(stream >> 1, stream % 2 === 0 ? "a" : "b")) : undefined,
  );
  const { bytes, view } = wire;
  let relayed = 0;
  let forked = 0;
  let wrong = 0;
  let now = wire.now();

  const onPacket: OnPacket = (at, received, socket, sourcePort, receivedAt) => {
    const way = ways[sourcePort];
    const length = way?.receiver === undefined ? received : way.receiver.unprotectRtp(bytes, at, received);
    const number = view.getUint32(at + HEADER, true);
    if (way === undefined || length !== LENGTH || number >= windowTo) {
      wrong++;
      return;
    }
    if (number < windowFrom) return;
    if (way.isRelay) {
      relayed++;
      const delayMs = receivedAt - view.getFloat64(at + TIME_AT, true);
      latency[Math.min(latency.length - 1, Math.max(0, Math.floor(delayMs * BUCKETS_PER_MS)))]!++;
    } else {
      forked++;
    }
    const isRight = way.socket === socket && way.stream === number % streams;
    if (!isRight || !isPattern(view, at + HEADER, number)) wrong++;
  };

  let startAt = now + 50;
  let worstLagMs = 0;
  let number = 0;
  let begun = false;
  let measuredFrom = 0;

  const sendDue = (): void => {
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
    for (; number < last; number++) {
      const stream = number % streams;
      const call = stream >> 1;
      const role = stream % 2 === 0 ? "a" : "b";
      const socket = socketOf(call, role);
      const at = wire.place(socket);
      if (at < 0) break;
      fill(bytes, view, at, number, stream, Math.floor(number / streams), now);
      const length = senders[stream]?.protectRtp(bytes, at, LENGTH) ?? LENGTH;
      wire.queue(socket, length, order.calls[call]![role]);
    }
    wire.flush();
  };

  const turns = async (until: () => boolean): Promise<void> => {
    while (!until()) {
      now = wire.now();
      if (now >= startAt && number < windowTo) sendDue();
      if (number < windowTo) strangers.run(now);
      if (!begun && number >= windowFrom) {
        begun = true;
        measuredFrom = now;
        tell({ kind: "begin" });
      }
      wire.receive(onPacket);
      wire.sleep(TICK_US);
      // Messages go out and come in meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await turns(() => number >= windowTo);
  tell({ kind: "end" });
  const endedAt = now;
  const scheduled = Math.floor(((endedAt - measuredFrom) / 1000) * perSecond);
  await turns(() => now >= endedAt + STRAGGLERS_MS);
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
    strangers: strangers.sent * order.floodedPorts.length,
  });
}

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
