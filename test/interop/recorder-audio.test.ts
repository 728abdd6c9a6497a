import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { encodePcmu, parseWav, pcmOf } from "@callfork/protocol/audio";
import { writeRtpHeader } from "@callfork/protocol/rtp";
import {
  ACCOUNT,
  body,
  drainFile,
  type Line,
  portsOf,
  RecorderWorld,
  sdp,
  sdpPart,
  stream,
} from "../simulated/recorder-world.ts";
import { without } from "./support/programs.ts";

const START = 1_000_000_000_000;

const tone = (length: number, hz: number, rateHz = 8_000): Int16Array =>
  Int16Array.from({ length }, (_, at) => Math.round(9_000 * Math.sin((2 * Math.PI * hz * at) / rateHz)));

function pcmu(samples: Int16Array): Uint8Array {
  const octets = new Uint8Array(samples.length);
  encodePcmu(samples, octets);
  return octets;
}

/** What a foreign program makes of a file, given and taken as octets. */
function ffmpeg(args: readonly string[], input: Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync("ffmpeg", ["-v", "error", ...args], {
    input,
    maxBuffer: 1 << 28,
  });
  assert.equal(status, 0, String(stderr));
  return stdout;
}

function samplesOf(octets: Buffer): Int16Array {
  return Int16Array.from({ length: octets.length >> 1 }, (_, at) => octets.readInt16LE(2 * at));
}

function shareAt(samples: Int16Array, rateHz: number, hz: number): number {
  let [sine, cosine, power] = [0, 0, 1];
  for (const [at, sample] of samples.entries()) {
    const angle = (2 * Math.PI * hz * at) / rateHz;
    sine += sample * Math.sin(angle);
    cosine += sample * Math.cos(angle);
    power += sample * sample;
  }
  return (2 * (sine ** 2 + cosine ** 2)) / samples.length / power;
}

/** Three tracks of ten seconds, a tone each; the last one begins a second later. */
async function threeTones(t: TestContext, count = 3) {
  const world = await RecorderWorld.start(t);
  const tones = [400, 700, 1_100].slice(0, count);
  const lines: Line[] = tones.map((_, at) => ({
    label: ["inbound", "outbound", "third"][at]!,
    port: 4_000 + 2 * at,
  }));
  const invited = await world.invite(body(sdpPart(sdp(lines))));
  for (const [at, port] of portsOf(invited.answer).entries()) {
    const audio = pcmu(tone(80_000, tones[at]!));
    const payload = (index: number): Uint8Array => audio.subarray(160 * index, 160 * index + 160);
    const startTime = START + (at === 2 ? 1_000 : 0);
    world.media.arrive(port, stream({ packets: 500, payload, startTime, ssrc: 100 + at }));
  }
  const row = await world.hangUp(invited.dialog!);
  return { world, row, tones };
}

for (const count of [1, 2, 3]) {
  test(`[R7845-5.1.1-1] Media.opus of ${count} tracks: ffmpeg hears each of them on its own channel, to the sample as long, a tenth of the size`, {
    skip: without("ffmpeg"),
  }, async (t) => {
    const { world, row, tones } = await threeTones(t, count);
    const file = (await world.recorder.library.media(ACCOUNT, row.sid, { form: "opus" }))!;
    assert.equal(file.contentType, "audio/ogg; codecs=opus");
    const ogg = await drainFile(file);
    assert.equal(ogg.length, file.length);
    const wav = (await world.recorder.library.media(ACCOUNT, row.sid))!;
    assert.ok(ogg.length < wav.length / 8, `${ogg.length} of ${wav.length} octets`);
    const heard = samplesOf(ffmpeg(["-i", "pipe:0", "-f", "s16le", "-ar", "8000", "pipe:1"], ogg));
    const frames = (wav.length - 44) / 2 / count;
    assert.ok(Math.abs(heard.length / count - frames) <= 2, `${heard.length / count} of ${frames} frames`);
    for (const [channel, hz] of tones.entries()) {
      const own = heard.filter((_, at) => at % count === channel).subarray(16_000, 72_000);
      assert.ok(shareAt(own, 8_000, hz) > 0.95, `channel ${channel}: ${shareAt(own, 8_000, hz)}`);
    }
    // It was made once and is there for whoever asks for a part of it.
    const part = await drainFile(
      (await world.recorder.library.media(ACCOUNT, row.sid, { form: "opus" }))!,
      100,
      999,
    );
    assert.deepEqual(Buffer.from(part), Buffer.from(ogg.subarray(100, 1_000)));
  });
}

test("one track as Opus, and all tracks in one channel", { skip: without("ffmpeg") }, async (t) => {
  const { world, row, tones } = await threeTones(t, 2);
  const track = (await world.recorder.library.track(ACCOUNT, row.sid, "outbound", "opus"))!;
  const alone = samplesOf(
    ffmpeg(["-i", "pipe:0", "-f", "s16le", "-ar", "8000", "pipe:1"], await drainFile(track)),
  );
  assert.ok(shareAt(alone.subarray(8_000, 72_000), 8_000, tones[1]!) > 0.95);
  for (const form of ["wav", "opus"] as const) {
    const mixed = (await world.recorder.library.media(ACCOUNT, row.sid, { form, isMixed: true }))!;
    const args = ["-i", "pipe:0", "-f", "s16le", "-ar", "8000", "pipe:1"];
    const heard = samplesOf(ffmpeg(args, await drainFile(mixed)));
    assert.ok(Math.abs(heard.length - 80_000) <= 2, `${heard.length} samples of one channel`);
    const middle = heard.subarray(8_000, 72_000);
    for (const hz of tones) assert.ok(shareAt(middle, 8_000, hz) > 0.25, `${form} ${hz}`);
  }
});

