import assert from "node:assert/strict";
import { test } from "node:test";
import { nextRecordingState, RECORDING, type RecordingInput, type RecordingState } from "./state.ts";

test("every recording ends, and once it is closed nothing moves it", () => {
  const inputs: readonly RecordingInput[] = ["answered", "abandoned", "dialogEnded", "closed"];
  const reached = (from: RecordingState): Set<RecordingState> => {
    const found = new Set<RecordingState>();
    for (const input of inputs) {
      const next = nextRecordingState(from, input);
      if (next !== undefined) for (const state of [next, ...reached(next)]) found.add(state);
    }
    return found;
  };
  for (const state of Object.keys(RECORDING) as RecordingState[]) {
    if (state !== "Closed") assert.ok(reached(state).has("Closed"), state);
  }
  assert.equal(reached("Closed").size, 0);
  assert.equal(
    nextRecordingState("Recording", "abandoned"),
    undefined,
    "what was acknowledged is not abandoned",
  );
});
