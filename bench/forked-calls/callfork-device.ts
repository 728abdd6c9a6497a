// The media plane alone in a process: one worker, N calls of two bridged legs, both tracks of leg A forked. Started by
// devices.ts.

import { createMediaPlane } from "@callfork/server/media";
import type { CallforkOrder, CallforkReady } from "./devices.ts";

const quiet = { debug() {}, info() {}, warn() {}, error: console.error, child: () => quiet };
const codecs = [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }];

process.on("message", (order: CallforkOrder) => {
  setUp(order).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

async function setUp({ calls, partyPort, sinkPort, ports }: CallforkOrder): Promise<void> {
  const plane = await createMediaPlane({ advertisedAddress: "127.0.0.1", ports, workers: 1, log: quiet });
  const at = (rtpPort: number) => ({ address: "127.0.0.1", rtpPort, rtcpPort: rtpPort + 1 });
  const opened: { a: number; b: number }[] = [];
  for (let i = 0; i < calls; i++) {
    const group = `CA${i}`;
    const [a, b] = await Promise.all([plane.openLeg({ group }), plane.openLeg({ group })]);
    for (const leg of [a, b]) {
      plane.connectLeg(leg.id, { remote: at(partyPort), direction: "sendrecv", codecs });
    }
    plane.bridge(a.id, b.id);
    for (const track of ["inbound", "outbound"] as const) {
      const fork = await plane.openFork({ leg: a.id, track });
      const connection = { payloadTypes: new Map([[0, 0]]), clockRateHz: 8000, cname: `fork-${i}` };
      plane.startFork(fork.id, { ...connection, remote: at(sinkPort) });
    }
    opened.push({ a: a.rtpPort, b: b.rtpPort });
  }
  process.send?.({ kind: "ready", io: plane.implementation.io, calls: opened } satisfies CallforkReady);
}
