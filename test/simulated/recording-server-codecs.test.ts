import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { parseWav, pcmOf } from "@callfork/protocol/audio";
import { writeRtpHeader } from "@callfork/protocol/rtp";
import { type AudioFormat, createAudioEncoder } from "../../packages/server/src/media/index.ts";
import {
  ACCOUNT,
  answerText,
  body,
  drainFile,
  type Line,
  portsOf,
  RecorderWorld,
  sdp,
  sdpPart,
} from "./recorder-world.ts";

interface Sent {
  readonly payload: Uint8Array;
  /** RTP clock units that it lasts. */
  readonly units: number;
}

interface Stream {
  readonly payloadType: number;
  readonly sent: readonly Sent[];
  readonly startTime: number;
  readonly packetMs?: number;
  readonly sequence?: number;
  readonly timestamp?: number;
}

/** Packets that come on time. */
function packets({ payloadType, sent, startTime, packetMs = 20, sequence = 7, timestamp = 1_000 }: Stream) {
  let at = timestamp;
  return sent.map(({ payload, units }, index) => {
    const bytes = new Uint8Array(12 + payload.length);
    writeRtpHeader(bytes, 0, index === 0, payloadType, (sequence + index) & 0xffff, at >>> 0, 0xabcd);
    bytes.set(payload, 12);
    at += units;
    return { bytes, arrivalTime: startTime + packetMs * index };
  });
}

/** A tone in the codec, `count` packets of 20 ms. */
function tone(format: AudioFormat, count: number, hz: number): Sent[] {
  const made = createAudioEncoder(format);
  assert.ok(made.ok, made.ok ? "" : made.error.message);
  const encoder = made.value;
  const out = new Uint8Array(encoder.maximumPayload);
  const sent = Array.from({ length: count }, (_, packet) => {
    const samples = new Int16Array(encoder.packetFrames * encoder.channels);
    for (let frame = 0; frame < encoder.packetFrames; frame++) {
      const time = (packet * encoder.packetFrames + frame) / encoder.sampleRateHz;
      samples.fill(
        Math.round(9_000 * Math.sin(2 * Math.PI * hz * time)),
        frame * encoder.channels,
        (frame + 1) * encoder.channels,
      );
    }
    const octets = encoder.encode(samples, out, 0);
    return { payload: out.slice(0, octets), units: encoder.packetFrames * encoder.unitsPerFrame };
  });
  encoder.close();
  return sent;
}

/** Part of the power of a stretch of audio that lies at one frequency. */
function shareAt(samples: Int16Array, rateHz: number, hz: number): number {
  let [sine, cosine, power] = [0, 0, 0];
  for (const [at, sample] of samples.entries()) {
    const angle = (2 * Math.PI * hz * at) / rateHz;
    sine += sample * Math.sin(angle);
    cosine += sample * Math.cos(angle);
    power += sample * sample;
  }
  return (2 * (sine ** 2 + cosine ** 2)) / samples.length / power;
}

async function started(t: TestContext, line: Line, options: Parameters<typeof RecorderWorld.start>[1] = {}) {
  const world = await RecorderWorld.start(t, options);
  const invited = await world.invite(body(sdpPart(sdp([{ label: "a", ...line }]))));
  assert.ok(invited.dialog, invited.failure?.response?.headers.get("Warning"));
  const [port] = portsOf(invited.answer);
  return { world, dialog: invited.dialog, port: port!, answer: answerText(invited.answer) };
}

async function wav(world: RecorderWorld, label = "a") {
  const file = await world.recorder.library.track(ACCOUNT, world.onlyRow.sid, label);
  assert.ok(file);
  const octets = await drainFile(file);
  const info = parseWav(octets);
  const pcm = pcmOf(octets);
  assert.ok(info.ok && pcm.ok);
  return { rateHz: info.value.sampleRateHz, samples: pcm.value, file, octets };
}

const START = 1_000_000_000_000;

