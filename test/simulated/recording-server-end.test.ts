import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { writeWavHeader } from "@callfork/protocol/audio";
import type { SipDialog } from "@callfork/server/signalling";
import type { RecordingRecord } from "../../packages/server/src/recording-server/index.ts";
import {
  ACCOUNT,
  body,
  metadataPart,
  newCast,
  RecorderWorld,
  recordingXml,
  sdp,
  sdpPart,
  speech,
  stream,
} from "./recorder-world.ts";

const codes = (row: RecordingRecord): string[] => row.warnings.map(({ code }) => code);

/** A recording that has heard a second of audio on both tracks. */
async function speaking(
  t: TestContext,
  world?: RecorderWorld,
): Promise<{ world: RecorderWorld; dialog: SipDialog; ports: number[] }> {
  const here = world ?? (await RecorderWorld.start(t));
  const { dialog, ports } = await here.record();
  const startTime = here.world.clock.wallNow();
  for (const port of ports) here.media.arrive(port, stream({ packets: 50, startTime, payload: speech }));
  return { world: here, dialog, ports };
}

test("a recording without a packet failed, and somebody is told", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog } = await world.record();
  const row = await world.hangUp(dialog);
  assert.equal(row.status, "failed");
  assert.deepEqual(codes(row), ["RECORDING_WITHOUT_MEDIA"]);
  assert.deepEqual([row.durationMs, world.alerts.at(-1)?.errorCode], [0, 32014]);
  assert.deepEqual(
    world.ended.map(({ sid }) => sid),
    [row.sid],
  );
  assert.equal(world.media.free, 1_000);
});

test("an active line that stays silent for ten seconds is told once, a paused one is not", async (t) => {
  const world = await RecorderWorld.start(t);
  const offer = sdp([{ label: "speaks" }, { label: "silent" }, { label: "paused", direction: "inactive" }]);
  const { dialog, answer } = await world.invite(body(sdpPart(offer)));
  const [port] = [...world.media.receivers.values()].map((each) => each.port);
  assert.ok(answer.length > 0);
  const startTime = world.world.clock.wallNow();
  world.media.arrive(port!, stream({ packets: 50, startTime, payload: speech }));
  await world.until(() => world.store.rows.size > 0);
  let packets = 0;
  while (packets === 0) {
    packets = (await world.now()).tracks[0]!.packets;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await world.world.clock.advance(30_000);
  const silent = () => world.alerts.filter(({ errorCode }) => errorCode === 32014).map(({ text }) => text);
  assert.deepEqual(silent(), ["track silent: no packet came within 10 seconds"]);
  world.media.tell(port!, (id) => ({ kind: "rtp-stopped", id, silentMs: 10_000 }));
  assert.equal(silent().at(-1), "track speaks: packets stopped coming");
  const row = await world.hangUp(dialog!);
  assert.deepEqual(codes(row), ["METADATA_MISSING", "PARTICIPANTS_GUESSED", "NO_RTP", "RTP_STOPPED"]);
  assert.equal(row.status, "completed", "silence alone ends nothing");
});

test("lost packets are counted exactly, and more than one in a hundred is a warning", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog, ports } = await world.record();
  const startTime = world.world.clock.wallNow();
  const sent = stream({ packets: 200, startTime, payload: speech });
  world.media.arrive(
    ports[0]!,
    sent.filter((_, index) => index < 100 || index >= 110),
  );
  world.media.arrive(
    ports[1]!,
    sent.filter((_, index) => index !== 50),
  );
  const row = await world.hangUp(dialog);
  assert.deepEqual(
    row.tracks.map(({ packets, expected, lost, longestGapMs }) => [packets, expected, lost, longestGapMs]),
    [
      [190, 200, 10, 200],
      [199, 200, 1, 20],
    ],
  );
  assert.deepEqual(codes(row), ["LOST_PACKETS"]);
  assert.match(row.warnings[0]!.message, /inbound: 10 of 200/);
  assert.deepEqual(world.alerts, [], "a twentieth is not more than a twentieth");
});

test("more than one lost packet in twenty raises an alert", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog, ports } = await world.record();
  const startTime = world.world.clock.wallNow();
  const sent = stream({ packets: 200, startTime, payload: speech });
  world.media.arrive(
    ports[0]!,
    sent.filter((_, index) => index < 100 || index >= 112),
  );
  await world.hangUp(dialog);
  assert.deepEqual(
    world.alerts.map(({ errorCode, text }) => [errorCode, text]),
    [[32014, "track inbound: 12 of 200 packets were lost (6.0 %)"]],
  );
});

test("a recording that is shorter than its session by the metadata has a warning and an alert, one of its length has none", async (t) => {
  for (const [seconds, warnings] of [
    [1, []],
    [60, ["DURATION_DIFFERS"]],
  ] as const) {
    const { world, dialog } = await speaking(t);
    const [session] = world.onlyRow.sessions;
    const stop = new Date(world.world.clock.wallNow() + seconds * 1_000).toISOString();
    const xml = recordingXml(
      "partial",
      `<session session_id="${session!.sessionId}"><stop-time>${stop}</stop-time></session>`,
    );
    await world.settle(dialog.update({ body: body(metadataPart(xml)) }));
    const row = await world.hangUp(dialog);
    assert.deepEqual(codes(row), warnings);
    assert.equal(world.alerts.length, warnings.length);
  }
});

