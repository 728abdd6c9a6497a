import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { decodePcmu, encodePcmu, writeWavHeader } from "@callfork/protocol/audio";
import { writeRtpHeader } from "@callfork/protocol/rtp";
import { parseSessionDescription } from "@callfork/protocol/sdp";
import { createMediaPlane } from "@callfork/server/media";
import { createResolver, createSipTransports, createSystemClock } from "@callfork/server/net";
import {
  createUserAgent,
  type ReceivedPart,
  type SipBody,
  type UserAgent,
} from "@callfork/server/signalling";
import { TestPhone } from "@callfork/testkit";
import { createCalls, type Director } from "../../packages/server/src/calls/index.ts";
import { createDirector } from "../../packages/server/src/verbs/index.ts";
import { MemoryCallStore, numberOf } from "../simulated/calls-world.ts";
import { memoryLog } from "../simulated/pair.ts";

/** Noise: every stretch of 160 samples is found at one place only. */
function noise(samples: number): Int16Array {
  const codes = randomBytes(samples);
  const pcm = new Int16Array(samples);
  decodePcmu(codes, pcm);
  return pcm;
}

/** As a listener hears it: µ-law and back. */
function asHeard(pcm: Int16Array): Int16Array {
  const codes = new Uint8Array(pcm.length);
  encodePcmu(pcm, codes);
  const out = new Int16Array(pcm.length);
  decodePcmu(codes, out);
  return out;
}

/** Asserts that `heard` is `voice`, over and over, from some place on. */
function assertIsVoice(heard: Int16Array, voice: Int16Array): void {
  const said = asHeard(voice);
  const start = said.findIndex((_, at) =>
    heard.subarray(0, 160).every((sample, i) => sample === said[(at + i) % said.length]),
  );
  assert.ok(start >= 0, "the first packet is nothing that was said");
  const wrong = heard.findIndex((sample, i) => sample !== said[(start + i) % said.length]);
  assert.equal(wrong, -1, `differs from sample ${wrong} on`);
}

