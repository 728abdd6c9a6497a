import assert from "node:assert/strict";
import { test } from "node:test";
import { isUuidObjectId, readRecordingMetadata, writeRecordingMetadata } from "@callfork/protocol/siprec";
import { utf8Encode } from "@callfork/protocol/text";
import fc from "fast-check";
import { CallIdentity } from "./call-identity.ts";
import { type MetadataInput, recordingMetadata } from "./metadata.ts";
import { schemaComplaints, schemaMissing } from "./testing/schema.ts";

const counting = () => {
  let n = 0;
  return { bytes: (length: number) => Uint8Array.from({ length }, () => (n++ * 7) & 255) };
};
const NOW = Date.UTC(2026, 7, 1, 12);

function inputOf(change: Partial<MetadataInput> = {}): MetadataInput {
  return {
    identity: new CallIdentity(counting(), NOW),
    labels: ["inbound", "outbound"],
    party: { aor: "sip:alice@example.com", displayName: "Alice" },
    counterpart: { aor: "tel:+15550002", displayName: null },
    direction: "sendrecv",
    isPaused: false,
    sipSessionId: "ab".repeat(16),
    callStart: NOW - 5_000,
    forkStart: NOW,
    extensions: [
      { namespace: "http://callfork.example/siprec", parameters: [{ name: "Role", value: "agent" }] },
    ],
    now: NOW,
    ...change,
  };
}

test("[R7865-6.8-2] [R7865-6.5-1] inbound is sent by the party and heard by its counterpart, outbound the other way", () => {
  const { participants, streams, participantStreamAssociations } = recordingMetadata(inputOf());
  const [alice, bob] = participants.map(({ participantId }) => participantId);
  const [inbound, outbound] = streams.map(({ streamId }) => streamId);
  assert.deepEqual(
    participantStreamAssociations.map(({ participantId, send, recv }) => ({ participantId, send, recv })),
    [
      { participantId: alice, send: [inbound], recv: [outbound] },
      { participantId: bob, send: [outbound], recv: [inbound] },
    ],
  );
});

test("[R7865-6.3-5] [R7865-6.4-1] [R7865-6.2-1] one group, one session with start-time, Session-ID and parameters, tied to this recording", () => {
  const { groups, sessions, sessionRecordingAssociations, participantSessionAssociations, streams } =
    recordingMetadata(inputOf());
  const [session] = sessions;
  assert.equal(session?.groupRef, groups[0]!.groupId);
  assert.equal(session.startTime, "2026-08-01T11:59:55.000Z");
  assert.deepEqual(session.sipSessionIds, ["ab".repeat(16)]);
  assert.deepEqual(session.extensions[0]?.parameters, [{ name: "Role", value: "agent" }]);
  assert.equal(sessionRecordingAssociations[0]!.sessionId, session.sessionId);
  assert.ok(streams.every(({ sessionId }) => sessionId === session.sessionId));
  assert.ok(participantSessionAssociations.every(({ sessionId }) => sessionId === session.sessionId));
});

