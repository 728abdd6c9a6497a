import assert from "node:assert/strict";
import { test } from "node:test";
import { parseWav, pcmOf } from "@callfork/protocol/audio";
import {
  ACCOUNT,
  body,
  bytes,
  completeXml,
  drainFile,
  metadataPart,
  newCast,
  newId,
  RecorderWorld,
  recordingXml,
  sdp,
  sdpPart,
  senderReport,
  speech,
  stream,
  text,
} from "./recorder-world.ts";

const OTHER = "AC00000000000000000000000000000002";

test("[R7865-6.1-1] media is one timeline: inbound left, a track that began later after its silence", async (t) => {
  const world = await RecorderWorld.start(t);
  // The outbound line comes first in this offer; inbound is left all the same.
  const offer = sdp([{ label: "outbound" }, { label: "inbound" }]);
  const { dialog, answer } = await world.invite(body(sdpPart(offer)));
  const [outbound, inbound] = [...world.media.receivers.values()].map(({ port }) => port);
  assert.equal(answer.length, 1);
  const began = world.world.clock.wallNow();
  world.media.arrive(
    inbound!,
    stream({ packets: 50, startTime: began + 250, payload: () => new Uint8Array(160).fill(0x80) }),
  );
  world.media.arrive(
    outbound!,
    stream({ packets: 50, startTime: began + 1_000, payload: () => new Uint8Array(160) }),
  );
  const row = await world.hangUp(dialog!);
  assert.equal(row.startTime, began + 250, "the recording begins with its first packet");
  const file = (await world.recorder.library.media(ACCOUNT, row.sid))!;
  assert.equal(file.contentType, "audio/wav");
  const wav = await drainFile(file);
  const info = parseWav(wav);
  assert.ok(info.ok);
  assert.deepEqual([info.value.channels, info.value.sampleRateHz, info.value.bitsPerSample], [2, 8_000, 16]);
  const pcm = pcmOf(wav);
  assert.ok(pcm.ok);
  const channel = (at: number) => pcm.value.filter((_, index) => index % 2 === at);
  const runs = (samples: Int16Array) => {
    const found: [number, number][] = [];
    for (const sample of samples) {
      const last = found.at(-1);
      if (last?.[0] === sample) last[1]++;
      else found.push([sample, 1]);
    }
    return found;
  };
  assert.deepEqual(runs(channel(0)), [
    [32_124, 8_000],
    [0, 6_000],
  ]);
  assert.deepEqual(runs(channel(1)), [
    [0, 6_000],
    [-32_124, 8_000],
  ]);
  assert.equal(row.durationMs, 1_750);
});

test("[R6341-023] sender reports of one source place its tracks, in the row and in the audio", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog, ports } = await world.record();
  const sentAt = world.world.clock.wallNow();
  // Both were taken 300 ms apart; the network brought the second only 240 ms after the first.
  const tracks = [
    { port: ports[0]!, ssrc: 1, began: sentAt, arrived: sentAt + 70 },
    { port: ports[1]!, ssrc: 2, began: sentAt + 300, arrived: sentAt + 310 },
  ];
  for (const { port, ssrc, began, arrived } of tracks) {
    const bytes = senderReport(ssrc, began + 100, 1_000 + 800, `name-${ssrc}@sbc.example`);
    world.media.arrive(port, [
      ...stream({
        packets: 50,
        startTime: arrived,
        ssrc,
        timestamp: 1_000,
        payload: () => new Uint8Array(160),
      }),
      { bytes, arrivalTime: arrived + 1_000 },
    ]);
  }
  await world.until(
    () => world.onlyRow.tracks[1]?.startOffsetMs === 300,
    "alignment, while it is in progress",
  );
  const row = await world.hangUp(dialog);
  assert.deepEqual(
    row.tracks.map(({ startOffsetMs }) => startOffsetMs),
    [0, 300],
  );
  assert.equal(row.durationMs, 1_300);
  const pcm = pcmOf(await drainFile((await world.recorder.library.media(ACCOUNT, row.sid))!));
  assert.ok(pcm.ok);
  assert.equal(pcm.value.filter((_, at) => at % 2 === 1).indexOf(-32_124), 300 * 8);
});

test("one track is mono, three are three channels", async (t) => {
  const world = await RecorderWorld.start(t);
  for (const labels of [["a"], ["a", "b", "c"]]) {
    const { dialog } = await world.invite(body(sdpPart(sdp(labels.map((label) => ({ label }))))));
    const row = [...world.store.rows.values()].at(-1)!;
    const port = [...world.media.receivers.values()].find(({ closed }) => !closed)!.port;
    const startTime = world.world.clock.wallNow();
    world.media.arrive(port, stream({ packets: 20, startTime, payload: speech }));
    await world.settle(dialog!.bye());
    await world.until(() => world.recorder.liveCount === 0);
    const info = parseWav(await drainFile((await world.recorder.library.media(ACCOUNT, row.sid))!));
    assert.ok(info.ok);
    assert.deepEqual([info.value.channels, info.value.dataBytes], [labels.length, labels.length * 2 * 3_200]);
  }
});

