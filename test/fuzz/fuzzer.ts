import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** The same mutations every time. Another seed: CALLFORK_FUZZ_SEED; more of them: CALLFORK_FUZZ_ROUNDS. */
const SEED = Number(process.env.CALLFORK_FUZZ_SEED ?? 0x5eed);
const ROUNDS = Number(process.env.CALLFORK_FUZZ_ROUNDS ?? 4_000);

const LONGEST_MS = 10;
/** Times that a message which seemed slow is looked at again: a busy machine is not the message's fault. */
const SECOND_LOOKS = 9;
/** What half of the rounds may leave on the heap: less than a kilobyte each, for what engines keep of their own. */
const LARGEST_GROWTH_BYTES = 4_000_000;

const CORPUS = new URL("corpus/", import.meta.url);

export type Below = (below: number) => number;

/** mulberry32: small, and good enough to stir octets. */
export function randomOf(seed: number): Below {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

export function filesIn(folder: URL): Uint8Array[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((file) => new Uint8Array(readFileSync(new URL(file, folder))));
}

/** What a reader stumbled over once, or was made to stumble over it: seeds for mutations too. */
export const corpusOf = (kind: string): Uint8Array[] => filesIn(new URL(`${kind}/`, CORPUS));

export function join(...chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks));
}

export const octetsOf = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** Cuts, doubles, overwrites, inserts or splices, one to four times. */
export function mutate(
  corpus: readonly Uint8Array[],
  spice: readonly Uint8Array[],
  random: Below,
): Uint8Array {
  let bytes = corpus[random(corpus.length)]!;
  for (let times = 1 + random(4); times > 0; times--) {
    const at = random(bytes.length + 1);
    const end = Math.min(bytes.length, at + random(30));
    const head = bytes.subarray(0, at);
    const grain = spice[random(spice.length)]!;
    switch (random(6)) {
      case 0:
        bytes = join(head, bytes.subarray(end));
        break;
      case 1:
        bytes = join(head, grain, bytes.subarray(at));
        break;
      case 2:
        bytes = join(head, grain, bytes.subarray(end));
        break;
      case 3:
        bytes = join(bytes.subarray(0, end), bytes.subarray(at));
        break;
      case 4: {
        const other = corpus[random(corpus.length)]!;
        bytes = join(head, other.subarray(random(other.length)));
        break;
      }
      default:
        bytes = bytes.slice();
        if (at < bytes.length) bytes[at] = random(256);
    }
  }
  return bytes;
}

/**
 * Runs one reader over its corpus and over mutations: it must not throw, take longer than 10 ms of CPU time for any of
 * them, or keep anything.
 *
 * `test/fuzz/corpus/<kind>/` holds an input for every bug that was found. With CALLFORK_FUZZ_KEEP=1 a failing input is
 * written there; it stays when the bug is mended.
 */
export function fuzz(
  kind: string,
  make: (random: Below, round: number) => Uint8Array,
  run: (bytes: Uint8Array, random: Below) => void,
): void {
  const random = randomOf(SEED ^ kind.length);
  const each = (bytes: Uint8Array, what: string): void => {
    try {
      const started = performance.now();
      run(bytes, random);
      if (performance.now() - started > LONGEST_MS) assertQuick(() => run(bytes, random));
    } catch (cause) {
      throw new Error(`${kind}, ${what}: ${keep(kind, bytes)}`, { cause });
    }
  };
  for (const [at, bytes] of corpusOf(kind).entries()) each(bytes, `corpus file ${at}`);
  const half = ROUNDS / 2;
  for (let round = 0; round < half; round++) each(make(random, round), `round ${round}`);
  const before = heapBytes();
  for (let round = half; round < ROUNDS; round++) each(make(random, round), `round ${round}`);
  const grown = heapBytes() - before;
  assert.ok(grown < LARGEST_GROWTH_BYTES, `${kind}: the heap grew by ${grown} octets in ${half} rounds`);
}

export const rounds: number = ROUNDS;

/** The least of several measurements, in CPU time of this process: what the message itself costs. */
function assertQuick(run: () => void): void {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < SECOND_LOOKS && least > LONGEST_MS; look++) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1_000);
  }
  assert.ok(least <= LONGEST_MS, `it takes ${least.toFixed(1)} ms`);
}

function keep(kind: string, bytes: Uint8Array): string {
  if (process.env.CALLFORK_FUZZ_KEEP !== "1") {
    const beginning = JSON.stringify(Buffer.from(bytes.subarray(0, 400)).toString("latin1"));
    return `${beginning}, ${bytes.length} octets (CALLFORK_FUZZ_KEEP=1 keeps them in the corpus)`;
  }
  const folder = new URL(`${kind}/`, CORPUS);
  mkdirSync(folder, { recursive: true });
  const file = new URL(`${createHash("sha256").update(bytes).digest("hex").slice(0, 12)}.bin`, folder);
  writeFileSync(file, bytes);
  return `kept as ${file.pathname}`;
}

let collect: (() => void) | undefined;

function heapBytes(): number {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
