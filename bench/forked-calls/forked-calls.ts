import { fork } from "node:child_process";
import { once } from "node:events";
import {
  type Device,
  type DeviceOrder,
  message,
  type StrangersReport,
  startCallfork,
  startRtpengine,
} from "./devices.ts";
import type { DeviceReport } from "./gc-watch.ts";
import type { GeneratorReady, OpenOrder, TrafficOrder, TrafficReport } from "./traffic.ts";

export interface Measurement {
  readonly kind: DeviceKind;
  readonly device: string;
  readonly calls: number;
  readonly seconds: number;
  /** CPU time of the device, as a share of one core. */
  readonly coreShare: number;
  /** Of what was carried: packets that were lost count for nothing, and those never sent for nobody. */
  readonly callsPerCore: number;
  /** Resident memory that the calls added to the process, traffic and all. */
  readonly memoryKb: number;
  readonly workers: DeviceReport | undefined;
  /** What the calls added to the heaps of the media workers, garbage excluded. */
  readonly heldBytes: number;
  readonly traffic: TrafficReport;
  /** Undefined when no strangers were there. */
  readonly strangers: StrangersReport | undefined;
  /** Of a recorder: what its files hold. */
  readonly files: { readonly packets: number; readonly lost: number; readonly wrong: number } | undefined;
}

/** Words of the command line. */
export const DEVICES = {
  gso: (order: DeviceOrder) => startCallfork(order, { io: "uring", batching: true }),
  uring: (order: DeviceOrder) => startCallfork(order, { io: "uring", batching: false }),
  dgram: (order: DeviceOrder) => startCallfork(order, { io: "dgram", batching: false }),
  srtp: (order: DeviceOrder) => startCallfork({ ...order, srtp: true }, { io: "uring", batching: false }),
  "srtp-gso": (order: DeviceOrder) =>
    startCallfork({ ...order, srtp: true }, { io: "uring", batching: true }),
  recorder: (order: DeviceOrder) => startCallfork(order, { io: "uring", batching: false, records: true }),
  "recorder-dgram": (order: DeviceOrder) =>
    startCallfork(order, { io: "dgram", batching: false, records: true }),
  rtpengine: (order: DeviceOrder) => startRtpengine(order),
} as const satisfies Record<string, (order: DeviceOrder) => Promise<Device>>;

export type DeviceKind = keyof typeof DEVICES;

export interface MeasureOptions {
  readonly kind: DeviceKind;
  readonly calls: number;
  readonly seconds: number;
  readonly workers: number;
  readonly pattern: TrafficOrder["pattern"];
  /** Floods one port of the first call, and one that waits for its party. */
  readonly strangers?: boolean;
}

/** rtpengine confirms endpoints for its first three seconds; Node compiles meanwhile. */
const WARM_UP_MS = 6000;
const SETTLE_MS = 100;

/** Call-seconds: a call is a hundred packets a second, each relayed and forked. */
function callsCarried({ sent, relayed, forked }: TrafficReport, records: boolean): number {
  return (records ? sent : (relayed + forked) / 2) / 100;
}

/** One run: fresh processes, calls set up, traffic, CPU time between the first and the last packet that count. */
export async function measure({
  kind,
  calls,
  seconds,
  workers: threads,
  pattern,
  strangers = false,
}: MeasureOptions): Promise<Measurement> {
  const generator = fork(new URL("./generator.ts", import.meta.url), { stdio: "inherit" });
  let device: Device | undefined;
  try {
    const opened = message<GeneratorReady>(generator, "ready");
    generator.send({ kind: "open", calls } satisfies OpenOrder);
    const { calls: parties, rtcpPort } = await opened;
    device = await DEVICES[kind]({ parties, rtcpPort, workers: threads, srtp: false });
    const begin = message(generator, "begin");
    const end = message(generator, "end");
    const report = message<TrafficReport>(generator, "report");
    generator.send({
      kind: "run",
      calls: device.calls,
      pattern,
      srtp: kind.startsWith("srtp"),
      floodedPorts: strangers
        ? [device.calls[0]!.a, device.waitingPort].filter((port) => port !== undefined)
        : [],
      warmUpMs: WARM_UP_MS,
      measureMs: seconds * 1000,
    } satisfies TrafficOrder);
    await begin;
    await device.report();
    // Reporting takes time of its own: it is not counted.
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const [cpuBefore, wallBefore] = [device.cpuMs(), performance.now()];
    await end;
    const [cpuMs, wallMs] = [device.cpuMs() - cpuBefore, performance.now() - wallBefore];
    const coreShare = cpuMs / wallMs;
    const memory = device.memoryKb();
    const workers = await device.report();
    const traffic = await report;
    return {
      kind,
      device: device.name,
      calls,
      seconds: wallMs / 1000,
      coreShare,
      callsPerCore: callsCarried(traffic, kind.startsWith("recorder")) / (cpuMs / 1000),
      memoryKb: memory.now - memory.empty,
      workers,
      heldBytes: (workers?.heldBytes ?? 0) - device.emptyHeldBytes,
      traffic,
      strangers: strangers ? await device.strangers() : undefined,
      files: await device.verify(),
    };
  } finally {
    await device?.stop();
    const exited = once(generator, "exit");
    generator.kill("SIGKILL");
    await exited;
  }
}
