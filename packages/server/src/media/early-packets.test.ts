import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { addToSequence, rtpSequenceNumber } from "@callfork/protocol/rtp";
import { type SrtpKeying, SrtpSender } from "@callfork/protocol/srtp";
import fc from "fast-check";
import { createSrtpCiphers } from "../net/index.ts";
import { FlowCells } from "./flow-cells.ts";
import { MediaEngine } from "./media-engine.ts";
import { SteadyFlows } from "./steady-flows.ts";
import { MemoryPacketIo } from "./testing/memory-packet-io.ts";
import { buildRtp, type SentRtp, voice } from "./testing/party.ts";
import type { LegConnection, MediaEvent, MediaStats } from "./types.ts";
import type { WorkerAnswer, WorkerCommand } from "./worker-messages.ts";

const ALICE = { address: "192.0.2.1", port: 4000 };
const BOB = { address: "192.0.2.2", port: 5000 };
const RECORDER = { address: "192.0.2.3", port: 6000 };
const STRANGER = { address: "192.0.2.66", port: 6666 };
const A = 1;
const B = 2;
const FORK = 3;
const ciphers = createSrtpCiphers();
const toEverybody = { aToB: new Map<number, number>(), bToA: new Map<number, number>() };

type Place = typeof ALICE;

/** A media worker without a thread: its commands, its packets and its clock are the test's. */
class World {
  readonly io = new MemoryPacketIo();
  readonly events: MediaEvent[] = [];
  now = 1000;
  readonly #engine: MediaEngine;
  readonly #answers = new Map<number, WorkerAnswer>();
  #lastQuestion = 0;

  /** Legs A and B are open, and nobody is connected. */
  static async open(t: TestContext, isPassage = false): Promise<World> {
    const world = new World(t);
    for (const id of [A, B]) await world.openLeg(id, isPassage);
    return world;
  }

  private constructor(t: TestContext) {
    t.mock.method(performance, "now", () => this.now);
    this.#engine = new MediaEngine(
      {
        io: this.io,
        random: { bytes: (length) => randomBytes(length) },
        ciphers,
        flows: new SteadyFlows(this.io, new FlowCells(64)),
        silenceMs: 10_000,
        emit: (event) => void this.events.push(event),
        wallAt: (now) => now,
      },
      (question, answer) => void this.#answers.set(question, answer),
    );
    this.io.attach(this.#engine);
  }

  async openLeg(id: number, isPassage = false): Promise<void> {
    const pair = { address: "192.0.2.9", rtpPort: rtpPortOf(id) };
    const answer = await this.ask((question) => ({ kind: "open-leg", id, question, pair, isPassage }));
    assert.deepEqual(answer, { kind: "opened" });
  }

  /** A fork of what leg A hears, started. */
  async fork(): Promise<void> {
    const pair = { address: "192.0.2.9", rtpPort: rtpPortOf(FORK) };
    await this.ask((question) => ({
      kind: "open-fork",
      id: FORK,
      question,
      pair,
      leg: A,
      track: "inbound",
    }));
    const remote = { address: RECORDER.address, rtpPort: RECORDER.port, rtcpPort: RECORDER.port + 1 };
    const payloadTypes = new Map([[0, 96]]);
    const connection = { remote, payloadTypes, clockRateHz: 8000, cname: "fork" };
    this.tell({ kind: "start-fork", id: FORK, connection });
  }

  tell(command: WorkerCommand): void {
    this.io.turn(() => this.#engine.onCommand(command));
  }

  async ask(build: (question: number) => WorkerCommand): Promise<WorkerAnswer> {
    const question = ++this.#lastQuestion;
    this.tell(build(question));
    for (;;) {
      const answer = this.#answers.get(question);
      if (answer !== undefined) return answer;
      await new Promise(setImmediate);
    }
  }

  connect(id: number, party: Place | null, more: Partial<LegConnection> = {}): void {
    const remote = party && { address: party.address, rtpPort: party.port, rtcpPort: party.port + 1 };
    const codecs = [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }];
    this.tell({ kind: "connect-leg", id, connection: { remote, direction: "sendrecv", codecs, ...more } });
  }

  bridge(): void {
    this.tell({ kind: "bridge", id: A, other: B, ...toEverybody });
  }

