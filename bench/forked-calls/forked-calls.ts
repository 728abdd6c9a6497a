import { fork } from "node:child_process";
import { once } from "node:events";
import { type Device, type DeviceOrder, startCallfork, startRtpengine } from "./devices.ts";
import type { GeneratorMessage, GeneratorReady, TrafficOrder, TrafficReport } from "./traffic.ts";

export interface Measurement {
  readonly device: string;
  readonly calls: number;
  readonly seconds: number;
  /** CPU time of the device, as a share of one core. */
  readonly coreShare: number;
  readonly callsPerCore: number;
  readonly traffic: TrafficReport;
}

export type DeviceKind = "callfork" | "rtpengine";

const START: Readonly<Record<DeviceKind, (order: DeviceOrder) => Promise<Device>>> = {
  callfork: startCallfork,
  rtpengine: startRtpengine,
};

/** rtpengine confirms endpoints for its first three seconds; Node compiles meanwhile. */
const WARM_UP_MS = 4000;

/** One run: fresh processes, calls set up, traffic, CPU time between the first and the last packet that count. */
export async function measure(
  kind: DeviceKind,
  calls: number,
  seconds: number,
  pattern: TrafficOrder["pattern"],
): Promise<Measurement> {
  const generator = fork(new URL("./generator.ts", import.meta.url), { stdio: "inherit" });
  let device: Device | undefined;
  try {
    const ports = await message<GeneratorReady>(generator, "ready");
    device = await START[kind]({ calls, partyPort: ports.partyPort, sinkPort: ports.sinkPort });
    const begin = message(generator, "begin");
    const end = message(generator, "end");
    const report = message<TrafficReport>(generator, "report");
    generator.send({
      kind: "run",
      calls: device.calls,
      pattern,
      warmUpMs: WARM_UP_MS,
      measureMs: seconds * 1000,
    } satisfies TrafficOrder);
    await begin;
    const [cpuBefore, wallBefore] = [device.cpuMs(), performance.now()];
    await end;
    const [cpuMs, wallMs] = [device.cpuMs() - cpuBefore, performance.now() - wallBefore];
    const coreShare = cpuMs / wallMs;
    return {
      device: device.name,
      calls,
      seconds: wallMs / 1000,
      coreShare,
      callsPerCore: calls / coreShare,
      traffic: await report,
    };
  } finally {
    await device?.stop();
    const exited = once(generator, "exit");
    generator.kill("SIGKILL");
    await exited;
  }
}

function message<T extends GeneratorMessage>(
  from: ReturnType<typeof fork>,
  kind: GeneratorMessage["kind"],
): Promise<T> {
  return new Promise((resolve, reject) => {
    from.on("message", (received: GeneratorMessage) => {
      if (received.kind === kind) resolve(received as T);
    });
    from.once("exit", () => reject(new Error("the generator ended early")));
  });
}
