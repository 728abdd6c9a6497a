import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { PacketIoChoice } from "@callfork/server/net";
import type { DeviceReport } from "./gc-watch.ts";
import { NgClient } from "./ng-client.ts";
import type { DevicePorts, PartyPorts } from "./traffic.ts";

/** Something that relays and forks calls, running. */
export interface Device {
  readonly name: string;
  readonly calls: readonly DevicePorts[];
  /** CPU time of the whole process so far, all its threads, in milliseconds. */
  cpuMs(): number;
  /** Resident memory of the whole process, in kilobytes: now, and before the first call was set up. */
  memoryKb(): { readonly now: number; readonly empty: number };
  /** What the heaps of its media workers held before the first call. */
  readonly emptyHeldBytes: number;
  /** What its media workers say of themselves since the last time they were asked. */
  report(): Promise<DeviceReport | undefined>;
  /** A port that is still waiting for its party; undefined where there is none. */
  readonly waitingPort: number | undefined;
  /** What came from strangers and was dropped, as far as the kernel let it through. */
  strangers(): Promise<StrangersReport | undefined>;
  /** Closes what was recorded and reads all of it; undefined for devices that record nothing. */
  verify(): Promise<{ readonly packets: number; readonly lost: number; readonly wrong: number } | undefined>;
  stop(): Promise<void>;
}

export interface StrangersReport {
  readonly kind: "strangers";
  /** On the waiting port, by what they were. */
  readonly dropped: number;
  /** On any port, by their length alone. */
  readonly oversized: number;
}

export interface DeviceOrder {
  readonly parties: readonly PartyPorts[];
  readonly rtcpPort: number;
  readonly workers: number;
  readonly srtp: boolean;
}

const PORTS = { first: 10_000, last: 32_765 };
const NG_PORT = 32_767;

export interface CallforkOrder extends DeviceOrder {
  readonly ports: typeof PORTS;
  readonly io: PacketIoChoice;
  readonly batching: boolean;
}

export interface CallforkReady {
  readonly kind: "ready";
  readonly io: string;
  readonly calls: readonly DevicePorts[];
  readonly waitingPort: number | undefined;
}

export async function startCallfork(
  order: DeviceOrder,
  choice: { readonly io: PacketIoChoice; readonly batching: boolean; readonly records?: boolean },
): Promise<Device> {
  // Loaded by the workers too.
  const watch = ["--import", new URL("./gc-watch.ts", import.meta.url).href];
  const script = choice.records === true ? "./recorder-device.ts" : "./callfork-device.ts";
  const child = fork(new URL(script, import.meta.url), {
    stdio: "inherit",
    execArgv: [...process.execArgv, ...watch],
  });
  child.send({ ...order, ...choice, ports: PORTS } satisfies CallforkOrder);
  const { heldBytes: emptyHeldBytes } = await message<DeviceReport>(child, "device-report");
  const empty = residentKb(child.pid!);
  const ready = await message<CallforkReady>(child, "ready");
  if (choice.io !== "auto" && ready.io !== choice.io) throw new Error(`${choice.io} does not work here`);
  return {
    name: `callfork ${choice.records === true ? "recorder " : ""}(${ready.io}${ready.io === "uring" && choice.batching ? ", GSO" : ""}${order.srtp ? ", SRTP" : ""}${order.workers > 1 ? `, ${order.workers} threads` : ""})`,
    calls: ready.calls,
    cpuMs: () => cpuMs(child.pid!),
    memoryKb: () => ({ now: residentKb(child.pid!), empty }),
    emptyHeldBytes,
    waitingPort: ready.waitingPort,
    strangers: async () => {
      if (ready.waitingPort === undefined) return undefined;
      child.send({ kind: "strangers" });
      return message<StrangersReport>(child, "strangers");
    },
    report: async () => {
      child.send({ kind: "report" });
      return message<DeviceReport>(child, "device-report");
    },
    verify: async () => {
      if (choice.records !== true) return undefined;
      child.send({ kind: "verify" });
      return message<{ packets: number; lost: number; wrong: number }>(child, "verified");
    },
    stop: () => end(child, "SIGTERM"),
  };
}

