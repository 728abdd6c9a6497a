import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { addToSequence, formatRtcp, parseRtcp, type RtcpPacket } from "@callfork/protocol/rtp";
import {
  SRTP_SUITES,
  type SrtpKeying,
  SrtpReceiver,
  SrtpSender,
  type SrtpSuite,
} from "@callfork/protocol/srtp";
import { createSrtpCiphers } from "../net/index.ts";
import { type ReceivedPacket, readReceivedBatch } from "./received-batch.ts";
import {
  buildRtp,
  LOCALHOST,
  type SentRtp,
  startPlane,
  TestParty,
  until,
  untilStats,
  voice,
} from "./testing/party.ts";
import type { LegConnection, MediaPlane, MediaPort, MediaSrtp } from "./types.ts";

const FIRST_PORT = 43_000;
const ciphers = createSrtpCiphers();
const CODECS = [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }];
const COMMON = { direction: "sendrecv", codecs: CODECS } as const;

for (const suite of Object.keys(SRTP_SUITES) as SrtpSuite[]) {
  test(`[R7866-12.2-2] audio passes bit for bit between an SRTP leg (${suite}) and one in the clear, over the wrap`, async (t) => {
    const { a, b, alice, bob } = await bridged(t, keys(suite));
    for (let i = 0; i < 40; i++) {
      await alice.send(a, packet(i));
      await bob.send(b, packet(i, { ssrc: 7, payload: voice(i + 500) }));
    }
    const heard = await bob.take(t, 40);
    assert.deepEqual(heard.map(payloadOf), voices(40));
    const back = await alice.take(t, 40);
    assert.deepEqual(back.map(payloadOf), voices(40, 500));
  });
}

test("both legs secured with different suites: each side hears the other", async (t) => {
  const { plane, b, a, alice } = await bridged(t, keys("AEAD_AES_256_GCM"));
  const carolKeys = keys("AES_CM_128_HMAC_SHA1_32");
  const carol = await SecureParty.open(t, carolKeys);
  plane.connectLeg(b.id, { ...COMMON, remote: carol.party.target, srtp: carolKeys });
  await plane.stats(b.id);
  for (let i = 0; i < 20; i++) {
    await alice.send(a, packet(i));
    await carol.send(b, packet(i, { payload: voice(i + 500) }));
  }
  assert.deepEqual((await carol.take(t, 20)).map(payloadOf), voices(20));
  assert.deepEqual((await alice.take(t, 20)).map(payloadOf), voices(20, 500));
});

test("a passage re-keys by leg: video and its RTCP come out bit for bit, SSRC and payload type included", async (t) => {
  const plane = await startPlane(t, FIRST_PORT);
  const srtp = keys("AEAD_AES_128_GCM");
  const [alice, bob] = [await SecureParty.open(t, srtp), await TestParty.open(t)];
  const open = () => plane.openLeg({ group: "CA1", isPassage: true });
  const [a, b] = [await open(), await open()];
  const video = {
    direction: "sendrecv",
    codecs: [{ name: "VP8", clockRateHz: 90_000, payloadType: 96 }],
  } as const;
  plane.connectLeg(a.id, { ...video, remote: alice.party.target, srtp });
  plane.connectLeg(b.id, { ...video, remote: bob.target });
  plane.bridge(a.id, b.id);
  await plane.stats(a.id);
  const frame = (i: number, ssrc: number) => packet(i, { ssrc, payloadType: 96, payload: voice(i, 1100) });
  for (let i = 0; i < 20; i++) {
    await alice.send(a, frame(i, 11));
    await bob.send(b, frame(i, 22));
  }
  const heard = await bob.take(t, 20);
  assert.deepEqual(
    heard.map(({ bytes }) => Buffer.from(bytes)),
    heard.map((_, i) => Buffer.from(buildRtp(frame(i, 11)))),
  );
  const back = await alice.take(t, 20);
  assert.deepEqual(
    back.map(({ ssrc, payload }) => [ssrc, Buffer.from(payload)]),
    back.map((_, i) => [22, Buffer.from(voice(i, 1100))]),
  );
  const reports: RtcpPacket[] = [
    { kind: "rr", ssrc: 11, reports: [] },
    { kind: "other", packetType: 206, count: 1, body: Uint8Array.of(0, 0, 0, 11, 0, 0, 0, 22) },
  ];
  await alice.raw(a.rtcpPort, alice.protectReports(reports));
  await until(t, () => bob.reports.length === 1);
  assert.deepEqual(Buffer.from(formatRtcp(bob.reports[0]!.packets)), Buffer.from(formatRtcp(reports)));
  await alice.raw(a.rtpPort, buildRtp(frame(30, 11)));
  await untilStats(t, plane, a.id, ({ rejected }) => rejected === 1);
});

