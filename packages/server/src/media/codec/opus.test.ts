import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import type {
  AudioDecoder,
  AudioEncoder,
  AudioFormat,
  DecoderOptions,
  EncoderOptions,
} from "./audio-codec.ts";
import { createAudioDecoder, createAudioEncoder } from "./index.ts";
import { readOpusParameters } from "./opus-fmtp.ts";
import { opusPacketUnits } from "./opus-packet.ts";
import { opusLibrary } from "./opus-wasm.ts";
import {
  babble,
  bestSnrDb,
  ffmpeg,
  loudnessCorrelation,
  samplesOf,
  skipWithoutFfmpeg,
} from "./testing/audio.ts";
import { readOggOpus, writeOggOpus } from "./testing/ogg-opus.ts";

const OPUS: AudioFormat = { name: "opus", clockRateHz: 48_000, channels: 2 };

function decoder(options: DecoderOptions = {}, fmtp?: string): AudioDecoder {
  const created = createAudioDecoder({ ...OPUS, fmtp }, options);
  assert.ok(created.ok);
  return created.value;
}

function encoder(options: EncoderOptions = {}, fmtp?: string): AudioEncoder {
  const created = createAudioEncoder({ ...OPUS, fmtp }, options);
  assert.ok(created.ok);
  return created.value;
}

function encodeAll(one: AudioEncoder, samples: Int16Array): Uint8Array[] {
  const length = one.packetFrames * one.channels;
  const out = new Uint8Array(one.maximumPayload);
  const packets: Uint8Array[] = [];
  for (let at = 0; at + length <= samples.length; at += length) {
    packets.push(out.slice(0, one.encode(samples.subarray(at, at + length), out, 0)));
  }
  return packets;
}

function decodeAll(one: AudioDecoder, packets: readonly Uint8Array[]): Int16Array {
  const out = new Int16Array(one.maximumFrames(1500) * one.channels);
  const parts = packets.map((packet) => {
    const frames = one.decode(packet, out);
    assert.ok(frames > 0);
    return out.slice(0, frames * one.channels);
  });
  return Int16Array.from(parts.flatMap((part) => [...part]));
}

test("[R7587-4.1-1] the RTP clock is 48 kHz at every rate of the audio", () => {
  for (const sampleRateHz of [8000, 12_000, 16_000, 24_000, 48_000]) {
    const sender = encoder({ sampleRateHz });
    assert.equal(sender.packetFrames * sender.unitsPerFrame, 960);
    const packets = encodeAll(sender, babble(sampleRateHz, 1));
    for (const rate of [8000, 16_000, 48_000]) {
      const receiver = decoder({ sampleRateHz: rate });
      const audio = decodeAll(receiver, packets);
      assert.equal(audio.length * receiver.unitsPerFrame, 48_000);
      const same = samplesOf(Buffer.from(babble(rate, 1).buffer));
      assert.ok(loudnessCorrelation(same, audio, rate / 50) > 0.95);
    }
  }
});

test(
  "ffmpeg decodes what we encode as we do, narrow and full band, mono and stereo",
  skipWithoutFfmpeg,
  () => {
    for (const [sampleRateHz, channels] of [
      [8000, 1],
      [16_000, 1],
      [48_000, 1],
      [48_000, 2],
    ] as const) {
      const mono = babble(sampleRateHz, 2);
      const samples = channels === 1 ? mono : new Int16Array(2 * mono.length);
      if (channels === 2) for (let i = 0; i < mono.length; i++) samples[2 * i] = mono[i]!;
      const packets = encodeAll(encoder({ sampleRateHz, channels }), samples);
      const ours = decodeAll(decoder({ channels }), packets);
      const raw = ["-f", "s16le", "-ar", "48000", "-ac", String(channels), "-"];
      const theirs = samplesOf(
        ffmpeg(["-c:a", "libopus", "-f", "ogg", "-i", "-", ...raw], writeOggOpus(packets, 960, channels)),
      );
      assert.ok(theirs.length >= ours.length - 2 * 960, `${theirs.length} of ${ours.length}`);
      const snr = bestSnrDb(theirs, ours, 0);
      assert.ok(snr > 50, `${sampleRateHz} Hz, ${channels}: ${snr}`);
    }
  },
);

test(
  "we decode what ffmpeg encodes: SILK, hybrid and CELT, mono and stereo, 10 to 60 ms",
  skipWithoutFfmpeg,
  () => {
    const speech = babble(48_000, 2);
    for (const [application, bitrate, channels, packetMs] of [
      ["voip", "12k", 1, 20],
      ["voip", "12k", 1, 60],
      ["voip", "32k", 1, 20],
      ["audio", "96k", 2, 20],
      ["lowdelay", "64k", 1, 10],
    ] as const) {
      const args = ["-f", "s16le", "-ar", "48000", "-ac", "1", "-i", "-", "-ac", String(channels)];
      const opus = ["-c:a", "libopus", "-application", application, "-b:a", bitrate];
      const file = ffmpeg([...args, ...opus, "-frame_duration", String(packetMs), "-f", "ogg", "-"], speech);
      const packets = readOggOpus(file);
      const audio = decodeAll(decoder({ channels }), packets);
      const theirs = samplesOf(
        ffmpeg(["-c:a", "libopus", "-f", "ogg", "-i", "-", "-f", "s16le", "-ar", "48000", "-"], file),
      );
      // Theirs begins after the pre-skip, 312 frames of a libopus encoder.
      const skip = (audio.length - theirs.length) / channels;
      const snr = Math.max(
        ...[312, 120, Math.round(skip)].map((frames) =>
          bestSnrDb(theirs, audio.subarray(frames * channels), 0),
        ),
      );
      assert.ok(snr > 50, `${application} ${bitrate}: ${snr}`);
      assert.ok(packets.every((packet) => opusPacketUnits(packet) === packetMs / 2.5));
    }
  },
);

