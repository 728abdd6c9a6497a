// Benchmarks. `npm run bench`, or `npm run bench -- --calls 100,200 --seconds 10 --rounds 3 --devices callfork`;
// `npm run bench -- sip` and the like run another one than the forked calls.

import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { rtpengineVersion } from "./forked-calls/devices.ts";
import { type DeviceKind, type Measurement, measure } from "./forked-calls/forked-calls.ts";

/** Other benchmarks, by the word behind `npm run bench --`. */
const OTHERS: Readonly<Record<string, string>> = {
  sip: "./sip-parse.ts",
  srtp: "./srtp.ts",
  packets: "./packet-path.ts",
  recorder: "./recorder.ts",
};
const word = process.argv[2] ?? "";
if (Object.hasOwn(OTHERS, word)) {
  // It reads its own arguments, as if it had been started by itself.
  process.argv.splice(2, 1);
  await import(OTHERS[word]!);
  process.exit();
}

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "100,200,400" },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
    devices: { type: "string", default: "callfork,rtpengine" },
    pattern: { type: "string", default: "spread" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help === true) {
  console.log(`npm run bench -- [options]

  --calls 100,200,400   forked calls at the same time: two legs, 50 packets/s each way, both tracks forked
  --seconds 10          of traffic that count, for each figure
  --rounds 3            runs of each figure, devices in turn; medians are shown
  --devices callfork,rtpengine
  --pattern spread      packets leave evenly over 20 ms; "burst": all at once every 20 ms

npm run bench -- sip [CPU seconds of a round] [rounds]
  SIP messages parsed and written beside sip, sip.js and jssip; what each lets through of malformed messages

npm run bench -- srtp [CPU seconds per figure]
  SRTP packets protected and unprotected beside werift-rtp

npm run bench -- recorder [--recordings 100,250,500] [--seconds 10] [--rounds 1] [--devices callfork,rtpengine] [--soak]
  recordings of two G.711 streams, every file compared octet by octet; --soak: ten minutes of two hundred

npm run bench -- packets [calls] [rounds]
  what TypeScript does with a packet: relay, fork, statistics; without sockets`);
  process.exit(0);
}

const counts = values.calls.split(",").map(Number);
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const pattern = values.pattern === "burst" ? "burst" : "spread";
const version = rtpengineVersion();
const kinds = values.devices
  .split(",")
  .filter(
    (kind): kind is DeviceKind => kind === "callfork" || (kind === "rtpengine" && version !== undefined),
  );

console.log(`Forked calls: two legs of 50 packets/s (172 octets), relayed, both tracks copied to a recorder.
CPU time of the device's whole process; generator and recorder in another one; loopback; arrivals: ${pattern}.
${cpus().length} × ${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.version}, rtpengine ${version ?? "not installed"}
`);
const results: Measurement[] = [];
for (const calls of counts) {
  for (let round = 0; round < rounds; round++) {
    // Who goes first changes from round to round.
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      const result = await measure(kind, calls, seconds, pattern);
      results.push(result);
      console.log(line(result));
    }
  }
}
const late = results.filter(({ traffic }) => traffic.worstLagMs > 20).length;
console.log(`\nMedians of ${rounds} rounds\n`);
if (late > 0) {
  console.log(
    `In ${late} of ${results.length} runs the generator was held up for more than 20 ms: the machine was busy,`,
  );
  console.log("and figures of such runs flatter whoever was measured in them.\n");
}
console.log(
  "| Device | calls | share of a core | calls/core | relay loss | fork loss | relay p50 / p99 ms |",
);
console.log("|---|---|---|---|---|---|---|");
for (const calls of counts)
  for (const name of new Set(results.map((one) => one.device))) console.log(row(calls, name));
if (kinds.length === 2) {
  console.log("\nCalls per core, callfork : rtpengine (median of the rounds' ratios)");
  for (const calls of counts) console.log(`  ${calls} calls: ${ratio(calls).toFixed(2)}`);
}

function line({ device, calls, coreShare, callsPerCore, traffic }: Measurement): string {
  const behind = traffic.sent < traffic.scheduled * 0.999 ? ", GENERATOR BEHIND SCHEDULE" : "";
  return (
    `${device}, ${calls} calls: ${(coreShare * 100).toFixed(1)} % of a core, ${callsPerCore.toFixed(0)} calls/core, ` +
    `lost ${lostRelays(traffic)} + ${lostForks(traffic)} of ${traffic.sent} + ${traffic.sent}, ` +
    `p99 ${traffic.relayP99Ms} ms, ${traffic.wrong} wrong of ${traffic.sampled} looked at, ` +
    `generator at most ${traffic.worstLagMs.toFixed(1)} ms late${behind}`
  );
}

function row(calls: number, name: string): string {
  const those = results.filter((one) => one.calls === calls && one.device === name);
  const of = (pick: (one: Measurement) => number): number => median(those.map(pick));
  const percent = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 0.01 ? 3 : 1)} %`;
  const relayLoss = percent(of(({ traffic }) => lostRelays(traffic) / traffic.sent));
  const forkLoss = percent(of(({ traffic }) => lostForks(traffic) / traffic.sent));
  const p50 = of(({ traffic }) => traffic.relayP50Ms).toFixed(1);
  const p99 = of(({ traffic }) => traffic.relayP99Ms).toFixed(1);
  return (
    `| ${name} | ${calls} | ${percent(of((one) => one.coreShare))} | ${of((one) => one.callsPerCore).toFixed(0)} ` +
    `| ${relayLoss} | ${forkLoss} | ${p50} / ${p99} |`
  );
}

function ratio(calls: number): number {
  const of = (kind: string): Measurement[] =>
    results.filter((one) => one.calls === calls && one.device.startsWith(kind));
  const theirs = of("rtpengine");
  return median(of("callfork").map((one, i) => one.callsPerCore / theirs[i]!.callsPerCore));
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function lostRelays(traffic: Measurement["traffic"]): number {
  return traffic.sent - traffic.relayed;
}

function lostForks(traffic: Measurement["traffic"]): number {
  return traffic.sent - traffic.forked;
}
