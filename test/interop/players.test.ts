import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { decodePcmu } from "@callfork/protocol/audio";
import { ACCOUNT, drainFile, RecorderWorld, speech, stream } from "../simulated/recorder-world.ts";
import { without } from "./support/programs.ts";

interface Opened {
  readonly channels: number;
  readonly sampleRateHz: number;
  readonly frames: number;
  /** All samples, interleaved, as 16 bits. */
  readonly pcm: Buffer;
}

function bySox(path: string): Opened {
  const ask = (option: string): number => Number(execFileSync("soxi", [option, path], { encoding: "utf8" }));
  const raw = ["-t", "raw", "-e", "signed-integer", "-b", "16", "-L", "-"];
  // -V3 would print warnings about a header that does not fit its file to stderr; there must be none.
  const pcm = execFileSync("sox", ["-D", path, ...raw], { stdio: ["ignore", "pipe", "inherit"] });
  return { channels: ask("-c"), sampleRateHz: ask("-r"), frames: ask("-s"), pcm };
}

function byFfmpeg(path: string): Opened {
  const entries = "stream=channels,sample_rate,duration_ts,codec_name";
  const shown = execFileSync("ffprobe", ["-v", "error", "-show_entries", entries, "-of", "json", path], {
    encoding: "utf8",
  });
  const [audio] = (JSON.parse(shown) as { streams: Record<string, string | number>[] }).streams;
  assert.equal(audio!.codec_name, "pcm_s16le");
  const pcm = execFileSync("ffmpeg", ["-v", "error", "-xerror", "-i", path, "-f", "s16le", "-"]);
  const [channels, sampleRateHz, frames] = [audio!.channels, audio!.sample_rate, audio!.duration_ts].map(
    Number,
  );
  return { channels: channels!, sampleRateHz: sampleRateHz!, frames: frames!, pcm };
}

describe("what recorded audio is to other programs", {
  skip: without("sox", "soxi", "ffmpeg", "ffprobe"),
}, () => {
  test("sox and ffmpeg open the stereo file and a track's file, finished and while they grow, to the same samples", async (t) => {
    const world = await RecorderWorld.start(t);
    const { dialog, ports } = await world.record();
    const { library } = world.recorder;
    const { sid } = world.onlyRow;
    const startTime = world.world.clock.wallNow();
    const send = (port: number, from: number, packets: number, seed: number) =>
      world.media.arrive(
        port,
        stream({
          packets,
          startTime: startTime + 20 * from,
          sequence: from,
          timestamp: 160 * from,
          payload: (index) => speech(from + index, seed),
        }),
      );
    send(ports[0]!, 0, 101, 0);
    send(ports[1]!, 10, 91, 1);
    const compare = async (packets: number, isExact: boolean): Promise<void> => {
      const views = [await library.media(ACCOUNT, sid), await library.track(ACCOUNT, sid, "inbound")];
      for (const [at, view] of views.entries()) {
        const path = join(world.folder, `${packets}-${at}.wav`);
        writeFileSync(path, await drainFile(view!));
        const channels = at === 0 ? 2 : 1;
        const [one, other] = [bySox(path), byFfmpeg(path)];
        assert.deepEqual(one, other);
        assert.deepEqual([one.channels, one.sampleRateHz], [channels, 8_000]);
        assert.equal(one.pcm.length, one.frames * 2 * channels);
        assert.deepEqual(one.pcm, readFileSync(path).subarray(44));
        if (isExact) assert.equal(one.frames, packets * 160);
        const expected = new Int16Array(160);
        for (let index = 0; index < Math.floor(one.frames / 160); index++) {
          decodePcmu(speech(index), expected);
          for (const [sample, value] of expected.entries()) {
            assert.equal(one.pcm.readInt16LE(2 * channels * (160 * index + sample)), value);
          }
        }
      }
    };
    // The writer flushes twice a second: until then the file is shorter than what has come.
    for (;;) {
      const file = await library.media(ACCOUNT, sid);
      if (file !== undefined && file.length >= 44 + 4 * 100 * 160) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await compare(101, false);
    send(ports[0]!, 101, 50, 0);
    send(ports[1]!, 101, 50, 1);
    await world.hangUp(dialog);
    await compare(151, true);
    const track = join(world.folder, "recordings", sid, "1-inbound.wav");
    const header = execFileSync("soxi", [track], { encoding: "utf8" });
    assert.match(header, /u-law/i);
    assert.equal(Number(execFileSync("soxi", ["-s", track], { encoding: "utf8" })), 151 * 160);
  });
});
