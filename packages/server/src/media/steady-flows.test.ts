import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type SrtpKeying, SrtpSender } from "@callfork/protocol/srtp";
import fc from "fast-check";
import { createSrtpCiphers } from "../net/index.ts";
import { FlowCells } from "./flow-cells.ts";
import { MediaEngine } from "./media-engine.ts";
import { SteadyFlows } from "./steady-flows.ts";
import { MemoryPacketIo, type SentDatagram } from "./testing/memory-packet-io.ts";
import { buildRtp, voice } from "./testing/party.ts";
import type { MediaEvent, MediaSrtp, MediaStats } from "./types.ts";
import type { WorkerAnswer, WorkerCommand } from "./worker-messages.ts";

const PLACES = {
  alice: { address: "192.0.2.1", port: 4000 },
  bob: { address: "192.0.2.2", port: 5000 },
  stranger: { address: "192.0.2.66", port: 6666 },
} as const;
const RECORDERS = [6000, 6002, 6004].map((port) => ({ address: "192.0.2.3", port }));
const [A, B] = [1, 2];
/** Forks of both tracks of leg A, and one more of the inbound one. */
const FORKS = [
  { id: 3, track: "inbound" },
  { id: 4, track: "outbound" },
  { id: 5, track: "inbound" },
] as const;
const EVENT = 101;
const ciphers = createSrtpCiphers();

