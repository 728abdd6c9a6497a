import assert from "node:assert/strict";
import { type RecordingJson, recordingOf } from "./recordings.ts";
import type { TestServer } from "./server.ts";
import { locate, wavSamples } from "./voices.ts";

/**
 * The only recording of this server holds Alice on "inbound" and Bob on "outbound": at least half a second of each, bit
 * for bit, and no packet of them is missing.
 */
export async function recordedBothVoices(server: TestServer): Promise<RecordingJson> {
  const { recordings } = await server.get<{ recordings: RecordingJson[] }>("/v1/Recordings");
  assert.equal(recordings.length, 1);
  const recording = await recordingOf(server, recordings[0]?.source.call_id ?? "");
  assert.equal(recording.status, "completed");
  assert.deepEqual(recording.warnings, []);
  for (const [label, voice] of [
    ["inbound", "alice"],
    ["outbound", "bob"],
  ] as const) {
    const track = recording.tracks.find((each) => each.label === label);
    assert.equal(track?.lost, 0, label);
    const { samples } = wavSamples(await server.bytes(`/v1/Recordings/${recording.sid}/Tracks/${label}.wav`));
    assert.ok(holdsHalfASecond(samples, voice), `${voice} is heard on ${label}`);
  }
  return recording;
}

function holdsHalfASecond(samples: Int16Array, voice: "alice" | "bob"): boolean {
  for (let from = 0; from + 4_000 <= samples.length; from += 400) {
    if (locate(samples.slice(from, from + 4_000), voice)?.equal === 4_000) return true;
  }
  return false;
}
