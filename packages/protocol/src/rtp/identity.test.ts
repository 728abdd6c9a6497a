import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { randomSsrc, randomUint16, randomUint32, shortTermCname } from "./identity.ts";
import { compactNtp, compactNtpFromMs, epochMsFromNtp, ntpFromEpochMs, roundTripMs } from "./ntp.ts";
import { STATIC_PAYLOAD_TYPES } from "./static-payload-types.ts";

const dice = { bytes: (length: number): Uint8Array => randomBytes(length) };
const scripted = (...octets: number[]) => ({
  bytes: (length: number): Uint8Array => Uint8Array.from(octets.splice(0, length)),
});

test("[R7866-8.1.3-2] SSRCs are random and differ from those in use: ten thousand of them, hardly one twice", () => {
  const ssrcs = new Set(Array.from({ length: 10_000 }, () => randomSsrc(dice)));
  assert.ok(ssrcs.size > 9_990);
  assert.equal(randomSsrc(scripted(0, 0, 0, 9, 0, 0, 0, 0, 1, 2, 3, 4), 9), 0x01020304);
  assert.equal(randomUint32(scripted(0xff, 0xfe, 0, 1)), 0xfffe0001);
  assert.equal(randomUint16(scripted(0xff, 0xfe, 0, 1)), 0xfffe);
});

test("[R7022-5-1] a CNAME is 96 random bits in base64 and nothing else", () => {
  const octets = randomBytes(12);
  assert.equal(shortTermCname(scripted(...octets)), octets.toString("base64"));
  assert.notEqual(shortTermCname(dice), shortTermCname(dice));
});

test("[R3550-4-1] NTP time counts from 1900 with a binary fraction and survives the way there and back", () => {
  assert.deepEqual(ntpFromEpochMs(0), { seconds: 2_208_988_800, fraction: 0 });
  assert.deepEqual(ntpFromEpochMs(500), { seconds: 2_208_988_800, fraction: 0x80000000 });
  assert.deepEqual(ntpFromEpochMs(999.9999999999), { seconds: 2_208_988_801, fraction: 0 });
  fc.assert(
    fc.property(fc.double({ min: 0, max: 4_000_000_000_000, noNaN: true }), (time) => {
      assert.ok(Math.abs(epochMsFromNtp(ntpFromEpochMs(time)) - time) < 0.001);
    }),
  );
});

test("[R3550-6.4.1-3] the round trip is A − LSR − DLSR: the example of the RFC's figure 2", () => {
  const report = { seconds: 0xb44db705, fraction: 0x20000000 };
  assert.equal(compactNtp(report), 0xb7052000);
  const trip = roundTripMs(0xb7108000, 0xb7052000, 0x00054000);
  assert.equal(trip, 6125);
  assert.equal(compactNtpFromMs(5250), 0x00054000);
  assert.equal(roundTripMs(5, 0, 0), undefined);
  assert.equal(roundTripMs(0x10000, 0x20000, 0), undefined);
});

test("[R3551-6-1] static payload types: G722 is told with 8000 Hz although it samples at twice that", () => {
  const known = (type: number): string => {
    const entry = STATIC_PAYLOAD_TYPES.get(type);
    return `${entry?.encodingName}/${entry?.clockRateHz}`;
  };
  assert.deepEqual([0, 3, 4, 8, 9, 13, 18, 26, 31, 34].map(known), [
    "PCMU/8000",
    "GSM/8000",
    "G723/8000",
    "PCMA/8000",
    "G722/8000",
    "CN/8000",
    "G729/8000",
    "JPEG/90000",
    "H261/90000",
    "H263/90000",
  ]);
  assert.equal(STATIC_PAYLOAD_TYPES.get(96), undefined);
});
