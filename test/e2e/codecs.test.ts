import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePcma, decodePcmu, encodePcma, encodePcmu } from "@callfork/protocol/audio";
import { addToSequence } from "@callfork/protocol/rtp";
import { type AudioFormat, createAudioDecoder, createAudioEncoder } from "@callfork/server/media";
import { type EncodedVoice, loadVoice, type VoiceName } from "@callfork/testkit";
import { loudnessCorrelation } from "../../packages/server/src/media/codec/testing/audio.ts";
import { codecRecorder, type HeardRtp } from "./codec-recorder.ts";
import { forked, noise, until } from "./fork-rig.ts";

const OPUS: AudioFormat = { name: "opus", clockRateHz: 48_000, channels: 2 };

/** A voice in Opus, each packet with its place in it: no two are alike for long. */
function opusVoice(name: VoiceName, payloadType: number): EncodedVoice {
  const encoder = createAudioEncoder(OPUS, { sampleRateHz: 8000 });
  assert.ok(encoder.ok);
  const samples = loadVoice(name);
  const out = new Uint8Array(1275);
  const packets: Uint8Array[] = [];
  for (let at = 0; at + 160 <= samples.length; at += 160) {
    packets.push(out.slice(0, encoder.value.encode(samples.subarray(at, at + 160), out, 0)));
  }
  encoder.value.close();
  return { name: "opus", payloadType, clockRateHz: 48_000, channels: 2, packets };
}

/** Asserts that packets are those of a voice, in order and without a hole, bit for bit. */
function assertIsEncoded(heard: readonly (Uint8Array | undefined)[], voice: EncodedVoice): void {
  const text = (payload: Uint8Array | undefined) => Buffer.from(payload ?? []).toString("base64");
  const said = voice.packets.map(text);
  const starts = [...said.keys()].filter((at) =>
    heard.slice(0, 5).every((one, i) => text(one) === said[(at + i) % said.length]),
  );
  assert.ok(
    starts.some((at) => heard.every((one, i) => text(one) === said[(at + i) % said.length])),
    "not what was said",
  );
}

/** What a recorder makes of packets, at 8 kHz, by their timestamps. */
function decoded(format: AudioFormat, packets: readonly HeardRtp[]): Int16Array {
  const decoder = createAudioDecoder(format, { channels: 1, sampleRateHz: 8000 });
  assert.ok(decoder.ok);
  const { sampleRateHz, unitsPerFrame } = decoder.value;
  const first = packets[0]!.timestamp;
  const length = ((packets.at(-1)!.timestamp - first) >>> 0) / unitsPerFrame;
  const audio = new Int16Array(length + 6000);
  for (const { timestamp, payload } of packets) {
    decoder.value.decode(payload, audio.subarray(((timestamp - first) >>> 0) / unitsPerFrame));
  }
  decoder.value.close();
  const out = audio.subarray(0, length);
  return sampleRateHz === 16_000 ? out.filter((_, i) => i % 2 === 0) : out;
}

/** Whether 8 kHz audio is a voice, from any place in it on, by how its loudness rises and falls. */
function assertSoundsLike(heard: Int16Array, name: VoiceName): void {
  const voice = loadVoice(name);
  const twice = Int16Array.from([...voice, ...voice]);
  let best = 0;
  for (let at = 0; at < voice.length && best < 0.93; at += 800) {
    best = Math.max(best, loudnessCorrelation(twice.subarray(at, at + heard.length), heard, 160));
  }
  assert.ok(best > 0.93, `${name}: ${best}`);
}

function assertContinuous(packets: readonly HeardRtp[], units: number): void {
  packets.forEach(({ sequence, timestamp, ssrc }, i) => {
    assert.equal(sequence, addToSequence(packets[0]!.sequence, i));
    assert.equal((timestamp - packets[0]!.timestamp) >>> 0, i * units);
    assert.equal(ssrc, packets[0]!.ssrc);
  });
}

const voices = (): [Int16Array, Int16Array] => [loadVoice("alice"), loadVoice("bob")];
const PORTS = {
  opus: 28_400,
  g722: 28_450,
  transcoded: 28_500,
  pause: 28_750,
  change: 28_800,
  chime: 28_850,
  follow: 28_950,
};

test("Opus passes between the parties bit for bit, whatever numbers they give it, and to a recorder that takes it", async (t) => {
  const recorder = await codecRecorder(t, ["OPUS", "PCMU"]);
  const [alice, bob] = [opusVoice("alice", 111), opusVoice("bob", 96)];
  const rig = await forked(t, voices(), [recorder.uri], {
    firstPort: PORTS.opus,
    alice: { codec: alice },
    bob: { codec: bob },
  });
  const { call, other, client, callSid, alerts } = rig;
  await until("two seconds everywhere", () =>
    [call.heard().packets, other.heard().packets, recorder.heard[0].length, recorder.heard[1].length].every(
      (packets) => packets >= 100,
    ),
  );
  assertIsEncoded(other.heardPackets(), alice);
  assertIsEncoded(call.heardPackets(), bob);
  for (const [track, voice] of [
    [recorder.heard[0], alice],
    [recorder.heard[1], bob],
  ] as const) {
    assertContinuous(track, 960);
    assertIsEncoded(
      track.map(({ payload }) => payload),
      voice,
    );
  }
  const { detail } = (await client.inspect(callSid(), "f"))!;
  assert.deepEqual(
    detail.tracks.map(({ codec, transcoded }) => [codec, transcoded]),
    [
      ["opus", null],
      ["opus", null],
    ],
  );
  assert.deepEqual(alerts, []);
});

