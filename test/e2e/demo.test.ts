import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Child } from "../interop/support/child.ts";
import type { RecordingJson } from "../interop/support/recordings.ts";
import { scratchFolder } from "../interop/support/scratch.ts";
import { CALLFORK, TestServer } from "../interop/support/server.ts";
import { assertIsVoice, wavSamples } from "../interop/support/voices.ts";

test("callfork demo exits 0, and what it printed is what lies there", async (t) => {
  const folder = scratchFolder("demo");
  const dataDir = join(folder, "data");
  const demo = new Child(process.execPath, [CALLFORK, "demo", "--seconds", "3", "--data-dir", dataDir], {
    cwd: folder,
  });
  const { code } = await demo.ended;
  assert.equal(code, 0, `${demo.stdout}\n${demo.stderr}`);
  assert.match(demo.stdout, /The demo succeeded\.\s*$/);
  assert.equal(demo.stderr, "");
  const [, sid = ""] = /Recording (RE[0-9a-f]{32}): completed/.exec(demo.stdout) ?? [];
  const told = [...demo.stdout.matchAll(/Track "(\w+)" \(PCMU, (\d+) packets, 0 lost\): (\d+) samples/g)];
  assert.equal(told.length, 2);

  const server = await TestServer.start(t, { dataDir, account: "kept" });
  const recording = await server.get<RecordingJson>(`/v1/Recordings/${sid}`);
  assert.equal(recording.status, "completed");
  const parties = recording.participants.map(({ aor }) => aor.replace(/@.*/, "")).sort();
  assert.deepEqual(parties, ["sip:alice", "sip:bob"]);
  for (const [, label = "", packets, count] of told) {
    const track = recording.tracks.find((each) => each.label === label);
    assert.equal(track?.packets, Number(packets));
    const { samples } = wavSamples(await server.bytes(`/v1/Recordings/${sid}/Tracks/${label}.wav`));
    assert.equal(samples.length, Number(count));
    assertIsVoice(samples, label === "inbound" ? "alice" : "bob", label);
  }
});

test("callfork demo exits 1 when something is not as it should be", async () => {
  const folder = scratchFolder("demo-fails");
  // A recorder that refuses everybody: nothing can be recorded.
  const demo = new Child(process.execPath, [CALLFORK, "demo", "--seconds", "1", "--roles", "calls,api"], {
    cwd: folder,
  });
  const { code } = await demo.ended;
  assert.equal(code, 1);
  assert.match(demo.stdout, /The demo FAILED\./);
});