/** What may be out of the ordinary about a packet. */
const odd = fc.oneof(
  { weight: 12, arbitrary: fc.constant("nothing" as const) },
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      ...(["lost", "twice", "late", "marker", "event", "other-type", "source", "jump", "time"] as const),
      ...([
        "extension",
        "padding",
        "contributor",
        "short",
        "stranger",
        "long",
        "rtcp",
        "unknown-type",
        "forged",
      ] as const),
    ),
  },
);
type Odd = typeof odd extends fc.Arbitrary<infer T> ? T : never;

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("packets" as const),
      who: fc.constantFrom("alice", "bob"),
      odds: fc.array(odd, { minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        ...(["hold", "resume", "part", "join", "pause", "continue", "move", "fork", "end-fork"] as const),
        ...(["play", "silence", "stats"] as const),
      ),
      leg: fc.constantFrom(A, B),
      fork: fc.nat(FORKS.length - 1),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Outcome {
  readonly sent: readonly SentDatagram[];
  readonly stats: readonly (MediaStats | undefined)[];
  readonly events: readonly MediaEvent[];
}

// Not by mocks, which keep the stack of every call.
let readClock = (): number => 0;
const original = SteadyFlows.prototype.take;

/** Until the end of the test: the clock is that of the newest world. */
function stopTime(t: TestContext): void {
  Object.defineProperty(performance, "now", { value: () => readClock(), configurable: true });
  t.after(() => {
    Reflect.deleteProperty(performance, "now");
    SteadyFlows.prototype.take = original;
  });
}

/** One media engine, its commands, its packets, its dice and its clock. */
class World {
  readonly io: MemoryPacketIo;
  readonly events: MediaEvent[] = [];
  readonly stats: (MediaStats | undefined)[] = [];
  now = 1000;
  taken = 0;
  readonly #engine: MediaEngine;
  readonly #answers = new Map<number, WorkerAnswer>();
  readonly #numbers = {
    alice: { sequence: 65_500, timestamp: 4_294_960_000, ssrc: 0xf0000001 },
    bob: { sequence: 10, timestamp: 20, ssrc: 7 },
  };
  readonly #senders: { readonly alice: SrtpSender; readonly bob: SrtpSender } | undefined;
  #lastQuestion = 0;
  #dice = 1;
  #said = 0;

  constructor({ batching, secure }: Way) {
    readClock = () => this.now;
    this.#senders = secure
      ? { alice: new SrtpSender(ciphers, keyingOf("alice")), bob: new SrtpSender(ciphers, keyingOf("bob")) }
      : undefined;
    this.io = new MemoryPacketIo({ joinsSegments: batching });
    this.#engine = new MediaEngine(
      {
        io: this.io,
        random: {
          bytes: (length) => Uint8Array.from({ length }, () => (this.#dice = (this.#dice * 29) % 251)),
        },
        ciphers,
        flows: new SteadyFlows(this.io, new FlowCells(64)),
        silenceMs: 5000,
        emit: (event) => void this.events.push(event),
        wallAt: (now) => now,
      },
      (question, answer) => void this.#answers.set(question, answer),
    );
    this.io.attach(this.#engine);
  }

  async setUp(): Promise<void> {
    for (const id of [A, B]) {
      await this.#ask((question) => ({ kind: "open-leg", id, question, pair: pairOf(id), isPassage: false }));
    }
    this.#connect(A, "sendrecv");
    this.#connect(B, "sendrecv");
    this.#join();
    for (let fork = 0; fork < 2; fork++) await this.#openFork(fork);
  }

  async take(step: Step): Promise<void> {
    this.now += 7;
    if (step.kind === "packets") {
      this.#packets(step.who, step.odds);
      return;
    }
    const { leg, fork } = step;
    const { id } = FORKS[fork]!;
    if (step.kind === "hold") this.#connect(leg, "sendonly");
    else if (step.kind === "resume") this.#connect(leg, "sendrecv");
    else if (step.kind === "part") this.#tell({ kind: "unbridge", id: A });
    else if (step.kind === "join") this.#join();
    else if (step.kind === "pause") this.#startFork(fork, true);
    else if (step.kind === "continue") this.#startFork(fork, false);
    else if (step.kind === "move") this.#connect(leg, "sendrecv", 1000);
    else if (step.kind === "fork") await this.#openFork(fork);
    else if (step.kind === "end-fork") await this.#ask((question) => ({ kind: "close", id, question }));
    else if (step.kind === "play") this.#play(leg);
    else if (step.kind === "silence") this.#wake(2500);
    else await this.#look(id);
  }

  /** The end of all things, and what they counted. */
  async end(): Promise<Outcome> {
    this.#wake(200);
    for (const id of [A, B, ...FORKS.map((fork) => fork.id)]) await this.#look(id);
    return { sent: this.io.sent, stats: this.stats, events: this.events };
  }

  #packets(who: "alice" | "bob", odds: readonly Odd[]): void {
    const id = who === "alice" ? A : B;
    const datagrams = odds.flatMap((odd) => {
      const packets = this.#build(who, odd);
      const from = PLACES[odd === "stranger" ? "stranger" : who];
      return packets.map((bytes) => ({ to: pairOf(id).rtpPort, from, bytes }));
    });
    this.now += 20 * odds.length - 5;
    this.io.receive(datagrams, this.now);
    if (this.io.wakesAt <= this.now) this.#wake(0);
  }

  #build(who: "alice" | "bob", odd: Odd): Uint8Array[] {
    const numbers = this.#numbers[who];
    if (odd === "source") numbers.ssrc = (numbers.ssrc + 11) >>> 0;
    if (odd === "jump") numbers.sequence = (numbers.sequence + 20_000) & 0xffff;
    if (odd === "time") numbers.timestamp = (numbers.timestamp + 90_000) >>> 0;
    const packet = {
      ...numbers,
      payload: voice(this.#said++).subarray(odd === "long" ? 40 : 0),
      marker: odd === "marker",
      payloadType: { event: EVENT, "other-type": 8, "unknown-type": 77 }[odd as string] ?? 0,
      ...(odd === "late" ? { sequence: (numbers.sequence - 3) & 0xffff } : {}),
      ...(odd === "event" ? { payload: Uint8Array.of(5, 10, 3, 32) } : {}),
    };
    const bytes = Uint8Array.from(buildRtp(packet));
    numbers.sequence = (numbers.sequence + 1) & 0xffff;
    numbers.timestamp = (numbers.timestamp + 160) >>> 0;
    if (odd === "lost") return [];
    if (odd === "short") return [bytes.subarray(0, 12)];
    if (odd === "rtcp") bytes.set([0x80, 200]);
    if (odd === "padding") {
      bytes[0] = 0xa0;
      bytes[bytes.length - 1] = 4;
    }
    if (odd === "contributor") bytes[0] = 0x81;
    if (odd === "extension") {
      bytes[0] = 0x90;
      bytes.set([0xbe, 0xde, 0, 1], 12);
    }
    const sent = this.#protect(who, bytes);
    if (odd === "forged") sent[sent.length - 1]! ^= 1;
    return odd === "twice" ? [sent, sent] : [sent];
  }

  /** What cannot be protected comes as it is. */
  #protect(who: "alice" | "bob", bytes: Uint8Array): Uint8Array {
    const sender = this.#senders?.[who];
    if (sender === undefined) return bytes;
    const room = new Uint8Array(bytes.length + sender.rtpOverhead);
    room.set(bytes);
    const length = sender.protectRtp(room, 0, bytes.length);
    return length < 0 ? bytes : room.subarray(0, length);
  }

  #srtp(receive: string, send: string): { readonly srtp?: MediaSrtp } {
    if (this.#senders === undefined) return {};
    return { srtp: { receive: keyingOf(receive), send: keyingOf(send) } };
  }

  #connect(id: number, direction: "sendrecv" | "sendonly", moved = 0): void {
    const { address, port } = id === A ? PLACES.alice : PLACES.bob;
    const codecs = [0, 8].map((payloadType) => ({
      name: payloadType === 0 ? "PCMU" : "PCMA",
      clockRateHz: 8000,
      payloadType,
    }));
    const remote = { address, rtpPort: port + moved, rtcpPort: port + moved + 1 };
    const srtp = id === A ? this.#srtp("alice", "to alice") : this.#srtp("bob", "to bob");
    const connection = { remote, direction, codecs, telephoneEventPayloadType: EVENT, ...srtp } as const;
    this.#tell({ kind: "connect-leg", id, connection });
  }

  #join(): void {
    const [aToB, bToA] = [new Map([[0, 0]]), new Map([[0, 0]])];
    this.#tell({ kind: "bridge", id: A, other: B, aToB, bToA });
  }

  async #openFork(fork: number): Promise<void> {
    const { id, track } = FORKS[fork]!;
    await this.#ask((question) => ({ kind: "close", id, question }));
    await this.#ask((question) => ({ kind: "open-fork", id, question, pair: pairOf(id), leg: A, track }));
    this.#startFork(fork, false);
  }

  #startFork(fork: number, withhold: boolean): void {
    const { address, port } = RECORDERS[fork]!;
    const remote = { address, rtpPort: port, rtcpPort: port + 1 };
    const payloadTypes = new Map([[0, 96 + fork]]);
    const srtp = this.#srtp(`recorder ${fork}`, `to recorder ${fork}`);
    const connection = { remote, payloadTypes, clockRateHz: 8000, cname: "fork", withhold, ...srtp };
    this.#tell({ kind: "start-fork", id: FORKS[fork]!.id, connection });
  }

  #play(id: number): void {
    const samples = new Int16Array(480).fill(1000);
    this.#tell({ kind: "play", id, question: ++this.#lastQuestion, options: { samples, loop: 1 } });
  }

  async #look(id: number): Promise<void> {
    const answer = await this.#ask((question) => ({ kind: "stats", id, question }));
    this.stats.push(answer.kind === "stats" ? answer.stats : undefined);
  }

  #wake(afterMs: number): void {
    this.now += afterMs;
    for (let i = 0; i < 60; i++) this.io.turn(() => this.#engine.onWake(this.now));
  }

  #tell(command: WorkerCommand): void {
    this.io.turn(() => this.#engine.onCommand(command));
  }

  async #ask(build: (question: number) => WorkerCommand): Promise<WorkerAnswer> {
    const question = ++this.#lastQuestion;
    this.#tell(build(question));
    for (;;) {
      const answer = this.#answers.get(question);
      if (answer !== undefined) return answer;
      await new Promise(setImmediate);
    }
  }
}

