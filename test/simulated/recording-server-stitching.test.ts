import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePcmu } from "@callfork/protocol/audio";
import type { RecordingRecord } from "../../packages/server/src/recording-server/index.ts";
import {
  ACCOUNT,
  body,
  type Cast,
  completeXml,
  drainFile,
  type Invited,
  metadataPart,
  newCast,
  newId,
  portsOf,
  RecorderWorld,
  sdp,
  sdpPart,
  speech,
  stream,
} from "./recorder-world.ts";

const LINES = [
  { label: "inbound", port: 4_000 },
  { label: "outbound", port: 4_002 },
];

/** A complete document; every call has a SIP Session-ID of its own unless one is given. */
function document(
  cast: Cast,
  options: { readonly group?: string; readonly sipSession?: string } = {},
): string {
  const hex =
    options.sipSession ?? Buffer.from(newId(), "base64").toString("hex").padEnd(32, "1").slice(0, 32);
  const xml = completeXml(cast).replace(
    /<sipSessionID>[^<]*<\/sipSessionID>/,
    `<sipSessionID>${hex}</sipSessionID>`,
  );
  if (options.group === undefined) return xml;
  const { group } = options;
  return xml
    .replace(/(<session session_id="[^"]*">)/, `<group group_id="${group}"/>$1`)
    .replace(/<\/sipSessionID>/, `</sipSessionID><group-ref>${group}</group-ref>`);
}

const record = (world: RecorderWorld, xml: string): Promise<Invited> =>
  world.invite(body(sdpPart(sdp(LINES)), metadataPart(xml)));

/** The row of the newest recording, once what follows its 200 is done. */
async function newest(world: RecorderWorld, count: number): Promise<RecordingRecord> {
  await world.until(() => world.store.journal.filter((one) => one === "saveRecording").length >= 2 * count);
  const rows = await world.store.listRecordings({ accountSid: ACCOUNT, offset: 0, limit: 10 });
  assert.equal(rows.length, count);
  return rows[0]!;
}

test("[V-31] a new INVITE for each change of parties: the same session is one call", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const first = await record(world, document(cast));
  const head = await newest(world, 1);
  assert.equal(head.partOf, undefined);
  await world.settle(first.dialog!.bye());
  await world.until(() => world.recorder.liveCount === 0);
  await world.world.clock.advance(3_000);
  await record(world, document(cast));
  await world.until(() => world.store.rows.size === 2);
  await world.until(() => [...world.store.rows.values()].at(-1)?.partOf !== undefined, "the part");
  assert.equal([...world.store.rows.values()].at(-1)?.partOf, head.sid);
});

test("a transfer: another session of the same group is a part, and so is the third", async (t) => {
  const world = await RecorderWorld.start(t);
  const group = newId();
  await record(world, document(newCast(), { group }));
  const head = await newest(world, 1);
  for (const count of [2, 3]) {
    await world.world.clock.advance(1_000);
    await record(world, document(newCast(), { group }));
    await world.until(
      () => [...world.store.rows.values()].filter(({ partOf }) => partOf === head.sid).length === count - 1,
    );
  }
});

test("near and far end of a built-in bridge are one call", async (t) => {
  const world = await RecorderWorld.start(t);
  const from = (end: string, refci = "4711") =>
    `sip:2001@10.0.0.1;x-${end};x-refci=${refci};x-farendaddr=3001`;
  const one = { headers: [], contactParameters: "" } as const;
  await world.invite(body(sdpPart(sdp([{ port: 4_000 }]))), { ...one, from: from("nearend") });
  const near = await newest(world, 1);
  await world.world.clock.advance(40);
  await world.invite(body(sdpPart(sdp([{ port: 4_002 }]))), { ...one, from: from("farend") });
  await world.until(() => [...world.store.rows.values()].at(-1)?.partOf === near.sid, "the far end");
  await world.world.clock.advance(40);
  await world.invite(body(sdpPart(sdp([{ port: 4_004 }]))), { ...one, from: from("nearend", "4712") });
  assert.equal((await newest(world, 3)).partOf, undefined);
});

