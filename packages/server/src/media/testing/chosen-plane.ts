// A media plane that starts, carries a tone and stops; tells what it chose and what it logged. Run as a process.

import type { PacketIoChoice } from "../../net/index.ts";
import { createMediaPlane } from "../media-plane.ts";
import { LOCALHOST } from "./party.ts";

const warnings: unknown[] = [];
const log = {
  debug() {},
  info() {},
  warn: (...parameters: unknown[]) => void warnings.push(parameters),
  error() {},
  child: () => log,
};
const [choice, first] = process.argv.slice(2);
const ports = { first: Number(first), last: Number(first) + 9 };
try {
  const plane = await createMediaPlane({
    advertisedAddress: LOCALHOST,
    ports,
    workers: 1,
    io: choice as PacketIoChoice,
    log,
  });
  const leg = await plane.openLeg({ group: "CA1" });
  plane.connectLeg(leg.id, {
    remote: { address: LOCALHOST, rtpPort: 9, rtcpPort: 10 },
    direction: "sendrecv",
    codecs: [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }],
  });
  await plane.play(leg.id, { samples: new Int16Array(800), loop: 1 });
  const sent = (await plane.close(leg.id))?.sent.packets;
  const { implementation } = plane;
  await plane.stop();
  console.log(JSON.stringify({ implementation, warnings, sent }));
} catch (error) {
  console.log(JSON.stringify({ code: (error as { readonly code?: string }).code, message: String(error) }));
}
