import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { fromBase64 } from "@callfork/protocol/text";
import type { AudioFormat } from "../../media/index.ts";
import { createLog } from "../../observe/index.ts";
import type { LiveListener, LiveSource } from "./live-source.ts";
import { MAX_BUFFERED_BYTES } from "./live-stream.ts";
import { LiveStreams } from "./live-streams.ts";
import type { StreamRecord, StreamRequest, StreamSocket } from "./stream-ports.ts";

const ACCOUNT = `AC${"1".repeat(32)}`;
const RECORDING = `RE${"2".repeat(32)}`;
const PCMU: AudioFormat = { name: "PCMU", clockRateHz: 8_000 };
const BOTH: StreamRequest = { name: null, track: "both_tracks", parameters: {} };

/** What the tests look at. */
interface Message {
  readonly event: string;
  readonly sequenceNumber: string;
  readonly start: { readonly tracks: readonly string[] };
  readonly media: {
    readonly track: string;
    readonly chunk: string;
    readonly timestamp: string;
    readonly payload: string;
  };
}

class Source implements LiveSource {
  readonly recordingSid = RECORDING;
  readonly accountSid = ACCOUNT;
  readonly callSid = null;
  readonly parameters = { Dialect: "rfc7865" };
  readonly listeners = new Set<LiveListener>();
  labels: readonly string[] = ["inbound", "outbound"];

  listen(listener: LiveListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  say(label: string, payload: Uint8Array, format = PCMU): void {
    for (const listener of this.listeners) listener.audio(label, payload, format);
  }
}

class Consumer implements StreamSocket {
  readonly heard: Message[] = [];
  bufferedAmount = 0;
  readyState = 1;
  closedWith: number | undefined;
  #onClosed: (() => void) | undefined;

  send(text: string): void {
    this.heard.push(JSON.parse(text) as Message);
  }
  close(code: number): void {
    this.closedWith = code;
    this.vanish();
  }
  once(_event: "close", handler: () => void): void {
    this.#onClosed = handler;
  }
  on(): void {}
  vanish(): void {
    this.readyState = 3;
    this.#onClosed?.();
  }
  audioOf(track: string): Buffer {
    const chunks = this.heard.filter(({ event, media }) => event === "media" && media.track === track);
    return Buffer.concat(
      chunks.map(({ media }) => {
        const bytes = fromBase64(media.payload);
        assert.ok(bytes !== undefined);
        return Buffer.from(bytes);
      }),
    );
  }
}

let source: Source;
let failures: StreamRecord[];
let opened: { url: string; consumer: Consumer }[];
let refuse: string | undefined;

function streams(urls: readonly string[] = []): LiveStreams {
  let last = 0;
  return new LiveStreams({
    sourceOf: (sid) => (sid === RECORDING ? source : undefined),
    connector: {
      open: async (url) => {
        if (refuse !== undefined) throw new Error(refuse);
        const consumer = new Consumer();
        opened.push({ url, consumer });
        return consumer;
      },
    },
    urls,
    random: { bytes: (length) => new Uint8Array(length).fill(++last) },
    now: () => 1_000,
    log: createLog({ level: "silent" }),
    onFailed: (stream) => failures.push(stream),
  });
}

beforeEach(() => {
  source = new Source();
  failures = [];
  opened = [];
  refuse = undefined;
});

const noise = (octets: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: octets }, (_, at) => (at * 31 + seed * 17) & 255);

test("a consumer hears connected, start, media of each track octet for octet, stop", () => {
  const live = streams();
  const consumer = new Consumer();
  const record = live.attach(ACCOUNT, RECORDING, consumer, { ...BOTH, parameters: { Language: "de" } });
  assert.ok(typeof record === "object");
  const [near, far] = [noise(1_600, 1), noise(1_600, 2)];
  for (let at = 0; at < 1_600; at += 160) {
    source.say("inbound", near.subarray(at, at + 160));
    source.say("outbound", far.subarray(at, at + 160));
  }
  live.recordingEnded(RECORDING);
  assert.deepEqual(consumer.heard[0], { event: "connected", protocol: "Call", version: "1.0.0" });
  assert.deepEqual(consumer.heard[1], {
    event: "start",
    sequenceNumber: "1",
    start: {
      accountSid: ACCOUNT,
      streamSid: record.sid,
      callSid: RECORDING,
      tracks: ["inbound", "outbound"],
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
      customParameters: {
        RecordingSid: RECORDING,
        "Label.inbound": "inbound",
        "Label.outbound": "outbound",
        Dialect: "rfc7865",
        Language: "de",
      },
    },
    streamSid: record.sid,
  });
  assert.deepEqual(consumer.heard[4]?.media.chunk, "2");
  assert.deepEqual(consumer.heard[4]?.media.timestamp, "20");
  assert.deepEqual(consumer.audioOf("inbound"), Buffer.from(near));
  assert.deepEqual(consumer.audioOf("outbound"), Buffer.from(far));
  const last = consumer.heard.at(-1);
  assert.equal(last?.event, "stop");
  assert.equal(last?.sequenceNumber, String(consumer.heard.length - 1));
  assert.equal(consumer.closedWith, 1000);
  assert.equal(source.listeners.size, 0);
});