for (const { format, rtpmap, rateHz, hz } of [
  { format: { name: "G722", clockRateHz: 8_000 }, rtpmap: "9", rateHz: 16_000, hz: 5_000 },
  {
    format: { name: "opus", clockRateHz: 48_000, channels: 2 },
    rtpmap: "96 opus/48000/2",
    rateHz: 48_000,
    hz: 1_000,
  },
  { format: { name: "L16", clockRateHz: 16_000 }, rtpmap: "97 L16/16000", rateHz: 16_000, hz: 5_000 },
  { format: { name: "L16", clockRateHz: 44_100, channels: 2 }, rtpmap: "10", rateHz: 44_100, hz: 5_000 },
]) {
  const name = `${format.name} at ${format.clockRateHz} Hz`;
  test(`${name} is kept as it comes and given out as PCM at its own rate, whole and in any range`, async (t) => {
    const [number = "0"] = rtpmap.split(" ");
    const { world, dialog, port, answer } = await started(t, {
      formats: number,
      ...(rtpmap.includes(" ") && { attributes: [`rtpmap:${rtpmap}`] }),
    });
    assert.match(answer, new RegExp(`^m=audio \\d+ RTP/AVP ${number}\\r$`, "m"));
    const sent = tone(format, 150, hz);
    world.media.arrive(port, packets({ payloadType: Number(number), sent, startTime: START }));
    const row = await world.hangUp(dialog);
    const [track] = row.tracks;
    assert.deepEqual(
      [track?.codec, track?.packets, track?.durationMs],
      [format.name.toUpperCase(), 150, 3_000],
    );
    assert.deepEqual(track?.detail?.files, ["1-a.cfp"]);
    const heard = await wav(world);
    assert.equal(heard.rateHz, rateHz);
    assert.equal(heard.samples.length, 3 * rateHz);
    const middle = heard.samples.subarray(rateHz, 2 * rateHz);
    assert.ok(shareAt(middle, rateHz, hz) > 0.9, `${shareAt(middle, rateHz, hz)} of the power is the tone's`);
    const [from, to] = [44 + 2 * rateHz + 1, 44 + 2 * rateHz + 9_000];
    const part = await drainFile(heard.file, from, to);
    // A decoder that begins in the middle has forgotten what was before: close is as good as it gets.
    const whole = Buffer.from(heard.octets.subarray(from, to + 1));
    assert.equal(part.length, whole.length);
    if (format.name === "L16") assert.deepEqual(Buffer.from(part), whole);
  });
}

test("a codec that changes in the middle of a call changes nothing of the track's timeline", async (t) => {
  const { world, dialog, port } = await started(t, { formats: "0 9" });
  const pcmu = tone({ name: "PCMU", clockRateHz: 8_000 }, 100, 500);
  const g722 = tone({ name: "G722", clockRateHz: 8_000 }, 100, 5_000);
  world.media.arrive(port, packets({ payloadType: 0, sent: pcmu, startTime: START }));
  const after = { sequence: 107, timestamp: 1_000 + 100 * 160, startTime: START + 2_000 };
  world.media.arrive(port, packets({ payloadType: 9, sent: g722, ...after }));
  const row = await world.hangUp(dialog);
  assert.deepEqual(row.tracks[0]?.detail?.codecs, ["PCMU", "G722"]);
  assert.deepEqual(row.tracks[0]?.detail?.files, ["1-a.wav", "1-a.cfp"]);
  assert.equal(row.tracks[0]?.lost, 0);
  const { samples, rateHz } = await wav(world);
  assert.deepEqual([rateHz, samples.length], [16_000, 64_000]);
  assert.ok(shareAt(samples.subarray(8_000, 24_000), rateHz, 500) > 0.95);
  assert.ok(shareAt(samples.subarray(40_000, 56_000), rateHz, 5_000) > 0.9);
});