  wake(): void {
    this.io.turn(() => this.#engine.onWake(this.now));
  }

  come(from: Place, id: number, ...packets: readonly Uint8Array[]): void {
    const datagrams = packets.map((bytes) => ({ to: rtpPortOf(id), from, bytes }));
    this.io.receive(datagrams, this.now);
  }

  /** Alice speaks to leg A. */
  say(...numbers: readonly number[]): void {
    this.come(ALICE, A, ...numbers.map((i) => speech(i)));
  }

  /** Which of the packets that somebody said have come to this place, by their audio. */
  heardBy(place: Place): readonly number[] {
    const voices = Array.from({ length: 200 }, (_, i) => Buffer.from(voice(i)));
    return this.io.sent
      .filter(({ to }) => to === place.port)
      .map(({ bytes }) => voices.findIndex((one) => one.equals(bytes.subarray(12))));
  }

  async stats(id: number): Promise<MediaStats> {
    const answer = await this.ask((question) => ({ kind: "stats", id, question }));
    assert.ok(answer.kind === "stats" && answer.stats !== undefined);
    return answer.stats;
  }

  async close(id: number): Promise<MediaStats> {
    const answer = await this.ask((question) => ({ kind: "close", id, question }));
    assert.ok(answer.kind === "stats" && answer.stats !== undefined);
    return answer.stats;
  }
}

const rtpPortOf = (id: number) => 10_000 + 2 * id;

function speech(i: number, more: Partial<SentRtp> = {}): Uint8Array {
  return buildRtp({ sequence: addToSequence(65_530, i), timestamp: i * 160, payload: voice(i), ...more });
}

const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

test("[R3264-5.1-3] packets before the connection, and between that and the bridge, are heard and forked, in order and before those that come later", async (t) => {
  const w = await World.open(t);
  await w.fork();
  w.say(0, 1);
  w.connect(A, ALICE);
  w.say(2);
  w.connect(B, BOB);
  w.say(3);
  assert.equal(w.io.sent.length, 0);
  w.bridge();
  assert.deepEqual(w.heardBy(BOB), [0, 1, 2, 3]);
  w.say(4, 5);
  for (const place of [BOB, RECORDER]) {
    assert.deepEqual(w.heardBy(place), upTo(0, 6));
    const sent = w.io.sent.filter(({ to }) => to === place.port);
    const first = rtpSequenceNumber(sent[0]!.bytes, 0);
    for (const [i, { bytes }] of sent.entries()) {
      assert.equal(rtpSequenceNumber(bytes, 0), addToSequence(first, i));
    }
  }
  const { received, dropped } = await w.stats(A);
  assert.deepEqual([received.packets, received.lost, dropped], [6, 0, 0]);
  assert.deepEqual(w.events, [{ kind: "rtp-started", id: A }]);
});

test("both parties may be early, and a leg that knows its party waits for one that does not", async (t) => {
  const w = await World.open(t);
  w.bridge();
  w.say(0);
  w.connect(A, ALICE);
  w.say(1);
  w.come(BOB, B, speech(100));
  w.connect(B, BOB);
  w.say(2);
  w.come(BOB, B, speech(101));
  assert.deepEqual(w.heardBy(BOB), [0, 1, 2]);
  assert.deepEqual(w.heardBy(ALICE), [100, 101]);
});

test("where no bridge follows, nothing waits longer than 50 ms", async (t) => {
  const w = await World.open(t);
  await w.fork();
  w.say(0);
  w.now += 30;
  w.connect(A, ALICE);
  w.say(1);
  assert.ok(w.io.wakesAt <= w.now + 50);
  w.now += 49;
  w.wake();
  w.say(2);
  assert.deepEqual(w.heardBy(RECORDER), []);
  w.now += 1;
  w.wake();
  assert.deepEqual(w.heardBy(RECORDER), [0, 1, 2]);
  w.say(3);
  w.connect(B, BOB);
  w.bridge();
  w.say(4);
  assert.deepEqual(w.heardBy(RECORDER), [0, 1, 2, 3, 4]);
  assert.deepEqual(w.heardBy(BOB), [4]);
});

test("of many the newest twenty are kept; the others are counted as dropped", async (t) => {
  const w = await World.open(t);
  for (const i of upTo(0, 33)) w.say(i);
  assert.equal((await w.stats(A)).dropped, 13);
  w.connect(A, ALICE);
  w.connect(B, BOB);
  w.say(33);
  w.bridge();
  assert.deepEqual(w.heardBy(BOB), upTo(13, 34));
  const { received, dropped } = await w.stats(A);
  assert.deepEqual([received.packets, received.expected, dropped], [21, 21, 13]);
});

test("between the connection and the bridge nothing is pushed out: where room ends, waiting ends", async (t) => {
  const w = await World.open(t);
  await w.fork();
  for (const i of upTo(0, 20)) w.say(i);
  w.connect(A, ALICE);
  w.say(...upTo(20, 40));
  assert.deepEqual(w.heardBy(RECORDER), []);
  w.say(40, 41);
  assert.deepEqual(w.heardBy(RECORDER), upTo(0, 42));
  w.connect(B, BOB);
  w.bridge();
  w.say(42);
  assert.deepEqual(w.heardBy(BOB), [42]);
  assert.equal((await w.stats(A)).dropped, 0);
});

test("what is older than 200 ms when its leg is ready is dropped and counted", async (t) => {
  const w = await World.open(t);
  w.say(0, 1);
  w.now += 1;
  w.say(2);
  w.now += 200;
  w.connect(A, ALICE);
  w.connect(B, BOB);
  w.bridge();
  assert.deepEqual(w.heardBy(BOB), [2]);
  assert.equal((await w.stats(A)).dropped, 2);
});

test("they count as of the time when they came: no jitter comes of having waited", async (t) => {
  const w = await World.open(t);
  const began = w.now;
  for (const i of upTo(0, 8)) {
    w.say(i);
    w.now += 20;
  }
  w.connect(A, ALICE);
  w.connect(B, BOB);
  w.bridge();
  w.say(8);
  const { received } = await w.stats(A);
  assert.deepEqual([received.packets, received.jitterMs, received.firstPacketTime], [9, 0, began]);
  assert.equal(received.lastPacketTime, w.now);
});

test("strangers that were here first do not take the party's place", async (t) => {
  const w = await World.open(t);
  w.come(STRANGER, A, speech(100), speech(101), speech(102));
  w.say(0, 1);
  w.come(STRANGER, A, speech(103));
  w.connect(A, ALICE);
  w.connect(B, BOB);
  w.bridge();
  w.say(2);
  assert.deepEqual(w.heardBy(BOB), [0, 1, 2]);
  assert.equal((await w.stats(A)).dropped, 4);
});

test("a party behind a NAT is found by its early packets as by any others: the second in sequence", async (t) => {
  const w = await World.open(t);
  w.say(0, 1, 2);
  w.connect(A, { address: "10.0.0.7", port: 40_000 });
  w.connect(B, BOB);
  w.bridge();
  w.say(3);
  w.come(BOB, B, speech(100));
  assert.deepEqual(w.heardBy(BOB), [1, 2, 3]);
  assert.deepEqual(w.heardBy(ALICE), [100]);
  assert.equal((await w.stats(A)).dropped, 1);
});

test("what is no RTP is dropped at once, what nobody agreed on when that is known", async (t) => {
  const w = await World.open(t);
  const report = Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, 9);
  w.come(ALICE, A, new Uint8Array(0), new Uint8Array(40), speech(0).subarray(0, 11), report);
  assert.equal((await w.stats(A)).dropped, 4);
  w.come(ALICE, A, speech(1, { payloadType: 77 }), Uint8Array.of(0x8f, ...speech(2).subarray(1, 14)));
  w.say(3);
  assert.equal((await w.stats(A)).dropped, 4);
  w.connect(A, ALICE);
  w.connect(B, BOB);
  w.bridge();
  assert.deepEqual(w.heardBy(BOB), [3]);
  assert.equal((await w.stats(A)).dropped, 6);
});

