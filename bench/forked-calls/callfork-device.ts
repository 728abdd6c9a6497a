// The media plane alone in a process: N calls of two bridged legs, both tracks of leg A forked. Started by devices.ts.

import { createMediaPlane, type MediaSrtp } from "@callfork/server/media";
import type { CallforkOrder, CallforkReady } from "./devices.ts";
import { askWorkers } from "./gc-watch.ts";
import { type DevicePorts, keyingOf } from "./traffic.ts";

const quiet = { debug() {}, info() {}, warn() {}, error: console.error, child: () => quiet };
const codecs = [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }];

process.on("message", (order: CallforkOrder | { readonly kind: "report" }) => {
  const done = "kind" in order ? askWorkers().then((report) => process.send?.(report)) : setUp(order);
  done.catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

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
  process.send?.({ kind: "ready", io: plane.implementation.io, calls: opened } satisfies CallforkReady);
}