test("G722 passes between the parties untouched", async (t) => {
  const recorder = await codecRecorder(t, ["G722"]);
  const rig = await forked(t, voices(), [recorder.uri], {
    firstPort: PORTS.g722,
    alice: { codec: "G722" },
    bob: { codec: "G722" },
  });
  await until("audio", () => rig.other.heard().packets >= 100 && recorder.heard[1].length >= 100);
  assert.equal(rig.other.heard().lost, 0);
  assertSoundsLike(rig.other.heard().samples, "alice");
  assertContinuous(recorder.heard[0], 160);
  assertSoundsLike(decoded({ name: "G722", clockRateHz: 8000 }, recorder.heard[1]), "bob");
});

for (const [i, [spoken, taken]] of (
  [
    ["PCMU", "PCMA"],
    ["PCMU", "G722"],
    ["PCMU", "OPUS"],
    ["OPUS", "PCMU"],
    ["G722", "PCMA"],
  ] as const
).entries()) {
  test(`a call in ${spoken}, a recorder that takes ${taken} only: it hears both voices, and the state says how`, async (t) => {
    const recorder = await codecRecorder(t, [taken]);
    const codecs = spoken === "OPUS" ? [opusVoice("alice", 111), opusVoice("bob", 111)] : [spoken, spoken];
    const rig = await forked(t, voices(), [recorder.uri], {
      firstPort: PORTS.transcoded + 50 * i,
      alice: { codec: codecs[0]! },
      bob: { codec: codecs[1]! },
    });
    await until("three seconds", () => recorder.heard.every((track) => track.length >= 150));
    const { detail } = (await rig.client.inspect(rig.callSid(), "f"))!;
    const format = taken === "OPUS" ? OPUS : { name: taken, clockRateHz: 8000 };
    for (const [line, name] of ["alice", "bob"].entries()) {
      const packets = recorder.heard[line]!.slice(0, 150);
      assertContinuous(packets, format.clockRateHz / 50);
      assertSoundsLike(decoded(format, packets), name as VoiceName);
      const track = detail.tracks[line]!;
      assert.equal(track.codec?.toUpperCase(), taken);
      assert.equal(track.transcoded?.from.toUpperCase(), spoken);
      assert.ok(track.transcoded!.packets >= 150);
      assert.deepEqual([track.transcoded!.lost, track.transcoded!.undecodable], [0, 0]);
    }
    assert.equal(rig.call.heard().lost + rig.other.heard().lost, 0);
    assert.equal(rig.alerts.length, 1);
    assert.match(rig.alerts[0]!, /transcoded/);
  });
}

const G711 = {
  PCMU: { encode: encodePcmu, decode: decodePcmu },
  PCMA: { encode: encodePcma, decode: decodePcma },
} as const;

/** Which packet of a voice a payload is, when it was said in one kind of G.711 and has become another. */
function placesOf(
  voice: Int16Array,
  said: keyof typeof G711,
  heard: keyof typeof G711,
): (payload: Uint8Array) => number | undefined {
  const codes = new Uint8Array(voice.length);
  const linear = new Int16Array(voice.length);
  G711[said].encode(voice, codes);
  G711[said].decode(codes, linear);
  G711[heard].encode(linear, codes);
  const places = new Map<string, number>();
  for (let at = 0; at + 160 <= codes.length; at += 160) {
    places.set(Buffer.from(codes.subarray(at, at + 160)).toString("base64"), at / 160);
  }
  return (payload) => places.get(Buffer.from(payload).toString("base64"));
}

test("a transcoded fork that is paused: not one sample of the span reaches the recorder, by content", async (t) => {
  const recorder = await codecRecorder(t, ["PCMA"]);
  const spoken = [noise(), noise()] as const;
  const rig = await forked(t, spoken, [recorder.uri], { firstPort: PORTS.pause });
  const [inbound, outbound] = recorder.heard;
  const place = placesOf(spoken[0], "PCMU", "PCMA");
  await until("both tracks", () => inbound.length > 25 && outbound.length > 25);
  await rig.client.pause(rig.callSid(), "f");
  const fence = rig.call.packetsSent;
  await until("a second of talk", () => rig.call.packetsSent > fence + 50);
  await until("the recorder has been told", () => recorder.offers.at(-1)?.isInactive === true);
  const heardWhilePaused = inbound.length;
  const open = rig.call.packetsSent;
  await rig.client.resume(rig.callSid(), "f");
  await until("both tracks again", () => inbound.length > heardWhilePaused + 25);
  const places = inbound.map(({ payload }) => place(payload));
  assert.ok(
    places.every((at) => at !== undefined),
    "every packet is one of Alice's, whole",
  );
  assert.deepEqual(
    places.filter((at) => at! >= fence && at! < open),
    [],
  );
  assert.ok(places.some((at) => at! < fence) && places.some((at) => at! >= open));
  // Its timestamps have gone on by the time that was left out.
  inbound.forEach(({ timestamp, sequence }, i) => {
    assert.equal(sequence, addToSequence(inbound[0]!.sequence, i));
    assert.equal((timestamp - inbound[0]!.timestamp) >>> 0, (places[i]! - places[0]!) * 160);
  });
});