test("one side only, other labels than consumers know, a line that comes later", () => {
  source.labels = ["7", "8"];
  const live = streams();
  const [one, all] = [new Consumer(), new Consumer()];
  live.attach(ACCOUNT, RECORDING, one, { ...BOTH, track: "outbound_track" });
  live.attach(ACCOUNT, RECORDING, all, BOTH);
  for (const label of ["7", "8", "9"]) source.say(label, noise(160, Number(label)));
  assert.deepEqual(one.heard[1]?.start.tracks, ["outbound"]);
  assert.deepEqual(one.audioOf("outbound"), Buffer.from(noise(160, 8)));
  assert.equal(one.heard.length, 3);
  assert.deepEqual(all.audioOf("inbound"), Buffer.from(noise(160, 7)));
  assert.deepEqual(all.audioOf("9"), Buffer.from(noise(160, 9)));
});

test("odd packet lengths become chunks of 20 ms; a short silence is heard, a long one is a step in time", () => {
  const live = streams();
  const consumer = new Consumer();
  live.attach(ACCOUNT, RECORDING, consumer, BOTH);
  source.say("inbound", noise(100, 1));
  source.say("inbound", noise(80, 2));
  for (const listener of source.listeners) listener.silence("inbound", 40);
  for (const listener of source.listeners) listener.silence("inbound", 600_000);
  source.say("inbound", noise(160, 3));
  const times = consumer.heard
    .slice(2)
    .map(({ media }) => [media.timestamp, fromBase64(media.payload)?.length]);
  assert.deepEqual(times, [
    ["0", 160],
    ["20", 160],
    ["40", 160],
    ["60", 20],
    ["600063", 160],
  ]);
  assert.deepEqual([...consumer.audioOf("inbound").subarray(180, 500)], new Array(320).fill(0xff));
});

test("A-law is turned into mu-law, sample for sample what the tables say", () => {
  const live = streams();
  const consumer = new Consumer();
  live.attach(ACCOUNT, RECORDING, consumer, BOTH);
  source.say("inbound", new Uint8Array(160).fill(0xd5), { name: "PCMA", clockRateHz: 8_000 });
  assert.equal(new Set(consumer.audioOf("inbound")).size, 1);
  assert.ok([0xff, 0x7f, 0xfe, 0x7e].includes(consumer.audioOf("inbound")[0]!));
});

test("a consumer that cannot be reached fails its stream and nothing else", async () => {
  refuse = "connection refused";
  const live = streams();
  const record = live.start(ACCOUNT, RECORDING, "wss://example.com/", { ...BOTH, name: "speech" });
  assert.ok(typeof record === "object");
  assert.equal(record.status, "connecting");
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    live.list(ACCOUNT, RECORDING)?.map(({ status, error }) => [status, error]),
    [["failed", "connection refused"]],
  );
  assert.equal(failures[0]?.sid, record.sid);
});

test("a consumer that reads too slowly is told so and let go; its backlog is bounded", () => {
  const live = streams();
  const [slow, quick] = [new Consumer(), new Consumer()];
  live.attach(ACCOUNT, RECORDING, slow, BOTH);
  live.attach(ACCOUNT, RECORDING, quick, BOTH);
  source.say("inbound", noise(160, 1));
  slow.bufferedAmount = MAX_BUFFERED_BYTES + 1;
  source.say("inbound", noise(160, 2));
  source.say("inbound", noise(160, 3));
  assert.equal(slow.closedWith, 1013);
  assert.equal(slow.audioOf("inbound").length, 160);
  assert.equal(failures[0]?.error, "the consumer reads too slowly");
  assert.equal(quick.audioOf("inbound").length, 480);
});

test("one recording is heard by many, by no more than eight, and by nobody of another account", () => {
  const live = streams();
  const consumers = Array.from({ length: 8 }, () => new Consumer());
  for (const consumer of consumers)
    assert.ok(typeof live.attach(ACCOUNT, RECORDING, consumer, BOTH) === "object");
  assert.equal(live.attach(ACCOUNT, RECORDING, new Consumer(), BOTH), "busy");
  consumers[0]?.vanish();
  assert.ok(typeof live.attach(ACCOUNT, RECORDING, new Consumer(), BOTH) === "object");
  assert.equal(live.attach("AC0", RECORDING, new Consumer(), BOTH), "not-live");
  assert.equal(live.list("AC0", RECORDING), undefined);
  assert.equal(live.attach(ACCOUNT, "RE0", new Consumer(), BOTH), "not-live");
});

test("a rule connects every recording; a stream is stopped by SID or by name", async () => {
  const live = streams(["wss://a.example.com/", "wss://b.example.com/"]);
  live.recordingStarted(source);
  const named = live.start(ACCOUNT, RECORDING, "wss://c.example.com/", { ...BOTH, name: "speech" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    opened.map(({ url }) => url),
    ["wss://a.example.com/", "wss://b.example.com/", "wss://c.example.com/"],
  );
  assert.equal(live.stop(ACCOUNT, RECORDING, "speech")?.status, "stopped");
  assert.equal(opened[2]?.consumer.heard.at(-1)?.event, "stop");
  assert.equal(source.listeners.size, 2);
  assert.ok(typeof named === "object");
  assert.equal(live.stop(ACCOUNT, RECORDING, "nobody"), undefined);
});

test("streams that were tried in vain do not pile up", () => {
  const live = streams();
  for (let i = 0; i < 200; i++) {
    const consumer = new Consumer();
    live.attach(ACCOUNT, RECORDING, consumer, BOTH);
    consumer.vanish();
  }
  assert.ok((live.list(ACCOUNT, RECORDING)?.length ?? 0) <= 40);
});