/** The version, or undefined when it is not installed. */
export function rtpengineVersion(): string | undefined {
  // It prints its version on standard error.
  const { stdout, stderr, status } = spawnSync("rtpengine", ["--version"], { encoding: "utf8" });
  return status === 0 ? (stdout + stderr).replace(/^Version:\s*/, "").trim() : undefined;
}

/** rtpengine in user space (`--table=-1`); each call: offer, answer, one subscription to both. */
export async function startRtpengine(order: DeviceOrder): Promise<Device> {
  const child = spawn(
    "rtpengine",
    [
      ...["--table=-1", "--foreground", "--log-stderr", "--log-level=3", `--num-threads=${order.workers}`],
      ...["--interface=127.0.0.1", `--listen-ng=127.0.0.1:${NG_PORT}`],
      ...[`--port-min=${PORTS.first}`, `--port-max=${PORTS.last}`],
    ],
    { stdio: "ignore", cwd: tmpdir() },
  );
  const ng = new NgClient(NG_PORT);
  try {
    await ng.ask("ping");
    const empty = residentKb(child.pid!);
    const calls: DevicePorts[] = [];
    for (const [i, party] of order.parties.entries()) {
      calls.push(await setUpCall(ng, `call-${i}`, party, order.rtcpPort));
    }
    return {
      name: "rtpengine (user space)",
      calls,
      cpuMs: () => cpuMs(child.pid!),
      memoryKb: () => ({ now: residentKb(child.pid!), empty }),
      emptyHeldBytes: 0,
      waitingPort: undefined,
      strangers: async () => undefined,
      report: async () => undefined,
      verify: async () => undefined,
      stop: async () => {
        ng.close();
        await end(child);
      },
    };
  } catch (error) {
    ng.close();
    await end(child);
    throw error;
  }
}

async function setUpCall(
  ng: NgClient,
  callId: string,
  party: PartyPorts,
  rtcpPort: number,
): Promise<DevicePorts> {
  const call = { "call-id": callId, flags: ["trust-address"], ICE: "remove", replace: ["origin"] };
  const sdpOf = (port: number): string => describe([port], rtcpPort, "sendrecv");
  const offer = await ng.ask("offer", { ...call, "from-tag": "a", sdp: sdpOf(party.a) });
  const answer = await ng.ask("answer", { ...call, "from-tag": "a", "to-tag": "b", sdp: sdpOf(party.b) });
  const request = await ng.ask("subscribe request", { ...call, flags: ["all", "trust-address"] });
  const forks = portsOf(request.sdp);
  await ng.ask("subscribe answer", {
    ...call,
    "to-tag": request["to-tag"]!,
    sdp: describe(
      forks.map(() => party.recorder),
      rtcpPort,
      "recvonly",
    ),
  });
  // What the offer became goes to B, who sends there; what the answer became goes to A.
  return { a: portsOf(answer.sdp)[0]!, b: portsOf(offer.sdp)[0]!, forks };
}

function describe(ports: readonly number[], rtcpPort: number, direction: string): string {
  const head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"];
  const media = ports.flatMap((port) => [
    `m=audio ${port} RTP/AVP 0`,
    "a=rtpmap:0 PCMU/8000",
    `a=rtcp:${rtcpPort}`,
    `a=${direction}`,
  ]);
  return [...head, ...media, ""].join("\r\n");
}

function portsOf(sdp: unknown): number[] {
  return [...String(sdp).matchAll(/^m=audio (\d+)/gm)].map((match) => Number(match[1]));
}

/** Run time of all threads, to the nanosecond, as the scheduler counts it. */
function cpuMs(pid: number): number {
  let nanoseconds = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
  }
  return nanoseconds / 1e6;
}

/** VmRSS, in kilobytes. */
function residentKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** The next message of that kind. */
export function message<T>(child: ChildProcess, kind: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const take = (received: unknown): void => {
      if ((received as { kind?: string }).kind !== kind) return;
      child.off("message", take);
      child.off("exit", fail);
      resolve(received as T);
    };
    const fail = (code: number | null): void => reject(new Error(`a process ended early, with code ${code}`));
    child.on("message", take);
    child.once("exit", fail);
  });
}

async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL" = "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}
