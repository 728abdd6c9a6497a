import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { importsOf, readDoors, readSource, roomOf, sourceFiles, verdict } from "./doors.ts";

const root = join(import.meta.dirname, "..");
const doors = readDoors(readFileSync(join(root, "ARCHITECTURE.md"), "utf8"));

test("every import goes through a door that ARCHITECTURE.md opens", () => {
  const files = sourceFiles(root);
  assert.ok(files.length > 50, `only ${files.length} source files found`);
  const broken = files.flatMap((file) =>
    importsOf(file, readSource(root, file)).flatMap((found) => verdict(doors, found) ?? []),
  );
  assert.deepEqual(broken, []);
});

test("every room of the table exists and every room that exists is in the table", () => {
  const rooms = new Set(sourceFiles(root).map(roomOf));
  assert.deepEqual([...doors.keys()].sort(), [...rooms].sort());
});

test("a forbidden import is found, whatever its form", () => {
  const forbidden: [file: string, text: string, complaint: RegExp][] = [
    ["packages/protocol/src/sip/a.ts", 'import dgram from "node:dgram";', /may not import node:dgram/],
    [
      "packages/protocol/src/rtp/a.ts",
      'import { ok } from "../text/index.ts";',
      /may not use protocol\/text/,
    ],
    [
      "packages/server/src/media/a.ts",
      'import type { UserAgent } from "../signalling/index.ts";',
      /may not use server\/signalling/,
    ],
    ["packages/server/src/calls/a.ts", 'export { x } from "../media/worker.ts";', /index\.ts only/],
    [
      "packages/server/src/recording-server/a.ts",
      'await import("../recording-client/index.ts");',
      /may not use/,
    ],
    [
      "packages/server/src/calls/a.ts",
      "import {\n  a,\n  b,\n} from\n  '../api/index.ts';",
      /may not use server\/api/,
    ],
    [
      "packages/server/src/media/a.ts",
      'new Worker(new URL("../store/worker.ts", import.meta.url))',
      /may not use server\/store/,
    ],
    ["packages/testkit/src/a.ts", 'import "left-pad";', /may not import left-pad/],
    [
      "packages/protocol/src/sip/a.ts",
      'import { x } from "@callfork/server/net";',
      /may not use server\/net/,
    ],
  ];
  for (const [file, text, complaint] of forbidden) {
    const complaints = importsOf(file, text).map((found) => verdict(doors, found));
    assert.equal(complaints.length, 1, text);
    assert.match(complaints[0] ?? "allowed", complaint);
  }
});
