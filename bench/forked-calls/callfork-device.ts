// The media plane alone in a process: N calls of two bridged legs, both tracks of leg A forked. Started by devices.ts.

import { createMediaPlane, type MediaSrtp } from "@callfork/server/media";
import type { CallforkOrder, CallforkReady, StrangersReport } from "./devices.ts";
import { askWorkers } from "./gc-watch.ts";
import { type DevicePorts, keyingOf } from "./traffic.ts";

const quiet = { debug() {}, info() {}, warn() {}, error: console.error, child: () => quiet };
const codecs = [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }];

let strangers = async (): Promise<void> => {};

process.on("message", (order: CallforkOrder | { readonly kind: "report" | "strangers" }) => {
  const done = !("kind" in order) ? setUp(order) : order.kind === "report" ? report() : strangers();
  done.catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

async function report(): Promise<void> {
  process.send?.(await askWorkers());
}

async function setUp(order: CallforkOrder): Promise<void> {
  const { parties, rtcpPort, ports, workers, io, srtp } = order;
  const plane = await createMediaPlane({ advertisedAddress: "127.0.0.1", ports, workers, io, log: quiet });
  // Before the first call.
  process.send?.(await askWorkers());
  const at = (rtpPort: number) => ({ address: "127.0.0.1", rtpPort, rtcpPort });
  const keys = (
    call: number,
    receive: "a" | "b" | "fork",
    send: "toA" | "toB" | "fork",
  ): MediaSrtp | undefined =>
    srtp ? { receive: keyingOf(call, receive), send: keyingOf(call, send) } : undefined;
  const opened: DevicePorts[] = [];
  for (const [i, party] of parties.entries()) {
    const group = `CA${i}`;
    const [a, b] = await Promise.all([plane.openLeg({ group }), plane.openLeg({ group })]);
    const connection = { direction: "sendrecv", codecs } as const;
    plane.connectLeg(a.id, { ...connection, remote: at(party.a), srtp: keys(i, "a", "toA") });
    plane.connectLeg(b.id, { ...connection, remote: at(party.b), srtp: keys(i, "b", "toB") });
    plane.bridge(a.id, b.id);
    const forks: number[] = [];
    for (const track of ["inbound", "outbound"] as const) {
      const fork = await plane.openFork({ leg: a.id, track });
      forks.push(fork.rtpPort);
      plane.startFork(fork.id, {
        remote: at(party.recorder),
        payloadTypes: new Map([[0, 0]]),
        clockRateHz: 8000,
        cname: `fork-${i}`,
        srtp: keys(i, "fork", "fork"),
        batching: order.batching,
      });
    }
    opened.push({ a: a.rtpPort, b: b.rtpPort, forks });
  }
  const waiting = await plane.openLeg({ group: "waiting" });
  plane.connectLeg(waiting.id, { direction: "sendrecv", codecs, remote: at(9) });
  strangers = async () => {
    const { oversized } = await plane.packetCounters();
    const dropped = (await plane.stats(waiting.id))?.dropped ?? 0;
    process.send?.({ kind: "strangers", dropped, oversized } satisfies StrangersReport);
  };
  const ready = { io: plane.implementation.io, calls: opened, waitingPort: waiting.rtpPort };
  process.send?.({ kind: "ready", ...ready } satisfies CallforkReady);
}
