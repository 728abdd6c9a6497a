import assert from "node:assert/strict";
import { test } from "node:test";
import {
  applyMetadata,
  EMPTY_METADATA_STATE,
  type MetadataState,
  type RecordingMetadata,
  writeRecordingMetadata,
} from "@callfork/protocol/siprec";
import fc from "fast-check";
import { CallIdentity } from "./call-identity.ts";
import { type MetadataInput, recordingMetadata } from "./metadata.ts";
import { changesSince, finalMetadata } from "./metadata-changes.ts";
import { present } from "./testing/present.ts";
import { schemaComplaints, schemaMissing } from "./testing/schema.ts";

const NOW = Date.UTC(2026, 7, 1, 12);
const STEP_MS = 1_000;

type Facts = Pick<MetadataInput, "counterpart" | "direction" | "sipSessionId" | "isPaused" | "callStart">;

const arbFacts: fc.Arbitrary<Facts> = fc.record({
  counterpart: fc.record({
    aor: fc.constantFrom("sip:bob@x", "sip:carol@x", "tel:+1"),
    displayName: fc.constantFrom(null, "Bob", "Dr. Bob"),
  }),
  direction: fc.constantFrom("sendrecv", "sendonly", "recvonly", "inactive"),
  sipSessionId: fc.constantFrom(undefined, "ab".repeat(16), "cd".repeat(16)),
  isPaused: fc.boolean(),
  callStart: fc.constantFrom(NOW - 5_000, NOW - 4_000),
});

/** The documents of a call that changes step by step, the first one at `NOW`. */
function story(steps: readonly Facts[]): RecordingMetadata[] {
  let n = 0;
  const random = { bytes: (length: number) => Uint8Array.from({ length }, () => (n++ * 7) & 255) };
  const identity = new CallIdentity(random, NOW);
  const documents: RecordingMetadata[] = [];
  for (const [index, facts] of steps.entries()) {
    const input: MetadataInput = {
      ...facts,
      identity,
      labels: ["inbound", "outbound"],
      party: { aor: "sip:alice@x", displayName: "Alice" },
      forkStart: NOW,
      extensions: [{ namespace: "urn:x", parameters: [{ name: "Role", value: "agent" }] }],
      now: NOW + index * STEP_MS,
    };
    documents.push(recordingMetadata(input, documents.at(-1)));
  }
  return documents;
}

const fold = (documents: readonly RecordingMetadata[]): MetadataState =>
  documents.reduce(
    (state, document, index) => applyMetadata(state, document, NOW + index * STEP_MS).state,
    EMPTY_METADATA_STATE,
  );

test("[R7865-5-1] [R7866-9.1-3] what is left of all documents folded is what the last snapshot says alone, whatever was refused between", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(arbFacts, fc.boolean()), { minLength: 1, maxLength: 12 }), (steps) => {
      const snapshots = story(steps.map(([facts]) => facts));
      let told = snapshots[0]!;
      const accepted = [told];
      for (const [index, snapshot] of snapshots.entries()) {
        const isRefused = steps[index]![1] && index < snapshots.length - 1;
        const document = changesSince(told, snapshot, NOW + index * STEP_MS);
        if (document === undefined || isRefused) continue;
        accepted.push(document);
        told = snapshot;
      }
      assert.deepEqual(present(fold(accepted)), present(fold([snapshots.at(-1)!])));
      assert.equal(changesSince(told, snapshots.at(-1)!, NOW), undefined);
    }),
    { numRuns: 300 },
  );
});

test("a partial document names what has changed and nothing else", () => {
  const facts: Facts = {
    counterpart: { aor: "sip:bob@x", displayName: "Bob" },
    direction: "sendrecv",
    sipSessionId: "ab".repeat(16),
    isPaused: false,
    callStart: NOW,
  };
  const sizes = (document: RecordingMetadata | undefined) =>
    document && [
      document.dataMode,
      document.sessions.length,
      document.participants.length,
      document.streams.length,
      document.sessionRecordingAssociations.length,
      document.participantSessionAssociations.length,
      document.participantStreamAssociations.length,
    ];
  const after = (change: Partial<Facts>) => {
    const [before, now] = story([facts, { ...facts, ...change }]) as [RecordingMetadata, RecordingMetadata];
    return sizes(changesSince(before, now, NOW));
  };
  assert.equal(after({}), undefined);
  assert.deepEqual(after({ direction: "recvonly" }), ["partial", 0, 0, 0, 0, 0, 2]);
  assert.deepEqual(after({ isPaused: true }), ["partial", 0, 0, 0, 1, 0, 0]);
  assert.deepEqual(after({ callStart: NOW + 1 }), ["partial", 1, 0, 0, 0, 0, 0]);
  // The old one leaves, and no longer sends or hears; the new one comes with name, part and roles.
  assert.deepEqual(after({ counterpart: { aor: "tel:+1", displayName: null } }), [
    "partial",
    0,
    1,
    0,
    0,
    2,
    2,
  ]);
  // No partial document can take the last Session-ID away.
  assert.equal(after({ sipSessionId: undefined })?.[0], "complete");
});

test("[R8068-3.2.4] the last document ends everything, what was not told before included, and is a partial one", () => {
  fc.assert(
    fc.property(
      fc.array(arbFacts, { minLength: 1, maxLength: 6 }),
      fc.nat(),
      fc.boolean(),
      (steps, n, isCallOver) => {
        const snapshots = story(steps);
        const told = snapshots[n % snapshots.length]!;
        const at = NOW + snapshots.length * STEP_MS;
        const last = finalMetadata(told, snapshots.at(-1)!, at, isCallOver);
        assert.equal(last.dataMode, "partial");
        const before = fold([told]);
        const { state, warnings } = applyMetadata(before, last, at);
        assert.deepEqual(warnings, []);
        assert.ok(
          [...state.sessions.values()].every(({ closedAtMs }) => (closedAtMs !== undefined) === isCallOver),
        );
        for (const { recorded } of state.sessions.values())
          assert.notEqual(recorded.at(-1)?.untilMs, undefined);
        for (const { roles } of state.participants.values())
          assert.ok(roles.every(({ untilMs }) => untilMs !== undefined));
        const there = [...state.participations.values()].filter(
          ({ intervals }) => intervals.at(-1)?.untilMs === undefined,
        );
        assert.equal(there.length, isCallOver ? 0 : 2);
      },
    ),
    { numRuns: 200 },
  );
});

test("[R7865-6.1-3] partial and last documents are valid by the schema too", { skip: schemaMissing }, () => {
  const documents = fc
    .sample(fc.array(arbFacts, { minLength: 2, maxLength: 2 }), { numRuns: 60, seed: 7865 })
    .flatMap((steps) => {
      const [told, now] = story(steps) as [RecordingMetadata, RecordingMetadata];
      const partial = changesSince(told, now, NOW + STEP_MS);
      return [...(partial ? [partial] : []), finalMetadata(told, now, NOW + STEP_MS, true)];
    });
  assert.deepEqual(schemaComplaints(documents.map((document) => writeRecordingMetadata(document))), []);
});
