import assert from "node:assert/strict";
import { test } from "node:test";
import {
  applyMetadata,
  EMPTY_METADATA_STATE,
  type MetadataState,
  type ParticipantStreamAssociation,
} from "@callfork/protocol/siprec";
import { PCMA, type Recorder, RecordingWorld } from "./recording-world.ts";

/** A recorder that knows no UPDATE, whatever its Allow says. */
function withoutUpdate(recorder: Recorder): void {
  const { reoffered } = recorder;
  recorder.reoffered = (body) =>
    recorder.requests.at(-1)!.method === "UPDATE" ? { status: 405 } : reoffered(body);
}

async function recording(change: (recorder: Recorder) => void = () => {}) {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  change(recorder);
  await w.start();
  await w.advance(200);
  assert.ok(recorder.dialog, w.story);
  return { w, recorder };
}

/** What a recorder makes of the documents it took. */
const modelOf = (w: RecordingWorld, recorder: Recorder): MetadataState =>
  recorder.documents.reduce(
    (state, document) => applyMetadata(state, document, w.world.clock.wallNow()).state,
    EMPTY_METADATA_STATE,
  );

/** Who sends and hears how many streams now, by address. */
function rolesOf(state: MetadataState): Record<string, string> {
  const roles: Record<string, string> = {};
  for (const { nameIds, roles: all } of state.participants.values()) {
    const now = all.find(({ untilMs }) => untilMs === undefined);
    roles[nameIds[0]!.aor] = now === undefined ? "-" : `${now.send.length}/${now.recv.length}`;
  }
  return roles;
}

const times = (list: readonly ParticipantStreamAssociation[]) =>
  list.map(({ associateTime }) => associateTime);

test("[R8068-3.2.2a] [R8068-3.2.2b] [R7866-7.1.1.1-5] hold and resume: a partial document each, lines stay sendonly", async () => {
  const { w, recorder } = await recording();
  w.call.way = "recvonly"; // Alice holds: she is heard, and hears nothing
  w.call.change();
  await w.advance(200);
  assert.deepEqual(
    recorder.requests.map(({ method }) => method),
    ["INVITE", "UPDATE"],
    w.story,
  );
  const hold = recorder.documents[1]!;
  assert.equal(hold.dataMode, "partial");
  const { participantStreamAssociations: roles, extensions: _, dataMode: __, ...others } = hold;
  assert.equal(roles.length, 2);
  assert.ok(Object.values(others).every((list) => list.length === 0));
  assert.deepEqual(rolesOf(modelOf(w, recorder)), {
    "sip:alice@example.com": "1/0",
    "sip:bob@example.com": "0/1",
  });
  assert.equal(recorder.offers.length, 1); // and no SDP: none is needed
  assert.ok(w.media.flows("inbound") && w.media.flows("outbound"));

  w.call.way = "sendrecv";
  w.call.change();
  await w.advance(200);
  const model = modelOf(w, recorder);
  assert.deepEqual(rolesOf(model), { "sip:alice@example.com": "1/1", "sip:bob@example.com": "1/1" });
  for (const { roles: history } of model.participants.values()) assert.equal(history.length, 3);
  assert.equal(
    new Set(recorder.documents.flatMap((each) => times(each.participantStreamAssociations))).size,
    3,
  );
});

test("[R8068-3.2.3b] [R6341-020] [R8068-3.2.3a] a transfer: the same session and group, the old party leaves, the new one sends on the same stream", async () => {
  const { w, recorder } = await recording();
  const before = recorder.documents[0]!;
  w.call.other = { aor: "sip:carol@example.com", displayName: "Carol" };
  w.call.session = "cd".repeat(16);
  w.call.change();
  await w.advance(200);
  const model = modelOf(w, recorder);
  assert.deepEqual(rolesOf(model), {
    "sip:alice@example.com": "1/1",
    "sip:bob@example.com": "-",
    "sip:carol@example.com": "1/1",
  });
  const [session] = model.sessions.values();
  assert.equal(model.sessions.size, 1);
  assert.deepEqual(
    [session!.groupRef, session!.sipSessionIds],
    [before.groups[0]!.groupId, ["cd".repeat(16)]],
  );
  const parts = [...model.participations.values()].map(({ intervals }) =>
    intervals.map(({ untilMs }) => untilMs !== undefined),
  );
  assert.deepEqual(parts, [[false], [true], [false]]);
  assert.deepEqual(
    [...model.streams.values()].map(({ streamId, label }) => [streamId, label]),
    before.streams.map(({ streamId, label }) => [streamId, label]),
  );
});