test("[R6341-028] [R3711-3.3-3] forged, repeated and clear packets are dropped and counted, and the call goes on", async (t) => {
  const { plane, a, alice, bob } = await bridged(t, keys("AES_CM_128_HMAC_SHA1_80"));
  const good = alice.protect(packet(0));
  await alice.raw(a.rtpPort, good);
  await alice.raw(a.rtpPort, good);
  await alice.raw(a.rtpPort, buildRtp(packet(1)));
  const forged = alice.protect(packet(2));
  forged[20]! ^= 1;
  await alice.raw(a.rtpPort, forged);
  await alice.send(a, packet(3));
  const heard = await bob.take(t, 2);
  assert.deepEqual(
    heard.map(payloadOf),
    [voice(packet(0).sequence), voice(packet(3).sequence)].map(Buffer.from),
  );
  const stats = await untilStats(t, plane, a.id, ({ rejected }) => rejected === 3);
  assert.equal(stats.received.packets, 2);
  assert.equal(stats.dropped, 0);
});

test("[R3711-3.4-2] reports leave and come protected; a forged one is dropped and counted", async (t) => {
  const { plane, a, alice } = await bridged(t, keys("AEAD_AES_128_GCM"));
  const reports = (n: number): RtcpPacket[] => [
    { kind: "rr", ssrc: 9, reports: [] },
    { kind: "bye", sources: [n] },
  ];
  await alice.raw(a.rtcpPort, alice.protectReports(reports(1)));
  const forged = alice.protectReports(reports(2));
  forged[9]! ^= 1;
  await alice.raw(a.rtcpPort, forged);
  await alice.raw(a.rtcpPort, formatRtcp(reports(3)));
  await untilStats(t, plane, a.id, ({ rejected }) => rejected === 2);
  await plane.play(a.id, { samples: new Int16Array(320), loop: 1 });
  await plane.close(a.id);
  await until(t, () => alice.reports.length > 0);
  const last = alice.reports.at(-1)!;
  assert.equal(last[0]!.kind, "sr");
  assert.equal(last.at(-1)!.kind, "bye");
});

test("what is played goes out protected, and its fork is the same in the clear", async (t) => {
  const plane = await startPlane(t, FIRST_PORT);
  const srtp = keys("AES_256_CM_HMAC_SHA1_80");
  const [alice, recorder] = [await SecureParty.open(t, srtp), await TestParty.open(t)];
  const a = await plane.openLeg({ group: "CA1" });
  plane.connectLeg(a.id, { ...COMMON, remote: alice.party.target, srtp });
  const fork = await plane.openFork({ leg: a.id, track: "outbound" });
  plane.startFork(fork.id, forkTo(recorder));
  const samples = Int16Array.from({ length: 1600 }, (_, i) => 8000 * Math.sin(i / 3));
  assert.equal(await plane.play(a.id, { samples, loop: 1 }), true);
  const heard = await alice.take(t, 10);
  const copied = await recorder.take(t, 10);
  assert.deepEqual(heard.map(payloadOf), copied.map(payloadOf));
  assert.ok(heard[0]!.marker);
});

