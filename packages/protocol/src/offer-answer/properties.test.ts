import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Codec,
  codecAttributes,
  type Direction,
  directionOf,
  formatSessionDescription,
  type MediaDescription,
  parseSessionDescription,
  type SessionDescription,
} from "../sdp/index.ts";
import {
  answerDirection,
  createAnswer,
  createRecordingAnswer,
  effectiveDirectionOf,
  intersectDirections,
  relayAnswer,
  relayOffer,
  reverseDirection,
} from "./index.ts";

const DIRECTIONS: readonly Direction[] = ["sendrecv", "sendonly", "recvonly", "inactive"];
const CODECS: readonly Codec[] = [
  { payloadType: 0, name: "PCMU", clockRateHz: 8000, channels: 1 },
  { payloadType: 8, name: "PCMA", clockRateHz: 8000, channels: 1 },
  { payloadType: 9, name: "G722", clockRateHz: 8000, channels: 1 },
  { payloadType: 96, name: "opus", clockRateHz: 48000, channels: 2, fmtp: "minptime=10" },
  { payloadType: 101, name: "telephone-event", clockRateHz: 8000, channels: 1, fmtp: "0-16" },
];
const SIDE = {
  origin: { sessionId: "1" },
  address: "192.0.2.1",
  ports: Array.from({ length: 6 }, (_, i) => (i === 4 ? null : { port: 20_000 + 2 * i })),
};

const arbDirection = fc.option(fc.constantFrom(...DIRECTIONS));
const arbLine: fc.Arbitrary<MediaDescription> = fc
  .record({
    kind: fc.constantFrom("audio", "audio", "video"),
    port: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 65_535 })),
    protocol: fc.constantFrom("RTP/AVP", "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "udptl"),
    codecs: fc.shuffledSubarray([...CODECS], { minLength: 1 }),
    direction: arbDirection,
    label: fc.option(fc.stringMatching(/^[!-~]{1,8}$/)),
    address: fc.option(fc.constantFrom("0.0.0.0", "198.51.100.9")),
  })
  .map(({ kind, port, protocol, codecs, direction, label, address }) => ({
    kind,
    port,
    protocol,
    formats: codecs.map(({ payloadType }) => String(payloadType)),
    ...(address !== null && { connection: { netType: "IN", addressType: "IP4", address } }),
    bandwidths: [],
    attributes: [
      ...codecAttributes(codecs),
      ...(direction ? [{ name: direction }] : []),
      ...(label === null ? [] : [{ name: "label", value: label }]),
    ],
    otherLines: [],
  }));
const describing = (media: fc.Arbitrary<MediaDescription[]>): fc.Arbitrary<SessionDescription> =>
  fc.tuple(media, arbDirection).map(([lines, direction]) => ({
    origin: {
      username: "-",
      sessionId: "5",
      version: "1",
      netType: "IN",
      addressType: "IP4",
      address: "198.51.100.7",
    },
    name: "-",
    emails: [],
    phones: [],
    connection: { netType: "IN", addressType: "IP4", address: "198.51.100.7" },
    bandwidths: [],
    timings: [{ start: "0", stop: "0", repeats: [] }],
    attributes: direction ? [{ name: direction }] : [],
    otherLines: [],
    media: lines,
  }));
const arbOffer = describing(fc.array(arbLine, { maxLength: 6 }));
const arbExchange = fc.integer({ min: 0, max: 6 }).chain((length) => {
  const lines = fc.array(arbLine, { minLength: length, maxLength: length });
  return fc.tuple(describing(lines), describing(lines));
});

