import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Applied,
  type ApplyOptions,
  applyMetadata,
  EMPTY_METADATA_STATE,
  extensionsOf,
  type MetadataState,
  objectIdKey,
  participantsOf,
  readRecordingMetadata,
  sessionsOf,
  streamsOf,
} from "./index.ts";

/** Ids as the RFC has them, told apart by their last octet. */
const id = (n: number): string => Buffer.from([...Array(15).fill(7), n]).toString("base64");
const [G, S, S2] = [id(1), id(2), id(3)];
const [ALICE, BOB, CAROL] = [id(4), id(5), id(6)];
const [M1, M2, M3] = [id(7), id(8), id(9)];
const T0 = Date.UTC(2026, 0, 1, 12);
const at = (seconds: number): string => new Date(T0 + seconds * 1_000).toISOString();

/** Documents applied one second apart, from `T0`, unless told otherwise. */
function play(...documents: (string | [document: string, seconds: number])[]): Applied & { all: Applied[] } {
  return playWith({}, EMPTY_METADATA_STATE, ...documents);
}

function playWith(
  options: ApplyOptions,
  start: MetadataState,
  ...documents: (string | [document: string, seconds: number])[]
): Applied & { all: Applied[] } {
  const all: Applied[] = [];
  let state = start;
  for (const [index, entry] of documents.entries()) {
    const [inside, seconds] = typeof entry === "string" ? [entry, index] : entry;
    const text = `<recording xmlns="urn:ietf:params:xml:ns:recording:1">${inside}</recording>`;
    const read = readRecordingMetadata(new TextEncoder().encode(text));
    assert.ok(read.ok, JSON.stringify(read));
    const applied = applyMetadata(state, read.value.metadata, T0 + seconds * 1_000, options);
    all.push(applied);
    state = applied.state;
  }
  return { ...all.at(-1)!, all };
}

const PARTIAL = "<datamode>partial</datamode>";
const session = (inside = "", of = S) => `<session session_id="${of}">${inside}</session>`;
const person = (of: string, aor: string) =>
  `<participant participant_id="${of}"><nameID aor="${aor}"/></participant>`;
const stream = (of: string, label: string, inSession: string | null = S) =>
  `<stream stream_id="${of}"${inSession === null ? "" : ` session_id="${inSession}"`}><label>${label}</label></stream>`;
const joins = (of: string, inside = "", to = S) =>
  `<participantsessionassoc participant_id="${of}" session_id="${to}">${inside}</participantsessionassoc>`;
const roles = (of: string, send: string[], recv: string[] = [], inside = "") =>
  `<participantstreamassoc participant_id="${of}">${send.map((it) => `<send>${it}</send>`).join("")}${recv
    .map((it) => `<recv>${it}</recv>`)
    .join("")}${inside}</participantstreamassoc>`;

const CALL = [
  `<group group_id="${G}"/>`,
  session(
    `<sipSessionID>a;remote=b</sipSessionID><group-ref>${G}\n</group-ref><start-time>${at(0)}</start-time>`,
  ),
  person(ALICE, "sip:alice@example.com"),
  person(BOB, "sip:bob@example.com"),
  stream(M1, "1"),
  stream(M2, "2"),
  joins(ALICE, `<associate-time>${at(0)}</associate-time>`),
  joins(BOB, `<associate-time>${at(0)}</associate-time>`),
  roles(ALICE, [M1], [M2]),
  roles(BOB, [M2], [M1]),
].join("");

const rolesNow = (state: MetadataState, of: string) => {
  const last = state.participants.get(objectIdKey(of))?.roles.at(-1);
  return last === undefined || last.untilMs !== undefined
    ? { send: [], recv: [] }
    : { send: last.send, recv: last.recv };
};
const intervals = (state: MetadataState, of: string, to = S) =>
  state.participations
    .get(`${objectIdKey(of)} ${objectIdKey(to)}`)
    ?.intervals.map(({ fromMs, untilMs }) => [
      (fromMs - T0) / 1_000,
      untilMs === undefined ? undefined : (untilMs - T0) / 1_000,
    ]);

