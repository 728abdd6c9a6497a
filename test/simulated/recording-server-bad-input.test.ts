import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { PCMU_TO_LINEAR, pcmOf } from "@callfork/protocol/audio";
import {
  ACCOUNT,
  body,
  bytes,
  completeXml,
  drainFile,
  type Invited,
  metadataPart,
  newCast,
  newId,
  portsOf,
  RecorderWorld,
  recordingXml,
  sdp,
  sdpPart,
  speech,
  stream,
} from "./recorder-world.ts";

const START = 1_000_000_000_000;
const TWO = [{ label: "inbound" }, { label: "outbound", port: 4_002 }];

/** A recording beside what is done to the recorder: what it hears before and after is to be in its file, to the octet. */
async function beside(
  t: TestContext,
  attack: (world: RecorderWorld) => Promise<void>,
): Promise<RecorderWorld> {
  const world = await RecorderWorld.start(t);
  const { dialog, ports } = await world.record();
  const { sid } = world.onlyRow;
  const said = (from: number, to: number) =>
    stream({
      packets: to - from,
      payload: (index) => speech(from + index),
      startTime: START + 20 * from,
      sequence: from,
      timestamp: 160 * from,
    });
  world.media.arrive(ports[0]!, said(0, 100));
  const before = process.memoryUsage().heapUsed;
  await attack(world);
  assert.ok(process.memoryUsage().heapUsed - before < 200e6, "memory is bounded");
  world.media.arrive(ports[0]!, said(100, 200));
  await world.settle(dialog.bye());
  await world.until(
    () => world.store.rows.get(sid)?.status === "completed",
    "the end of the recording beside",
  );
  const octets = await drainFile((await world.recorder.library.track(ACCOUNT, sid, "inbound"))!);
  const pcm = pcmOf(octets);
  assert.ok(pcm.ok);
  const codes = Array.from({ length: 200 }, (_, index) => [...speech(index)]).flat();
  assert.deepEqual(
    pcm.value,
    Int16Array.from(codes, (code) => PCMU_TO_LINEAR[code]!),
  );
  return world;
}

async function recorded(world: RecorderWorld, invited: Invited): Promise<readonly string[]> {
  assert.ok(invited.dialog, `refused with ${invited.failure?.status}`);
  const [port] = portsOf(invited.answer);
  world.media.arrive(port!, stream({ packets: 50, payload: speech, startTime: START }));
  const sid = [...world.store.rows.keys()].at(-1)!;
  await world.settle(invited.dialog.bye());
  await world.until(() => world.store.rows.get(sid)?.status === "completed", "its end");
  const row = world.store.rows.get(sid)!;
  assert.equal(row.tracks[0]?.packets, 50, "the media was recorded all the same");
  return row.warnings.map(({ code }) => code);
}

const invite = (world: RecorderWorld, xml: string): Promise<Invited> =>
  world.invite(body(sdpPart(sdp(TWO)), metadataPart(xml)));

test("1 MB of metadata is not read, its beginning is kept, and the media is recorded", async (t) => {
  await beside(t, async (world) => {
    const filler = `<!-- ${"x".repeat(1_000_000)} -->`;
    const invited = await invite(world, recordingXml("complete", filler + completeXml(newCast())));
    const codes = await recorded(world, invited);
    assert.ok(codes.some((code) => code.startsWith("METADATA_")));
    const kept = world.store.versions.at(-1)!.document;
    assert.ok(kept.length <= 70_000, `${kept.length} characters are kept`);
  });
});

test("10,000 participants in one document cost no recording its audio; a message that is too large for SIP gets 513", async (t) => {
  const world = await beside(t, async (world) => {
    const people = Array.from({ length: 10_000 }, () => `<participant participant_id="${newId()}"/>`).join(
      "",
    );
    await recorded(world, await invite(world, recordingXml("complete", people)));
    const refused = await invite(world, recordingXml("complete", people + people));
    assert.equal(refused.failure?.status, 513);
  });
  assert.ok(world.store.versions.every(({ document }) => document.length <= 70_000));
});

