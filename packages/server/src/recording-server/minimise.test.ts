import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { test } from "node:test";
import { recordingRecord } from "../store/testing/fixtures.ts";
import { MetadataDocuments } from "./metadata-documents.ts";
import { keepsDocuments, type MetadataPolicy, minimise } from "./minimise.ts";
import type { MetadataVersion } from "./ports.ts";

const KEEP: MetadataPolicy = {
  participants: "keep",
  extensionData: "keep",
  documents: "keep",
  pseudonymKey: createSecretKey(randomBytes(32)),
};
const RECORD = recordingRecord(1, {
  participants: [
    { participantId: "a", aor: "sip:Alice@example.com;user=phone", name: "Alice" },
    { participantId: "b", aor: "sip:alice@example.com", name: null },
    { participantId: "c", aor: "tel:+15550100", name: "Bob" },
  ],
  markers: [
    { kind: "transfer", time: 1, text: "Alice left, Carol came" },
    { kind: "dtmf", time: 2, text: "5" },
  ],
});

test("[R7866-12.4-2] pseudonyms keep who is the same, and nothing of who it is", () => {
  const hashed = minimise(RECORD, { ...KEEP, participants: "hash" });
  const aors = hashed.participants.map(({ aor }) => aor);
  assert.equal(aors[0], aors[1]);
  assert.notEqual(aors[0], aors[2]);
  for (const aor of aors) assert.match(aor, /^pseudonym:[A-Za-z0-9_-]{22}$/);
  assert.doesNotMatch(JSON.stringify(hashed), /alice|bob|carol|5550100/i);
  assert.deepEqual(hashed.markers, [
    { kind: "transfer", time: 1 },
    { kind: "dtmf", time: 2, text: "5" },
  ]);
  assert.deepEqual(
    hashed.participants.map(({ participantId }) => participantId),
    ["a", "b", "c"],
    "who speaks on which track is still told",
  );
  const other = minimise(RECORD, {
    ...KEEP,
    participants: "hash",
    pseudonymKey: createSecretKey(randomBytes(32)),
  });
  assert.notEqual(other.participants[0]?.aor, aors[0]);
});

test("[R7865-10-2] [R7866-12.4-2] what is to be dropped is not there", () => {
  const dropped = minimise(RECORD, { ...KEEP, participants: "drop", extensionData: "drop" });
  assert.doesNotMatch(JSON.stringify(dropped), /alice|bob|carol|5550100/i);
  assert.deepEqual(dropped.extensionData, {});
  assert.deepEqual(minimise(RECORD, KEEP), RECORD);
  assert.deepEqual(minimise(RECORD, undefined), RECORD);
});

test("[R7866-12.4-2] documents go with what they would tell", () => {
  assert.equal(keepsDocuments(undefined), true);
  assert.equal(keepsDocuments(KEEP), true);
  for (const wish of [{ participants: "hash" }, { extensionData: "drop" }, { documents: "drop" }] as const)
    assert.equal(keepsDocuments({ ...KEEP, ...wish }), false);
});

function documents(key: Uint8Array | undefined, areKept = true) {
  const rows: MetadataVersion[] = [];
  const store = {
    addMetadataVersion: async (version: MetadataVersion) => void rows.push(version),
    listMetadataVersions: async () => rows,
  };
  const files = { key: async () => key && createSecretKey(key) };
  return { rows, store, documents: new MetadataDocuments(store, files, areKept) };
}

const VERSION = { recordingSid: "RE1", version: 1, time: 5, carrier: "INVITE", document: "<a>Älice</a>" };

test("documents are kept as they are, sealed, or not at all", async () => {
  const plain = documents(undefined);
  await plain.documents.add(VERSION);
  assert.deepEqual(plain.rows, [VERSION]);
  const none = documents(undefined, false);
  await none.documents.add(VERSION);
  assert.deepEqual(none.rows, []);
  const sealed = documents(randomBytes(32));
  await sealed.documents.add(VERSION);
  assert.doesNotMatch(JSON.stringify(sealed.rows), /lice/);
  assert.deepEqual(await sealed.documents.list("RE1"), [VERSION]);
});

test("a sealed document that was changed, moved, or whose key is gone is refused", async () => {
  const key = randomBytes(32);
  const { rows, documents: kept } = documents(key);
  await kept.add(VERSION);
  const [row] = rows;
  const refused = { code: "RECORDING_DAMAGED" };
  rows[0] = { ...row!, version: 2 };
  await assert.rejects(kept.list("RE1"), refused);
  rows[0] = { ...row!, document: `${row!.document.slice(0, -8)}AAAAAAA=` };
  await assert.rejects(kept.list("RE1"), refused);
  const shredded = documents(undefined);
  shredded.rows.push(row!);
  await assert.rejects(shredded.documents.list("RE1"), refused);
});
