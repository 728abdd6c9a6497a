// What a fork costs that is transcoded: CPU time of one track, packet by packet, as a media worker spends it.
//   node bench/transcoding.ts [seconds of speech] [rounds]

import { cpus } from "node:os";
import { type AudioFormat, createAudioEncoder } from "@callfork/server/media";
import { babble } from "../packages/server/src/media/codec/testing/audio.ts";
import { ForkFormats } from "../packages/server/src/media/fork-formats.ts";
import { TranscodeQueue } from "../packages/server/src/media/transcode-queue.ts";

const SECONDS = Number(process.argv[2] ?? 20);
const ROUNDS = Number(process.argv[3] ?? 5);
const PACKETS_PER_SECOND = 50;

const PCMU = { name: "PCMU", clockRateHz: 8000, payloadType: 0 };
const PCMA = { name: "PCMA", clockRateHz: 8000, payloadType: 8 };
const G722 = { name: "G722", clockRateHz: 8000, payloadType: 9 };
const OPUS = { name: "opus", clockRateHz: 48_000, channels: 2, payloadType: 107 };

const PAIRS = [
  [PCMU, PCMA],
  [PCMU, G722],
  [G722, PCMU],
  [PCMU, OPUS],
  [OPUS, PCMU],
  [G722, OPUS],
  [OPUS, G722],
] as const;

console.log(`One track, 20 ms a packet; the best of ${ROUNDS} rounds of ${SECONDS} s of speech.
${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.version}

| Call → recorder | µs a packet | % of a core a track | tracks a core |
|---|---|---|---|`);
for (const [from, to] of PAIRS) {
  const packets = speechIn(from);
  const best = Math.min(...Array.from({ length: ROUNDS }, () => microsecondsAPacket(from, to, packets)));
  const share = (best * PACKETS_PER_SECOND) / 1e6;
  const figures = [best.toFixed(0), (100 * share).toFixed(2), (1 / share).toFixed(0)];
  console.log(`| ${from.name} → ${to.name} | ${figures.join(" | ")} |`);
}

function microsecondsAPacket(
  from: (typeof PAIRS)[number][0],
  to: (typeof PAIRS)[number][1],
  packets: readonly Uint8Array[],
): number {
  let made = 0;
  const formats = new ForkFormats({ onTranscoded: () => void made++ }, new TranscodeQueue());
  const payloadTypes = new Map<number, number>();
  const remote = { address: "127.0.0.1", rtpPort: 9, rtcpPort: 10 };
  formats.use({
    remote,
    payloadTypes,
    clockRateHz: to.clockRateHz,
    cname: "c",
    transcodings: [{ from, to }],
  });
  const { transcoder } = formats.at(from.payloadType)!.transcoder!;
  const units = from.clockRateHz / PACKETS_PER_SECOND;
  const before = process.cpuUsage();
  for (const [i, payload] of packets.entries()) {
    transcoder.push(1, i & 0xffff, (i * units) >>> 0, payload, i * 20);
  }
  const { user, system } = process.cpuUsage(before);
  formats.close();
  if (made !== packets.length) throw new Error(`${made} packets of ${packets.length}`);
  return (user + system) / packets.length;
}

function speechIn(format: AudioFormat): Uint8Array[] {
  const rateHz = format.name === "PCMU" ? 8000 : 16_000;
  const encoder = createAudioEncoder(format, { sampleRateHz: rateHz });
  if (!encoder.ok) throw new Error(encoder.error.message);
  const { packetFrames, maximumPayload } = encoder.value;
  const speech = babble(rateHz, SECONDS);
  const out = new Uint8Array(maximumPayload);
  return Array.from({ length: Math.floor(speech.length / packetFrames) }, (_, i) => {
    const samples = speech.subarray(i * packetFrames, (i + 1) * packetFrames);
    return out.slice(0, encoder.value.encode(samples, out, 0));
  });
}
