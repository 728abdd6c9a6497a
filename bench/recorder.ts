// `npm run bench -- recorder`: recordings of two G.711 streams, every file compared octet by octet.

import { fork } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { rtpengineVersion } from "./forked-calls/devices.ts";
import { type Device, startCallfork, startRtpengine } from "./recorder/devices.ts";
import { type ProcessStats, processStats } from "./recorder/process-stats.ts";
import { fillPayload, type GeneratorMessage, PAYLOAD_BYTES, type TrafficOrder } from "./recorder/traffic.ts";

const { values } = parseArgs({
  options: {
    recordings: { type: "string", default: "100,250,500" },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "1" },
    devices: { type: "string", default: "callfork,rtpengine" },
    io: { type: "string", default: "dgram" },
    soak: { type: "boolean", default: false },
  },
});
/** The soak: ten minutes of two hundred recordings. */
const counts = values.soak ? [200] : values.recordings.split(",").map(Number);
const seconds = values.soak ? 600 : Number(values.seconds);
const rounds = values.soak ? 1 : Number(values.rounds);
const WARM_UP_PACKETS = 150;

interface Result {
  readonly device: string;
  readonly recordings: number;
  readonly coreShare: number;
  readonly perCore: number;
  readonly kilobytesEach: number | undefined;
  readonly writesPerSecond: number;
  readonly kilobytesPerSecond: number;
  readonly files: number;
  readonly wrong: number;
  readonly lost: number;
  readonly worstLagMs: number;
}

const version = rtpengineVersion();
console.log(`Recordings of two streams of 50 packets/s (172 octets), arrivals spread over 20 ms, every file compared.
CPU time of the recorder's whole process, SIP and database included; the generator is another process; loopback.
${cpus().length} × ${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.version}, rtpengine ${version ?? "not installed"}
`);
const results: Result[] = [];
for (const count of counts) {
  for (let round = 0; round < rounds; round++) {
    for (const kind of values.devices.split(",")) {
      if (kind === "rtpengine" && (version === undefined || values.soak)) continue;
      const result = await measure(kind, count);
      results.push(result);
      console.log(row(result));
    }
  }
}
console.log(`
| Device | recordings | share of a core | recordings/core | KB each | writes/s | KB/s written | files | wrong | packets lost | generator late, ms |
|---|---|---|---|---|---|---|---|---|---|---|`);
for (const result of results) console.log(row(result));
if (results.some(({ wrong, lost }) => wrong > 0 || lost > 0)) process.exitCode = 1;

async function measure(kind: string, count: number): Promise<Result> {
  const generator = fork(new URL("./recorder/generator.ts", import.meta.url), { stdio: "inherit" });
  let stop: (() => Promise<void>) | undefined;
  try {
    const { port } = await message(generator, "ready");
    let device: Device;
    let idle: ProcessStats | undefined;
    if (kind === "callfork") {
      const { record, ...rest } = await startCallfork({ io: values.io });
      stop = rest.stop;
      idle = processStats(rest.pid);
      device = { ...rest, ...(await record(count, port)) };
    } else {
      device = await startRtpengine(count, port);
      stop = device.stop;
    }
    const packets = seconds * 50;
    const [begin, end] = [message(generator, "begin"), message(generator, "end")];
    generator.send({ ports: device.ports, warmUpPackets: WARM_UP_PACKETS, packets } satisfies TrafficOrder);
    await begin;
    const [before, startedAt] = [processStats(device.pid), performance.now()];
    const { worstLagMs } = await end;
    const [after, elapsedMs] = [processStats(device.pid), performance.now() - startedAt];
    await new Promise((resolve) => setTimeout(resolve, 500));
    await device.end();
    const checked = await check(device, WARM_UP_PACKETS + packets);
    const coreShare = (after.cpuMs - before.cpuMs) / elapsedMs;
    return {
      device: device.name,
      recordings: count,
      coreShare,
      perCore: count / coreShare,
      kilobytesEach: idle && (after.residentBytes - idle.residentBytes) / 1_000 / count,
      writesPerSecond: ((after.writes - before.writes) * 1_000) / elapsedMs,
      kilobytesPerSecond: (after.writtenBytes - before.writtenBytes) / elapsedMs,
      worstLagMs,
      ...checked,
    };
  } finally {
    await stop?.();
    const exited = once(generator, "exit");
    generator.kill("SIGKILL");
    await exited;
  }
}

/** Every stream is to be there once, as it was sent. */
async function check(device: Device, packets: number) {
  const [streams, tails] = [new Map<string, number>(), new Map<string, number>()];
  const startOf = (octets: Uint8Array) => Buffer.from(octets.subarray(0, first.length)).toString("latin1");
  const endOf = (octets: Uint8Array) => Buffer.from(octets.subarray(-first.length)).toString("latin1");
  const first = new Uint8Array(2 * PAYLOAD_BYTES);
  for (let stream = 0; stream < device.ports.length; stream++) {
    // Where two streams begin alike they are alike: the pattern repeats after 256 streams.
    fillPayload(first, 0, stream, 0);
    fillPayload(first, PAYLOAD_BYTES, stream, 1);
    streams.set(startOf(first), stream);
    fillPayload(first, 0, stream, packets - 2);
    fillPayload(first, PAYLOAD_BYTES, stream, packets - 1);
    tails.set(endOf(first), stream);
  }
  const meant = new Uint8Array(packets * PAYLOAD_BYTES);
  let [files, wrong, lost] = [0, 0, 0];
  for await (const octets of device.files()) {
    files++;
    lost += Math.max(0, packets - Math.round(octets.length / PAYLOAD_BYTES));
    const missing = Math.max(0, meant.length - octets.length);
    // What is missing is missing at the start, with a device that listens for a while before it believes.
    const stream = missing === 0 ? streams.get(startOf(octets)) : tails.get(endOf(octets));
    for (let index = 0; stream !== undefined && index < packets; index++) {
      fillPayload(meant, index * PAYLOAD_BYTES, stream, index);
    }
    if (stream === undefined || Buffer.compare(octets, meant.subarray(missing)) !== 0) wrong++;
  }
  lost += (device.ports.length - files) * packets;
  return { files, wrong, lost };
}

function message<K extends GeneratorMessage["kind"]>(
  from: ReturnType<typeof fork>,
  kind: K,
): Promise<Extract<GeneratorMessage, { kind: K }>> {
  return new Promise((resolve, reject) => {
    from.on("message", (received: GeneratorMessage) => {
      if (received.kind === kind) resolve(received as Extract<GeneratorMessage, { kind: K }>);
    });
    from.once("exit", () => reject(new Error("the generator ended early")));
  });
}

function row(result: Result): string {
  const { device, recordings, coreShare, perCore, kilobytesEach, writesPerSecond, kilobytesPerSecond } =
    result;
  const cells = [
    device,
    recordings,
    `${(coreShare * 100).toFixed(1)} %`,
    perCore.toFixed(0),
    kilobytesEach?.toFixed(0) ?? "–",
    writesPerSecond.toFixed(0),
    kilobytesPerSecond.toFixed(0),
    result.files,
    result.wrong,
    result.lost,
    result.worstLagMs.toFixed(1),
  ];
  return `| ${cells.join(" | ")} |`;
}
