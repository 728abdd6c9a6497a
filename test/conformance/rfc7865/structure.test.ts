import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EMPTY_METADATA,
  isUuidObjectId,
  parametersExtension,
  type RecordingMetadata,
  writeRecordingMetadata,
  writeSnapshotRequest,
} from "@callfork/protocol/siprec";
import { childElements, parseXml, textOf, type XmlElement } from "@callfork/protocol/text";
import fc from "fast-check";
import { arbMetadata } from "./arbitrary-metadata.ts";

/** The schema of RFC 7865 §9 in our own words: children in order with the most of each, attributes, content. */
const STRUCTURE: Record<
  string,
  { children: [string, number][]; attributes: [string, "id" | "text", boolean][]; open?: boolean }
> = {
  recording: {
    children: [
      ["datamode", 1],
      ["group", 99],
      ["session", 99],
      ["participant", 99],
      ["stream", 99],
      ["sessionrecordingassoc", 99],
      ["participantsessionassoc", 99],
      ["participantstreamassoc", 99],
    ],
    attributes: [],
    open: true,
  },
  datamode: { children: [], attributes: [] },
  group: {
    children: [
      ["associate-time", 1],
      ["disassociate-time", 1],
    ],
    attributes: [["group_id", "id", true]],
    open: true,
  },
  session: {
    children: [
      ["sipSessionID", 99],
      ["reason", 99],
      ["group-ref", 1],
      ["start-time", 1],
      ["stop-time", 1],
    ],
    attributes: [["session_id", "id", true]],
    open: true,
  },
  reason: {
    children: [],
    attributes: [
      ["cause", "text", true],
      ["protocol", "text", false],
    ],
  },
  participant: { children: [["nameID", 99]], attributes: [["participant_id", "id", true]], open: true },
  nameID: { children: [["name", 1]], attributes: [["aor", "text", true]] },
  name: { children: [], attributes: [["xml:lang", "text", false]] },
  stream: {
    children: [["label", 1]],
    attributes: [
      ["stream_id", "id", true],
      ["session_id", "id", false],
    ],
    open: true,
  },
  sessionrecordingassoc: {
    children: [
      ["associate-time", 1],
      ["disassociate-time", 1],
    ],
    attributes: [["session_id", "id", true]],
    open: true,
  },
  participantsessionassoc: {
    children: [
      ["associate-time", 1],
      ["disassociate-time", 1],
      ["param", 99],
    ],
    attributes: [
      ["participant_id", "id", true],
      ["session_id", "id", true],
    ],
    open: true,
  },
  param: {
    children: [],
    attributes: [
      ["pname", "text", true],
      ["pval", "text", true],
    ],
  },
  participantstreamassoc: {
    children: [
      ["send", 99],
      ["recv", 99],
      ["associate-time", 1],
      ["disassociate-time", 1],
    ],
    attributes: [["participant_id", "id", true]],
    open: true,
  },
  send: { children: [], attributes: [] },
  recv: { children: [], attributes: [] },
  "group-ref": { children: [], attributes: [] },
  sipSessionID: { children: [], attributes: [] },
  label: { children: [], attributes: [] },
  "associate-time": { children: [], attributes: [] },
  "disassociate-time": { children: [], attributes: [] },
  "start-time": { children: [], attributes: [] },
  "stop-time": { children: [], attributes: [] },
};

const NAMESPACE = "urn:ietf:params:xml:ns:recording:1";

function rootOf(text: string): XmlElement {
  const parsed = parseXml(text, { maxDepth: 16, maxElements: 10_000, maxAttributes: 16 });
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.error.message);
  return parsed.value.root;
}

