// What a recorder that misbehaves costs the call that it should record: the delay of packets from party to party, with
// no fork, with a good recorder, and with recorders that are dead or send things back.
// `npm run bench -- broken`, or `npm run bench -- broken --calls 40 --rounds 5`.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { writeRtpHeader } from "@callfork/protocol/rtp";
import { createMediaPlane, type MediaPlane } from "@callfork/server/media";
import type { Log } from "@callfork/server/observe";

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "40" },
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help === true) {
  console.log("npm run bench -- broken [--calls 40] [--seconds 5] [--rounds 3]");
  process.exit(0);
}
const CALLS = Number(values.calls);
const SECONDS = Number(values.seconds);
const ROUNDS = Number(values.rounds);

const LOCALHOST = "127.0.0.1";
const PACKET_MS = 20;
const RTP_HEADER = 12;
const OCTETS = 160;
/** Where a packet says that it counts, behind the time of its sending. */
const COUNTS_AT = RTP_HEADER + 8;
/** How many packets one that sends back too much sends for each that it gets. */
const FLOOD = 10;
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

type Recorder = "none" | "good" | "dead port" | "echo" | "flood";

interface Party {
  readonly socket: Socket;
  readonly port: number;
  to: number;
}

async function open(): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket("udp4").bind(0, LOCALHOST);
  socket.on("error", () => {});
  await once(socket, "listening");
  return { socket, port: socket.address().port };
}

const target = (port: number) => ({ address: LOCALHOST, rtpPort: port, rtcpPort: port + 1 });

/** One call: two legs, bridged; both tracks forked to what kind of recorder it is. */
async function call(
  plane: MediaPlane,
  name: string,
  recorder: Recorder,
  onArrival: (bytes: Buffer) => void,
): Promise<{ readonly parties: readonly Party[]; close(): Promise<void> }> {
  const codecs = [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }];
  const legs = await Promise.all([0, 1].map(() => plane.openLeg({ group: name })));
  const parties = await Promise.all(
    legs.map(async (leg): Promise<Party> => {
      const { socket, port } = await open();
      socket.on("message", onArrival);
      plane.connectLeg(leg.id, { remote: target(port), direction: "sendrecv", codecs });
      return { socket, port, to: leg.rtpPort };
    }),
  );
  plane.bridge(legs[0]!.id, legs[1]!.id);
  const ears: Socket[] = [];
  const forks: number[] = [];
  for (const track of recorder === "none" ? [] : (["inbound", "outbound"] as const)) {
    const { socket, port } = await open();
    if (recorder === "dead port") {
      socket.close();
      await once(socket, "close");
    } else ears.push(socket);
    const copies = recorder === "echo" ? 1 : recorder === "flood" ? FLOOD : 0;
    socket.on("message", (bytes, from) => {
      for (let copy = 0; copy < copies; copy++) socket.send(bytes, from.port, from.address);
    });
    const fork = await plane.openFork({ leg: legs[0]!.id, track });
    forks.push(fork.id);
    const connection = { remote: target(port), payloadTypes: new Map([[0, 0]]), clockRateHz: 8000 };
    plane.startFork(fork.id, { ...connection, cname: "bench" });
  }
  return {
    parties,
    async close() {
      await Promise.all([...forks, ...legs.map(({ id }) => id)].map((id) => plane.close(id)));
      for (const socket of [...parties.map((party) => party.socket), ...ears]) socket.close();
    },
  };
}

async function measure(recorder: Recorder): Promise<{ readonly packets: number; readonly delays: number[] }> {
  const plane = await createMediaPlane({
    advertisedAddress: LOCALHOST,
    ports: { first: 20_000, last: 27_999 },
    workers: 1,
    log: quiet,
    drainMs: 0,
  });
  const delays: number[] = [];
  let isCounting = false;
  const calls = await Promise.all(
    Array.from({ length: CALLS }, (_, number) =>
      call(plane, `CA${number}`, recorder, (bytes) => {
        if (bytes[COUNTS_AT] === 1) delays.push(performance.now() - bytes.readDoubleBE(RTP_HEADER));
      }),
    ),
  );
  const parties = calls.flatMap((one) => one.parties);
  let sent = 0;
  await new Promise<void>((resolve) => {
    const began = performance.now();
    const packet = Buffer.alloc(RTP_HEADER + OCTETS, 0xff);
    let turn = 0;
    const timer = setInterval(() => {
      // Parties take turns within a packet time, so that what is measured is not a queue of our own making.
      for (; turn * (PACKET_MS / parties.length) <= performance.now() - began; turn++) {
        const party = parties[turn % parties.length]!;
        const round = Math.floor(turn / parties.length);
        writeRtpHeader(packet, 0, false, 0, round & 0xffff, round * OCTETS, party.port);
        packet.writeDoubleBE(performance.now(), RTP_HEADER);
        packet[COUNTS_AT] = isCounting ? 1 : 0;
        party.socket.send(Uint8Array.from(packet), party.to, LOCALHOST);
        if (isCounting) sent++;
      }
      const seconds = (performance.now() - began) / 1000;
      isCounting = seconds > 1 && seconds < SECONDS + 1; // the first one warms up
      if (seconds > SECONDS + 1.5) {
        clearInterval(timer);
        resolve();
      }
    }, 1);
  });
  await Promise.all(calls.map((one) => one.close()));
  await plane.stop();
  return { packets: sent, delays: delays.sort((a, b) => a - b) };
}

const KINDS = ["none", "good", "dead port", "echo", "flood"] as const;
const rounds = new Map<Recorder, Awaited<ReturnType<typeof measure>>[]>(KINDS.map((kind) => [kind, []]));
// In turns: what else the machine does meets all of them.
for (let round = 0; round < ROUNDS; round++) {
  for (const kind of KINDS) rounds.get(kind)!.push(await measure(kind));
}
const at = ({ delays }: { readonly delays: readonly number[] }, share: number): number =>
  delays[Math.floor(delays.length * share)] ?? Number.NaN;
console.log(`${CALLS} calls; the best of ${ROUNDS} rounds of ${SECONDS} s; delay from party to party in milliseconds
${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.version}

| Recorder | Packets | Lost | p50 | p99 | p99.9 |
|---|---|---|---|---|---|`);
for (const [kind, measured] of rounds) {
  const [best] = measured.sort((a, b) => at(a, 0.99) - at(b, 0.99));
  const figures = [0.5, 0.99, 0.999].map((share) => at(best!, share).toFixed(2));
  console.log(`| ${[kind, best!.packets, best!.packets - best!.delays.length, ...figures].join(" | ")} |`);
}
