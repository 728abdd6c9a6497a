import assert from "node:assert/strict";
import { test } from "node:test";
import type { NegotiatedMedia } from "@callfork/protocol/offer-answer";
import type { Codec } from "@callfork/protocol/sdp";
import fc from "fast-check";
import { forkCodecsOf, wayOf } from "./fork-codecs.ts";

const codec = (name: string, payloadType: number, clockRateHz = 8000, channels = 1): Codec => ({
  name,
  payloadType,
  clockRateHz,
  channels,
});
const PCMU = codec("PCMU", 0);
const PCMA = codec("PCMA", 8);
const G722 = codec("G722", 9);
const G729 = codec("G729", 18);
const OPUS = codec("opus", 111, 48_000, 2);

const shown = (codecs: readonly Codec[]) =>
  codecs.map(({ name, payloadType }) => `${name} ${payloadType}`).join(", ");
const offered = (carried: readonly Codec[], names: readonly string[] = []) =>
  shown(forkCodecsOf(carried, names).offered);

/** A line that the recorder answered with these codecs, under its own numbers where they are given. */
function answered(
  codecs: readonly Codec[],
  numbers: readonly number[] = [],
  ptimeMs?: number,
): NegotiatedMedia {
  return {
    index: 0,
    kind: "audio",
    protocol: "RTP/AVP",
    accepted: true,
    localPort: 20_000,
    remote: { address: "10.0.0.9", rtpPort: 4000, rtcpAddress: "10.0.0.9", rtcpPort: 4001 },
    direction: "sendonly",
    codecs: codecs.map(({ payloadType, ...each }, i) => ({
      ...each,
      receivePayloadType: payloadType,
      sendPayloadType: numbers[i] ?? payloadType,
    })),
    telephoneEvents: [],
    ...(ptimeMs !== undefined && { ptimeMs }),
  };
}

test("[R7587-7-2] the call's codecs are offered first, under their numbers, then what they can become; Opus with two channels", () => {
  assert.equal(offered([PCMU]), "PCMU 0, PCMA 8, G722 9, opus 107");
  assert.deepEqual(forkCodecsOf([PCMU], []).offered.at(-1), { ...OPUS, payloadType: 107 });
  assert.equal(offered([PCMA, PCMU]), "PCMA 8, PCMU 0, G722 9, opus 107");
  assert.equal(offered([OPUS]), "opus 111, G722 9, PCMU 0, PCMA 8");
  assert.equal(offered([G722]), "G722 9, opus 107, PCMU 0, PCMA 8");
  assert.equal(offered([G729, PCMU]), "G729 18, PCMU 0, PCMA 8, G722 9, opus 107");
});

test("[R7245-3.2-5] a call that cannot be decoded is offered as it is, and nothing else", () => {
  assert.equal(offered([G729]), "G729 18");
  assert.equal(offered([G729], ["PCMU"]), "");
});

test("a connector's list limits and orders what is offered", () => {
  assert.equal(offered([OPUS], ["PCMU", "PCMA"]), "PCMU 0, PCMA 8");
  assert.equal(offered([OPUS, PCMA], ["pcmu", "pcma"]), "PCMA 8, PCMU 0");
  assert.equal(offered([PCMU], ["opus", "G729"]), "opus 107");
  assert.equal(offered([PCMU], ["G729"]), "");
});

test("numbers that the call uses for something else are not taken", () => {
  const odd = [codec("opus", 0, 48_000, 2), codec("L16", 107, 16_000), codec("PCMA", 9)];
  assert.equal(offered(odd), "opus 0, L16 107, PCMA 9, G722 108, PCMU 109");
});

test("no number is offered twice, whatever the call and the connector are", () => {
  const names = fc.constantFrom("PCMU", "PCMA", "G722", "opus", "G729", "L16");
  const carried = fc.uniqueArray(
    fc.record({
      name: names,
      payloadType: fc.nat(127),
      clockRateHz: fc.constantFrom(8000, 16_000, 48_000),
      channels: fc.constantFrom(1, 2),
    }),
    { selector: ({ payloadType }) => payloadType, maxLength: 128 },
  );
  fc.assert(
    fc.property(carried, fc.array(names), (codecs, list) => {
      const numbers = forkCodecsOf(codecs, list).offered.map(({ payloadType }) => payloadType);
      assert.equal(new Set(numbers).size, numbers.length);
    }),
  );
});

test("what the recorder takes passes, under its numbers; the rest becomes one codec of its answer", () => {
  assert.deepEqual(wayOf(answered([PCMU, PCMA]), [PCMU]), {
    payloadTypes: new Map([[0, 0]]),
    clockRateHz: 8000,
    codec: { name: "PCMU", transcodedFrom: null },
  });
  const other = wayOf(answered([G722, codec("opus", 107, 48_000, 2)], [9, 96]), [PCMU]);
  assert.deepEqual(other.transcodings, [{ from: PCMU, to: G722, packetTimeMs: 20 }]);
  assert.deepEqual(other.codec, { name: "G722", transcodedFrom: "PCMU" });
  const opus = wayOf(answered([{ ...OPUS, payloadType: 107, fmtp: "useinbandfec=1" }], [96], 40), [PCMU]);
  assert.deepEqual(opus.transcodings, [
    { from: PCMU, to: { ...OPUS, payloadType: 96, fmtp: "useinbandfec=1" }, packetTimeMs: 40 },
  ]);
  assert.equal(opus.clockRateHz, 48_000);
  assert.equal(wayOf(answered([PCMU], [], 33), [PCMA]).transcodings![0]!.packetTimeMs, 20);
});

test("of two codecs that the call may use, one passes and the other becomes it: one codec towards the recorder", () => {
  const way = wayOf(answered([G722, PCMA]), [PCMU, PCMA]);
  assert.deepEqual([...way.payloadTypes], [[8, 8]]);
  assert.deepEqual(way.transcodings, [{ from: PCMU, to: PCMA, packetTimeMs: 20 }]);
  const clocks = wayOf(answered([OPUS, PCMU]), [OPUS, PCMU]);
  assert.deepEqual([...clocks.payloadTypes.keys()], [111, 0]);
  assert.equal(clocks.clockRateHz, 48_000);
  assert.deepEqual(clocks.clockRatesHz, new Map([[0, 8000]]));
});

test("packets of either direction have the numbers of that direction", () => {
  const carried = [{ ...OPUS, receivePayloadType: 96 }, PCMU];
  const line = answered([OPUS]);
  assert.deepEqual([...wayOf(line, carried, "inbound").payloadTypes], [[96, 111]]);
  assert.deepEqual([...wayOf(line, carried, "outbound").payloadTypes], [[111, 111]]);
  const [other] = wayOf(answered([PCMA]), carried, "inbound").transcodings!;
  assert.deepEqual(other, { from: { ...OPUS, payloadType: 96 }, to: PCMA, packetTimeMs: 20 });
});

test("what can neither pass nor become anything is left out", () => {
  const way = wayOf(answered([PCMU]), [G729]);
  assert.deepEqual(way, { payloadTypes: new Map(), clockRateHz: 8000, codec: undefined });
  assert.deepEqual(wayOf(answered([G729]), [G729, PCMU]).transcodings, undefined);
});