test("codecs with other RTP clocks follow one another where the clock says", async (t) => {
  const { world, dialog, port } = await started(t, {
    formats: "0 96",
    attributes: ["rtpmap:96 opus/48000/2"],
  });
  const pcmu = tone({ name: "PCMU", clockRateHz: 8_000 }, 100, 500);
  const opus = tone({ name: "opus", clockRateHz: 48_000, channels: 2 }, 100, 1_000);
  world.media.arrive(port, packets({ payloadType: 0, sent: pcmu, startTime: START }));
  const after = { sequence: 107, timestamp: 99, startTime: START + 2_000 };
  world.media.arrive(port, packets({ payloadType: 96, sent: opus, ...after }));
  const row = await world.hangUp(dialog);
  assert.equal(row.tracks[0]?.durationMs, 4_000);
  const { samples, rateHz } = await wav(world);
  assert.deepEqual([rateHz, samples.length], [48_000, 4 * 48_000]);
  assert.ok(shareAt(samples.subarray(24_000, 72_000), rateHz, 500) > 0.95);
  assert.ok(shareAt(samples.subarray(120_000, 168_000), rateHz, 1_000) > 0.9);
});

test("a codec that nobody here decodes is kept payload by payload, with a warning, and can be fetched", async (t) => {
  const { world, dialog, port, answer } = await started(t, {
    formats: "18 101",
    attributes: ["rtpmap:101 telephone-event/8000"],
  });
  assert.match(answer, /^m=audio \d+ RTP\/AVP 18 101\r$/m);
  const sent = Array.from({ length: 50 }, (_, at) => ({
    payload: new Uint8Array(20).fill(at + 1),
    units: 160,
  }));
  world.media.arrive(port, packets({ payloadType: 18, sent, startTime: START }));
  const row = await world.hangUp(dialog);
  assert.deepEqual([row.tracks[0]?.codec, row.tracks[0]?.durationMs], ["G729", 1_000]);
  assert.ok(row.warnings.some(({ code }) => code === "CODEC_NOT_DECODED"));
  await assert.rejects(world.recorder.library.track(ACCOUNT, row.sid, "a"), { code: "AUDIO_NOT_DECODED" });
  const kept = await world.recorder.library.track(ACCOUNT, row.sid, "a", "cfp");
  const octets = Buffer.from(await drainFile(kept!));
  assert.equal(octets.subarray(0, 8).toString("latin1"), "CFPAYLOA");
  for (const { payload } of sent) assert.ok(octets.includes(Buffer.from(payload)), `payload ${payload[0]}`);
});

test("a codec that does not tell how long its payloads last is timed by its timestamps", async (t) => {
  const { world, dialog, port } = await started(t, {
    formats: "96",
    attributes: ["rtpmap:96 X-UNHEARD-OF/8000"],
  });
  const sent = Array.from({ length: 100 }, (_, at) => ({ payload: new Uint8Array(33).fill(at), units: 240 }));
  world.media.arrive(port, packets({ payloadType: 96, sent, startTime: START, packetMs: 30 }));
  const row = await world.hangUp(dialog);
  const [track] = row.tracks;
  assert.equal(track?.durationMs, 3_000);
  // Only the first packet's length was not known.
  assert.equal(track?.longestGapMs, 30);
});