test("metadata is given as it came, and every version as JSON", async (t) => {
  const world = await RecorderWorld.start(t);
  const cast = newCast();
  const { dialog } = await world.record(cast);
  const partial = recordingXml(
    "partial",
    `<session session_id="${cast.session}"><stop-time>2026-01-01T00:00:09Z</stop-time></session>`,
  );
  const complete = `\ufeff${completeXml(newCast(), ["inbound", "outbound"]).replace("Alice", "Ådne 🎙")}`;
  for (const document of [partial, complete, "<broken"]) {
    await world.settle(dialog.update({ body: body(metadataPart(document)) }));
  }
  const { sid } = await world.hangUp(dialog);
  const { library } = world.recorder;
  assert.deepEqual((await library.metadataXml(ACCOUNT, sid))!.octets, bytes(complete));
  const json = (await library.metadataJson(ACCOUNT, sid)) as {
    readonly recording_sid: string;
    readonly versions: readonly {
      readonly version: number;
      readonly carrier: string;
      readonly time: string;
      readonly dialect: string | null;
      readonly error: { readonly line: number } | null;
      readonly document: string;
      readonly metadata: {
        readonly data_mode: string;
        readonly participants: readonly {
          readonly participant_id: string;
          readonly name_ids: readonly { readonly aor: string }[];
        }[];
      } | null;
    }[];
  };
  assert.equal(json.recording_sid, sid);
  assert.deepEqual(
    json.versions.map(({ version, carrier, dialect, metadata }) => [
      version,
      carrier,
      dialect,
      metadata?.data_mode,
    ]),
    [
      [1, "INVITE", "rfc7865", "complete"],
      [2, "UPDATE", "rfc7865", "partial"],
      [3, "UPDATE", "rfc7865", "complete"],
      [4, "UPDATE", null, undefined],
    ],
  );
  assert.equal(json.versions[0]!.metadata!.participants[0]!.name_ids[0]!.aor, "sip:alice@example.com");
  assert.equal(json.versions[3]!.error!.line, 1);
  assert.deepEqual(json.versions.map(({ document }) => document).slice(1), [partial, complete, "<broken"]);
  assert.match(json.versions[0]!.time, /^2026-01-01T00:00:00/);
});

test("a document is given back byte for byte, whatever its encoding, and read all the same", async (t) => {
  const world = await RecorderWorld.start(t);
  const xml = completeXml(newCast()).replace("Alice", "Aliç€").replace("UTF-8", "UTF-16");
  const utf16 = Uint8Array.from(Buffer.from(`\ufeff${xml}`, "utf16le"));
  const marked = Uint8Array.of(0xef, 0xbb, 0xbf, ...bytes(xml.replace("UTF-16", "UTF-8")));
  const broken = Uint8Array.from(Buffer.from(completeXml(newCast()).replace("Alice", "Ali\xe7e"), "latin1"));
  for (const [octets, name] of [
    [utf16, "Aliç€"],
    [marked, "Aliç€"],
    [broken, "Ali\ufffde"],
  ] as const) {
    const offer = sdpPart(sdp([{ label: "inbound" }, { label: "outbound" }]));
    const { dialog } = await world.invite(body(offer, metadataPart(octets)));
    const { sid } = [...world.store.rows.values()].at(-1)!;
    const row = (await world.recorder.library.find(ACCOUNT, sid))!;
    assert.equal(row.participants[0]!.name, name);
    const file = (await world.recorder.library.metadataXml(ACCOUNT, sid))!;
    assert.deepEqual(Buffer.from(file.octets), Buffer.from(octets));
    const history = (await world.recorder.library.metadataJson(ACCOUNT, sid)) as {
      versions: { document: string; document_base64: string | null }[];
    };
    assert.match(history.versions[0]!.document, new RegExp(`<name>${name}</name>`));
    const base64 = octets === marked ? null : Buffer.from(octets).toString("base64");
    assert.equal(history.versions[0]!.document_base64, base64);
    await world.hangUp(dialog!);
  }
});

const PLAIN_VCON = { isSigned: false, audio: "none", base: "http://127.0.0.1" } as const;

test("a vCon names parties, channels and the metadata", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog } = await world.record();
  const { sid } = await world.hangUp(dialog);
  const vcon = (await world.recorder.library.vcon(ACCOUNT, sid, PLAIN_VCON)) as {
    readonly parties: readonly object[];
    readonly dialog: readonly { readonly parties: unknown }[];
    readonly attachments: readonly { readonly body: string }[];
  };
  assert.equal(vcon.parties.length, 2);
  assert.deepEqual(vcon.dialog[0]!.parties, [[0], [1]]);
  assert.equal(
    vcon.attachments[0]!.body,
    text((await world.recorder.library.metadataXml(ACCOUNT, sid))!.octets),
  );
});

test("another account finds nothing, and neither does a name that is none", async (t) => {
  const world = await RecorderWorld.start(t);
  const { dialog } = await world.record();
  const { sid } = await world.hangUp(dialog);
  const { library } = world.recorder;
  for (const [account, name] of [
    [OTHER, sid],
    [ACCOUNT, "REx"],
    [ACCOUNT, "../../etc"],
  ] as const) {
    assert.equal(await library.find(account, name), undefined);
    assert.equal(await library.media(account, name), undefined);
    assert.equal(await library.track(account, name, "inbound"), undefined);
    assert.equal(await library.metadataXml(account, name), undefined);
    assert.equal(await library.metadataJson(account, name), undefined);
    assert.equal(await library.vcon(account, name, PLAIN_VCON), undefined);
  }
  assert.equal(await library.track(ACCOUNT, sid, "../inbound"), undefined);
  assert.deepEqual(await library.list(OTHER, { offset: 0, limit: 10 }), []);
});

test("no label leads out of the recording's folder", async (t) => {
  const world = await RecorderWorld.start(t);
  const offer = sdp([{ label: "../../x" }, { label: newId() }]);
  const { dialog } = await world.invite(body(sdpPart(offer)));
  const row = await world.hangUp(dialog!);
  for (const { file } of row.tracks) assert.match(file, /^\d-[A-Za-z0-9_-]+\.wav$/);
});