test("a live recording is given out as WAV so far, and not yet as Opus", {
  skip: without("ffmpeg"),
}, async (t) => {
  const world = await RecorderWorld.start(t);
  const invited = await world.invite(body(sdpPart(sdp([{ label: "a" }]))));
  assert.ok(invited.dialog);
  await assert.rejects(world.recorder.library.media(ACCOUNT, world.onlyRow.sid, { form: "opus" }), {
    code: "RECORDING_IN_PROGRESS",
  });
});

test("a codec that we do not know is heard through a command, each payload in its place", {
  skip: without("ffmpeg"),
}, async (t) => {
  const command =
    "ffmpeg -v error -f g726le -code_size 4 -sample_rate 8000 -i pipe:0 -f s16le -ac 1 -ar 8000 pipe:1";
  const world = await RecorderWorld.start(t, {
    decoders: [{ codec: "G726-32", command: command.split(" ") }],
  });
  const line = { label: "a", formats: "96", attributes: ["rtpmap:96 G726-32/8000"] };
  const invited = await world.invite(body(sdpPart(sdp([line]))));
  const [port] = portsOf(invited.answer);
  const input = Buffer.from(tone(40_000, 600).buffer);
  const raw = ["-f", "s16le", "-ar", "8000", "-ac", "1", "-i", "pipe:0"];
  const encoded = ffmpeg([...raw, "-c:a", "g726le", "-b:a", "32k", "-f", "g726le", "pipe:1"], input);
  const packets = stream({
    packets: 250,
    payload: (index) => encoded.subarray(80 * index, 80 * index + 80),
    startTime: START,
    payloadType: 96,
  });
  // A second is missing in the middle.
  world.media.arrive(
    port!,
    packets.filter((_, at) => at < 100 || at >= 150),
  );
  const row = await world.hangUp(invited.dialog!);
  assert.deepEqual([row.tracks[0]?.lost, row.tracks[0]?.durationMs], [50, 5_000]);
  for (let again = 0; again < 2; again++) {
    const octets = await drainFile((await world.recorder.library.track(ACCOUNT, row.sid, "a"))!);
    const pcm = pcmOf(octets);
    assert.ok(pcm.ok);
    assert.equal(pcm.value.length, 40_000);
    assert.ok(shareAt(pcm.value.subarray(2_000, 16_000), 8_000, 600) > 0.95);
    assert.ok(
      pcm.value.subarray(16_000, 24_000).every((sample) => sample === 0),
      "the gap is silent",
    );
    assert.ok(shareAt(pcm.value.subarray(26_000, 40_000), 8_000, 600) > 0.9);
  }
  const derived = join(world.folder, "recordings-derived", row.sid);
  assert.deepEqual(readdirSync(derived), ["1-a.cfp.G726-32.s16"]);
});

test("a command that fails says so, and spoils nothing", { skip: without("ffmpeg") }, async (t) => {
  const world = await RecorderWorld.start(t, {
    decoders: [{ codec: "G729", command: ["ffmpeg", "-no-such-option"] }],
  });
  const invited = await world.invite(body(sdpPart(sdp([{ label: "a", formats: "18" }]))));
  const [port] = portsOf(invited.answer);
  world.media.arrive(
    port!,
    stream({ packets: 50, payload: () => new Uint8Array(20), startTime: START, payloadType: 18 }),
  );
  const row = await world.hangUp(invited.dialog!);
  await assert.rejects(world.recorder.library.track(ACCOUNT, row.sid, "a"), /ffmpeg ended with/);
  assert.deepEqual(readdirSync(join(world.folder, "recordings-derived", row.sid)), []);
});

test("a video track is a capture that tshark reads, packet by packet", {
  skip: without("tshark"),
}, async (t) => {
  const world = await RecorderWorld.start(t);
  const video = { kind: "video", label: "v", formats: "96", attributes: ["rtpmap:96 H264/90000"] };
  const invited = await world.invite(body(sdpPart(sdp([{ label: "a" }, video]))));
  const [, port] = portsOf(invited.answer);
  const packets = Array.from({ length: 30 }, (_, index) => {
    const bytes = new Uint8Array(12 + 500).fill(index);
    writeRtpHeader(bytes, 0, true, 96, 100 + index, 3_000 * index, 77);
    return { bytes, arrivalTime: START + 33 * index };
  });
  world.media.arrive(port!, packets);
  const row = await world.hangUp(invited.dialog!);
  const path = join(world.folder, "v.pcap");
  writeFileSync(path, await drainFile((await world.recorder.library.track(ACCOUNT, row.sid, "v", "pcap"))!));
  const { stdout, stderr } = spawnSync(
    "tshark",
    [
      "-r",
      path,
      "-d",
      `udp.port==${port},rtp`,
      "-T",
      "fields",
      "-e",
      "rtp.seq",
      "-e",
      "ip.checksum.status",
      "-o",
      "ip.check_checksum:TRUE",
    ],
    { encoding: "utf8" },
  );
  const rows = stdout.trim().split("\n");
  assert.equal(rows.length, 30, stderr);
  assert.deepEqual(
    rows.map((one) => one.split("\t")),
    packets.map((_, index) => [String(100 + index), "1"]),
  );
});

test("a WAV file on the disk is what sox and ffmpeg say it is", {
  skip: without("ffmpeg", "sox"),
}, async (t) => {
  const { world, row } = await threeTones(t, 1);
  const path = join(world.folder, "recordings", row.sid, row.tracks[0]!.file);
  const info = parseWav(readFileSync(path));
  assert.ok(info.ok);
  const sox = spawnSync("sox", ["--i", "-s", path], { encoding: "utf8" });
  assert.equal(Number(sox.stdout), info.value.dataBytes);
});
