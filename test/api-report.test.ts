import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");
const folder = join(root, "docs", "api-report");

/** Set it to write the reports anew: `UPDATE_API_REPORT=1 npm run check`. */
const update = process.env.UPDATE_API_REPORT === "1";

test("the public face of protocol is the one that docs/api-report shows", () => {
  const emitted = mkdtempSync(join(tmpdir(), "callfork-api-"));
  try {
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    const flags = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--removeComments"];
    const run = spawnSync(
      process.execPath,
      [
        compiler,
        "-p",
        "packages/protocol/tsconfig.json",
        ...flags,
        "--outDir",
        emitted,
        "--rootDir",
        "packages/protocol/src",
      ],
      { cwd: root, encoding: "utf8" },
    );
    assert.equal(run.status, 0, run.stdout);
    const rooms = readdirSync(emitted).filter((room) => existsSync(join(emitted, room, "index.d.ts")));
    assert.ok(rooms.length >= 8, `rooms: ${rooms}`);
    if (update) mkdirSync(folder, { recursive: true });
    for (const room of rooms) {
      const report = reportOf(join(emitted, room, "index.d.ts"), room);
      const path = join(folder, `${room}.d.ts.txt`);
      if (update) writeFileSync(path, report);
      const kept = existsSync(path) ? readFileSync(path, "utf8") : "";
      assert.equal(
        report,
        kept,
        `the face of ${room} changed: UPDATE_API_REPORT=1 npm run check, and say so in CHANGELOG.md`,
      );
    }
  } finally {
    rmSync(emitted, { recursive: true });
  }
});

/** What `index` re-exports, declaration by declaration, by name. */
function reportOf(index: string, room: string): string {
  const face = faceOf(index, room);
  return `${[...face.keys()]
    .sort()
    .map((name) => face.get(name))
    .join("\n")}\n`;
}

/** Names that a declaration file exports, its own and those of other files, with their declarations. */
function faceOf(file: string, room: string): Map<string, string> {
  const face = declarationsOf(file);
  const pattern = /export (?:type )?\{([^}]*)\} from "([^"]+)"/g;
  for (const [, names = "", from = ""] of readFileSync(file, "utf8").matchAll(pattern)) {
    const source = faceOf(resolve(dirname(file), from.replace(/\.ts$/, ".d.ts")), room);
    for (const name of names.split(",")) {
      const [, own = "", as = own] = /^\s*(?:type )?(\w+)(?: as (\w+))?\s*$/.exec(name) ?? [];
      if (own === "") continue;
      const text = source.get(own);
      assert.ok(text !== undefined, `${room}: no declaration of ${own} in ${from}`);
      face.set(as, text);
    }
  }
  return face;
}

/** Top-level statements of a declaration file by the name they declare; overloads stay together. */
function declarationsOf(file: string): Map<string, string> {
  const found = new Map<string, string>();
  let name: string | undefined;
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const start =
      /^export (?:declare )?(?:abstract )?(?:async )?(?:class|interface|type|function|const|let) (\w+)/.exec(
        line,
      );
    if (start !== null) name = start[1];
    else if (/^(import|export|declare|type|interface) /.test(line)) name = undefined;
    if (name !== undefined && line !== "")
      found.set(name, `${found.has(name) ? `${found.get(name)}\n` : ""}${line}`);
  }
  return found;
}