test("[R7865-6.8-7] [R7865-6.8-2] a call of two: streams find their senders and labels", () => {
  const { state, warnings, needsSnapshot } = play(CALL);
  assert.deepEqual(warnings, []);
  assert.equal(needsSnapshot, false);
  assert.deepEqual(
    streamsOf(state).map(({ label, senders, receivers }) => ({ label, senders, receivers })),
    [
      { label: "1", senders: [ALICE], receivers: [BOB] },
      { label: "2", senders: [BOB], receivers: [ALICE] },
    ],
  );
  assert.deepEqual(
    participantsOf(state).map(({ participantId, aor, current }) => ({ participantId, aor, current })),
    [
      { participantId: ALICE, aor: "sip:alice@example.com", current: true },
      { participantId: BOB, aor: "sip:bob@example.com", current: true },
    ],
  );
  const [only] = sessionsOf(state);
  assert.equal(objectIdKey(only!.groupId!), objectIdKey(G));
  assert.equal(only!.startedAtMs, T0);
});

test("[R7865-6.8-5] [R7865-6.8-3] [R7865-6.8-4] hold replaces both sets, in a partial too; resume restores them", () => {
  const hold = PARTIAL + roles(ALICE, [], [M2]) + roles(BOB, [M2]);
  const { state, all } = play(
    CALL,
    [hold, 10],
    [PARTIAL + roles(ALICE, [M1], [M2]) + roles(BOB, [M2], [M1]), 20],
  );
  assert.deepEqual(rolesNow(all[1]!.state, ALICE), { send: [], recv: [M2] });
  assert.deepEqual(rolesNow(all[1]!.state, BOB), { send: [M2], recv: [] });
  assert.deepEqual(rolesNow(state, ALICE), { send: [M1], recv: [M2] });
  const history = state.participants.get(objectIdKey(ALICE))!.roles;
  assert.deepEqual(
    history.map(({ fromMs, untilMs }) => [(fromMs - T0) / 1_000, untilMs && (untilMs - T0) / 1_000]),
    [
      [0, 10],
      [10, 20],
      [20, undefined],
    ],
  );
  assert.equal(
    all[1]!.changes.every(({ kind }) => kind === "rolesChanged"),
    true,
  );
});

test("[R7865-6.3-8] in a partial each kind of child replaces its kind, the others stay", () => {
  const { state } = play(CALL, PARTIAL + session("<sipSessionID>c;remote=d</sipSessionID>"));
  const kept = state.sessions.get(objectIdKey(S))!;
  assert.deepEqual(kept.sipSessionIds, ["c;remote=d"]);
  assert.equal(kept.startedAtMs, T0);
  assert.equal(objectIdKey(kept.groupRef!), objectIdKey(G));
  assert.equal(participantsOf(state).filter(({ current }) => current).length, 2);
});

test("[R7865-6.6-4] [R7865-6.6-2] leaving ends sending and receiving; coming back makes a second interval", () => {
  const leaves = PARTIAL + joins(ALICE, `<disassociate-time>${at(10)}</disassociate-time>`);
  const back =
    PARTIAL + joins(ALICE, `<associate-time>${at(20)}</associate-time>`) + roles(ALICE, [M1], [M2]);
  const { state, all } = play(CALL, [leaves, 11], [back, 21]);
  assert.deepEqual(rolesNow(all[1]!.state, ALICE), { send: [], recv: [] });
  assert.deepEqual(rolesNow(all[1]!.state, BOB), { send: [M2], recv: [M1] });
  assert.deepEqual(intervals(state, ALICE), [
    [0, 10],
    [20, undefined],
  ]);
  assert.deepEqual(rolesNow(state, ALICE), { send: [M1], recv: [M2] });
});

test("[R7865-6.3-6] a session's stop-time ends everything under it", () => {
  const { state, changes } = play(CALL, [PARTIAL + session(`<stop-time>${at(30)}</stop-time>`), 31]);
  assert.deepEqual(intervals(state, ALICE), [[0, 30]]);
  assert.deepEqual(intervals(state, BOB), [[0, 30]]);
  assert.deepEqual(rolesNow(state, BOB), { send: [], recv: [] });
  assert.ok(streamsOf(state).every(({ current }) => !current));
  assert.deepEqual(
    streamsOf(state).map(({ everSenders }) => everSenders),
    [[ALICE], [BOB]],
  );
  assert.equal(sessionsOf(state)[0]!.endedAtMs, T0 + 30_000);
  assert.ok(changes.some((change) => change.kind === "sessionClosed" && change.atMs === T0 + 30_000));
});

