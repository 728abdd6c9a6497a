import assert from "node:assert/strict";
import { test } from "node:test";
import {
  applyMetadata,
  EMPTY_METADATA,
  EMPTY_METADATA_STATE,
  type MetadataState,
  readRecordingMetadata,
  writeRecordingMetadata,
} from "@callfork/protocol/siprec";
import fc from "fast-check";
import { arbId, arbMetadata } from "./arbitrary-metadata.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test("[R6341-014] every document that can be written reads back as what was written", () => {
  fc.assert(
    fc.property(arbMetadata, (metadata) => {
      const read = readRecordingMetadata(encode(writeRecordingMetadata(metadata)));
      assert.ok(read.ok);
      assert.deepEqual(read.value.metadata, metadata);
      assert.equal(read.value.dialect, "rfc7865");
      assert.deepEqual(
        read.value.warnings.filter(({ code }) => code !== "METADATA_OPAQUE_IDS"),
        [],
      );
    }),
  );
});

test("[R7865-6.1-4] [V-13] the order of the top-level elements does not matter", () => {
  fc.assert(
    fc.property(arbMetadata, fc.infiniteStream(fc.nat()), (metadata, random) => {
      const lines = writeRecordingMetadata(metadata).trimEnd().split("\n  <");
      const [head, ...rest] = lines;
      const last = rest.pop()!.replace(/\n<\/recording>$/, "");
      const children = [...rest, last].map((line, at) => ({ line, kind: line.split(/[ >]/, 1)[0]!, at }));
      // Elements of one kind keep their order among themselves; kinds mix freely.
      const keys = children.map(() => random.next().value!);
      const kinds = new Map<string, number[]>();
      for (const [at, { kind }] of children.entries()) {
        kinds.set(kind, [...(kinds.get(kind) ?? []), keys[at]!]);
      }
      for (const list of kinds.values()) list.sort((left, right) => left - right);
      const shuffled = children
        .map((child) => ({ ...child, key: kinds.get(child.kind)!.shift()! }))
        .sort((left, right) => left.key - right.key || left.at - right.at);
      const text = `${head}\n  <${shuffled.map(({ line }) => line).join("\n  <")}\n</recording>`;
      const read = readRecordingMetadata(encode(text));
      assert.ok(read.ok);
      assert.deepEqual({ ...read.value.metadata, extensions: [] }, { ...metadata, extensions: [] });
    }),
  );
});

test("whatever documents come, the state keeps its promises and forgets nobody", () => {
  const ids = fc.sample(arbId, { numRuns: 6, seed: 1 });
  const arbOften = fc.array(arbMetadata, { minLength: 1, maxLength: 5 }).map((documents) =>
    // A handful of ids, so that documents speak of the same objects.
    documents.map((metadata) => {
      let next = 0;
      return JSON.parse(
        JSON.stringify(metadata).replace(/"[A-Za-z0-9+/]{22}=="/g, () => `"${ids[next++ % ids.length]}"`),
      ) as typeof metadata;
    }),
  );
  fc.assert(
    fc.property(arbOften, (documents) => {
      let state: MetadataState = EMPTY_METADATA_STATE;
      let nowMs = Date.UTC(2026, 0);
      for (const metadata of documents) {
        const before = state;
        const snapshot = JSON.stringify([
          ...before.participants,
          ...before.participations,
          ...before.streams,
        ]);
        state = applyMetadata(before, metadata, nowMs).state;
        const untouched = JSON.stringify([
          ...before.participants,
          ...before.participations,
          ...before.streams,
        ]);
        assert.equal(untouched, snapshot, "the old state is a value");
        for (const key of before.participants.keys()) assert.ok(state.participants.has(key));
        for (const key of before.streams.keys()) assert.ok(state.streams.has(key));
        const histories = [
          ...[...state.participations.values()].map(({ intervals }) => intervals),
          ...[...state.participants.values()].map(({ roles }) => roles),
          ...[...state.sessions.values()].map(({ recorded }) => recorded),
        ];
        for (const intervals of histories) {
          for (const [at, { fromMs, untilMs }] of intervals.entries()) {
            assert.ok(untilMs === undefined ? at === intervals.length - 1 : untilMs >= fromMs);
          }
        }
        nowMs += 1_000;
      }
    }),
  );
});

test("[R7865-5-1] applying a document a second time changes nothing more", () => {
  fc.assert(
    fc.property(arbMetadata, (metadata) => {
      // Without end times: an end that is repeated after a new beginning is another event.
      const open = JSON.parse(
        JSON.stringify(metadata, (key, value: unknown) =>
          key === "disassociateTime" || key === "stopTime" ? undefined : value,
        ),
      ) as typeof metadata;
      const nowMs = Date.UTC(2026, 0);
      const once = applyMetadata(EMPTY_METADATA_STATE, open, nowMs);
      const twice = applyMetadata(once.state, open, nowMs + 5);
      const kinds = new Set(twice.changes.map(({ kind }) => kind));
      assert.ok(![...kinds].some((kind) => /Opened|Closed|Joined|Left/.test(kind)), [...kinds].join());
    }),
  );
  assert.deepEqual(applyMetadata(EMPTY_METADATA_STATE, EMPTY_METADATA, 0).changes, []);
});
