// The recorder's packet path in a process: receivers, the writer's thread, files. Started by devices.ts.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseWav } from "@callfork/protocol/audio";
import { createMediaPlane } from "@callfork/server/media";
import { narrowbandFormat } from "../../packages/server/src/recording-server/tracks/payload-format.ts";
import { TrackWriter, type WrittenTrack } from "../../packages/server/src/recording-server/tracks/writer.ts";
import type { CallforkOrder, CallforkReady } from "./devices.ts";
import { askWorkers } from "./gc-watch.ts";
import { type DevicePorts, isPattern, PAYLOAD_BYTES } from "./traffic.ts";

const quiet = { debug() {}, info() {}, warn() {}, error: console.error, child: () => quiet };
const folder = mkdtempSync(join(tmpdir(), "callfork-bench-"));
process.on("SIGTERM", () => process.exit());
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const tracks: { readonly track: WrittenTrack; readonly close: () => Promise<unknown> }[] = [];

type Order = CallforkOrder | { readonly kind: "report" } | { readonly kind: "verify" };
process.on("message", (order: Order) => {
  const done = !("kind" in order) ? setUp(order) : order.kind === "report" ? report() : verify();
  done.catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

async function report(): Promise<void> {
  process.send?.(await askWorkers());
}

async function setUp({ parties, rtcpPort, ports, workers, io }: CallforkOrder): Promise<void> {
  const plane = await createMediaPlane({ advertisedAddress: "127.0.0.1", ports, workers, io, log: quiet });
  const writer = new TrackWriter(quiet, (error) => {
    throw error;
  });
  // Before the first call.
  process.send?.(await askWorkers());
  const opened: DevicePorts[] = [];
  for (const [i, party] of parties.entries()) {
    const portOf = async (name: "a" | "b"): Promise<number> => {
      const formats = [narrowbandFormat(0, "PCMU")];
      const base = join(folder, `${i}-${name}`);
      const track = writer.open({ media: "audio", base, clockRateHz: 8000, formats }, workers);
      const receiver = await plane.openReceiver({
        group: `RE${i}`,
        sink: track.sink,
        cname: "recorder",
        clockRateHz: 8000,
      });
      track.bind(receiver.id, receiver.rtpPort);
      const remote = { address: "127.0.0.1", rtpPort: party[name], rtcpPort };
      plane.connectReceiver(receiver.id, remote, [0]);
      tracks.push({ track, close: () => plane.close(receiver.id).then(() => track.close()) });
      return receiver.rtpPort;
    };
    opened.push({ a: await portOf("a"), b: await portOf("b"), forks: [] });
  }
  process.send?.({
    kind: "ready",
    io: plane.implementation.io,
    calls: opened,
    waitingPort: undefined,
  } satisfies CallforkReady);
}

/** Closes all tracks and reads every file from its first octet to its last. */
async function verify(): Promise<void> {
  await Promise.all(tracks.map(({ close }) => close()));
  const streams = tracks.length;
  let packets = 0;
  let lost = 0;
  let wrong = 0;
  for (const name of readdirSync(folder)) {
    if (!name.endsWith(".wav")) continue;
    const bytes = readFileSync(join(folder, name));
    const info = parseWav(bytes);
    if (!info.ok) throw new Error(`${name} is no WAV file`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { dataOffset, dataBytes } = info.value;
    let before = -1;
    for (let at = dataOffset; at + PAYLOAD_BYTES <= dataOffset + dataBytes; at += PAYLOAD_BYTES) {
      const number = view.getUint32(at, true);
      if (isPattern(view, at, number) && number % streams === (before < 0 ? number : before) % streams) {
        // What lies between two packets has to be there in place of those that never came.
        if (before >= 0 && number <= before) wrong++;
        before = number;
        packets++;
      } else if (isSilence(bytes, at)) lost++;
      else wrong++;
    }
  }
  process.send?.({ kind: "verified", packets, lost, wrong });
}

/** What a recorder writes for a packet that did not come. */
function isSilence(bytes: Uint8Array, at: number): boolean {
  return bytes.subarray(at, at + PAYLOAD_BYTES).every((octet) => octet === 0xff);
}