test("[R7865-5-2] [V-25] a complete document closes what it no longer has, and keeps its history", () => {
  const without = CALL.replace(person(BOB, "sip:bob@example.com"), "")
    .replace(joins(BOB, `<associate-time>${at(0)}</associate-time>`), "")
    .replace(roles(BOB, [M2], [M1]), "");
  const { state, changes, warnings } = play(CALL, [without, 10], [without, 20]);
  assert.deepEqual(changes, [], "the third says nothing new");
  assert.deepEqual(warnings, []);
  const bob = participantsOf(state).find(({ participantId }) => participantId === BOB)!;
  assert.equal(bob.current, false);
  assert.deepEqual(intervals(state, BOB), [[0, 10]]);
  assert.deepEqual(streamsOf(state)[1]!.senders, []);
  assert.deepEqual(streamsOf(state)[1]!.everSenders, [BOB]);
  assert.deepEqual(rolesNow(state, ALICE), { send: [M1], recv: [M2] });
  assert.deepEqual(intervals(state, ALICE), [[0, undefined]]);
});

test("[V-25] a complete document that is repeated, ended session and all, changes nothing", () => {
  const ended = CALL.replace("</session>", `<stop-time>${at(5)}</stop-time></session>`);
  const { all } = play(CALL, [CALL, 1], [ended, 6], [ended, 7]);
  assert.deepEqual(all[1]!.changes, []);
  assert.ok(all[2]!.changes.length > 0);
  assert.deepEqual(all[3]!.changes, []);
});

test("a complete document with a new session moves the streams and keeps those who go on talking", () => {
  const transferred = [
    session("", S2),
    person(BOB, "sip:bob@example.com"),
    person(CAROL, "sip:carol@example.com"),
    stream(M1, "1", S2),
    stream(M2, "2", S2),
    joins(CAROL, "", S2),
    joins(BOB, "", S2),
    roles(CAROL, [M1], [M2]),
    roles(BOB, [M2], [M1]),
  ].join("");
  const { state } = play(CALL, [transferred, 10]);
  assert.deepEqual(intervals(state, BOB), [[0, 10]]);
  assert.deepEqual(intervals(state, BOB, S2), [[10, undefined]]);
  assert.deepEqual(rolesNow(state, BOB), { send: [M2], recv: [M1] });
  assert.deepEqual(rolesNow(state, ALICE), { send: [], recv: [] });
  assert.deepEqual(
    streamsOf(state).map(({ senders, everSenders, current }) => ({ senders, everSenders, current })),
    [
      { senders: [CAROL], everSenders: [ALICE, CAROL], current: true },
      { senders: [BOB], everSenders: [BOB], current: true },
    ],
  );
});

test("[R7865-6.4-3] [R7865-6.4-4] a session is recorded in intervals; naming it opens the first", () => {
  const recorded = (applied: Applied) =>
    applied.state.sessions
      .get(objectIdKey(S))!
      .recorded.map(({ fromMs, untilMs }) => [fromMs - T0, untilMs === undefined ? undefined : untilMs - T0]);
  const assoc = (inside: string) =>
    `${PARTIAL}<sessionrecordingassoc session_id="${S}">${inside}</sessionrecordingassoc>`;
  const { all } = play(
    CALL,
    [assoc(`<disassociate-time>${at(5)}</disassociate-time>`), 6],
    [assoc(`<associate-time>${at(8)}</associate-time>`), 8],
    [assoc(`<associate-time>${at(8)}</associate-time>`), 9],
  );
  assert.deepEqual(recorded(all[0]!), [[0, undefined]]);
  assert.deepEqual(recorded(all[1]!), [[0, 5_000]]);
  assert.deepEqual(recorded(all[3]!), [
    [0, 5_000],
    [8_000, undefined],
  ]);
});

test("[R7865-6.8-8] references to what is not declared stay pending and are resolved later", () => {
  const { all, state } = play(CALL, PARTIAL + roles(ALICE, [M1, M3], [M2]), PARTIAL + stream(M3, "3"));
  assert.deepEqual(
    all[1]!.warnings.map(({ code }) => code),
    ["METADATA_PENDING_REFERENCE"],
  );
  assert.equal(all[1]!.needsSnapshot, false);
  assert.deepEqual(all[2]!.warnings, []);
  assert.deepEqual(streamsOf(state).at(-1)!.senders, [ALICE]);
});

