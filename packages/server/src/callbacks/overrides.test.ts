import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_POLICY, readOverrides } from "./overrides.ts";

test("every override is read, in any order", () => {
  const { policy, problem } = readOverrides("#rp=5xx,rt&tt=9000&rt=4000&ct=100&rc=5&sni=n&e=ashburn,dublin");
  assert.equal(problem, undefined);
  assert.deepEqual(policy, {
    connectTimeoutMs: 100,
    readTimeoutMs: 4000,
    totalTimeoutMs: 9000,
    retries: 5,
    retryOn: ["5xx", "rt"],
  });
});

test("without overrides: 5 s to connect, 15 s to read, 15 s in all, one retry of the connection", () => {
  for (const fragment of ["", "#", "#section-2", "#a=b"])
    assert.deepEqual(readOverrides(fragment), { policy: DEFAULT_POLICY, problem: undefined });
  assert.deepEqual(DEFAULT_POLICY, {
    connectTimeoutMs: 5000,
    readTimeoutMs: 15_000,
    totalTimeoutMs: 15_000,
    retries: 1,
    retryOn: ["ct"],
  });
});

test("an impossible value voids them all and is told", () => {
  for (const bad of [
    "ct=99",
    "ct=10001",
    "rt=15001",
    "tt=0",
    "rc=6",
    "rc=-1",
    "rc=1.5",
    "rc=",
    "rp=3xx",
    "rp=",
    "sni=maybe",
  ]) {
    const { policy, problem } = readOverrides(`#rc=3&${bad}`);
    assert.deepEqual(policy, DEFAULT_POLICY, bad);
    assert.ok(problem?.includes(bad.split("=")[0]!), bad);
  }
});
