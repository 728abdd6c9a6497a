// Calls per second through the B2BUA, between a SIPp that calls and one that is called, without media; and the CPU time of
// the process in between for each call. Beside it Kamailio as a record-routing proxy: it forwards messages where Callfork
// ends one dialog and begins another, opens media ports and writes two records, so it is a lower bound, not a rival.
//   node bench/calls.ts [--rates 25,50,100] [--seconds 8] [--rounds 3] [--devices callfork,kamailio]

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Child } from "../test/interop/support/child.ts";
import { Owned } from "../test/interop/support/owned.ts";
import { freePort, isListening } from "../test/interop/support/ports.ts";
import { programPath } from "../test/interop/support/programs.ts";
import { scratchFolder } from "../test/interop/support/scratch.ts";
import { TestServer } from "../test/interop/support/server.ts";
import { until } from "../test/interop/support/waiting.ts";

const { values } = parseArgs({
  options: {
    rates: { type: "string", default: "25,50,100" },
    seconds: { type: "string", default: "8" },
    rounds: { type: "string", default: "3" },
    devices: { type: "string", default: "callfork,kamailio" },
  },
});
const FOLDER = resolve(import.meta.dirname, "calls");
/** Of a call, between ACK and BYE. */
const HOLD_MS = 500;
const LOCALHOST = "127.0.0.1";
/** Of the kernel's clock that counts CPU time. */
const TICK_MS = 10;

/** What stands between caller and callee. */
interface Device {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** Where it finds the callee: a port for each, so that nobody gets what was meant for another. */
  readonly calleePort: number;
}

interface Run {
  readonly completed: number;
  readonly failed: number;
  /** Messages that SIPp had to send again on either side: none when the device keeps up. */
  readonly retransmissions: number;
  readonly cpuMs: number;
  readonly wallMs: number;
}

const rates = values.rates.split(",").map(Number);
const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
const wanted = values.devices.split(",");
if (programPath("sipp") === undefined) {
  console.error("sipp is not installed");
  process.exit(1);
}

const owned = new Owned();
const devices: Device[] = [];
if (wanted.includes("callfork")) devices.push(await callfork());
if (wanted.includes("kamailio") && programPath("kamailio") !== undefined) devices.push(await kamailio());

const version = spawnSync(programPath("kamailio") ?? "false", ["-v"], { encoding: "utf8" }).stdout;
console.log(`Calls by UDP: INVITE, 180, 200, ACK, ${HOLD_MS} ms, BYE; without media packets. CPU time of the device's processes, all
threads. callfork is a stock \`serve\` whose number runs a <Dial>, with call records in its database; kamailio forwards with
Record-Route and keeps nothing: a lower bound. ${seconds} s at each rate, ${rounds} rounds, devices in turn; medians.
${cpus().length} × ${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.version}, ${/kamailio \S+/.exec(version ?? "")?.[0] ?? "no kamailio"}
`);

const results = new Map<string, Run[]>();
for (const device of devices) await calls(device, 30, 6); // until the engine has compiled what is hot
for (const rate of rates) {
  for (let round = 0; round < rounds; round++) {
    for (const device of round % 2 === 0 ? devices : devices.toReversed()) {
      const run = await calls(device, rate, seconds);
      const key = `${rate} ${device.name}`;
      results.set(key, [...(results.get(key) ?? []), run]);
      console.log(
        `${device.name}, ${rate} calls/s: ${run.completed} completed, ${run.failed} failed, ` +
          `${run.retransmissions} retransmissions, ${(run.cpuMs / run.completed).toFixed(2)} ms CPU a call`,
      );
    }
  }
}

console.log(
  "\n| Device | calls/s offered | completed | failed | retransmissions | CPU ms a call | share of a core |\n|---|---|---|---|---|---|---|",
);
for (const rate of rates) {
  for (const { name } of devices) {
    const runs = results.get(`${rate} ${name}`) ?? [];
    const of = (pick: (run: Run) => number): number => median(runs.map(pick));
    const sum = (pick: (run: Run) => number): number => runs.reduce((total, run) => total + pick(run), 0);
    console.log(
      `| ${name} | ${rate} | ${sum(({ completed }) => completed)} | ${sum(({ failed }) => failed)} ` +
        `| ${sum(({ retransmissions }) => retransmissions)} | ${of((run) => run.cpuMs / run.completed).toFixed(2)} ` +
        `| ${(of((run) => run.cpuMs / run.wallMs) * 100).toFixed(0)} % |`,
    );
  }
}
await owned.release();
process.exit();

