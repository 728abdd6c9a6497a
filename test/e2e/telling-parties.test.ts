import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { writeWavHeader } from "@callfork/protocol/audio";
import type { PhoneCall } from "@callfork/testkit";
import { converse } from "../interop/support/conversation.ts";
import { Owned } from "../interop/support/owned.ts";
import type { RecordingJson } from "../interop/support/recordings.ts";
import { scratchFolder } from "../interop/support/scratch.ts";
import { TestServer } from "../interop/support/server.ts";
import { assertIsVoice, wavSamples } from "../interop/support/voices.ts";
import { until } from "../interop/support/waiting.ts";

const FRAME = 160;

/** Runs of frames in which a steady sine of that frequency is heard, as [first frame, how many]. */
function runsOf(samples: Int16Array, frequencyHz: number, amplitude: number): [number, number][] {
  const runs: [number, number][] = [];
  for (let frame = 0; (frame + 1) * FRAME <= samples.length; frame++) {
    let [re, im] = [0, 0];
    for (let i = 0; i < FRAME; i++) {
      const angle = (2 * Math.PI * frequencyHz * (frame * FRAME + i)) / 8000;
      re += samples[frame * FRAME + i]! * Math.cos(angle);
      im += samples[frame * FRAME + i]! * Math.sin(angle);
    }
    const found = (2 * Math.hypot(re, im)) / FRAME;
    if (found < amplitude * 0.6 || found > amplitude * 1.5) continue;
    const last = runs.at(-1);
    if (last && last[0] + last[1] === frame) last[1] += 1;
    else runs.push([frame, 1]);
  }
  return runs;
}

/** −18 dBm0. */
const TONE = 2873;
const bursts = (samples: Int16Array) => runsOf(samples, 1400, TONE).filter(([, frames]) => frames >= 8);

async function recorded(t: TestContext, ...flags: readonly string[]) {
  const own = new Owned();
  t.after(() => own.release());
  const server = await TestServer.start(own, { flags });
  await server.connector("own", server.recorderUri);
  const conversation = await converse(own, server);
  const siprec = server.twilio().calls(conversation.callSid).siprec;
  const fork = await siprec.create({ connectorName: "own" });
  const stop = () =>
    server.twilio().calls(conversation.callSid).siprec(fork.sid).update({ status: "stopped" });
  return { server, stop, ...conversation };
}

test("[R7866-6.1.2-3] both parties hear the tone while they are recorded, over what the other one says; their own words stay pure", async (t) => {
  const { server, stop, alice, bob } = await recorded(
    t,
    ...["--siprec-notice", "tone"],
    ...["--siprec-tone-interval", "2"],
  );
  for (const [name, call] of [
    ["alice", alice],
    ["bob", bob],
  ] as const) {
    await until(`${name} hearing three tones`, () => bursts(call.heard().samples).length >= 3);
    const [first, second, third] = bursts(call.heard().samples);
    assert.ok(Math.abs(second![0] - first![0] - 100) <= 1, "two seconds apart");
    assert.ok(Math.abs(third![0] - second![0] - 100) <= 1);
    assert.ok(first![1] <= 11, "200 ms long");
    assert.equal(call.heard().lost, 0);
  }
  await stop();
  const [before, length] = [alice.heard(), alice.heard().samples.length];
  await until("three seconds more", () => alice.heard().packets > before.packets + 150);
  const after = alice.heard().samples.subarray(length + 25 * FRAME);
  assert.deepEqual(bursts(after), [], "the last fork has ended");
  const recording = await until("the recording", async () => {
    const { recordings } = await server.get<{ recordings: RecordingJson[] }>("/v1/Recordings");
    return recordings.find(({ status }) => status === "completed");
  });
  const track = async (label: string) =>
    wavSamples(await server.bytes(`/v1/Recordings/${recording.sid}/Tracks/${label}.wav`)).samples;
  assertIsVoice(await track("inbound"), "alice", "what she said");
  assert.ok(bursts(await track("outbound")).length >= 2, "what she heard");
});

test("the announcement is heard by both parties from beginning to end, once; then they hear each other again", async (t) => {
  const notice = Int16Array.from(
    { length: 8000 },
    (_, i) => 9000 * Math.sin((2 * Math.PI * 1000 * i) / 8000),
  );
  const dataBytes = notice.byteLength;
  const head = writeWavHeader({
    channels: 1,
    sampleRateHz: 8000,
    bitsPerSample: 16,
    format: "pcm",
    dataBytes,
  });
  const file = join(scratchFolder("announcement"), "recorded.wav");
  writeFileSync(file, Buffer.concat([head, new Uint8Array(notice.buffer)]));
  const { alice, bob } = await recorded(
    t,
    ...["--siprec-notice", "announcement"],
    ...["--siprec-announcement", file],
  );
  const heard = (call: PhoneCall) =>
    runsOf(call.heard().samples, 1000, 9000).filter(([, frames]) => frames >= 40);
  for (const [name, call, other] of [
    ["alice", alice, "bob"],
    ["bob", bob, "alice"],
  ] as const) {
    await until(`${name} hearing it`, () => heard(call).length > 0);
    const from = call.heard().packets;
    await until(`${name} hearing ${other} again`, () => call.heard().packets > from + 120);
    const runs = heard(call);
    assert.equal(runs.length, 1, name);
    assert.ok(Math.abs(runs[0]![1] - 50) <= 1, `one second: ${runs[0]![1]} frames`);
    const rest = call.heard().samples.subarray((runs[0]![0] + 52) * FRAME);
    assertIsVoice(rest, other, `${name} after the announcement`);
    assert.equal(call.heard().lost, 0);
  }
});