test("a disk that is nearly full takes no new recording: 503 with Retry-After, and an alert", async (t) => {
  const world = await RecorderWorld.start(t, { limits: { freeBytes: Number.MAX_SAFE_INTEGER } });
  const { failure } = await world.invite(body(sdpPart(sdp([{ label: "1" }]))));
  assert.equal(failure?.status, 503);
  assert.equal(failure.response?.headers.get("Retry-After"), "60");
  assert.deepEqual(world.refused, ["disk"]);
  // Another one was raised when the disk was looked at, before anybody called.
  const refusals = world.alerts.filter(({ text }) => text.includes("was refused"));
  assert.deepEqual(
    refusals.map(({ errorCode, level }) => [errorCode, level]),
    [[20500, "error"]],
  );
  await world.until(() => world.recorder.liveCount === 0);
  assert.equal(world.store.rows.size, 0);
});

test("without ACK the recording ends as interrupted", async (t) => {
  const world = await RecorderWorld.start(t);
  const invited = await world.invite(body(sdpPart(sdp([{ label: "1" }]))), {
    to: "sip:recorder@10.0.0.2;transport=udp",
  });
  await world.hangUp(invited.dialog!);
  world.store.rows.clear();
  world.world.network.filter = ({ startLine }) => (startLine.startsWith("ACK") ? "drop" : "pass");
  const { dialog } = await world.invite(body(sdpPart(sdp([{ label: "1" }]))), {
    to: "sip:recorder@10.0.0.2;transport=udp",
  });
  const [port] = [...world.media.receivers.values()].filter(({ closed }) => !closed).map((each) => each.port);
  const startTime = world.world.clock.wallNow();
  world.media.arrive(port!, stream({ packets: 50, startTime, payload: speech }));
  assert.ok(dialog);
  await world.world.clock.advance(40_000);
  await world.until(() => world.recorder.liveCount === 0);
  assert.equal(world.onlyRow.status, "interrupted");
  assert.ok(codes(world.onlyRow).includes("DIALOG_LOST"));
});

test("stopping the recorder ends its recordings with BYE and closes their files", async (t) => {
  const { world, dialog } = await speaking(t);
  let ended = "";
  dialog.attach({
    onEnded: ({ by, cause }) => {
      ended = `${by} ${cause}`;
    },
  });
  await world.settle(world.recorder.stop());
  const row = world.onlyRow;
  assert.equal(ended, "remote bye");
  assert.equal(row.status, "interrupted");
  assert.deepEqual(codes(row), ["RECORDER_STOPPED"]);
  assert.deepEqual(
    row.tracks.map(({ packets, durationMs }) => [packets, durationMs]),
    [
      [50, 1_000],
      [50, 1_000],
    ],
  );
  const { failure } = await world.invite(body(sdpPart(sdp([{ label: "1" }]))));
  assert.equal(failure?.status, 503);
});

test("an INVITE that is being taken when the recorder stops is refused, and the stop does not wait for ever", async (t) => {
  const world = await RecorderWorld.start(t);
  const { saveRecording } = world.store;
  let release: (() => void) | undefined;
  world.store.saveRecording = async (record) => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return saveRecording.call(world.store, record);
  };
  const invited = world.invite(body(sdpPart(sdp([{ label: "1" }]))));
  await world.until(() => release !== undefined);
  const stopped = world.recorder.stop();
  release!();
  assert.equal((await invited).failure?.status, 503);
  await world.settle(stopped);
  assert.equal(world.store.rows.size, 0);
});

test("when the writer dies its recordings end as interrupted with what was written, and the next one is recorded", async (t) => {
  const { world, ports } = await speaking(t);
  let samples = 0;
  const { sid } = world.onlyRow;
  while (samples < 8_000) {
    // The file is written every half second; the row's counters are what the writer knew.
    const files = await Promise.all(
      ["inbound", "outbound"].map((label) => world.recorder.library.track(ACCOUNT, sid, label)),
    );
    samples = Math.min(...files.map((file) => (file!.length - 44) / 2));
    await world.now();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(ports.length, 2);
  await world.killWriter();
  await world.until(() => world.recorder.liveCount === 0);
  const row = world.onlyRow;
  assert.equal(row.status, "interrupted");
  assert.ok(codes(row).includes("WRITER_LOST"));
  assert.deepEqual(
    row.tracks.map(({ packets, durationMs }) => [packets, durationMs]),
    [
      [50, 1_000],
      [50, 1_000],
    ],
  );
  assert.ok(world.alerts.some(({ level, errorCode }) => level === "error" && errorCode === 20500));
  world.store.rows.clear();
  const next = await speaking(t, world);
  assert.equal((await world.hangUp(next.dialog)).status, "completed");
});

test("when a media worker dies its recordings end as interrupted", async (t) => {
  const { world, ports } = await speaking(t);
  world.media.tell(ports[0]!, (id) => ({ kind: "worker-lost", ids: [id] }));
  await world.until(() => world.recorder.liveCount === 0);
  assert.deepEqual([world.onlyRow.status, codes(world.onlyRow)], ["interrupted", ["MEDIA_LOST"]]);
});

test("a track that cannot be written costs no other, and the recording is interrupted", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog, ports } = await world.record();
  writeFileSync(join(world.folder, "recordings", world.onlyRow.sid, "1-inbound.wav"), "in the way");
  const startTime = world.world.clock.wallNow();
  for (const port of ports) world.media.arrive(port, stream({ packets: 50, startTime, payload: speech }));
  const row = await world.hangUp(dialog);
  assert.equal(row.status, "interrupted");
  assert.deepEqual(codes(row), ["WRITE_FAILED"]);
  assert.deepEqual(
    world.alerts.map(({ level, resourceSid }) => [level, resourceSid]),
    [["error", row.sid]],
  );
  assert.equal(row.tracks[1]?.durationMs, 1_000);
});