test("a flood of junk and of other people's RTP is kept in bounds, and every packet of it is counted", async (t) => {
  const w = await World.open(t);
  for (const i of upTo(0, 400)) {
    w.come(STRANGER, A, new Uint8Array(i).fill(0xff), speech(i, { payload: voice(i, 1 + (i % 1400)) }));
  }
  w.connect(A, ALICE);
  w.connect(B, BOB);
  w.bridge();
  w.say(0);
  const { received, dropped } = await w.stats(A);
  // The stranger has latched the port by two packets in sequence, as it always could; its peer is somebody else.
  assert.equal(received.packets + dropped, 800);
});

test("a slab without room costs the packets that it is too small for, and they are counted", async (t) => {
  const w = await World.open(t);
  w.say(0, 1, 2, 3);
  w.connect(A, ALICE);
  w.connect(B, BOB);
  w.io.room = 3 * speech(0).length;
  w.bridge();
  assert.deepEqual(w.heardBy(BOB), [0, 1, 2]);
  assert.equal((await w.stats(A)).dropped, 1);
});

test("on hold nothing is kept: neither by a leg that begins so nor by one that was connected before", async (t) => {
  const w = await World.open(t);
  w.say(0);
  w.connect(A, ALICE, { direction: "sendonly" });
  w.connect(B, BOB);
  w.bridge();
  w.say(1);
  assert.equal((await w.stats(A)).dropped, 2);
  w.connect(A, ALICE);
  w.say(2);
  w.connect(A, ALICE, { direction: "inactive" });
  w.say(3);
  w.connect(A, ALICE);
  w.say(4);
  assert.deepEqual(w.heardBy(BOB), [2, 4]);
  assert.equal((await w.stats(A)).dropped, 3);
});