/** What must hold of any answer to any offer (RFC 3264 §6). */
function assertAnswers(offer: SessionDescription, answer: SessionDescription): void {
  assert.equal(answer.media.length, offer.media.length);
  for (const [index, offered] of offer.media.entries()) {
    const answered = answer.media[index]!;
    assert.equal(answered.kind, offered.kind);
    assert.equal(answered.protocol, offered.protocol);
    assert.ok(answered.formats.length > 0);
    if (offered.port === 0) assert.equal(answered.port, 0);
    if (answered.port === 0) continue;
    const allowed = reverseDirection(effectiveDirectionOf(offer, offered));
    const direction = directionOf(answer, answered);
    assert.equal(intersectDirections(direction, allowed), direction, "the direction is within the offer's");
    for (const format of answered.formats) assert.ok(offered.formats.includes(format), "no format is new");
  }
  assert.deepEqual(parseSessionDescription(formatSessionDescription(answer)), { ok: true, value: answer });
}

test("[R3264-6-1] [R3264-6.1-2] any answer of an endpoint has the offer's lines, and of its formats a part", () => {
  fc.assert(
    fc.property(arbOffer, fc.subarray([...CODECS]), (offer, codecs) => {
      const { description, media } = createAnswer(offer, { ...SIDE, lines: SIDE.ports, codecs });
      assertAnswers(offer, description);
      assert.deepEqual(
        media.map(({ accepted }) => accepted),
        description.media.map(({ port }) => port !== 0),
      );
    }),
  );
});

test("[R7866-7.2-1] any answer of a recorder only receives", () => {
  fc.assert(
    fc.property(arbOffer, (offer) => {
      const { description } = createRecordingAnswer(offer, { ...SIDE, codecs: CODECS });
      assertAnswers(offer, description);
      for (const line of description.media) {
        if (line.port !== 0) assert.match(directionOf(description, line), /^(recvonly|inactive)$/);
      }
    }),
  );
});

test("[R3264-8-1] the same answer keeps its version, another one adds one", () => {
  fc.assert(
    fc.property(arbOffer, arbOffer, (one, other) => {
      const options = { ...SIDE, lines: SIDE.ports, codecs: CODECS };
      const first = createAnswer(one, options).description;
      assert.deepEqual(createAnswer(one, { ...options, previous: first }).description, first);
      const next = createAnswer(other, { ...options, previous: first }).description;
      const body = ({ origin: _, ...rest }: SessionDescription) => JSON.stringify(rest);
      assert.equal(next.origin.version, body(next) === body(first) ? "1" : "2");
    }),
  );
});

test("any relayed exchange is a proper exchange on both legs", () => {
  fc.assert(
    fc.property(arbExchange, ([offer, answer]) => {
      const relayedOffer = relayOffer(offer, SIDE);
      assert.equal(relayedOffer.media.length, offer.media.length);
      for (const [index, line] of relayedOffer.media.entries()) {
        assert.deepEqual(line.formats, offer.media[index]!.formats);
        if (line.port !== 0) {
          assert.equal(directionOf(relayedOffer, line), effectiveDirectionOf(offer, offer.media[index]!));
        }
      }
      const result = relayAnswer({ ...SIDE, offer, relayedOffer, answer });
      assert.ok(result.ok);
      assertAnswers(offer, result.value.description);
      const { offererMedia, answererMedia } = result.value;
      for (const [index, own] of offererMedia.entries()) {
        const other = answererMedia[index]!;
        assert.equal(own.accepted, other.accepted);
        // What one leg lets in, the other lets out.
        if (own.accepted) assert.equal(own.direction, reverseDirection(other.direction));
      }
    }),
  );
});

test("[R3264-6.1-1] directions: reversing twice is nothing, an answer never widens", () => {
  for (const a of DIRECTIONS) {
    assert.equal(reverseDirection(reverseDirection(a)), a);
    assert.equal(intersectDirections(a, "sendrecv"), a);
    assert.equal(intersectDirections(a, "inactive"), "inactive");
    for (const b of DIRECTIONS) {
      assert.equal(intersectDirections(a, b), intersectDirections(b, a));
      const answer = answerDirection(a, b);
      assert.equal(intersectDirections(answer, b), answer);
      assert.equal(intersectDirections(answer, reverseDirection(a)), answer);
    }
  }
});
