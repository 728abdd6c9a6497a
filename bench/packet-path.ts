// What TypeScript does with a packet, without sockets: relay, fork, statistics, per packet received.
// Then, in as many rounds again, who allocates what: a sampling heap profile of everything, garbage included.
//   node bench/packet-path.ts [calls] [rounds]

import { randomBytes } from "node:crypto";
import type { HeapProfiler } from "node:inspector";
import { Session } from "node:inspector/promises";
import { writeRtpHeader } from "@callfork/protocol/rtp";
import type { MediaContext } from "../packages/server/src/media/media-context.ts";
import { MediaEngine } from "../packages/server/src/media/media-engine.ts";
import { SteadyFlows } from "../packages/server/src/media/steady-flows.ts";
import {
  createSrtpCiphers,
  NO_TIME,
  type PacketBatch,
  type PacketIo,
} from "../packages/server/src/net/index.ts";

const CALLS = Number(process.argv[2] ?? 400);
const ROUNDS = Number(process.argv[3] ?? 400);
const BATCH = 16;
const PACKET_BYTES = 172;

/** Counts what would be sent. */
class NullIo {
  readonly name = "null";
  readonly joinsSegments = true;
  #holdAt = 1 << 20;
  readonly slab = new Uint8Array((1 << 20) + CALLS * 4096);
  sent = 0;
  #next = 0;
  #sendAt = 1 << 19;
  attach(): void {}
  async open(): Promise<number> {
    return this.#next++;
  }
  setPeer(): void {}
  clearPeer(): void {}
  wakeAt(): void {}
  listen(): void {}
  reserve(length: number): number {
    const at = this.#sendAt;
    this.#sendAt += (length + 63) & ~63;
    return at;
  }
  hold(length: number): number {
    this.#holdAt += length;
    return this.#holdAt - length;
  }
  release(): void {}
  send(): void {
    this.sent++;
  }
  sendSegments(_port: number, _offset: number, length: number, segmentLength: number): void {
    this.sent += length / segmentLength;
  }
  endTurn(): void {
    this.#sendAt = 1 << 19;
  }
}

const io = new NullIo();
const answers = new Map<number, () => void>();
const context: MediaContext = {
  io: io as unknown as PacketIo,
  random: { bytes: (length) => randomBytes(length) },
  ciphers: createSrtpCiphers(),
  flows: new SteadyFlows(io as unknown as PacketIo),
  silenceMs: 10_000,
  emit() {},
  wallAt: (now) => now,
};
const engine = new MediaEngine(context, (question) => answers.get(question)?.());
let question = 0;
const ask = (command: object): Promise<void> =>
  new Promise((resolve) => {
    answers.set(++question, resolve);
    engine.onCommand({ ...command, question } as Parameters<MediaEngine["onCommand"]>[0]);
  });

const remote = { address: "192.0.2.1", rtpPort: 4000, rtcpPort: 4001 };
const pair = { address: "127.0.0.1", rtpPort: 20_000 };
const codecs = [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }];
const none = new Map<number, number>();
/** RTP port indexes of all legs, in the order in which their packets come. */
const legPorts: number[] = [];
for (let i = 0; i < CALLS; i++) {
  const [a, b, inbound, outbound] = [4 * i + 1, 4 * i + 2, 4 * i + 3, 4 * i + 4];
  for (const id of [a, b]) {
    legPorts.push(8 * i + 2 * (id - a));
    await ask({ kind: "open-leg", id, pair });
    engine.onCommand({ kind: "connect-leg", id, connection: { remote, direction: "sendrecv", codecs } });
  }
  engine.onCommand({ kind: "bridge", id: a, other: b, aToB: none, bToA: none });
  for (const [id, track] of [
    [inbound, "inbound"],
    [outbound, "outbound"],
  ] as const) {
    await ask({ kind: "open-fork", id, pair, leg: a, track });
    const connection = { remote, payloadTypes: new Map([[0, 0]]), clockRateHz: 8000, cname: "c" };
    engine.onCommand({ kind: "start-fork", id, connection });
  }
}

const batch = {
  bytes: io.slab,
  count: BATCH,
  offset: Uint32Array.from({ length: BATCH }, (_, i) => i * 192),
  length: new Uint16Array(BATCH).fill(PACKET_BYTES),
  port: new Uint32Array(BATCH),
  fromPeer: new Uint8Array(BATCH).fill(1),
  receivedAt: NO_TIME,
  sourceAddress: () => remote.address,
  sourcePort: () => remote.rtpPort,
} satisfies PacketBatch;
/** Walked through between batches, as the kernel's work does: the path's own data grow cold. */
const elsewhere = new Uint8Array(8 << 20);
let walked = 0;
let round = 0;
/** Packets of all legs, once a round. @returns how long each batch took, in milliseconds */
function run(rounds: number): number[] {
  const perBatch: number[] = [];
  for (const last = round + rounds; round < last; round++) {
    for (let first = 0; first < legPorts.length; first += BATCH) {
      for (let i = 0; i < BATCH; i++) {
        const leg = (first + i) % legPorts.length;
        batch.port[i] = legPorts[leg]!;
        writeRtpHeader(io.slab, i * 192, false, 0, round & 0xffff, round * 160, leg + 1);
      }
      batch.receivedAt = round * 20 + first / legPorts.length;
      for (let i = 0; i < 256 * 1024; i += 64) walked += elsewhere[(first * 16_384 + i) & ((8 << 20) - 1)]!;
      const before = performance.now();
      engine.onBatch(batch);
      perBatch.push(performance.now() - before);
      io.endTurn();
    }
    engine.onWake(batch.receivedAt);
  }
  return perBatch;
}

run(ROUNDS >> 1);
io.sent = 0;
const perBatch = run(ROUNDS >> 1).sort((a, b) => a - b);
const median = (perBatch[perBatch.length >> 1]! * 1000) / BATCH;
const packets = perBatch.length * BATCH;
console.log(
  `${CALLS} calls: ${median.toFixed(2)} µs per packet received (median of batches of ${BATCH}), ` +
    `${(io.sent / packets).toFixed(2)} sends for each`,
);

const session = new Session();
session.connect();
await session.post("HeapProfiler.startSampling", {
  samplingInterval: 512,
  includeObjectsCollectedByMajorGC: true,
  includeObjectsCollectedByMinorGC: true,
});
const sampled = run(ROUNDS >> 1).length * BATCH;
const { profile } = await session.post("HeapProfiler.stopSampling");
session.disconnect();
const bySite = new Map<string, number>();
const visit = ({ callFrame, selfSize, children }: HeapProfiler.SamplingHeapProfileNode): void => {
  const file = callFrame.url.replace(/^.*\/(packages|bench|node_modules)\//, "$1/");
  const site = `${callFrame.functionName || "(anonymous)"} ${file}:${callFrame.lineNumber + 1}`;
  if (selfSize > 0) bySite.set(site, (bySite.get(site) ?? 0) + selfSize);
  for (const child of children) visit(child);
};
visit(profile.head);
const total = [...bySite.values()].reduce((sum, size) => sum + size, 0);
console.log(`allocated: ${(total / sampled).toFixed(1)} octets per packet received; most of it by`);
for (const [site, size] of [...bySite].sort(([, a], [, b]) => b - a).slice(0, 8)) {
  console.log(`  ${(size / sampled).toFixed(1).padStart(6)}  ${site}`);
}
if (walked < 0) console.log(walked);