test("a group that is told later, in an UPDATE, still ties the two together", async (t) => {
  const world = await RecorderWorld.start(t);
  const group = newId();
  await record(world, document(newCast(), { group }));
  const head = await newest(world, 1);
  await world.world.clock.advance(1_000);
  const cast = newCast();
  const second = await record(world, document(cast));
  assert.equal((await newest(world, 2)).partOf, undefined);
  await world.settle(second.dialog!.update({ body: body(metadataPart(document(cast, { group }))) }));
  await world.until(() => [...world.store.rows.values()].at(-1)?.partOf === head.sid, "the part");
});

test("what shares nothing, or ended long ago, is a call of its own", async (t) => {
  const world = await RecorderWorld.start(t);
  const group = newId();
  const first = await record(world, document(newCast(), { group }));
  await newest(world, 1);
  await record(world, document(newCast()));
  assert.equal((await newest(world, 2)).partOf, undefined);
  await world.settle(first.dialog!.bye());
  await world.until(() => world.recorder.liveCount === 1);
  await world.world.clock.advance(6 * 60_000);
  const rows = world.store.rows.size;
  await record(world, document(newCast(), { group }));
  await world.until(() => world.store.rows.size === rows + 1);
  await world.world.clock.advance(1_000);
  assert.ok([...world.store.rows.values()].every(({ partOf }) => partOf === undefined));
});

test("[V-31] a session that is sent twice within two seconds is marked, or refused by policy; later it is another part", async (t) => {
  for (const twins of ["keep", "refuse"] as const) {
    const world = await RecorderWorld.start(t, { twins });
    const cast = newCast();
    await record(world, document(cast));
    await world.world.clock.advance(500);
    const again = await record(world, document(cast));
    assert.equal(again.failure?.status ?? 200, twins === "refuse" ? 482 : 200);
    const marked = () =>
      [...world.store.rows.values()].map(({ warnings }) =>
        warnings.some(({ code }) => code === "TWIN_SESSION"),
      );
    assert.deepEqual(marked(), twins === "refuse" ? [false] : [false, true]);
    await world.world.clock.advance(3_000);
    assert.equal((await record(world, document(cast))).response?.status, 200);
    assert.equal(marked().at(-1), false);
  }
});

test("the whole of a transfer: one file, the caller on her channel all the way, who was there when", async (t) => {
  const world = await RecorderWorld.start(t);
  const group = newId();
  const parts = [];
  for (const seconds of [1, 2]) {
    const cast = newCast();
    const { dialog, answer } = await record(world, document(cast, { group }));
    const [inbound = 0, outbound = 0] = portsOf(answer);
    const startTime = world.world.clock.wallNow();
    const packets = 50 * seconds;
    world.media.arrive(inbound, stream({ packets, startTime, payload: (index) => speech(index) }));
    const other = (index: number) => speech(index, 1);
    world.media.arrive(outbound, stream({ packets, startTime, payload: other }));
    await world.world.clock.advance(1_000 * seconds);
    await world.settle(dialog!.bye());
    await world.until(() => world.recorder.liveCount === 0);
    parts.push([...world.store.rows.keys()].at(-1)!);
    await world.world.clock.advance(500);
  }
  const whole = (await world.recorder.library.whole(ACCOUNT, parts[1]!))!;
  assert.deepEqual(
    whole.parts.map(({ sid }) => sid),
    parts,
  );
  assert.equal(whole.channels, 2);
  const file = (await world.recorder.library.wholeMedia(ACCOUNT, parts[0]!, false))!;
  const wav = await drainFile(file);
  const gap = whole.parts[1]!.startTime - whole.parts[0]!.startTime;
  assert.equal(wav.length, 44 + 4 * 8 * (gap + 2_000));
  const samples = new Int16Array(wav.buffer.slice(wav.byteOffset + 44, wav.byteOffset + wav.length));
  const left = samples.filter((_, at) => at % 2 === 0);
  for (const [from, packets] of [
    [0, 50],
    [gap * 8, 100],
  ] as const) {
    for (let index = 0; index < packets; index++) {
      const expected = new Int16Array(160);
      decodePcmu(speech(index), expected);
      assert.deepEqual(
        left.subarray(from + index * 160, from + (index + 1) * 160),
        expected,
        `${from} ${index}`,
      );
    }
  }
  assert.ok(left.subarray(8_000, gap * 8).every((sample) => sample === 0));
});