test("[R7587-7-1] stereo is decoded as two channels when the sender says so, and mixed down when one is wanted", () => {
  const mono = babble(48_000, 1);
  const left = Int16Array.from({ length: 2 * mono.length }, (_, i) => (i % 2 === 0 ? mono[i >> 1]! : 0));
  const packets = encodeAll(encoder({ channels: 2, bitrate: 128_000 }), left);
  const both = decoder({}, "sprop-stereo=1");
  assert.equal(both.channels, 2);
  const audio = decodeAll(both, packets);
  const power = (from: number) =>
    audio.filter((_, i) => i % 2 === from).reduce((sum, sample) => sum + sample * sample, 0);
  assert.ok(power(0) > 100 * power(1));
  const one = decoder();
  assert.equal(one.channels, 1);
  assert.equal(decodeAll(one, packets).length, 48_000);
});

test("[R7587-6.1-1] parameters of the receiver are taken at their word within limits; what makes no sense is ignored", () => {
  const defaults = {
    maximumPlaybackRateHz: 48_000,
    sendsStereo: false,
    maximumAverageBitrate: undefined,
    usesInbandFec: false,
    usesDtx: false,
    wantsConstantBitrate: false,
  };
  assert.deepEqual(readOpusParameters(undefined), defaults);
  assert.deepEqual(readOpusParameters("useinbandfec=yes; maxplaybackrate=fast; foo; =1;;"), defaults);
  assert.deepEqual(
    readOpusParameters(
      "maxplaybackrate=16000; sprop-stereo=1;maxaveragebitrate=20000 ;UseInbandFec=1; usedtx=1; cbr=1",
    ),
    {
      maximumPlaybackRateHz: 16_000,
      sendsStereo: true,
      maximumAverageBitrate: 20_000,
      usesInbandFec: true,
      usesDtx: true,
      wantsConstantBitrate: true,
    },
  );
  assert.equal(readOpusParameters("maxaveragebitrate=1").maximumAverageBitrate, 6000);
  fc.assert(fc.property(fc.string(), (text) => void readOpusParameters(text)));
});

test("[R7587-6.1-2] maxplaybackrate, maxaveragebitrate, cbr and usedtx shape what is sent", () => {
  const speech = babble(16_000, 2);
  const octets = (fmtp: string) =>
    encodeAll(encoder({ sampleRateHz: 16_000 }, fmtp), speech).map((packet) => packet.length);
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
  assert.ok(sum(octets("maxaveragebitrate=8000")) < 0.7 * sum(octets("")));
  assert.equal(new Set(octets("cbr=1")).size, 1);
  const silence = encodeAll(encoder({ sampleRateHz: 16_000 }, "usedtx=1"), new Int16Array(32_000));
  assert.ok(silence.filter((packet) => packet.length === 0).length > 70);
  assert.ok(octets("").every((length) => length > 0));
  const noise = Int16Array.from({ length: 48_000 }, (_, n) => ((n * 7919) % 20_001) - 10_000);
  const beyond4kHz = (fmtp: string): number => {
    const audio = decodeAll(decoder(), encodeAll(encoder({}, fmtp), noise)).subarray(9600);
    // The second difference passes what is high.
    return audio.reduce((sum, x, n) => sum + ((audio[n + 1] ?? 0) - x) ** 2, 0);
  };
  assert.ok(beyond4kHz("maxplaybackrate=8000") < 0.3 * beyond4kHz(""));
});

test("[R7587-3.3-1] a lost packet is found in the next one's in-band FEC, better than it could be guessed", () => {
  const speech = babble(16_000, 3);
  const packets = encodeAll(encoder({ sampleRateHz: 16_000, bitrate: 32_000 }, "useinbandfec=1"), speech);
  const whole = decodeAll(decoder({ sampleRateHz: 16_000 }), packets);
  const errors = { guessed: 0, recovered: 0 };
  for (const how of ["guessed", "recovered"] as const) {
    const one = decoder({ sampleRateHz: 16_000 });
    const out = new Int16Array(5760);
    packets.forEach((packet, i) => {
      const isLost = i % 5 === 3;
      const frames = isLost
        ? one.conceal(320, out, how === "recovered" ? packets[i + 1] : undefined)
        : one.decode(packet, out);
      assert.equal(frames, 320);
      if (isLost) for (let n = 0; n < 320; n++) errors[how] += (out[n]! - whole[i * 320 + n]!) ** 2;
    });
  }
  assert.ok(errors.recovered < 0.5 * errors.guessed, JSON.stringify(errors));
});

