import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AudioFormat, createAudioDecoder, createAudioEncoder, isTranscodable } from "./index.ts";
import { babble, ffmpeg, samplesOf, skipWithoutFfmpeg } from "./testing/audio.ts";

const FORMATS: readonly (AudioFormat & { readonly rateHz: number; readonly ffmpeg?: readonly string[] })[] = [
  { name: "PCMU", clockRateHz: 8000, rateHz: 8000, ffmpeg: ["-f", "mulaw", "-ar", "8000", "-ac", "1"] },
  {
    name: "pcma",
    clockRateHz: 8000,
    channels: 1,
    rateHz: 8000,
    ffmpeg: ["-f", "alaw", "-ar", "8000", "-ac", "1"],
  },
  { name: "G722", clockRateHz: 8000, rateHz: 16_000, ffmpeg: ["-f", "g722"] },
  { name: "L16", clockRateHz: 8000, rateHz: 8000, ffmpeg: ["-f", "s16be", "-ar", "8000", "-ac", "1"] },
  { name: "L16", clockRateHz: 16_000, rateHz: 16_000, ffmpeg: ["-f", "s16be", "-ar", "16000", "-ac", "1"] },
  { name: "L16", clockRateHz: 44_100, rateHz: 44_100, ffmpeg: ["-f", "s16be", "-ar", "44100", "-ac", "1"] },
  { name: "Opus", clockRateHz: 48_000, channels: 2, rateHz: 48_000 },
];

test("20 ms of every codec are 20 ms of its clock and of its audio, encoded and decoded", () => {
  for (const format of FORMATS) {
    const [encoder, decoder] = [createAudioEncoder(format), createAudioDecoder(format)];
    assert.ok(encoder.ok && decoder.ok && isTranscodable(format));
    const { packetFrames, unitsPerFrame, sampleRateHz, maximumPayload } = encoder.value;
    assert.deepEqual([sampleRateHz, decoder.value.sampleRateHz], [format.rateHz, format.rateHz]);
    assert.equal(packetFrames, format.rateHz / 50);
    assert.equal(packetFrames * unitsPerFrame, format.clockRateHz / 50);
    assert.equal(decoder.value.unitsPerFrame, unitsPerFrame);
    const payload = new Uint8Array(maximumPayload + 3);
    const octets = encoder.value.encode(new Int16Array(packetFrames), payload, 3);
    assert.ok(octets > 0 && octets <= maximumPayload);
    const out = new Int16Array(decoder.value.maximumFrames(octets));
    assert.equal(decoder.value.decode(payload.subarray(3, 3 + octets), out), packetFrames);
    decoder.value.close();
    encoder.value.close();
  }
});

test("codecs, clocks and channels that are none of ours are refused by name", () => {
  const refused: readonly AudioFormat[] = [
    { name: "G729", clockRateHz: 8000 },
    { name: "CN", clockRateHz: 8000 },
    { name: "telephone-event", clockRateHz: 8000 },
    { name: "opus", clockRateHz: 8000 },
    { name: "G722", clockRateHz: 16_000 },
    { name: "PCMU", clockRateHz: 8000, channels: 2 },
    { name: "L16", clockRateHz: 0 },
    { name: "L16", clockRateHz: 8000, channels: 6 },
    { name: "", clockRateHz: Number.NaN },
  ];
  for (const format of refused) {
    assert.equal(isTranscodable(format), false, format.name);
    const results = [createAudioDecoder(format), createAudioEncoder(format)];
    for (const result of results) assert.equal(result.ok || result.error.code, "CODEC_UNSUPPORTED");
  }
  const odd = createAudioEncoder({ name: "opus", clockRateHz: 48_000, channels: 2 }, { packetTimeMs: 30 });
  assert.equal(odd.ok || odd.error.code, "CODEC_UNSUPPORTED");
});

test("payloads of any length decode, or are refused; nothing is written beyond the room there is", () => {
  for (const format of FORMATS.filter(({ name }) => name !== "Opus")) {
    const created = createAudioDecoder(format);
    assert.ok(created.ok);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(500), (payload, room) => {
        const out = new Int16Array(room + 2).fill(0x55);
        const frames = created.value.decode(payload, out.subarray(0, room));
        assert.ok(frames === -1 || (frames > 0 && frames <= room));
        assert.ok(created.value.conceal(600, out.subarray(0, room)) === Math.min(600, room));
        assert.deepEqual([...out.subarray(room)], [0x55, 0x55]);
      }),
    );
  }
});

test("ffmpeg reads our payloads as we do", skipWithoutFfmpeg, () => {
  for (const format of FORMATS) {
    if (format.ffmpeg === undefined) continue;
    const [encoder, decoder] = [createAudioEncoder(format), createAudioDecoder(format)];
    assert.ok(encoder.ok && decoder.ok);
    const { packetFrames, maximumPayload } = encoder.value;
    const speech = babble(format.rateHz, 1);
    const octets: number[] = [];
    const ours: number[] = [];
    const payload = new Uint8Array(maximumPayload);
    const audio = new Int16Array(packetFrames);
    for (let at = 0; at + packetFrames <= speech.length; at += packetFrames) {
      const length = encoder.value.encode(speech.subarray(at, at + packetFrames), payload, 0);
      octets.push(...payload.subarray(0, length));
      decoder.value.decode(payload.subarray(0, length), audio);
      ours.push(...audio);
    }
    const theirs = samplesOf(
      ffmpeg([...format.ffmpeg, "-i", "-", "-f", "s16le", "-"], Uint8Array.from(octets)),
    );
    assert.deepEqual(theirs, Int16Array.from(ours), `${format.name}/${format.clockRateHz}`);
  }
});

test("two channels of L16 come interleaved, or as their mean", () => {
  const format = { name: "L16", clockRateHz: 44_100, channels: 2 };
  const payload = Uint8Array.of(0x01, 0x00, 0x03, 0x00, 0xff, 0xfe, 0xff, 0xfc);
  const out = new Int16Array(4);
  const [both, one] = [createAudioDecoder(format), createAudioDecoder(format, { channels: 1 })];
  assert.ok(both.ok && one.ok);
  assert.equal(both.value.decode(payload, out), 2);
  assert.deepEqual([...out], [256, 768, -2, -4]);
  assert.equal(one.value.decode(payload, out), 2);
  assert.deepEqual([...out.subarray(0, 2)], [512, -3]);
  assert.equal(one.value.decode(payload.subarray(1), out), -1);
});