test("a partial without any base, and one that refers to strangers, ask for a snapshot", () => {
  const first = play(PARTIAL + roles(ALICE, [M1]));
  assert.equal(first.needsSnapshot, true);
  assert.ok(first.warnings.some(({ code }) => code === "METADATA_PARTIAL_WITHOUT_SNAPSHOT"));
  assert.deepEqual(rolesNow(first.state, ALICE), { send: [M1], recv: [] });
  assert.equal(play(CALL, PARTIAL + roles(CAROL, [M3])).needsSnapshot, true);
  assert.equal(play(CALL, PARTIAL + roles(ALICE, [M3])).needsSnapshot, false);
});

test("[R7865-6.10-4] one UUID for two things: the second is ignored", () => {
  const { state, warnings } = play(session() + person(ALICE, "sip:a@b") + stream(ALICE, "1"));
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ["METADATA_DUPLICATE_ID"],
  );
  assert.equal(state.streams.size, 0);
  // Ids that are no UUIDs promise nothing: "1" may be a session and a stream.
  const opaque = play('<session session_id="1"/><stream stream_id="1"/>');
  assert.equal(opaque.state.streams.size, 1);
  assert.deepEqual(opaque.warnings, []);
});

test("times that cannot be true give way to the arrival; a zone can be assumed", () => {
  const unset = play(session("<start-time>1970-01-01T00:00:12Z</start-time>"));
  assert.equal(sessionsOf(unset.state)[0]!.startedAtMs, T0);
  assert.deepEqual(
    unset.warnings.map(({ code }) => code),
    ["METADATA_IMPLAUSIBLE_TIME"],
  );
  const local = playWith(
    { zoneOffsetMinutes: 120 },
    EMPTY_METADATA_STATE,
    session("<start-time>2026-01-01T14:00:00</start-time>"),
  );
  assert.equal(sessionsOf(local.state)[0]!.startedAtMs, T0);
});

test("[R7865-6.2-5] a later group-ref moves the session", () => {
  const { state, changes } = play(
    CALL,
    `${PARTIAL}<group group_id="${id(90)}"/>${session(`<group-ref>${id(90)}</group-ref>`)}`,
  );
  assert.equal(sessionsOf(state)[0]!.groupId, id(90));
  assert.deepEqual(
    changes.map(({ kind }) => kind),
    ["groupOpened", "sessionChanged"],
  );
});

test("[R7865-6.7-3] [R7865-6.7-1] a stream may belong to no session, then to one, then to another", () => {
  const { all } = play(
    stream(M1, "1", null),
    PARTIAL + session() + stream(M1, "1"),
    PARTIAL + session("", S2) + stream(M1, "1", S2),
  );
  assert.deepEqual(
    all.map(({ state }) => streamsOf(state)[0]!.sessionId),
    [undefined, S, S2],
  );
});

test("what is kept is bounded", () => {
  const crowd = Array.from({ length: 20 }, (_, n) => person(id(100 + n), "sip:a@b")).join("");
  const { state, warnings } = playWith({ maxObjects: 10, maxIntervals: 3 }, EMPTY_METADATA_STATE, crowd);
  assert.equal(state.participants.size, 10);
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ["METADATA_STATE_FULL"],
  );
  const comings = Array.from({ length: 10 }, (_, n): [string, number] => [
    PARTIAL +
      joins(
        ALICE,
        n % 2 === 0
          ? `<associate-time>${at(n + 1)}</associate-time>`
          : `<disassociate-time>${at(n + 1)}</disassociate-time>`,
      ),
    n + 1,
  ]);
  const busy = playWith(
    { maxIntervals: 3 },
    EMPTY_METADATA_STATE,
    session() + person(ALICE, "sip:a@b"),
    ...comings,
  );
  assert.deepEqual(intervals(busy.state, ALICE), [
    [5, 6],
    [7, 8],
    [9, 10],
  ]);
});

test("extensions are listed with their owners", () => {
  const note = '<x:n xmlns:x="urn:x">1</x:n>';
  const { state } = play(CALL.replace("</session>", `${note}</session>`) + note);
  assert.deepEqual(
    extensionsOf(state).map(({ owner, ownerId, extension }) => [owner, ownerId, extension.name]),
    [
      ["recording", undefined, "n"],
      ["session", S, "n"],
    ],
  );
});