function check(element: XmlElement): void {
  const rule = STRUCTURE[element.local];
  assert.ok(rule, `<${element.local}> is none of the schema's`);
  assert.equal(element.namespace, NAMESPACE);
  const names = new Set(element.attributes.map(({ name }) => name));
  for (const [name, kind, required] of rule.attributes) {
    assert.ok(names.delete(name) || !required, `${name} is missing on <${element.local}>`);
    const value = element.attributes.find((attribute) => attribute.name === name)?.value;
    if (kind === "id" && value !== undefined) assert.ok(isUuidObjectId(value), value);
  }
  assert.deepEqual([...names], [], `attributes of <${element.local}>`);
  const own = childElements(element).filter(({ namespace }) => namespace === NAMESPACE);
  const foreign = childElements(element).filter(({ namespace }) => namespace !== NAMESPACE);
  assert.deepEqual(childElements(element), [...own, ...foreign], "extensions stand last");
  assert.ok(rule.open || foreign.length === 0, `<${element.local}> takes no extension`);
  const order = rule.children.map(([name]) => name);
  const places = own.map(({ local }) => order.indexOf(local));
  assert.ok(!places.includes(-1), own.map(({ local }) => local).join());
  assert.deepEqual(
    places,
    places.toSorted((left, right) => left - right),
    "order of the schema",
  );
  for (const [name, most] of rule.children) {
    assert.ok(own.filter(({ local }) => local === name).length <= most, name);
  }
  if (element.local.endsWith("-time")) assert.match(textOf(element), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  if (element.local === "participant") assert.ok(own.length > 0, "a participant has a nameID");
  for (const child of own) check(child);
}

test("[R7865-5.1.2-1] [R7865-6.1-3] [R7865-X-2] [R7865-6.2-1] [R7865-6.2-3] [R7865-6.3-1] [R7865-6.3-3] [R7865-6.3-5] [R7865-6.4-1] [R7865-6.5-1] [R7865-6.5-3] [R7865-6.6-1] [R7865-6.6-3] [R7865-6.7-2] [R7865-6.8-1] every element written stands where the schema has it", () => {
  fc.assert(
    fc.property(arbMetadata, (metadata) => {
      const text = writeRecordingMetadata(metadata);
      assert.match(
        text,
        /^<\?xml version="1.0" encoding="UTF-8"\?>\n<recording xmlns="urn:ietf:params:xml:ns:recording:1">/,
      );
      check(rootOf(text));
    }),
  );
});

test("[R7865-6.5-7] [R7865-6.7-4] there is no role and no content type in what is written", () => {
  fc.assert(
    fc.property(arbMetadata, (metadata) => {
      assert.doesNotMatch(writeRecordingMetadata(metadata), /<[^>]*\s(role|type|content)=/);
    }),
  );
});

test("[R7865-10-3] names and extensions can be left out, and the document stays sound", () => {
  fc.assert(
    fc.property(arbMetadata, (metadata) => {
      const root = rootOf(writeRecordingMetadata(metadata, { omitNames: true, omitExtensions: true }));
      check(root);
      const all = (element: XmlElement): XmlElement[] => [element, ...childElements(element).flatMap(all)];
      assert.ok(all(root).every(({ local, namespace }) => local !== "name" && namespace === NAMESPACE));
    }),
  );
});

test("whatever the model holds, what is written is well-formed", () => {
  const anything = fc.string({ unit: "binary", maxLength: 12 });
  fc.assert(
    fc.property(anything, anything, anything, (left, middle, right) => {
      const metadata: RecordingMetadata = {
        ...EMPTY_METADATA,
        sessions: [
          {
            sessionId: left,
            sipSessionIds: [middle],
            reasons: [{ protocol: right, cause: 1, text: left }],
            groupRef: right,
            startTime: middle,
            extensions: [parametersExtension(`urn:x:${left}`, [{ name: middle, value: right }])],
          },
        ],
        participants: [
          { participantId: right, nameIds: [{ aor: left, name: middle, lang: right }], extensions: [] },
          { participantId: left, nameIds: [], extensions: [] },
        ],
      };
      rootOf(writeRecordingMetadata(metadata));
      rootOf(writeSnapshotRequest({ reason: left, lang: right }));
    }),
  );
});

test("an extension in the recording namespace is left out: the schema has no place for it", () => {
  const extensions = [parametersExtension(NAMESPACE, []), parametersExtension("urn:x", [])];
  const root = rootOf(writeRecordingMetadata({ ...EMPTY_METADATA, extensions }));
  assert.deepEqual(
    childElements(root).map(({ namespace }) => namespace),
    [NAMESPACE, "urn:x"],
  );
});