test("a fork to a recorder of our own over SRTP: every packet bit for bit, reports both ways, keys of its own", async (t) => {
  const { plane, a, alice } = await bridged(t, keys("AES_CM_128_HMAC_SHA1_80"));
  const { port1: sink, port2: batches } = new MessageChannel();
  t.after(() => batches.close());
  const got: ReceivedPacket[] = [];
  batches.on("message", (buffer: ArrayBuffer) => {
    got.push(...readReceivedBatch(buffer));
    batches.postMessage(0);
  });
  const receiver = await plane.openReceiver({ group: "RE1", sink, cname: "recorder", clockRateHz: 8000 });
  const fork = await plane.openFork({ leg: a.id, track: "inbound" });
  const copy = keys("AEAD_AES_128_GCM");
  const from = { address: LOCALHOST, rtpPort: fork.rtpPort, rtcpPort: fork.rtcpPort };
  plane.connectReceiver(receiver.id, from, [0], reversed(copy));
  const remote = { address: LOCALHOST, rtpPort: receiver.rtpPort, rtcpPort: receiver.rtcpPort };
  plane.startFork(fork.id, {
    remote,
    payloadTypes: new Map([[0, 0]]),
    clockRateHz: 8000,
    cname: "fork",
    srtp: copy,
  });
  await plane.stats(receiver.id);
  for (let i = 0; i < 50; i++) await alice.send(a, packet(i));
  const rtp = () => got.filter(({ kind }) => kind === "rtp");
  await until(t, () => rtp().length === 50 && got.some(({ kind }) => kind === "rtcp"));
  assert.deepEqual(
    rtp().map(({ bytes }) => Buffer.from(bytes.subarray(12))),
    voices(50),
  );
  const report = parseRtcp(got.find(({ kind }) => kind === "rtcp")!.bytes);
  assert.ok(report.ok && report.value[0]!.kind === "sr");
  const [received, sent] = [await plane.close(receiver.id), await plane.close(fork.id)];
  assert.deepEqual([received?.rejected, sent?.rejected], [0, 0]);
  assert.equal(received?.received.packets, sent?.sent.packets);
});

test("the same keys told again change nothing; new ones take over from the next packet on", async (t) => {
  const first = keys("AES_CM_128_HMAC_SHA1_80");
  const { plane, a, b, alice, bob } = await bridged(t, first);
  const exchange = async (from: number, party: SecureParty): Promise<void> => {
    for (let i = from; i < from + 5; i++) {
      await party.send(a, packet(i));
      await bob.send(b, packet(i, { ssrc: 7, payload: voice(i + 500) }));
    }
    assert.deepEqual((await bob.take(t, 5)).map(payloadOf), voices(5, 0, from));
    assert.deepEqual((await party.take(t, 5)).map(payloadOf), voices(5, 500, from));
  };
  await exchange(0, alice);
  plane.connectLeg(a.id, { ...COMMON, remote: alice.party.target, srtp: structuredClone(first) });
  await exchange(5, alice);
  const second = keys("AEAD_AES_256_GCM");
  plane.connectLeg(a.id, { ...COMMON, remote: alice.party.target, srtp: second });
  alice.rekey(second);
  await plane.stats(a.id);
  await exchange(10, alice);
  // In the clear from here on, reports and BYE too.
  alice.party.rtcp.removeAllListeners("message");
  plane.connectLeg(a.id, { ...COMMON, remote: alice.party.target });
  await plane.stats(a.id);
  await alice.raw(a.rtpPort, buildRtp(packet(15)));
  assert.deepEqual((await bob.take(t, 1)).map(payloadOf), voices(1, 0, 15));
});

test("keys that do not fit their suite are refused before they reach a worker", async (t) => {
  const plane = await startPlane(t, FIRST_PORT);
  const a = await plane.openLeg({ group: "CA1" });
  const { send, receive } = keys("AES_CM_128_HMAC_SHA1_80");
  const wrong = { send: { ...send, suite: "AEAD_AES_256_GCM" }, receive } as const;
  const message = /16|32/;
  assert.throws(() => plane.connectLeg(a.id, { ...COMMON, remote: null, srtp: wrong }), {
    name: "RangeError",
    message,
  });
  assert.throws(() => plane.connectReceiver(a.id, null, [], wrong), RangeError);
  assert.throws(() => plane.startFork(a.id, { ...forkTo(undefined), srtp: wrong }), RangeError);
});

/** Alice's leg is secured, Bob's is not. */
async function bridged(
  t: TestContext,
  srtp: MediaSrtp,
): Promise<{ plane: MediaPlane; a: MediaPort; b: MediaPort; alice: SecureParty; bob: TestParty }> {
  const plane = await startPlane(t, FIRST_PORT);
  const [alice, bob] = [await SecureParty.open(t, srtp), await TestParty.open(t)];
  const [a, b] = [await plane.openLeg({ group: "CA1" }), await plane.openLeg({ group: "CA1" })];
  const connection: Omit<LegConnection, "remote"> = COMMON;
  plane.connectLeg(a.id, { ...connection, remote: alice.party.target, srtp });
  plane.connectLeg(b.id, { ...connection, remote: bob.target });
  plane.bridge(a.id, b.id);
  await plane.stats(a.id);
  return { plane, a, b, alice, bob };
}