test("many small documents with new participants each do not grow without end", async (t) => {
  await beside(t, async (world) => {
    const invited = await invite(world, completeXml(newCast()));
    for (let round = 0; round < 12; round++) {
      const people = Array.from(
        { length: 400 },
        () => `<participant participant_id="${newId()}"><nameID aor="sip:a@b"/></participant>`,
      );
      const update = invited.dialog!.update({
        body: body(metadataPart(recordingXml("partial", people.join("")))),
      });
      assert.equal((await world.settle(update)).status, 200);
    }
    await recorded(world, invited);
  });
});

test("XML 200 elements deep is refused by its reader, and the media is recorded", async (t) => {
  await beside(t, async (world) => {
    const deep = "<a>".repeat(200) + "</a>".repeat(200);
    const codes = await recorded(world, await invite(world, recordingXml("complete", deep)));
    assert.ok(codes.includes("METADATA_MALFORMED"), codes.join());
  });
});

test("a DOCTYPE is not looked into: no entity is expanded, no file is fetched", async (t) => {
  await beside(t, async (world) => {
    const bomb =
      '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>' +
      recordingXml("complete", "<group>&b;&f;</group>").replace(/^<\?xml[^>]*>\s*/, "");
    const codes = await recorded(world, await invite(world, bomb));
    assert.ok(codes.includes("METADATA_MALFORMED"), codes.join());
    const json = JSON.stringify(
      await world.recorder.library.metadataJson(ACCOUNT, world.store.versions.at(-1)!.recordingSid),
    );
    assert.ok(!json.includes("lollol") && !json.includes("root:"));
  });
});

test("lines with one label, and labels that mean a folder, get names of their own", async (t) => {
  await beside(t, async (world) => {
    const labels = ["same", "same", "same", "../../etc/passwd", "..", "same-2"];
    const lines = labels.map((label, at) => ({ label, port: 5_000 + 2 * at }));
    const invited = await world.invite(body(sdpPart(sdp(lines))));
    const codes = await recorded(world, invited);
    assert.ok(codes.includes("LABEL_NOT_UNIQUE"));
    const row = [...world.store.rows.values()].at(-1)!;
    assert.equal(new Set(row.tracks.map(({ label }) => label)).size, labels.length);
    assert.equal(new Set(row.tracks.map(({ file }) => file)).size, labels.length);
    assert.ok(row.tracks.every(({ file }) => /^\d+-[A-Za-z0-9_-]+\.wav$/.test(file)));
  });
});

test("twelve re-INVITEs in a row are answered one by one, and the audio goes on through them", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog, ports } = await world.record();
  for (let round = 0; round < 12; round++) {
    const from = 20 * round;
    world.media.arrive(
      ports[0]!,
      stream({
        packets: 20,
        payload: (index) => speech(from + index),
        startTime: START + 20 * from,
        sequence: from,
        timestamp: 160 * from,
      }),
    );
    const offer = sdp(TWO, round + 2);
    const answered = await world.settle(
      dialog.reinvite({ body: body(sdpPart(offer), metadataPart(completeXml(newCast()))) }),
    );
    assert.equal(answered.status, 200, `re-INVITE ${round + 1}`);
  }
  const row = await world.hangUp(dialog);
  assert.deepEqual([row.tracks[0]?.packets, row.tracks[0]?.lost, row.tracks[0]?.durationMs], [240, 0, 4_800]);
  assert.equal(row.tracks.length, 2, "no line began anew");
});

test("two hundred INVITEs in a second are each taken or refused, and the recording beside hears nothing of it", async (t) => {
  const world = await beside(t, async (world) => {
    const answers: Invited[] = [];
    await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        await world.world.clock.advance(5);
        answers.push(
          await world.invite(
            at % 5 === 0
              ? { contentType: "application/sdp", bytes: bytes("v=0\r\nnonsense") }
              : body(sdpPart(sdp(TWO))),
          ),
        );
      }),
    );
    assert.equal(answers.filter(({ failure }) => failure?.status === 488).length, 40);
    const taken = answers.flatMap(({ dialog }) => dialog ?? []);
    assert.equal(taken.length, 160);
    assert.equal(world.recorder.liveCount, 161);
    await world.settle(Promise.all(taken.map((dialog) => dialog.bye())));
    await world.until(() => world.recorder.liveCount === 1, "their ends");
  });
  // Without a packet they failed, and all of their ports are free.
  assert.equal(world.media.free, 1_000);
});
