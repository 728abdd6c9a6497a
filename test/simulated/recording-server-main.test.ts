import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePcmu } from "@callfork/protocol/audio";
import { ACCOUNT, answerText, drainFile, newCast, RecorderWorld, speech, stream } from "./recorder-world.ts";

test("two tracks are recorded from INVITE to BYE, sample by sample", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const { dialog, response, answer, ports } = await world.record(cast);
  assert.match(response!.headers.get("Contact") ?? "", />;\+sip\.srs$/);
  assert.deepEqual(
    [...answerText(answer).matchAll(/^a=(label:.*|recvonly)\r$/gm)].map((match) => match[1]),
    ["label:inbound", "recvonly", "label:outbound", "recvonly"],
  );
  assert.equal(world.onlyRow.status, "in-progress");
  const startTime = world.world.clock.wallNow();
  world.media.arrive(ports[0]!, stream({ packets: 100, startTime, payload: (index) => speech(index) }));
  world.media.arrive(
    ports[1]!,
    stream({ packets: 50, startTime: startTime + 500, payload: (index) => speech(index, 1), payloadType: 0 }),
  );
  const row = await world.hangUp(dialog);
  assert.equal(row.status, "completed");
  assert.equal(row.durationMs, 2_000);
  assert.deepEqual(
    row.tracks.map(({ label, packets, lost, durationMs, startOffsetMs, senders, streamId, codec }) => ({
      label,
      packets,
      lost,
      durationMs,
      startOffsetMs,
      senders,
      streamId,
      codec,
    })),
    [
      {
        label: "inbound",
        packets: 100,
        lost: 0,
        durationMs: 2_000,
        startOffsetMs: 0,
        senders: [cast.alice],
        streamId: cast.inbound,
        codec: "PCMU",
      },
      {
        label: "outbound",
        packets: 50,
        lost: 0,
        durationMs: 1_000,
        startOffsetMs: 500,
        senders: [cast.bob],
        streamId: cast.outbound,
        codec: "PCMU",
      },
    ],
  );
  assert.deepEqual(row.warnings, []);
  assert.deepEqual(row.extensionData, { case: "42" });
  const parties = row.participants.map(({ presence: _, ...party }) => party);
  assert.deepEqual(parties, [
    { participantId: cast.alice, aor: "sip:alice@example.com", name: "Alice" },
    { participantId: cast.bob, aor: "tel:+15550100", name: "Bob" },
  ]);
  const file = (await world.recorder.library.track(ACCOUNT, row.sid, "inbound"))!;
  const wav = await drainFile(file);
  assert.equal(wav.length, 44 + 2 * 100 * 160);
  const samples = new Int16Array(160);
  for (let index = 0; index < 100; index++) {
    decodePcmu(speech(index), samples);
    assert.deepEqual(
      wav.subarray(44 + 320 * index, 44 + 320 * (index + 1)),
      Buffer.from(samples.buffer),
      `packet ${index}`,
    );
  }
});
