import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { NgClient } from "./ng-client.ts";

/** Something that relays and forks calls, running. */
export interface Device {
  readonly name: string;
  readonly calls: readonly { readonly a: number; readonly b: number }[];
  /** CPU time of the whole process so far, all its threads, in milliseconds. */
  cpuMs(): number;
  stop(): Promise<void>;
}

export interface DeviceOrder {
  readonly calls: number;
  readonly partyPort: number;
  readonly sinkPort: number;
}

const PORTS = { first: 20_000, last: 31_999 };
const NG_PORT = 32_001;

export interface CallforkOrder extends DeviceOrder {
  readonly ports: typeof PORTS;
}

export interface CallforkReady {
  readonly kind: "ready";
  readonly io: string;
  readonly calls: readonly { readonly a: number; readonly b: number }[];
}

export async function startCallfork(order: DeviceOrder): Promise<Device> {
  const child = fork(new URL("./callfork-device.ts", import.meta.url), { stdio: "inherit" });
  child.send({ ...order, ports: PORTS } satisfies CallforkOrder);
  const ready = await firstMessage<CallforkReady>(child);
  return {
    name: `callfork (${ready.io})`,
    calls: ready.calls,
    cpuMs: () => cpuMs(child.pid!),
    stop: () => end(child),
  };
}

/** The version, or undefined when it is not installed. */
export function rtpengineVersion(): string | undefined {
  // It prints its version on standard error.
  const { stdout, stderr, status } = spawnSync("rtpengine", ["--version"], { encoding: "utf8" });
  return status === 0 ? (stdout + stderr).replace(/^Version:\s*/, "").trim() : undefined;
}

/** rtpengine in user space (`--table=-1`) with one worker thread; each call: offer, answer, one subscription to both. */
export async function startRtpengine(order: DeviceOrder): Promise<Device> {
  const child = spawn(
    "rtpengine",
    [
      ...["--table=-1", "--foreground", "--log-stderr", "--log-level=3", "--num-threads=1"],
      ...["--interface=127.0.0.1", `--listen-ng=127.0.0.1:${NG_PORT}`],
      ...[`--port-min=${PORTS.first}`, `--port-max=${PORTS.last}`],
    ],
    { stdio: "ignore" },
  );
  const ng = new NgClient(NG_PORT);
  try {
    await ng.ask("ping");
    const calls: { a: number; b: number }[] = [];
    for (let i = 0; i < order.calls; i++) calls.push(await setUpCall(ng, `call-${i}`, order));
    return {
      name: "rtpengine (user space)",
      calls,
      cpuMs: () => cpuMs(child.pid!),
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
  order: DeviceOrder,
): Promise<{ a: number; b: number }> {
  const call = { "call-id": callId, flags: ["trust-address"], ICE: "remove", replace: ["origin"] };
  const sdp = describe([order.partyPort], "sendrecv");
  const offer = await ng.ask("offer", { ...call, "from-tag": "a", sdp });
  const answer = await ng.ask("answer", { ...call, "from-tag": "a", "to-tag": "b", sdp });
  const request = await ng.ask("subscribe request", { ...call, flags: ["all", "trust-address"] });
  const tracks = portsOf(request.sdp).length;
  await ng.ask("subscribe answer", {
    ...call,
    "to-tag": request["to-tag"]!,
    sdp: describe(new Array(tracks).fill(order.sinkPort), "recvonly"),
  });
  // What the offer became goes to B, who sends there; what the answer became goes to A.
  return { a: portsOf(answer.sdp)[0]!, b: portsOf(offer.sdp)[0]! };
}

function describe(ports: readonly number[], direction: string): string {
  const head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"];
  const media = ports.flatMap((port) => [
    `m=audio ${port} RTP/AVP 0`,
    "a=rtpmap:0 PCMU/8000",
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

export async function firstMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once("message", (message) => resolve(message as T));
    child.once("exit", (code) => reject(new Error(`a process ended early, with code ${code}`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