test("a recorder without UPDATE is told by re-INVITE, with the offer it has and the streams of its labels", async () => {
  const { w, recorder } = await recording(withoutUpdate);
  w.call.way = "inactive";
  w.call.change();
  await w.advance(300);
  assert.deepEqual(
    recorder.requests.map(({ method }) => method),
    ["INVITE", "UPDATE", "INVITE"],
    w.story,
  );
  const [, refused, told] = recorder.documents;
  assert.deepEqual([refused?.dataMode, refused?.streams.length], ["partial", 0]);
  assert.deepEqual([told?.dataMode, told?.streams.length], ["partial", 2]);
  assert.equal(recorder.offers[1]!.origin.version, recorder.offers[0]!.origin.version);
  assert.deepEqual(rolesOf(modelOf(w, recorder)), {
    "sip:alice@example.com": "-",
    "sip:bob@example.com": "-",
  });
});

test("changes that follow each other at once are one document, in the state they came to", async () => {
  const { w, recorder } = await recording();
  for (const user of ["x", "y", "z"]) {
    w.call.other = { aor: `sip:${user}@example.com`, displayName: null };
    w.call.change();
    await w.advance(10);
  }
  await w.advance(300);
  assert.equal(recorder.documents.length, 2);
  assert.deepEqual(
    recorder.documents[1]!.participants.map(({ nameIds }) => nameIds[0]!.aor),
    ["sip:z@example.com"],
  );
  w.call.other = { aor: "sip:x@example.com", displayName: null };
  w.call.change();
  w.call.other = { aor: "sip:z@example.com", displayName: null };
  w.call.change();
  await w.advance(300);
  assert.equal(recorder.documents.length, 2); // there and back again
});

test("[R7866-9.2-6] after a snapshot request nothing partial goes out before the complete document", async () => {
  const { w, recorder } = await recording();
  let isFirst = true;
  const { reoffered } = recorder;
  recorder.reoffered = (body) => {
    const refuses = isFirst;
    isFirst = false;
    return refuses ? { status: 500 } : reoffered(body);
  };
  const asked = recorder.askForSnapshot();
  await w.advance(500);
  assert.equal((await asked).status, 200);
  w.call.way = "recvonly";
  w.call.change();
  await w.advance(500);
  assert.deepEqual(
    recorder.documents.map(({ dataMode }) => dataMode),
    ["complete", "complete", "complete"],
    w.story,
  );
});

test("[R3261-14.1-1] both sides offer at once: each waits its time, versions only rise, and the last word counts", async () => {
  const { w, recorder } = await recording(withoutUpdate);
  const theirs = recorder.dialog!.reinvite({
    body: recorder.description([
      { port: 30_000, direction: "inactive" },
      { port: 30_002, direction: "inactive" },
    ]),
  });
  w.call.list = [PCMA];
  w.call.change();
  await w.advance(50); // ours goes out while theirs is on its way
  await w.advance(10_000);
  assert.equal((await theirs).status, 200, w.story);
  const versions = recorder.offers.map(({ origin }) => Number(origin.version));
  assert.deepEqual(
    versions,
    [...versions].sort((a, b) => a - b),
  );
  assert.equal(recorder.offers.at(-1)!.media[0]!.formats[0], "8");
  assert.equal(w.row.status, "in-progress");
  assert.deepEqual([...(w.media.flows("inbound")?.payloadTypes ?? [])], [[8, 8]], w.story);
});

test("the call hangs up while a change is still to be told: BYE says what was lost by it", async () => {
  const { w, recorder } = await recording();
  recorder.reoffered = () => ({ status: 500 });
  w.call.other = { aor: "sip:carol@example.com", displayName: null };
  w.call.change();
  await w.advance(2_000);
  w.call.end();
  await w.advance(500);
  recorder.documents.splice(1, 1); // refused
  const model = modelOf(w, recorder);
  assert.deepEqual(
    [...model.participants.values()].map(({ nameIds }) => nameIds[0]!.aor),
    ["sip:alice@example.com", "sip:bob@example.com", "sip:carol@example.com"],
    w.story,
  );
  for (const { intervals } of model.participations.values()) assert.ok(intervals.at(-1)!.untilMs);
});