test("a connector for G.711 only: an Opus call is offered and sent as PCMU", async (t) => {
  const recorder = await codecRecorder(t, ["PCMU", "PCMA", "OPUS"]);
  const rig = await forked(t, voices(), [recorder.uri], {
    firstPort: PORTS.chime,
    alice: { codec: opusVoice("alice", 111) },
    bob: { codec: opusVoice("bob", 111) },
    settings: { profile: "amazon-chime", codecs: ["PCMU", "PCMA"] },
  });
  await until("audio", () => recorder.heard.every((track) => track.length >= 100));
  assert.deepEqual(recorder.offers[0]!.codecs, ["PCMU", "PCMA"]);
  assertSoundsLike(decoded({ name: "PCMU", clockRateHz: 8000 }, recorder.heard[0]), "alice");
  assert.deepEqual(rig.alerts, []);
});

test("the parties change their codec in mid-call: the recorder that refuses the new one goes on in the old, without a hole", async (t) => {
  const recorder = await codecRecorder(t, ["PCMU"]);
  const rig = await forked(t, voices(), [recorder.uri], {
    firstPort: PORTS.change,
    bob: { otherCodecs: ["PCMA"] },
  });
  await until("audio", () => recorder.heard.every((track) => track.length >= 50));
  await rig.call.changeCodec("PCMA");
  await until(
    "audio in the new codec",
    () => rig.other.heard().packets >= 50 && rig.call.heard().packets >= 50,
  );
  await until("the recorder was offered it", () => recorder.offers.at(-1)!.codecs[0] === "PCMA");
  const before = recorder.heard.map((track) => track.length);
  await until("more at the recorder", () =>
    recorder.heard.every((track, i) => track.length > before[i]! + 50),
  );
  for (const track of recorder.heard) {
    assert.ok(track.every(({ payloadType }) => payloadType === 0));
    track.forEach(({ sequence, ssrc }, i) => {
      assert.equal(sequence, addToSequence(track[0]!.sequence, i));
      assert.equal(ssrc, track[0]!.ssrc);
    });
    const steps = track.slice(1).map(({ timestamp }, i) => (timestamp - track[i]!.timestamp) >>> 0);
    // The phone starts its new codec a moment after the old one; the timeline keeps that moment, and no more.
    assert.ok(
      steps.filter((step) => step !== 160).length <= 3,
      steps.filter((step) => step !== 160).join(" "),
    );
    assert.ok(steps.every((step) => step > 0 && step < 8000));
  }
  const { detail } = (await rig.client.inspect(rig.callSid(), "f"))!;
  assert.deepEqual(
    detail.tracks.map(({ codec, transcoded }) => [codec, transcoded?.from]),
    [
      ["PCMU", "PCMA"],
      ["PCMU", "PCMA"],
    ],
  );
});

test("a recorder that takes the new codec when it is asked: until then it hears it transcoded, then as it is; nothing is missing", async (t) => {
  const recorder = await codecRecorder(t, ["PCMU"]);
  const spoken = [noise(), noise()] as const;
  const rig = await forked(t, spoken, [recorder.uri], {
    firstPort: PORTS.follow,
    bob: { otherCodecs: ["PCMA"] },
  });
  const [track] = recorder.heard;
  await until("audio", () => track.length >= 50);
  recorder.take(["PCMA"]);
  await rig.call.changeCodec("PCMA");
  await until(
    "the new codec at the recorder",
    () => track.filter((one) => one.payloadType === 8).length >= 50,
  );
  const before = placesOf(spoken[0], "PCMU", "PCMU");
  const between = placesOf(spoken[0], "PCMA", "PCMU");
  const after = placesOf(spoken[0], "PCMA", "PCMA");
  const found = track.map(({ payloadType, payload }) => {
    if (payloadType === 8) return ["after", after(payload)] as const;
    const place = before(payload);
    return place === undefined ? (["between", between(payload)] as const) : (["before", place] as const);
  });
  const old = found.filter(([when]) => when === "before").map(([, place]) => place!);
  // Alice begins her text anew in the new codec.
  const fresh = found.filter(([when]) => when !== "before").map(([, place]) => place!);
  assert.deepEqual(
    old,
    old.map((_, i) => old[0]! + i),
  );
  assert.deepEqual(
    fresh,
    fresh.map((_, i) => i),
  );
  track.forEach(({ sequence }, i) => {
    assert.equal(sequence, addToSequence(track[0]!.sequence, i));
  });
  const { detail } = (await rig.client.inspect(rig.callSid(), "f"))!;
  assert.deepEqual([detail.tracks[0]!.codec, rig.alerts], ["PCMA", []]);
});
