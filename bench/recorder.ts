// `npm run bench -- recorder`: recordings of two G.711 streams, every file compared octet by octet.

import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { rtpengineVersion } from "./forked-calls/devices.ts";
import { type Device, startCallfork, startRtpengine } from "./recorder/devices.ts";
import { type ProcessStats, processStats } from "./recorder/process-stats.ts";
import { type Gap, type GeneratorMessage, meantOctets, type TrafficOrder } from "./recorder/traffic.ts";

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
  /** Of the whole process, under load. */
  readonly residentBytes: number;
  readonly writesPerSecond: number;
  readonly kilobytesPerSecond: number;
  /** Undefined: not looked at. */
  readonly files: number | undefined;
  /** Not there, or not as long as what was sent, or another octet in them. */
  readonly wrong: number;
  readonly worstLagMs: number;
  /** How much longer than planned the generator took. */
  readonly behind: number;
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
| Device | recordings | share of a core | recordings/core | KB each | RSS, MB | writes/s | KB/s written | files | wrong | generator late, ms |
|---|---|---|---|---|---|---|---|---|---|---|`);
for (const result of results) console.log(row(result));
const slope = kilobytesOfOneMore(results.filter(({ device }) => device.startsWith("callfork")));
if (slope !== undefined) console.log(`\nOne more recording: ${slope.toFixed(0)} KB of RSS`);
if (results.some(({ wrong }) => wrong > 0)) process.exitCode = 1;

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
    const { worstLagMs, gaps } = await end;
    const [after, elapsedMs] = [processStats(device.pid), performance.now() - startedAt];
    await new Promise((resolve) => setTimeout(resolve, 500));
    await device.end();
    const checked = await check(device, WARM_UP_PACKETS + packets, gaps);
    // By the time of the audio: a generator that was held up for a while makes nobody cheaper.
    const coreShare = (after.cpuMs - before.cpuMs) / (seconds * 1_000);
    return {
      device: device.name,
      recordings: count,
      coreShare,
      perCore: count / coreShare,
      kilobytesEach: idle && (after.residentBytes - idle.residentBytes) / 1_000 / count,
      residentBytes: after.residentBytes,
      writesPerSecond: ((after.writes - before.writes) * 1_000) / elapsedMs,
      kilobytesPerSecond: (after.writtenBytes - before.writtenBytes) / elapsedMs,
      worstLagMs,
      behind: elapsedMs / (seconds * 1_000) - 1,
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
async function check({ ports, files }: Device, packets: number, gaps: readonly Gap[]) {
  if (files === undefined) return { files: undefined, wrong: 0 };
  // By their content: the pattern repeats after 256 streams, but gaps do not.
  const meant = new Map<string, number>();
  for (let stream = 0; stream < ports.length; stream++) {
    const digest = digestOf(meantOctets(stream, ports.length, packets, gaps));
    meant.set(digest, (meant.get(digest) ?? 0) + 1);
  }
  let [count, wrong] = [0, 0];
  for await (const octets of files()) {
    count++;
    const digest = digestOf(octets);
    const left = meant.get(digest) ?? 0;
    if (left === 0) wrong++;
    else meant.set(digest, left - 1);
  }
  return { files: count, wrong: wrong + ports.length - count };
}

function digestOf(octets: Uint8Array): string {
  return createHash("sha256").update(octets).digest("hex");
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

/** Least squares over all runs: what threads and their young generations take once is in none of it. */
function kilobytesOfOneMore(runs: readonly Result[]): number | undefined {
  const mean = (of: (run: Result) => number) => runs.reduce((sum, run) => sum + of(run), 0) / runs.length;
  const [recordings, bytes] = [mean((run) => run.recordings), mean((run) => run.residentBytes)];
  const spread = mean((run) => (run.recordings - recordings) ** 2);
  if (!(spread > 0)) return undefined;
  return mean((run) => (run.recordings - recordings) * (run.residentBytes - bytes)) / spread / 1_000;
}

function row(result: Result): string {
  const { device, recordings, coreShare, perCore, kilobytesEach, residentBytes } = result;
  const { writesPerSecond, kilobytesPerSecond } = result;
  const cells = [
    device,
    recordings,
    `${(coreShare * 100).toFixed(1)} %`,
    perCore.toFixed(0),
    kilobytesEach?.toFixed(0) ?? "–",
    (residentBytes / 1e6).toFixed(0),
    writesPerSecond.toFixed(0),
    kilobytesPerSecond.toFixed(0),
    result.files ?? "–",
    result.files === undefined ? "–" : result.wrong,
    result.worstLagMs.toFixed(1) + (result.behind > 0.02 ? " BEHIND SCHEDULE" : ""),
  ];
  return `| ${cells.join(" | ")} |`;
}
