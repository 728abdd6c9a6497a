import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PCMU_TO_LINEAR, pcmOf } from "@callfork/protocol/audio";
import { RawRecording, speechAt } from "./support/raw-recording.ts";
import { scratchFolder } from "./support/scratch.ts";
import { TestServer } from "./support/server.ts";
import { until } from "./support/waiting.ts";

interface RecordingJson {
  readonly sid: string;
  readonly status: string;
  readonly source: { readonly call_id: string };
  readonly tracks: readonly { readonly duration_ms: number }[];
  readonly warnings: readonly { readonly code: string }[];
}

async function recordingOf(server: TestServer, callId: string): Promise<RecordingJson | undefined> {
  const { recordings } = await server.get<{ recordings: RecordingJson[] }>("/v1/Recordings?PageSize=100");
  return recordings.find(({ source }) => source.call_id === callId);
}

/** What the recording holds is the beginning of what was said. */
async function assertBeginning(server: TestServer, sid: string, seed: number): Promise<number> {
  const pcm = pcmOf(await server.bytes(`/v1/Recordings/${sid}/Tracks/1.wav`));
  assert.ok(pcm.ok);
  const packets = Math.ceil(pcm.value.length / 160);
  const said = Array.from({ length: packets }, (_, index) => [...speechAt(index, seed)]).flat();
  const meant = Int16Array.from(said.slice(0, pcm.value.length), (code) => PCMU_TO_LINEAR[code]!);
  assert.deepEqual(pcm.value, meant, "octet for octet");
  return pcm.value.length;
}

test("kill -9 at any moment, again and again: recordings end as interrupted, with their audio but for the last second, and no acknowledged metadata is lost", async (t) => {
  const dataDir = join(scratchFolder("crash"), "data");
  /** Recordings of the rounds before, and how much audio they have: it stays. */
  const before: { readonly sid: string; readonly seed: number; readonly samples: number }[] = [];
  const ROUNDS = 4;
  for (let round = 0; ; round++) {
    const server = await TestServer.start(t, { command: "record", dataDir, flags: ["--log-level", "error"] });
    for (const { sid, seed, samples } of before) {
      assert.equal(
        await assertBeginning(server, sid, seed),
        samples,
        "what was repaired once stays as it is",
      );
    }
    if (round === ROUNDS) break;
    const live: RawRecording[] = [];
    for (let seed = 10 * round; seed < 10 * round + 3; seed++) {
      const recording = await RawRecording.open(t, server.sipPort, seed);
      assert.equal((await recording.invite()).status, 200);
      live.push(recording);
    }
    // One that is acknowledged a moment before the end.
    const last = await RawRecording.open(t, server.sipPort, 10 * round + 3);
    const moment = 100 + Math.floor(Math.random() * 100);
    await until(`${moment} packets`, () => live.every(({ sent }) => sent.length >= moment));
    assert.equal((await last.invite()).status, 200);
    await server.child.stop("SIGKILL");
    const killedAt = performance.now();
    for (const each of [...live, last]) each.fallSilent();

    const again = await TestServer.start(t, { command: "record", dataDir, flags: ["--log-level", "error"] });
    for (const [at, recording] of live.entries()) {
      const found = (await recordingOf(again, recording.callId))!;
      assert.equal(found.status, "interrupted");
      assert.ok(found.warnings.some(({ code }) => code === "PROCESS_DIED"));
      const samples = await assertBeginning(again, found.sid, 10 * round + at);
      // A second on an idle machine; others share this one.
      const safe = recording.sent.filter((time) => time < killedAt - 2_500).length;
      assert.ok(
        samples >= 160 * safe,
        `${samples} samples of ${160 * recording.sent.length}, ${160 * safe} are owed`,
      );
      before.push({ sid: found.sid, seed: 10 * round + at, samples });
      const xml = await again.bytes(`/v1/Recordings/${found.sid}/Metadata.xml`);
      assert.equal(Buffer.from(xml).toString(), recording.metadata);
    }
    const found = (await recordingOf(again, last.callId))!;
    assert.ok(["interrupted", "failed"].includes(found.status), found.status);
    assert.equal(
      Buffer.from(await again.bytes(`/v1/Recordings/${found.sid}/Metadata.xml`)).toString(),
      last.metadata,
    );
    await again.child.stop();
  }
});

const canMount = process.getuid?.() === 0 && spawnSync("mount", ["--version"]).status === 0;

test("a disk that is nearly full takes no new recording (503, Retry-After), and those in progress are finished whole", {
  skip: canMount ? false : "mounting a small disk needs root",
}, async (t) => {
  const disk = join(scratchFolder("disk"), "small");
  mkdirSync(disk);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], { encoding: "utf8" });
  if (mounted.status !== 0) {
    t.skip(`this machine mounts no tmpfs: ${mounted.stderr.trim()}`);
    return;
  }
  t.after(() => void spawnSync("umount", ["-l", disk]));
  const flags = ["--log-level", "error", "--recorder-minimum-free-mebibytes", "10"];
  const server = await TestServer.start(t, { command: "record", dataDir: join(disk, "data"), flags });
  const first = await RawRecording.open(t, server.sipPort, 1);
  assert.equal((await first.invite()).status, 200);
  await until("a second of audio", () => first.sent.length >= 50);
  writeFileSync(join(disk, "ballast"), new Uint8Array(14 * 2 ** 20));
  const second = await RawRecording.open(t, server.sipPort, 2);
  assert.deepEqual(await second.invite(), { status: 503, retryAfter: true });
  await until("a second more", () => first.sent.length >= 100);
  first.fallSilent();
  await until("all of it written", async () => {
    const found = await recordingOf(server, first.callId);
    return found !== undefined && found.tracks[0]!.duration_ms >= 20 * first.sent.length;
  });
  await first.bye();
  const found = await until("its end", async () => {
    const row = await recordingOf(server, first.callId);
    return row?.status === "completed" && row;
  });
  assert.equal(await assertBeginning(server, found.sid, 1), 160 * first.sent.length);
  rmSync(join(disk, "ballast"));
  const third = await RawRecording.open(t, server.sipPort, 3);
  assert.equal((await third.invite()).status, 200, "with room again it goes on");
  third.fallSilent();
  await server.child.stop("SIGKILL");
});