test("[R4585-4.2-1] video is kept packet by packet as a capture, beside the audio; no feedback is promised that is not given", async (t) => {
  const world = await RecorderWorld.start(t);
  const attributes = ["rtpmap:96 H264/90000", "rtcp-fb:96 nack pli", "rtcp-fb:96 ccm fir"];
  const video = { kind: "video", label: "v", formats: "96", attributes };
  const invited = await world.invite(body(sdpPart(sdp([{ label: "a" }, video]))));
  const [audioPort, videoPort] = portsOf(invited.answer);
  assert.match(answerText(invited.answer), /^m=video [1-9]\d+ RTP\/AVP 96\r$/m);
  assert.ok(!answerText(invited.answer).includes("rtcp-fb"));
  const frames = Array.from({ length: 90 }, (_, at) => ({
    payload: new Uint8Array(1_000).fill(at),
    units: 3_000,
  }));
  const shown = packets({ payloadType: 96, sent: frames, startTime: START, packetMs: 33 });
  const spoken = tone({ name: "PCMU", clockRateHz: 8_000 }, 150, 500);
  world.media.arrive(
    videoPort!,
    shown.filter((_, at) => at !== 40),
  );
  world.media.arrive(audioPort!, packets({ payloadType: 0, sent: spoken, startTime: START }));
  const row = await world.hangUp(invited.dialog!);
  const track = row.tracks.find(({ label }) => label === "v");
  assert.deepEqual([track?.codec, track?.packets, track?.expected, track?.lost], ["H264", 89, 90, 1]);
  assert.deepEqual([track?.detail?.kind, track?.file], ["video", "2-v.pcap"]);
  const capture = Buffer.from(
    await drainFile((await world.recorder.library.track(ACCOUNT, row.sid, "v", "pcap"))!),
  );
  assert.equal(capture.readUInt32LE(0), 0xa1b2c3d4);
  let at = 24;
  for (const [index, { bytes, arrivalTime }] of shown.entries()) {
    if (index === 40) continue;
    assert.equal(capture.readUInt32LE(at) * 1_000 + capture.readUInt32LE(at + 4) / 1_000, arrivalTime);
    assert.equal(capture.readUInt32LE(at + 8), 28 + bytes.length);
    assert.equal(capture.readUInt16BE(at + 16 + 22), videoPort);
    assert.deepEqual(capture.subarray(at + 44, at + 44 + bytes.length), Buffer.from(bytes));
    at += 44 + bytes.length;
  }
  assert.equal(at, capture.length);
  // The audio of the recording is its audio track.
  const media = (await world.recorder.library.media(ACCOUNT, row.sid))!;
  assert.equal(media.length, 44 + 2 * 24_000);
  assert.equal(await world.recorder.library.track(ACCOUNT, row.sid, "v"), undefined);
});

test("keys that are pressed are marked in the audio, once each, and comfort noise is no mistake", async (t) => {
  const { world, dialog, port } = await started(t, {
    formats: "0 13 101",
    attributes: ["rtpmap:101 telephone-event/8000"],
  });
  const voice = tone({ name: "PCMU", clockRateHz: 8_000 }, 50, 500);
  world.media.arrive(port, packets({ payloadType: 0, sent: voice, startTime: START }));
  const press = (key: number, from: number) =>
    [0, 1, 2, 3, 4].map((at) => {
      const bytes = new Uint8Array(16);
      writeRtpHeader(bytes, 0, at === 0, 101, 7 + from + at, 1_000 + from * 160, 0xabcd);
      bytes.set([key, at >= 2 ? 0x8a : 0x0a, 0x01, 0x40], 12);
      return { bytes, arrivalTime: START + 20 * (from + at) };
    });
  world.media.arrive(port, press(5, 50));
  world.media.arrive(port, press(11, 55));
  const noise = [{ payload: Uint8Array.of(60), units: 160 }];
  world.media.arrive(
    port,
    packets({
      payloadType: 13,
      sent: noise,
      startTime: START + 1_200,
      sequence: 67,
      timestamp: 1_000 + 60 * 160,
    }),
  );
  const more = { startTime: START + 2_000, sequence: 68, timestamp: 1_000 + 100 * 160 };
  world.media.arrive(port, packets({ payloadType: 0, sent: voice, ...more }));
  const row = await world.hangUp(dialog);
  assert.deepEqual(row.markers, [
    { kind: "dtmf", time: START + 1_000, label: "a", text: "5", durationMs: 40 },
    { kind: "dtmf", time: START + 1_100, label: "a", text: "#", durationMs: 40 },
  ]);
  const [track] = row.tracks;
  assert.deepEqual([track?.packets, track?.lost, track?.durationMs], [111, 0, 3_000]);
  assert.deepEqual(
    row.warnings.filter(({ code }) => code === "PACKETS_IGNORED"),
    [],
  );
  assert.equal(track?.detail?.silenceShare, 0.333);
});

test("with several codecs offered, one that can be heard is answered before one that cannot", async (t) => {
  const { answer } = await started(t, { formats: "18 8 0" });
  assert.match(answer, /^m=audio \d+ RTP\/AVP 8\r$/m);
});
