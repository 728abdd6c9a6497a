import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSipUri } from "./uri.ts";
import { sipUriEquals } from "./uri-equals.ts";

const equals = (a: string, b: string): boolean => {
  const [left, right] = [parseSipUri(a), parseSipUri(b)];
  assert.ok(left.ok && right.ok);
  assert.equal(sipUriEquals(left.value, right.value), sipUriEquals(right.value, left.value));
  return sipUriEquals(left.value, right.value);
};

const SAME: readonly (readonly [string, string])[] = [
  ["sip:%61lice@example.com;transport=TCP", "sip:alice@ExAmPlE.CoM;Transport=tcp"],
  ["sip:carol@example.com", "sip:carol@example.com;newparam=5"],
  ["sip:carol@example.com;security=on", "sip:carol@example.com;newparam=5"],
  [
    "sip:x.com;transport=tcp;method=REGISTER?to=sip:a%40x.com",
    "sip:x.com;method=REGISTER;transport=tcp?to=sip:a%40x.com",
  ],
  ["sip:a@x.com?subject=p&priority=u", "sip:a@x.com?priority=u&subject=p"],
  ["sip:[2001:DB8::1]", "sip:[2001:db8::1]"],
];

const DIFFERENT: readonly (readonly [string, string])[] = [
  ["sip:ALICE@example.com;transport=udp", "sip:alice@example.com;transport=UDP"],
  ["sip:bob@example.com", "sip:bob@example.com:5060"],
  ["sip:bob@example.com", "sip:bob@example.com;transport=udp"],
  ["sip:bob@example.com", "sip:bob@example.com:6000;transport=tcp"],
  ["sip:carol@example.com", "sip:carol@example.com?Subject=next"],
  ["sip:bob@phone21.example.com", "sip:bob@192.0.2.4"],
  ["sip:a@x.com", "sips:a@x.com"],
  ["sip:a@x.com", "sip:x.com"],
  ["sip:a:p@x.com", "sip:a@x.com"],
  ["sip:a@x.com;newparam=1", "sip:a@x.com;newparam=2"],
  ["sip:a@x.com;maddr=192.0.2.1", "sip:a@x.com"],
];

test("[R3261-19.1.4-1] URIs compare by the rules: user with case, the rest without, some parameters never ignored", () => {
  for (const [a, b] of SAME) assert.ok(equals(a, b), `${a} = ${b}`);
  for (const [a, b] of DIFFERENT) assert.ok(!equals(a, b), `${a} ≠ ${b}`);
});
