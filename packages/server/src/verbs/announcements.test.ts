import assert from "node:assert/strict";
import { test } from "node:test";
import { writeWavHeader } from "@callfork/protocol/audio";
import { createAnnouncements } from "./announcements.ts";
import type { DocumentFetcher } from "./ports.ts";

const CALL = { accountSid: "AC1", callSid: "CA1" };
const clock = { now: () => 0 };

function wav(samples: number): Uint8Array {
  const dataBytes = samples * 2;
  const header = writeWavHeader({
    channels: 1,
    sampleRateHz: 8000,
    bitsPerSample: 16,
    format: "pcm",
    dataBytes,
  });
  return Uint8Array.of(...header, ...new Uint8Array(dataBytes).fill(1));
}

function fetcherOf(status: number, asked: string[] = []): DocumentFetcher {
  return {
    fetch: async ({ url }) => {
      asked.push(url);
      return { status, contentType: "audio/wav", body: wav(80), truncated: false, url };
    },
  };
}

test("a file is read once, a URL is fetched and kept, and a call's own URL comes first", async () => {
  const asked: string[] = [];
  const ofFile = createAnnouncements({ fetcher: fetcherOf(200, asked), clock, standard: wav(40) });
  assert.equal((await ofFile({ ...CALL, url: null })).length, 40);
  assert.equal((await ofFile({ ...CALL, url: "http://app.example/own.wav" })).length, 80);
  const ofUrl = createAnnouncements({
    fetcher: fetcherOf(200, asked),
    clock,
    standard: "http://app.example/all.wav",
  });
  await ofUrl({ ...CALL, url: null });
  await ofUrl({ ...CALL, url: null });
  assert.deepEqual(asked, ["http://app.example/own.wav", "http://app.example/all.wav"]);
});

test("what cannot be announced is told by its code: nothing configured, a server that refuses, a file that is no audio", async () => {
  const none = createAnnouncements({ fetcher: fetcherOf(200), clock, standard: undefined });
  await assert.rejects(none({ ...CALL, url: null }), { code: "ANNOUNCEMENT_UNAVAILABLE" });
  const refused = createAnnouncements({ fetcher: fetcherOf(404), clock, standard: undefined });
  await assert.rejects(refused({ ...CALL, url: "http://app.example/x.wav" }), /the server answered 404/);
  assert.throws(() => createAnnouncements({ fetcher: fetcherOf(200), clock, standard: new Uint8Array(9) }), {
    code: "ANNOUNCEMENT_UNAVAILABLE",
  });
});