test("[R7865-6.9-3] every association says when it began, in UTC", () => {
  const document = recordingMetadata(inputOf());
  const times = [
    ...document.groups,
    ...document.sessionRecordingAssociations,
    ...document.participantSessionAssociations,
    ...document.participantStreamAssociations,
  ].map(({ associateTime }) => associateTime ?? "");
  assert.equal(times.length, 6);
  for (const time of times) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test("[R7865-6.8-3] [R7865-6.8-4] a hold takes away what is no longer said and heard, and a return begins anew", () => {
  const rolesOf = (change: Partial<MetadataInput>) =>
    recordingMetadata(inputOf(change)).participantStreamAssociations.map(({ send, recv }) => [
      send.length,
      recv.length,
    ]);
  assert.deepEqual(rolesOf({ direction: "recvonly" }), [
    [1, 0],
    [0, 1],
  ]);
  assert.deepEqual(rolesOf({ direction: "sendonly" }), [
    [0, 1],
    [1, 0],
  ]);
  assert.deepEqual(rolesOf({ direction: "inactive" }), [
    [0, 0],
    [0, 0],
  ]);
});

test("what has not changed keeps its time, what has changed has the time of its change", () => {
  const input = inputOf();
  const first = recordingMetadata(input);
  const same = recordingMetadata({ ...input, now: NOW + 1_000 }, first);
  assert.deepEqual(same, first);
  const held = recordingMetadata({ ...input, direction: "recvonly", now: NOW + 2_000 }, same);
  assert.deepEqual(held.participantSessionAssociations, first.participantSessionAssociations);
  assert.deepEqual(
    held.participantStreamAssociations.map(({ associateTime }) => associateTime),
    ["2026-08-01T12:00:02.000Z", "2026-08-01T12:00:02.000Z"],
  );
  const paused = recordingMetadata({ ...input, isPaused: true, now: NOW + 3_000 }, first);
  const resumed = recordingMetadata({ ...input, now: NOW + 4_000 }, paused);
  const recorded = [first, paused, resumed].map(({ sessionRecordingAssociations: [entry] }) => [
    entry?.associateTime,
    entry?.disassociateTime,
  ]);
  assert.deepEqual(recorded, [
    ["2026-08-01T12:00:00.000Z", undefined],
    ["2026-08-01T12:00:00.000Z", "2026-08-01T12:00:03.000Z"],
    ["2026-08-01T12:00:04.000Z", undefined],
  ]);
});

test("[R7865-6.5-2] who comes back has the id he had; somebody else has another; a call to oneself has two", () => {
  const identity = new CallIdentity(counting(), NOW);
  const idOf = (aor: string) =>
    recordingMetadata(inputOf({ identity, counterpart: { aor, displayName: null } })).participants[1]!
      .participantId;
  const [bob, carol, bobAgain] = [idOf("sip:bob@x"), idOf("sip:carol@x"), idOf("sip:bob@x")];
  assert.equal(bob, bobAgain);
  assert.notEqual(bob, carol);
  const oneself = { aor: "sip:alice@example.com", displayName: null };
  const both = recordingMetadata(inputOf({ identity, counterpart: oneself })).participants;
  assert.notEqual(both[0]!.participantId, both[1]!.participantId);
  for (let n = 0; n < 500; n++) idOf(`sip:${n}@x`); // bounded, and no id twice in a document
  assert.ok(isUuidObjectId(idOf("sip:last@x")));
});

test("[R7865-5.1.2-1] [R7865-6.1-3] documents of any call are valid by the schema, and read back as they were", {
  skip: schemaMissing,
}, () => {
  const arbParty = fc.record({
    aor: fc.oneof(fc.constantFrom("sip:a@b", "tel:+1", "sip:%22@x"), fc.webUrl()),
    displayName: fc.option(fc.string({ unit: "binary", maxLength: 20 })),
  });
  const arbInput = fc
    .record({
      labels: fc.constantFrom(["inbound"] as const, ["outbound"] as const, ["inbound", "outbound"] as const),
      party: arbParty,
      counterpart: arbParty,
      direction: fc.constantFrom("sendrecv", "sendonly", "recvonly", "inactive"),
      isPaused: fc.boolean(),
      sipSessionId: fc.option(fc.constant("ab".repeat(16)), { nil: undefined }),
      parameters: fc.array(
        fc.record({ name: fc.string({ unit: "binary" }), value: fc.string({ unit: "binary" }) }),
        { maxLength: 5 },
      ),
    })
    .map(({ parameters, ...change }) =>
      inputOf({ ...change, extensions: [{ namespace: "urn:x", parameters }] }),
    );
  const documents = fc.sample(arbInput, { numRuns: 100, seed: 7866 }).map((input) => {
    const text = writeRecordingMetadata(recordingMetadata(input));
    const read = readRecordingMetadata(utf8Encode(text));
    assert.ok(read.ok && read.value.warnings.length === 0, text);
    return text;
  });
  assert.deepEqual(schemaComplaints(documents), []);
});