test("a row that cannot be saved at once is saved later", async (t) => {
  const { world, dialog } = await speaking(t);
  await world.until(() => world.store.rows.size > 0);
  world.store.failing.set("saveRecording", 2);
  const row = await world.hangUp(dialog);
  assert.equal(row.status, "completed");
});

test("what a dead process left open is closed at the next start, by what its files hold", async (t) => {
  const world = new RecorderWorld();
  t.after(() => world.stop());
  const cast = newCast();
  const unfinished = (sid: string, files: readonly string[]): RecordingRecord => ({
    sid,
    accountSid: ACCOUNT,
    status: "in-progress",
    source: {
      address: "10.0.0.1:5060",
      transport: "tcp",
      userAgent: null,
      callId: "a@b",
      dialect: "rfc7865",
    },
    startTime: Date.now() - 60_000,
    endTime: null,
    durationMs: null,
    sessions: [],
    participants: [],
    tracks: files.map((file, at) => ({
      label: file,
      streamId: null,
      senders: [cast.alice],
      codec: "PCMU",
      clockRateHz: 8_000,
      durationMs: 0,
      packets: 0,
      expected: 0,
      lost: 0,
      late: 0,
      duplicates: 0,
      longestGapMs: 0,
      startOffsetMs: at * 500,
      file,
    })),
    warnings: [],
    extensionData: {},
  });
  await world.store.saveRecording(unfinished("RE1", ["1-a.wav", "2-b.wav", "3-never.wav"]));
  await world.store.saveRecording(unfinished("RE2", ["1-a.wav"]));
  const folder = join(world.folder, "recordings", "RE1");
  mkdirSync(folder, { recursive: true });
  const header = writeWavHeader({
    channels: 1,
    sampleRateHz: 8_000,
    bitsPerSample: 8,
    format: "mulaw",
    dataBytes: 0,
  });
  for (const [file, octets] of [
    ["1-a.wav", 16_000],
    ["2-b.wav", 24_001],
  ] as const) {
    writeFileSync(join(folder, file), Buffer.concat([header, new Uint8Array(octets)]));
  }
  await world.recorder.start();
  const row = (await world.recorder.library.find(ACCOUNT, "RE1"))!;
  assert.deepEqual([row.status, row.durationMs, codes(row)], ["interrupted", 3_500, ["PROCESS_DIED"]]);
  assert.deepEqual(
    row.tracks.map(({ durationMs }) => durationMs),
    [2_000, 3_000, 0],
  );
  assert.ok(row.endTime! > row.startTime);
  const track = (await world.recorder.library.track(ACCOUNT, "RE1", "2-b.wav"))!;
  assert.equal(track.length, 44 + 2 * 24_001);
  const lost = (await world.recorder.library.find(ACCOUNT, "RE2"))!;
  assert.deepEqual([lost.status, lost.durationMs], ["failed", 0]);
  assert.equal(world.alerts.length, 2);
});

test("a recording in progress reads as far as it is written", async (t) => {
  const { world, dialog, ports } = await speaking(t);
  const { library } = world.recorder;
  const { sid } = world.onlyRow;
  let length = 0;
  while (length < 44 + 2 * 2 * 8_000) {
    length = (await library.media(ACCOUNT, sid))!.length;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const [listed] = await library.list(ACCOUNT, { offset: 0, limit: 10, status: "in-progress" });
  assert.deepEqual(
    listed?.tracks.map(({ packets, durationMs }) => [packets, durationMs]),
    [
      [50, 1_000],
      [50, 1_000],
    ],
  );
  assert.equal(listed?.status, "in-progress");
  assert.equal(ports.length, 2);
  await world.hangUp(dialog);
});

test("every log line of a recording says which, by Call-ID and SID", async (t) => {
  const { world, dialog } = await speaking(t);
  await world.hangUp(dialog);
  assert.ok(world.log.children.length > 0);
  for (const fields of world.log.children) {
    assert.deepEqual(fields, { callId: dialog.callId, recordingSid: world.onlyRow.sid });
  }
});
