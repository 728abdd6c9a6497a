import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ACCOUNT, drainFile, RecorderWorld, speech, stream } from "./recorder-world.ts";

test("a disk that is nearly full is told of before anybody calls, once", async (t) => {
  const world = await RecorderWorld.start(t, { limits: { freeBytes: Number.MAX_SAFE_INTEGER } });
  await world.until(() => world.alerts.length > 0, "an alert");
  await world.world.clock.advance(300_000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(
    world.alerts.map(({ errorCode, level }) => [errorCode, level]),
    [[20500, "error"]],
  );
  assert.match(world.alerts[0]!.text, /MiB are free on the disk of recordings/);
});

test("with recorder.opus a recording is Opus in Ogg as soon as it has ended", async (t) => {
  const world = await RecorderWorld.start(t, { opus: true });
  const { dialog, ports } = await world.record();
  for (const port of ports) {
    world.media.arrive(port, stream({ packets: 50, payload: speech, startTime: 1_000_000_000_000 }));
  }
  const { sid } = await world.hangUp(dialog);
  const made = join(world.folder, "recordings-derived", sid, "media.opus");
  await world.until(() => existsSync(made), "the file");
  const file = (await world.recorder.library.media(ACCOUNT, sid, { form: "opus" }))!;
  const octets = Buffer.from(await drainFile(file));
  assert.equal(octets.subarray(0, 4).toString("latin1"), "OggS");
});