async function until(what: string, done: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!done()) {
    assert.ok(performance.now() < deadline, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The B2BUA on real sockets and with real media, on loopback. */
async function platform(t: TestContext, documents: Readonly<Record<string, Uint8Array>> = {}) {
  const clock = createSystemClock();
  const log = memoryLog();
  const random = { bytes: (length: number) => Uint8Array.from(randomBytes(length)) };
  const alerts = { raise: () => undefined };
  const transports = await createSipTransports({
    listen: [
      { transport: "udp", address: "127.0.0.1", port: 0 },
      { transport: "tcp", address: "127.0.0.1", port: 0 },
    ],
    log,
    clock,
  });
  const media = await createMediaPlane({
    advertisedAddress: "127.0.0.1",
    ports: { first: 31_000, last: 31_199 },
    workers: 1,
    log,
    drainMs: 0,
    earlyMs: 600_000, // on a machine that is busy with other tests nothing is too old
  });
  const userAgent = createUserAgent({
    transports,
    resolver: createResolver(),
    clock,
    random,
    log,
    userAgentName: "callfork",
  });
  const store = new MemoryCallStore();
  const director: Director = createDirector({
    fetcher: {
      fetch: async ({ url }) => ({
        status: 200,
        contentType: "audio/wav",
        body: documents[url] ?? new Uint8Array(0),
        truncated: false,
        url,
      }),
    },
    forks: () => assert.fail("nothing forks here"),
    clock,
    log,
    alerts,
  });
  const calls = createCalls({
    userAgent,
    media,
    store,
    director,
    clock,
    random,
    log,
    alerts,
    sipHost: "127.0.0.1",
  });
  userAgent.attach({ onInvite: (invite) => calls.accept(invite) });
  t.after(async () => {
    await calls.drain(0);
    await userAgent.stop(500);
    await media.stop();
    await transports.close();
  });
  return {
    calls,
    store,
    log,
    number: (name: string, twiml: string) =>
      store.numbers.set(name, numberOf(name, { voiceTwiml: `<Response>${twiml}</Response>` })),
    uriOf: (user: string) => `sip:${user}@127.0.0.1:${transports.sentBy("udp", "127.0.0.1").port}`,
  };
}

test("two phones hear each other bit for bit through the platform", async (t) => {
  const [aliceVoice, bobVoice] = [noise(16_000), noise(16_000)];
  const p = await platform(t);
  const alice = await TestPhone.open({ user: "alice", voice: aliceVoice });
  const bob = await TestPhone.open({ user: "bob", voice: bobVoice });
  t.after(async () => {
    await alice.close();
    await bob.close();
  });
  p.number("1001", `<Dial answerOnBridge="true"><Sip>${bob.uri}</Sip></Dial>`);
  const arrived = bob.nextCall();
  const call = await alice.call(p.uriOf("1001"));
  const callee = await arrived;
  await until("a second of both voices", () => call.heard().packets >= 50 && callee.heard().packets >= 50);
  const [heardByAlice, heardByBob] = [call.heard(), callee.heard()];
  assert.equal(heardByAlice.lost + heardByBob.lost, 0);
  assertIsVoice(heardByAlice.samples, bobVoice);
  assertIsVoice(heardByBob.samples, aliceVoice);
  await call.hangUp();
  assert.equal(await callee.ended, "remote");
  await until("the rows", () => p.store.calls.every(({ status }) => status === "completed"));
  assert.equal(p.calls.liveCount, 0);
});

test("the caller hears a file bit for bit, then the ringing tone, then the callee", async (t) => {
  const [prompt, bobVoice] = [noise(4_000), noise(16_000)];
  const header = writeWavHeader({
    channels: 1,
    sampleRateHz: 8000,
    bitsPerSample: 16,
    format: "pcm",
    dataBytes: prompt.byteLength,
  });
  const file = Uint8Array.of(...header, ...new Uint8Array(prompt.buffer));
  const p = await platform(t, { "http://app.example.com/prompt.wav": file });
  const alice = await TestPhone.open({ user: "alice", voice: noise(8_000) });
  const bob = await TestPhone.open({ user: "bob", voice: bobVoice, whenCalled: { ringMs: 500 } });
  t.after(async () => {
    await alice.close();
    await bob.close();
  });
  p.number("1001", `<Play>http://app.example.com/prompt.wav</Play><Dial><Sip>${bob.uri}</Sip></Dial>`);
  const arrived = bob.nextCall();
  const call = await alice.call(p.uriOf("1001"));
  await arrived;
  const before = call.heard().packets;
  await until("the callee's voice", () => call.heard().packets >= before + 50);
  const { samples } = call.heard();
  assert.deepEqual(samples.subarray(0, prompt.length), asHeard(prompt));
  assertIsVoice(samples.subarray(-160 * 25), bobVoice);
  await call.hangUp();
  await until("the end", () => p.calls.liveCount === 0);
});

/** Packets before the answer, and all: so many may wait for their leg. */
const EARLY = 8;
const ALL = 20;

/** A phone that speaks as soon as it knows where to, whatever SIP has yet to say. */
class HastyPhone {
  readonly uri: string;
  readonly heard: Buffer[] = [];
  readonly #name: string;
  readonly #agent: UserAgent;
  readonly #rtp: Socket;

  static async open(t: TestContext, name: string): Promise<HastyPhone> {
    const clock = createSystemClock();
    const log = memoryLog();
    const listen = [{ transport: "udp" as const, address: "127.0.0.1", port: 0 }];
    const transports = await createSipTransports({ listen, log, clock });
    const random = { bytes: (length: number) => Uint8Array.from(randomBytes(length)) };
    const resolver = createResolver();
    const agent = createUserAgent({ transports, resolver, clock, random, log, userAgentName: name });
    const rtp = createSocket("udp4").bind(0, "127.0.0.1");
    await once(rtp, "listening");
    t.after(async () => {
      rtp.close();
      await agent.stop(200);
      await transports.close();
    });
    return new HastyPhone(name, agent, rtp, transports.sentBy("udp", "127.0.0.1").port);
  }

  private constructor(name: string, agent: UserAgent, rtp: Socket, sipPort: number) {
    this.#name = name;
    this.#agent = agent;
    this.#rtp = rtp;
    this.uri = `sip:${name}@127.0.0.1:${sipPort}`;
    rtp.on("message", (bytes) => this.heard.push(bytes.subarray(12)));
    agent.attach({
      onInvite: (invite) => {
        void this.#say(invite.body, 0, EARLY).then(() => {
          invite.answer({ body: this.#description() }).attach({ onEnded: () => undefined });
          return this.#say(invite.body, EARLY, ALL);
        });
      },
    });
  }

  /** What it says, packet for packet. */
  voice(i: number): Buffer {
    return Buffer.alloc(160, `${this.#name} ${i} `);
  }

  call(requestUri: string): void {
    this.#agent.invite(
      { requestUri, from: this.uri, to: requestUri, body: this.#description() },
      {
        onAnswered: (dialog, _response, body) => {
          dialog.attach({ onEnded: () => undefined });
          void this.#say(body, 0, ALL);
          return undefined;
        },
        onFailed: ({ message }) => assert.fail(message),
      },
    );
  }

  async #say([body]: readonly ReceivedPart[], from: number, to: number): Promise<void> {
    const parsed = parseSessionDescription(body!.bytes);
    assert.ok(parsed.ok);
    const { port } = parsed.value.media[0]!;
    for (let i = from; i < to; i++) {
      const bytes = Buffer.alloc(172);
      writeRtpHeader(bytes, 0, i === 0, 0, i, i * 160, 77);
      bytes.set(this.voice(i), 12);
      await new Promise<void>((resolve) => this.#rtp.send(bytes, port, "127.0.0.1", () => resolve()));
    }
  }

  #description(): SipBody {
    const lines = [
      ...["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"],
      ...[`m=audio ${this.#rtp.address().port} RTP/AVP 0`, "a=rtpmap:0 PCMU/8000"],
    ];
    return { contentType: "application/sdp", bytes: new TextEncoder().encode(`${lines.join("\r\n")}\r\n`) };
  }
}

test("[R3264-5.1-3] whoever speaks as soon as it was offered a port, or answered one, is heard from its first packet on", async (t) => {
  const p = await platform(t);
  for (let round = 0; round < 5; round++) {
    const [alice, bob] = [await HastyPhone.open(t, "alice"), await HastyPhone.open(t, "bob")];
    p.number(`${round}`, `<Dial answerOnBridge="true"><Sip>${bob.uri}</Sip></Dial>`);
    alice.call(p.uriOf(`${round}`));
    await until("all that was said", () => alice.heard.length >= ALL && bob.heard.length >= ALL);
    const said = (phone: HastyPhone) => Array.from({ length: ALL }, (_, i) => phone.voice(i));
    assert.deepEqual(alice.heard, said(bob), `round ${round}`);
    assert.deepEqual(bob.heard, said(alice), `round ${round}`);
  }
});