async function callfork(): Promise<Device> {
  const calleePort = await freePort();
  const server = await TestServer.start(owned, { flags: ["--log-level", "warn"] });
  await server.number("bench", {
    twiml: `<Response><Dial answerOnBridge="true"><Sip>sip:bob@${LOCALHOST}:${calleePort}</Sip></Dial></Response>`,
  });
  return { name: "callfork", pid: server.child.pid, port: server.sipPort, calleePort };
}

async function kamailio(): Promise<Device> {
  const folder = scratchFolder("bench-kamailio");
  const [port, calleePort] = [await freePort(), await freePort()];
  const args = [
    ...["-f", join(FOLDER, "kamailio.cfg"), "-Y", folder, "-w", folder, "-P", join(folder, "kamailio.pid")],
    ...["-DD", "-E", "-m", "64", "-M", "8"],
    ...[`--substdef=!SIP_PORT!${port}!g`, `--substdef=!CALLEE_PORT!${calleePort}!g`],
  ];
  const child = new Child(programPath("kamailio") ?? "kamailio", args, { cwd: folder });
  owned.after(async () => {
    await child.stop("SIGTERM");
  });
  await until("Kamailio listening", () => child.isOver || isListening("udp", port));
  if (child.isOver) throw new Error(`Kamailio ended: ${child.stderr}`);
  return { name: "kamailio", pid: child.pid, port, calleePort };
}

/** One load of so many calls a second, and what it cost. */
async function calls(device: Device, rate: number, forSeconds: number): Promise<Run> {
  const own = new Owned();
  const total = rate * forSeconds;
  try {
    const common = ["-i", LOCALHOST, "-nostdin", "-trace_stat", "-fd", "1"];
    const callee = sipp(own, "uas", [...common, "-p", String(device.calleePort)]);
    await until("the callee listening", () => callee.child.isOver || isListening("udp", device.calleePort));
    const started = performance.now();
    const before = cpuMs(device.pid);
    const caller = sipp(own, "uac", [
      ...common,
      ...["-p", String(await freePort()), "-r", String(rate), "-d", String(HOLD_MS), "-s", "bench"],
      ...["-l", String(total), "-m", String(total), "-timeout", `${forSeconds + 60}s`],
      `${LOCALHOST}:${device.port}`,
    ]);
    await caller.child.ended;
    const wallMs = performance.now() - started;
    callee.child.signal("SIGUSR1"); // no more calls; it ends with its last one
    await callee.child.ended;
    const used = cpuMs(device.pid) - before;
    const [called, calling] = [statistics(callee.folder), statistics(caller.folder)];
    return {
      completed: calling.successful,
      failed: calling.failed,
      retransmissions: calling.retransmissions + called.retransmissions,
      cpuMs: used,
      wallMs,
    };
  } finally {
    await own.release();
  }
}

function sipp(own: Owned, scenario: "uac" | "uas", args: readonly string[]) {
  const folder = scratchFolder(`bench-${scenario}`);
  const all = ["-sf", join(FOLDER, `${scenario}.xml`), "-stf", join(folder, "statistics.csv"), ...args];
  const child = new Child("sipp", all, { cwd: folder });
  own.after(async () => {
    if (!child.isOver) await child.stop("SIGKILL");
  });
  return { child, folder };
}

/** The last line of SIPp's statistics: cumulative counters end in (C). */
function statistics(folder: string): { successful: number; failed: number; retransmissions: number } {
  const lines = readFileSync(join(folder, "statistics.csv"), "utf8").trim().split("\n");
  const names = lines[0]?.split(";") ?? [];
  const last = lines.at(-1)?.split(";") ?? [];
  const counter = (name: string): number => Number(last[names.indexOf(`${name}(C)`)] ?? 0);
  return {
    successful: counter("SuccessfulCall"),
    failed: counter("FailedCall"),
    retransmissions: counter("Retransmissions"),
  };
}

/** Of a process, its threads and its children, in milliseconds. */
function cpuMs(pid: number): number {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  let ticks = 0;
  for (const each of all) {
    const found = statOf(each);
    if (found === undefined) continue;
    if (Number(each) === pid || found.parent === pid) ticks += found.ticks;
  }
  return ticks * TICK_MS;
}

function statOf(pid: string): { readonly parent: number; readonly ticks: number } | undefined {
  try {
    // The name in brackets may hold blanks; what is counted comes behind it.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined; // it has ended meanwhile
  }
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
