import assert from "node:assert/strict";
import { test } from "node:test";
import { locateInVoice } from "./locate.ts";

const voice = Int16Array.from({ length: 9_000 }, (_, i) => Math.round(20_000 * Math.sin(i * i * 1e-4)));

test("a cut of the voice is found where it was cut, also across the end", () => {
  for (const offset of [0, 1_234, 8_500]) {
    const cut = Int16Array.from({ length: 4_000 }, (_, i) => voice[(offset + i) % voice.length]!);
    assert.deepEqual(locateInVoice(cut, voice), {
      offset,
      equal: 4_000,
      total: 4_000,
      firstDifference: undefined,
    });
  }
});

test("one sample that differs is found and named", () => {
  const cut = voice.slice(100, 4_100);
  cut[3_000]! += 1;
  assert.deepEqual(locateInVoice(cut, voice), {
    offset: 100,
    equal: 3_999,
    total: 4_000,
    firstDifference: 3_000,
  });
});

test("silence and strangers are not the voice", () => {
  assert.equal(locateInVoice(new Int16Array(4_000), voice), undefined);
  const stranger = Int16Array.from({ length: 4_000 }, (_, i) => Math.round(20_000 * Math.sin(i * 0.05)));
  assert.equal(locateInVoice(stranger, voice), undefined);
});
