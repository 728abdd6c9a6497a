import { randomFillSync } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { createPacketIo, createSrtpCiphers, HeldResources } from "../net/index.ts";
import { MediaEngine } from "./media-engine.ts";
import { SteadyFlows } from "./steady-flows.ts";
import type { WorkerCommand, WorkerReport, WorkerSettings } from "./worker-messages.ts";

/** The entry of a media worker thread: wires the engine to its sockets and to the main thread. */
if (parentPort === null) throw new Error("to be run as a worker thread");
const main = parentPort;
const settings = workerData as WorkerSettings;
const report = (message: WorkerReport): void => main.postMessage(message);

const { io, refusal } = createPacketIo({ choice: settings.io, held: new HeldResources(settings.held) });
const engine = new MediaEngine(
  {
    io,
    random: { bytes: (length) => randomFillSync(new Uint8Array(length)) },
    ciphers: createSrtpCiphers(),
    flows: new SteadyFlows(io),
    silenceMs: settings.silenceMs,
    earlyMs: settings.earlyMs,
    emit: (event) => report({ kind: "event", event }),
    wallAt: (now) => performance.timeOrigin + now,
  },
  (question, answer) => report({ kind: "answer", question, answer }),
);
io.attach(engine);
io.listen(main, (message) => {
  const command = message as WorkerCommand;
  if (command.kind !== "stop") {
    engine.onCommand(command);
    return;
  }
  engine.stop(performance.now());
  // What was queued in this turn leaves before the ports are closed.
  io.stop().catch(() => process.exit(1));
});
report({ kind: "ready", io: io.name, refusal });