test("gaps of any length are filled to the sample, fading; a gap longer than a packet ends with the FEC", () => {
  const packets = encodeAll(encoder({ sampleRateHz: 16_000 }, "useinbandfec=1"), babble(16_000, 1));
  const one = decoder({ sampleRateHz: 16_000 });
  const out = new Int16Array(40_000);
  for (const packet of packets.slice(0, 10)) one.decode(packet, out);
  for (const frames of [0, 1, 39, 40, 41, 320, 1000, 32_000]) {
    assert.equal(one.conceal(frames, out), frames);
    assert.equal(one.conceal(frames, out, packets[11]), frames);
  }
  assert.equal(one.conceal(90_000, out), 40_000);
  assert.ok(out.subarray(20_000).every((sample) => Math.abs(sample) < 300));
  assert.equal(one.decode(packets[12]!, out), 320);
});

test("a reset leaves nothing of what went before, in either direction", () => {
  const loud = babble(16_000, 1);
  const [used, fresh] = [encoder({ sampleRateHz: 16_000 }), encoder({ sampleRateHz: 16_000 })];
  encodeAll(used, loud);
  used.reset();
  const quiet = new Int16Array(16_000);
  assert.deepEqual(encodeAll(used, quiet), encodeAll(fresh, quiet));
  const packets = encodeAll(fresh, loud);
  const [before, after] = [decoder({ sampleRateHz: 16_000 }), decoder({ sampleRateHz: 16_000 })];
  decodeAll(before, packets);
  before.reset();
  assert.deepEqual(decodeAll(before, packets), decodeAll(after, packets));
});

test("whatever comes, the decoder says no or decodes it, within bounds, and goes on", () => {
  const good = encodeAll(encoder({ sampleRateHz: 48_000 }), babble(48_000, 1))[20]!;
  const one = decoder();
  const out = new Int16Array(5760 + 8);
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 1500 }),
    // A plausible head before garbage, and good packets that were cut or bent.
    fc
      .tuple(fc.nat(255), fc.nat(255), fc.uint8Array({ maxLength: 300 }))
      .map(([a, b, rest]) => Uint8Array.from([a, b, ...rest])),
    fc.tuple(fc.nat(good.length), fc.nat(good.length - 1), fc.nat(255)).map(([length, at, octet]) => {
      const bent = good.slice(0, length);
      if (at < length) bent[at] = octet;
      return bent;
    }),
  );
  fc.assert(
    fc.property(hostile, (payload) => {
      out.fill(0x55, 5760);
      const frames = one.decode(payload, out);
      assert.ok(frames === -1 || (frames > 0 && frames <= 5760), `${frames}`);
      assert.ok(one.conceal(960, out, payload) === 960);
      assert.ok(out.subarray(5760).every((sample) => sample === 0x55));
    }),
    { numRuns: 3000 },
  );
  assert.equal(one.decode(good, out), 960);
  assert.equal(one.decode(new Uint8Array(70_000), out), -1);
  assert.equal(one.decode(good, new Int16Array(959)), -1);
});

test("what is closed gives its memory back, however often", () => {
  const library = opusLibrary();
  decoder().close();
  const before = library.calls.memory.buffer.byteLength;
  for (let i = 0; i < 3000; i++) {
    const [one, other] = [decoder({ channels: 2 }), encoder()];
    one.close();
    other.close();
  }
  assert.equal(library.calls.memory.buffer.byteLength, before);
});

test("threads do not share a buffer: four that code at once get what one alone gets", async () => {
  const program = `
    const { parentPort, workerData } = require("node:worker_threads");
    import(workerData.module).then(({ createAudioDecoder, createAudioEncoder }) => {
      const format = { name: "opus", clockRateHz: 48000, channels: 2 };
      const encoder = createAudioEncoder(format, { sampleRateHz: 16000 }).value;
      const decoder = createAudioDecoder(format, { sampleRateHz: 16000 }).value;
      const octets = new Uint8Array(encoder.maximumPayload), audio = new Int16Array(1920);
      let sum = 0;
      for (let i = 0; i < 400; i++) {
        const samples = Int16Array.from({ length: 320 }, (_, n) => 9000 * Math.sin((i * 320 + n) * workerData.step));
        const length = encoder.encode(samples, octets, 0);
        const frames = decoder.decode(octets.subarray(0, length), audio);
        for (let n = 0; n < frames; n++) sum = (Math.imul(sum, 31) + audio[n]) | 0;
      }
      parentPort.postMessage(sum);
    });`;
  const run = (step: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(program, {
        eval: true,
        workerData: { step, module: new URL("./index.ts", import.meta.url).href },
      });
      worker.once("message", resolve);
      worker.once("error", reject);
    });
  const steps = [0.05, 0.11, 0.23, 0.31];
  const alone: number[] = [];
  for (const step of steps) alone.push(await run(step));
  assert.deepEqual(await Promise.all(steps.map(run)), alone);
});
