// SIP messages parsed and written per second of CPU, on one core, beside other packages in the same run; and which
// malformed messages each of them lets through.
//   node bench/sip-parse.ts [CPU seconds of a round] [rounds]

import { cpus } from "node:os";
import { flattenBody, parseSipMessage, SipStreamFramer } from "@callfork/protocol/sip";
import { CORPUS, type WireMessage } from "./sip-parse/corpus.ts";
import { verdicts } from "./sip-parse/malformed.ts";
import { OURS, PEERS } from "./sip-parse/parsers.ts";

const CPU_MICROSECONDS = Number(process.argv[2] ?? 0.4) * 1e6;
const ROUNDS = Number(process.argv[3] ?? 5);
const WARM_UP_MICROSECONDS = 300_000;

/** One pass over the corpus. */
interface Contender {
  readonly name: string;
  readonly pass: () => void;
}

const [callfork] = OURS;
const parsers = [...OURS, ...PEERS];
const corpus = CORPUS.filter(isReadByAll);
const octets = corpus.reduce((sum, { bytes }) => sum + bytes.length, 0);
console.log(`${corpus.length} messages, ${octets} octets: ${corpus.map(({ name }) => name).join(", ")}.
Per second of CPU time on one core; medians of ${ROUNDS} rounds in which all take turns. Peers are handed text that was
decoded before; callfork starts from octets. ${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.version}
`);
compare(
  "parse",
  parsers.map(({ name, parse }) => ({ name, pass: () => expectAll(corpus, parse) })),
);
compare(
  "write",
  [callfork!, ...PEERS].flatMap(({ name, parse, format }) => {
    if (format === undefined) return [];
    const parsed = corpus.map(parse);
    return [{ name, pass: () => expectAll(parsed, (each) => format(each).length > 0) }];
  }),
);
alone();
console.log(`Malformed messages: verdicts of the parsers alone. The user agents of sip.js and jssip look at some of it later.

${verdicts([callfork!, ...PEERS])}`);

function isReadByAll(message: WireMessage): boolean {
  const refusing = parsers.filter(({ parse }) => parse(message) === undefined).map(({ name }) => name);
  if (refusing.length > 0) console.log(`${message.name} is left out, refused by ${refusing.join(", ")}`);
  return refusing.length === 0;
}

function expectAll<T>(inputs: readonly T[], run: (input: T) => unknown): void {
  for (const input of inputs) if (!run(input)) throw new Error("refused what it took before");
}

/** Prints rates and how often ours goes into theirs. The first contender is ours. */
function compare(what: string, contenders: readonly Contender[]): void {
  for (const { pass } of contenders) perSecond(pass, WARM_UP_MICROSECONDS);
  const rates = contenders.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    const order = contenders.map((_, i) => i);
    // Who goes first changes from round to round.
    for (const i of round % 2 === 0 ? order : order.reverse())
      rates[i]!.push(perSecond(contenders[i]!.pass, CPU_MICROSECONDS));
  }
  console.log(`| ${what} | messages/s | µs a message | callfork : this |\n|---|---|---|---|`);
  for (const [i, { name }] of contenders.entries()) {
    const rate = median(rates[i]!);
    const times = median(rates[i]!.map((theirs, round) => rates[0]![round]! / theirs));
    console.log(
      `| ${name} | ${Math.round(rate).toLocaleString("en")} | ${(1e6 / rate).toFixed(2)} | ${i === 0 ? "" : `${times.toFixed(1)}×`} |`,
    );
  }
  console.log();
}

/** What the peers have no counterpart for. */
function alone(): void {
  const framer = new SipStreamFramer();
  const recording = CORPUS.at(-1)!;
  const parsed = parseSipMessage(recording.bytes);
  if (!parsed.ok) throw new Error(parsed.error.message);
  const message = parsed.value;
  const figures: [string, () => void, number][] = [
    [
      "cut out of a stream",
      () => expectAll(corpus, ({ bytes }) => framer.push(bytes).length === 1),
      corpus.length,
    ],
    [
      "parts of a recording INVITE taken apart",
      () => {
        for (let i = 0; i < 10; i++) if (!flattenBody(message).ok) throw new Error("not flattened");
      },
      10,
    ],
  ];
  console.log("| callfork | messages/s |\n|---|---|");
  for (const [name, pass, messages] of figures) {
    perSecond(pass, WARM_UP_MICROSECONDS);
    const rate = (perSecond(pass, CPU_MICROSECONDS) * messages) / corpus.length;
    console.log(`| ${name} | ${Math.round(rate).toLocaleString("en")} |`);
  }
  console.log();
}

/** Messages per CPU second, for passes over the corpus. */
function perSecond(pass: () => void, cpuMicroseconds: number): number {
  const started = process.cpuUsage();
  let used = 0;
  let passes = 0;
  let block = 1;
  while (used < cpuMicroseconds) {
    for (let i = 0; i < block; i++) pass();
    passes += block;
    const { user, system } = process.cpuUsage(started);
    used = user + system;
    // Looking at the clock costs as well: after the first pass, about once in 10 ms.
    if (passes === 1) block = Math.max(1, Math.min(1000, Math.floor(10_000 / used)));
  }
  return (passes * corpus.length * 1e6) / used;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