interface Way {
  readonly batching: boolean;
  readonly secure: boolean;
}

function keyingOf(name: string): SrtpKeying {
  const octets = (length: number): Uint8Array<ArrayBuffer> =>
    Uint8Array.from({ length }, (_, i) => name.charCodeAt(i % name.length) + i);
  return { suite: "AES_CM_128_HMAC_SHA1_80", keys: [{ key: octets(16), salt: octets(14) }] };
}

const pairOf = (id: number) => ({ address: "192.0.2.9", rtpPort: 10_000 + 2 * id });

async function play(steps: readonly Step[], way: Way): Promise<Outcome> {
  const world = new World(way);
  await world.setUp();
  for (const step of steps) await world.take(step);
  return world.end();
}

/** Counts what comes by. */
class Counting {
  all = 0;
  steady = 0;

  start(): void {
    const count = (taken: boolean): boolean => {
      this.all++;
      if (taken) this.steady++;
      return taken;
    };
    SteadyFlows.prototype.take = function (...packet) {
      return count(original.apply(this, packet));
    };
  }
}

for (const [name, way] of Object.entries({
  "one by one": { batching: false, secure: false },
  joined: { batching: true, secure: false },
  "SRTP, one by one": { batching: false, secure: true },
  "SRTP, joined": { batching: true, secure: true },
})) {
  test(`packets that go by themselves go where they would have gone, unchanged, and are counted alike, whatever happens between them (${name})`, async (t) => {
    stopTime(t);
    const counting = new Counting();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        counting.start();
        const outcome = await play(steps, way);
        SteadyFlows.prototype.take = () => false;
        assert.deepEqual(outcome, await play(steps, way));
      }),
      { numRuns: 500 },
    );
    // Of a test in which a third of the packets are out of the ordinary.
    const { steady, all } = counting;
    assert.ok(steady > all / 10, `${steady} of ${all}`);
  });
}

test("a call that nothing happens to takes the steady way from its second packet on", async (t) => {
  stopTime(t);
  const counting = new Counting();
  counting.start();
  const talk = Array.from({ length: 20 }, (_, i): Step => {
    return { kind: "packets", who: i % 2 === 0 ? "alice" : "bob", odds: ["nothing"] };
  });
  const { sent } = await play(talk, { batching: false, secure: false });
  assert.equal(sent.filter(({ bytes }) => bytes[1]! < 128).length, 40);
  assert.deepEqual([counting.steady, counting.all], [18, 20]);
});