for (const suite of ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"] as const) {
  test(`[R3264-5.1-3] what came by SRTP (${suite}) waits as it came, until the key is known and the leg is bridged`, async (t) => {
    const keying = (): SrtpKeying => {
      const [key, salt] = suite === "AEAD_AES_256_GCM" ? [32, 12] : [16, 14];
      return {
        suite,
        keys: [{ key: Uint8Array.from(randomBytes(key)), salt: Uint8Array.from(randomBytes(salt)) }],
      };
    };
    const srtp = { send: keying(), receive: keying() };
    const sender = new SrtpSender(ciphers, srtp.receive);
    const protect = (i: number) => {
      const plain = speech(i);
      const bytes = new Uint8Array(plain.length + sender.rtpOverhead);
      bytes.set(plain);
      assert.equal(sender.protectRtp(bytes, 0, plain.length), bytes.length);
      return bytes;
    };
    const w = await World.open(t);
    await w.fork();
    w.come(ALICE, A, ...upTo(0, 10).map(protect), speech(50));
    w.connect(A, ALICE, { srtp });
    w.come(ALICE, A, protect(10));
    w.connect(B, BOB);
    w.bridge();
    w.come(ALICE, A, protect(11));
    assert.deepEqual(w.heardBy(BOB), upTo(0, 12));
    assert.deepEqual(w.heardBy(RECORDER), upTo(0, 12));
    const { received, dropped, rejected } = await w.stats(A);
    assert.deepEqual([received.packets, dropped, rejected], [12, 0, 1]);
  });
}

test("a leg that is closed before it was connected has dropped what it kept, and leaves nothing to whoever is next", async (t) => {
  const w = await World.open(t);
  w.say(0, 1, 2);
  assert.equal((await w.close(A)).dropped, 3);
  await w.openLeg(A);
  w.connect(A, ALICE);
  w.say(3);
  assert.equal((await w.close(A)).dropped, 1);
  w.now += 1000;
  w.wake();
  await w.openLeg(A);
  w.connect(A, ALICE);
  w.connect(B, BOB);
  w.bridge();
  w.say(4);
  assert.deepEqual(w.heardBy(BOB), [4]);
  assert.equal((await w.stats(A)).dropped, 0);
});

test("video waits too, more of it, and passes octet for octet", async (t) => {
  const w = await World.open(t, true);
  const video = { codecs: [{ name: "VP8", clockRateHz: 90_000, payloadType: 96 }] };
  const frame = (i: number) => speech(i, { payloadType: 96, ssrc: 1 + (i % 2), payload: voice(i, 1200) });
  for (const i of upTo(0, 70)) w.come(ALICE, A, frame(i));
  w.connect(A, ALICE, video);
  w.connect(B, BOB, video);
  w.bridge();
  w.come(ALICE, A, frame(70));
  assert.deepEqual(
    w.io.sent.map(({ bytes }) => Buffer.from(bytes)),
    upTo(6, 71).map((i) => Buffer.from(frame(i))),
  );
  assert.equal((await w.stats(A)).dropped, 6);
});

test("whatever order connections, bridge and packets come in: each is heard once and in order", async (t) => {
  const arbSteps = fc.shuffledSubarray(["a", "b", "bridge"], { minLength: 3 }).chain((commands) =>
    fc.array(fc.constantFrom("alice", "bob", "time"), { minLength: 3, maxLength: 36 }).chain((packets) =>
      fc.tuple(fc.nat(packets.length), fc.nat(packets.length), fc.nat(packets.length)).map((places) => {
        const at = [...places].sort((x, y) => x - y);
        return packets
          .flatMap((step, i) => [...commands.filter((_, k) => at[k] === i), step])
          .concat(commands.filter((_, k) => at[k] === packets.length));
      }),
    ),
  );
  await fc.assert(
    fc.asyncProperty(arbSteps, async (steps) => {
      const w = await World.open(t);
      const said = { alice: 0, bob: 100 };
      for (const step of steps) {
        if (step === "a") w.connect(A, ALICE);
        else if (step === "b") w.connect(B, BOB);
        else if (step === "bridge") w.bridge();
        else if (step === "alice" && said.alice < 20) w.say(said.alice++);
        else if (step === "bob" && said.bob < 120) w.come(BOB, B, speech(said.bob++));
        else {
          w.now++;
          w.wake();
        }
      }
      assert.deepEqual(w.heardBy(BOB), upTo(0, said.alice));
      assert.deepEqual(w.heardBy(ALICE), upTo(100, said.bob));
      t.mock.restoreAll();
    }),
  );
});
