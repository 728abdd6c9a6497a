import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { decodePcmu, encodePcmu } from "@callfork/protocol/audio";
import { createMediaPlane } from "@callfork/server/media";
import { createResolver, createSipTransports, createSystemClock } from "@callfork/server/net";
import { createUserAgent } from "@callfork/server/signalling";
import { TestPhone, type TestPhoneOptions } from "@callfork/testkit";
import { createCalls, NO_PEER_CERTIFICATE } from "../../packages/server/src/calls/index.ts";
import {
  type ConnectorSettings,
  createRecordingClient,
  DEFAULT_CONNECTOR_SETTINGS,
  type RecordingClient,
} from "../../packages/server/src/recording-client/index.ts";
import { createDirector } from "../../packages/server/src/verbs/index.ts";
import { MemoryCallStore, numberOf } from "../simulated/calls-world.ts";
import { memoryLog } from "../simulated/pair.ts";
import { MemorySiprecStore } from "../simulated/recording-world.ts";

const SECONDS = 30;
export const random = { bytes: (length: number) => Uint8Array.from(randomBytes(length)) };

/** Noise that does not repeat within the test: each packet of it is found at one place only. */
export function noise(): Int16Array {
  const pcm = new Int16Array(SECONDS * 8_000);
  decodePcmu(randomBytes(pcm.length), pcm);
  return pcm;
}

/** Which packet of a voice a payload is. */
export function indexOf(voice: Int16Array): (payload: Uint8Array) => number | undefined {
  const codes = new Uint8Array(voice.length);
  encodePcmu(voice, codes);
  const places = new Map<string, number>();
  for (let at = 0; at + 160 <= codes.length; at += 160)
    places.set(Buffer.from(codes.subarray(at, at + 160)).toString("base64"), at / 160);
  return (payload) => places.get(Buffer.from(payload).toString("base64"));
}

export async function until(what: string, done: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!done()) {
    assert.ok(performance.now() < deadline, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A platform on real sockets with real media, a call between two phones, and a fork of it to `recorders`. */
export async function forked(
  t: TestContext,
  voices: readonly [Int16Array, Int16Array],
  recorders: readonly string[],
  {
    firstPort = 31_400,
    answerTimeoutMs = 10_000,
    tls,
    alice: aliceMore = {},
    bob: bobMore = {},
    settings = {},
  }: {
    readonly firstPort?: number;
    readonly answerTimeoutMs?: number;
    /** Of the phones. */
    readonly alice?: Partial<TestPhoneOptions>;
    readonly bob?: Partial<TestPhoneOptions>;
    /** Of the connector. */
    readonly settings?: Partial<ConnectorSettings>;
    /** With a TLS listener, and these for it. */
    readonly tls?: { readonly certificate: string[]; readonly key: string[]; readonly ca: string };
  } = {},
) {
  const clock = createSystemClock();
  const log = memoryLog();
  const alerts: string[] = [];
  const transports = await createSipTransports({
    listen: [
      { transport: "udp", address: "127.0.0.1", port: 0 },
      { transport: "tcp", address: "127.0.0.1", port: 0 },
      ...(tls ? [{ transport: "tls", address: "127.0.0.1", port: 0 } as const] : []),
    ],
    log,
    clock,
    ...(tls && { tls }),
  });
  const media = await createMediaPlane({
    advertisedAddress: "127.0.0.1",
    ports: { first: firstPort, last: firstPort + 39 },
    workers: 1,
    log,
    drainMs: 0,
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
  const siprecs = new MemorySiprecStore();
  let client: RecordingClient | undefined;
  const raise = { raise: ({ text }: { readonly text: string }) => void alerts.push(text) };
  const calls = createCalls({
    userAgent,
    media,
    store,
    director: createDirector({
      fetcher: { fetch: () => assert.fail("nothing is fetched") },
      forks: () => client!,
      clock,
      log,
      alerts: raise,
    }),
    clock,
    random,
    log,
    alerts: raise,
    sipHost: "127.0.0.1",
  });
  client = createRecordingClient({
    calls,
    userAgent,
    media,
    connectors: {
      starters: async () => [],
      find: async (accountSid, uniqueName) => ({
        sid: "XE1",
        accountSid,
        uniqueName,
        sipUris: recorders,
        credentialsHeaderName: null,
        credentials: null,
        username: null,
        password: null,
        ...NO_PEER_CERTIFICATE,
        settings: { ...DEFAULT_CONNECTOR_SETTINGS, ...settings },
        dateCreated: 0,
        dateUpdated: 0,
      }),
    },
    store: siprecs,
    clock,
    random,
    log,
    alerts: raise,
    sipHost: "127.0.0.1",
    defaultTrack: "both_tracks",
    extensionNamespace: "urn:x",
    limits: { answerTimeoutMs },
  });
  userAgent.attach({ onInvite: (invite) => calls.accept(invite) });
  const alice = await TestPhone.open({ user: "alice", voice: voices[0], ...aliceMore });
  const bob = await TestPhone.open({ user: "bob", voice: voices[1], ...bobMore });
  t.after(async () => {
    await Promise.all([alice.close(), bob.close()]);
    await calls.drain(0);
    await userAgent.stop(500);
    await media.stop();
    await transports.close();
  });
  store.numbers.set(
    "1001",
    numberOf("1001", {
      voiceTwiml:
        '<Response><Start><Siprec name="f" connectorName="rec" statusCallback="http://x.example/"/></Start>' +
        `<Dial answerOnBridge="true"><Sip>${bob.uri}</Sip></Dial></Response>`,
    }),
  );
  const { port } = transports.sentBy("udp", "127.0.0.1");
  const answered = bob.nextCall();
  const call = await alice.call(`sip:1001@127.0.0.1:${port}`);
  const other = await answered;
  const row = () => [...siprecs.rows.values()][0]!;
  /** What each party hears is the other's voice, packet after packet without a hole, and nothing else. */
  const assertUndisturbed = () => {
    for (const [ear, voice] of [
      [other, voices[0]],
      [call, voices[1]],
    ] as const) {
      const { samples, lost } = ear.heard();
      const codes = new Uint8Array(samples.length);
      encodePcmu(samples, codes);
      const place = indexOf(voice);
      const places = Array.from({ length: codes.length / 160 }, (_, at) =>
        place(codes.subarray(at * 160, at * 160 + 160)),
      );
      assert.equal(lost, 0);
      const [first] = places;
      assert.ok(first !== undefined, "the first packet is not of the voice");
      assert.deepEqual(
        places,
        places.map((_, at) => first + at),
      );
    }
  };
  return { client, call, other, siprecs, row, alerts, log, assertUndisturbed, callSid: () => row().callSid };
}
