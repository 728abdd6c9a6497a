// Benchmarks. `npm run bench` prints the table of docs/performance.md; `npm run bench -- --help` says what else.

import { cpus, release } from "node:os";
import { parseArgs } from "node:util";
import { rtpengineVersion } from "./forked-calls/devices.ts";
import { DEVICES, type DeviceKind, type Measurement, measure } from "./forked-calls/forked-calls.ts";
import { aims, table } from "./forked-calls/tables.ts";

/** Other benchmarks, by the word behind `npm run bench --`. */
const OTHERS: Readonly<Record<string, string>> = {
  sip: "./sip-parse.ts",
  calls: "./calls.ts",
  srtp: "./srtp.ts",
  packets: "./packet-path.ts",
  recorder: "./recorder.ts",
  transcoding: "./transcoding.ts",
  broken: "./broken-recorder.ts",
};
const word = process.argv[2] ?? "";
if (Object.hasOwn(OTHERS, word)) {
  // It reads its own arguments, as if it had been started by itself.
  process.argv.splice(2, 1);
  await import(OTHERS[word]!);
  process.exit();
}

/** What the table needs: which device with how many calls, and more threads than one where one cannot carry them. */
const PLAN: readonly Planned[] = [
  ["uring", 400],
  ["gso", 400],
  ["dgram", 400],
  ["rtpengine", 400],
  ["srtp", 400],
  ["srtp-gso", 400],
  ["recorder", 400],
  ["recorder-dgram", 400],
  ["uring", 900],
  ["gso", 900],
  ["rtpengine", 900],
  ["gso", 100],
  ["gso", 200],
  ["gso", 1500, 2],
];

type Planned = readonly [kind: DeviceKind, calls: number, workers?: number];

const { values } = parseArgs({
  options: {
    calls: { type: "string" },
    devices: { type: "string" },
    seconds: { type: "string", default: "8" },
    rounds: { type: "string", default: "5" },
    workers: { type: "string", default: "1" },
    pattern: { type: "string", default: "spread" },
    strangers: { type: "boolean", default: false },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help === true) {
  console.log(`npm run bench -- [options]
  without --calls and --devices: the table of docs/performance.md, about 20 minutes

  --calls 100,400       forked calls at the same time: two legs, 50 packets/s each way, both tracks forked
  --devices uring,gso   of ${Object.keys(DEVICES).join(", ")}
  --seconds 8           of traffic that count, for each figure
  --rounds 5            runs of each figure, devices in turn; medians are shown
  --workers 1           threads that carry media
  --strangers           flood one port of a call and one that waits, with junk at a hundred times a party's rate
  --pattern spread      packets leave evenly over 20 ms; "burst": all at once every 20 ms

npm run bench -- sip [CPU seconds of a round] [rounds]
  SIP messages parsed and written beside sip, sip.js and jssip; what each lets through of malformed messages

npm run bench -- calls [--rates 25,50,100] [--seconds 8] [--rounds 3] [--devices callfork,kamailio]
  calls per second between two SIPps and CPU per call, beside Kamailio as a proxy

npm run bench -- srtp [CPU seconds per figure]
  SRTP packets protected and unprotected beside werift-rtp

npm run bench -- recorder [--recordings 100,250,500] [--seconds 10] [--rounds 1] [--io dgram|uring] [--soak]
  recordings of two G.711 streams, every file compared octet by octet; --soak: ten minutes of two hundred

npm run bench -- packets [calls] [rounds]
  what TypeScript does with a packet: relay, fork, statistics; without sockets`);
  process.exit(0);
}

const rounds = Number(values.rounds);
const options = {
  seconds: Number(values.seconds),
  workers: Number(values.workers),
  pattern: values.pattern === "burst" ? "burst" : "spread",
  strangers: values.strangers,
} as const;
const version = rtpengineVersion();
const plan = planned().filter(([kind]) => kind !== "rtpengine" || version !== undefined);

console.log(`Forked calls: two legs of 50 packets/s (172 octets), relayed, both tracks copied to a recorder.
CPU time of the device's whole process; parties and recorder in another one; loopback; arrivals: ${options.pattern}.
${cpus().length} × ${cpus()[0]?.model ?? "unknown CPU"}, Linux ${release()}, Node ${process.version}, rtpengine ${version ?? "not installed"}
${rounds} rounds of ${options.seconds} s, ${options.workers} media thread${options.workers === 1 ? "" : "s"} each
`);
const results: Measurement[] = [];
const failed = new Set<string>();
for (let round = 0; round < rounds; round++) {
  // Who goes first changes from round to round.
  for (const [kind, calls, workers = options.workers] of round % 2 === 0 ? plan : plan.toReversed()) {
    const name = `${kind} ${calls}`;
    if (failed.has(name)) continue;
    try {
      const result = await measure({ kind, calls, ...options, workers });
      results.push(result);
      console.log(`${round + 1}/${rounds} ${line(result)}`);
    } catch (error) {
      // One device that does not work here is no reason to throw the others' figures away.
      failed.add(name);
      console.log(
        `${round + 1}/${rounds} ${name}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}
console.log(`\nMedians of ${rounds} rounds\n`);
const late = results.filter(({ traffic }) => traffic.worstLagMs > 20).length;
if (late > 0) {
  console.log(
    `In ${late} of ${results.length} runs the generator was held up for more than 20 ms: the machine was busy,\n` +
      "and such runs flatter whoever was measured in them.\n",
  );
}
console.log(table(results));
console.log(`\n${aims(results)}`);
process.exit(results.some(({ traffic, files }) => traffic.wrong > 0 || (files?.wrong ?? 0) > 0) ? 1 : 0);

function planned(): readonly Planned[] {
  if (values.calls === undefined && values.devices === undefined) return PLAN;
  const kinds = (values.devices ?? "uring,gso,dgram,rtpengine").split(",");
  const known = kinds.filter((kind): kind is DeviceKind => Object.hasOwn(DEVICES, kind));
  const counts = (values.calls ?? "100,200,400").split(",").map(Number);
  return counts.flatMap((calls) => known.map((kind) => [kind, calls] as const));
}

function line({
  device,
  calls,
  coreShare,
  callsPerCore,
  traffic,
  files,
  kind,
  strangers,
}: Measurement): string {
  const behind = traffic.sent < traffic.scheduled * 0.95 ? ", GENERATOR BEHIND SCHEDULE" : "";
  const lag = `generator at most ${traffic.worstLagMs.toFixed(1)} ms late${behind}`;
  const head = `${device}, ${calls}: ${(coreShare * 100).toFixed(1)} % of a core, ${callsPerCore.toFixed(0)} a core`;
  if (kind.startsWith("recorder")) {
    return `${head}, ${files?.packets} packets in files, ${files?.lost} lost, ${files?.wrong} wrong, ${lag}`;
  }
  const { sent, relayed, forked, wrong, relayP99Ms } = traffic;
  const flood =
    strangers === undefined
      ? ""
      : `, ${traffic.strangers} of strangers: ${strangers.dropped} dropped by what they were, ${strangers.oversized} by length`;
  return `${head}, lost ${sent - relayed} + ${sent - forked} of ${sent} + ${sent}, p99 ${relayP99Ms} ms, ${wrong} wrong${flood}, ${lag}`;
}
