import assert from "node:assert/strict";
import { test } from "node:test";
import {
  body,
  metadataPart,
  newCast,
  newId,
  RecorderWorld,
  recordingXml,
  sdp,
  sdpPart,
  speech,
  stream,
} from "./recorder-world.ts";

test("[R6341-013] [R6341-022] [R6341-024] hold, pause and transfer are marked by the wall clock, where they lie in the audio, and who speaks is named", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const { dialog, ports } = await world.record(cast);
  const offset = world.world.clock.wallNow();
  for (const port of ports) {
    world.media.arrive(port, stream({ packets: 50, payload: speech, startTime: offset }));
  }
  const offer = (version: number, inbound: string, outbound: string) =>
    body(
      sdpPart(
        sdp(
          [
            { label: "inbound", direction: inbound },
            { label: "outbound", port: 4_002, direction: outbound },
          ],
          version,
        ),
      ),
    );
  const steps = [
    offer(2, "inactive", "sendonly"),
    offer(3, "inactive", "inactive"),
    offer(4, "sendonly", "sendonly"),
  ];
  /** Between when each change was asked for and when it was granted. */
  const spans: [number, number][] = [];
  const timed = async (change: () => Promise<{ readonly status: number }>): Promise<void> => {
    await world.world.clock.advance(10_000);
    const before = world.world.clock.wallNow();
    assert.equal((await world.settle(change())).status, 200);
    spans.push([before, world.world.clock.wallNow()]);
  };
  for (const step of steps) await timed(() => dialog.reinvite({ body: step }));
  const carol = newId();
  const transfer = recordingXml(
    "partial",
    `<participant participant_id="${carol}"><nameID aor="sip:carol@example.com"/></participant>` +
      `<participantsessionassoc participant_id="${carol}" session_id="${cast.session}"/>` +
      `<participantstreamassoc participant_id="${carol}"><send>${cast.outbound}</send></participantstreamassoc>`,
  );
  await timed(() => dialog.update({ body: body(metadataPart(transfer)) }));
  const row = await world.hangUp(dialog);
  assert.deepEqual(
    row.markers?.map(({ kind, label = "", text = "" }) => [kind, label, text]),
    [
      ["hold", "inbound", ""],
      ["pause", "", ""],
      ["continue", "", ""],
      ["transfer", "", "+sip:carol@example.com"],
    ],
  );
  for (const [at, { time }] of row.markers!.entries()) {
    const [before, after] = spans[at]!;
    assert.ok(time >= before && time <= after, `marker ${at} is at ${time}, not in ${before}–${after}`);
    // And the audio began with its first packet, by the same clock.
    assert.equal(row.startTime, offset);
  }
  const outbound = row.tracks.find(({ label }) => label === "outbound");
  assert.deepEqual(outbound?.senders, [cast.bob, carol]);
});
