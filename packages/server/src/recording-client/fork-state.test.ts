import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FORK,
  type ForkAction,
  type ForkInput,
  type ForkRow,
  type ForkState,
  forkRow,
} from "./fork-state.ts";

const STATES = Object.keys(FORK) as ForkState[];
const rows: readonly (readonly [ForkState, ForkInput, ForkRow])[] = STATES.flatMap((state) =>
  Object.entries(FORK[state] as Record<ForkInput, ForkRow>).map(
    ([input, row]) => [state, input as ForkInput, row] as const,
  ),
);
const LIVE: ReadonlySet<ForkState> = new Set(["Preparing", "Inviting", "Recording"]);
const VERDICTS: readonly ForkAction[] = ["saveStopped", "saveFailed", "saveLost"];

test("whoever stops a fork, in whatever state, ends it; a stopped one hears nothing", () => {
  for (const state of LIVE) {
    for (const input of ["stop", "broken"] as const) {
      const row = forkRow(state, input);
      assert.ok(row && !LIVE.has(row.to), `${state} ${input}`);
    }
  }
  assert.deepEqual(FORK.Stopped, {});
  assert.equal(forkRow("Stopped", "stop"), undefined);
});

test("leaving the living closes the ports and writes one verdict, in that order; staying does neither", () => {
  for (const [state, input, row] of rows) {
    const actions: readonly ForkAction[] = row.do;
    const verdicts = actions.filter((action) => VERDICTS.includes(action));
    const ends = LIVE.has(state) && !LIVE.has(row.to);
    assert.equal(verdicts.length, ends ? 1 : 0, `${state} ${input}`);
    assert.equal(actions.includes("closeMedia"), ends, `${state} ${input}`);
    if (ends) assert.equal(actions[0], "closeMedia", `${state} ${input}`);
    if (actions.includes("sendBye") || actions.includes("cancelInvite")) {
      assert.equal(row.to, "Stopping", `${state} ${input}`);
      assert.ok(["sendBye", "cancelInvite"].includes(actions.at(-1)!));
    }
  }
});

test("every state is reached, and the end from every state", () => {
  const reached = new Set<ForkState>(["Preparing"]);
  for (const _ of STATES) for (const [from, , row] of rows) if (reached.has(from)) reached.add(row.to);
  assert.deepEqual([...reached].sort(), [...STATES].sort());
  for (const start of STATES) {
    const next = new Set<ForkState>([start]);
    for (const _ of STATES) for (const [from, , row] of rows) if (next.has(from)) next.add(row.to);
    assert.ok(next.has("Stopped"), start);
  }
});