/** A party whose packets are protected; `srtp` is the other side's view of the keys. */
class SecureParty {
  readonly party: TestParty;
  readonly reports: (readonly RtcpPacket[])[] = [];
  #sender: SrtpSender;
  #receiver: SrtpReceiver;

  static async open(t: TestContext, srtp: MediaSrtp): Promise<SecureParty> {
    return new SecureParty(await TestParty.open(t), srtp);
  }

  private constructor(party: TestParty, srtp: MediaSrtp) {
    this.party = party;
    this.#sender = new SrtpSender(ciphers, srtp.receive);
    this.#receiver = new SrtpReceiver(ciphers, srtp.send);
    party.rtcp.removeAllListeners("message");
    party.rtcp.on("message", (bytes) => {
      const length = this.#receiver.unprotectRtcp(bytes, 0, bytes.length);
      assert.ok(length > 0, `verdict ${length}`);
      const parsed = parseRtcp(bytes.subarray(0, length));
      assert.ok(parsed.ok);
      this.reports.push(parsed.value);
    });
  }

  rekey(srtp: MediaSrtp): void {
    this.#sender = new SrtpSender(ciphers, srtp.receive);
    this.#receiver = new SrtpReceiver(ciphers, srtp.send, {}, this.#receiver);
  }

  protect(sent: SentRtp): Uint8Array {
    const plain = buildRtp(sent);
    const bytes = new Uint8Array(plain.length + this.#sender.rtpOverhead);
    bytes.set(plain);
    assert.equal(this.#sender.protectRtp(bytes, 0, plain.length), bytes.length);
    return bytes;
  }

  protectReports(packets: readonly RtcpPacket[]): Uint8Array {
    const plain = formatRtcp(packets);
    const bytes = new Uint8Array(plain.length + this.#sender.rtcpOverhead);
    bytes.set(plain);
    assert.equal(this.#sender.protectRtcp(bytes, 0, plain.length), bytes.length);
    return bytes;
  }

  send(to: { readonly rtpPort: number }, sent: SentRtp): Promise<void> {
    return this.raw(to.rtpPort, this.protect(sent));
  }

  raw(port: number, bytes: Uint8Array): Promise<void> {
    const socket = port % 2 === 0 ? this.party.rtp : this.party.rtcp;
    return new Promise((resolve, reject) => {
      socket.send(bytes, port, LOCALHOST, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  /** What came, in the clear. */
  async take(t: TestContext, count: number) {
    const seen = await this.party.take(t, count);
    return seen.map((one) => {
      const bytes = one.bytes.slice();
      const length = this.#receiver.unprotectRtp(bytes, 0, bytes.length);
      assert.ok(length > 0, `verdict ${length}`);
      return { ...one, payload: bytes.subarray(12, length) };
    });
  }
}

function keys(suite: SrtpSuite): MediaSrtp {
  const { keyLength, saltLength } = SRTP_SUITES[suite];
  const direction = (): SrtpKeying => ({
    suite,
    keys: [{ key: new Uint8Array(randomBytes(keyLength)), salt: new Uint8Array(randomBytes(saltLength)) }],
  });
  return { send: direction(), receive: direction() };
}

const reversed = ({ send, receive }: MediaSrtp): MediaSrtp => ({ send: receive, receive: send });

function packet(i: number, more: Partial<SentRtp> = {}): SentRtp {
  return { sequence: addToSequence(65_530, i), timestamp: i * 160, ...more };
}

function voices(count: number, offset?: number, from = 0): Buffer[] {
  return Array.from({ length: count }, (_, i) =>
    Buffer.from(voice(offset ? from + i + offset : packet(from + i).sequence)),
  );
}

function forkTo(recorder: TestParty | undefined) {
  const remote = recorder?.target ?? { address: LOCALHOST, rtpPort: 9, rtcpPort: 10 };
  return { remote, payloadTypes: new Map([[0, 0]]), clockRateHz: 8000, cname: "fork" };
}

const payloadOf = ({ payload }: { readonly payload: Uint8Array }): Buffer => Buffer.from(payload);
