import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

function filesBelow(folder: string, wanted: (name: string) => boolean): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && wanted(entry.name) && !entry.parentPath.includes("node_modules"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** Requirement IDs stand in brackets at the beginning of a title: `[R7866-6.1.1-2] [R3261-8.1.1-1] …`. */
function claimedIds(): Map<string, Set<string>> {
  const byId = new Map<string, Set<string>>();
  const tests = [...filesBelow("packages", isTest), ...filesBelow("test", isTest)];
  for (const file of tests) {
    for (const [, ids = ""] of read(file).matchAll(/["'`]((?:\[(?:R\d+|V)-[^\]\s]+\]\s*)+)/g)) {
      for (const [, id = ""] of ids.matchAll(/\[([^\]]+)\]/g)) {
        byId.set(id, (byId.get(id) ?? new Set()).add(file));
      }
    }
  }
  return byId;
}

const isTest = (name: string): boolean => name.endsWith(".test.ts");

interface Row {
  readonly document: string;
  readonly id: string;
  readonly requirement: string;
  readonly status: string;
  readonly test: string;
}

function conformanceRows(): Row[] {
  return filesBelow("docs/conformance", (name) => name.endsWith(".md") && name !== "README.md").flatMap(
    (document) =>
      read(document)
        .split("\n")
        .filter((line) => /^\|\s*(R\d+|V)-/.test(line))
        .map((line) => {
          const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
          const [, id = "", , requirement = "", status = "", proof = ""] = cells;
          return { document, id, requirement, status, test: proof.replaceAll("`", "") };
        }),
  );
}

test("docs/conformance claims what a test title shows, and every title's ID has its row", () => {
  const claimed = claimedIds();
  const rows = conformanceRows();
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const row of rows) {
    if (seen.has(row.id)) problems.push(`${row.document}: ${row.id} stands twice`);
    seen.add(row.id);
    if (row.requirement === "") problems.push(`${row.document}: ${row.id} says nothing`);
    if (row.status === "no") {
      if (claimed.has(row.id))
        problems.push(`${row.document}: ${row.id} is "no", but ${[...claimed.get(row.id)!]} has it`);
    } else if (row.status === "yes" || row.status === "deviates") {
      const named = row.test.split(",").map((path) => path.trim());
      for (const path of named) {
        if (!claimed.get(row.id)?.has(path))
          problems.push(`${row.document}: ${row.id} has no test in "${path}"`);
      }
    } else problems.push(`${row.document}: ${row.id} has the status "${row.status}"`);
  }
  for (const [id, files] of claimed) if (!seen.has(id)) problems.push(`${id} of ${[...files]} has no row`);
  assert.deepEqual(problems, []);
  assert.ok(rows.length > 100, `${rows.length} rows`);
});

test("every error code of the sources has its row in docs/errors.md, and every row its source", () => {
  const documented = new Set(
    [...read("docs/errors.md").matchAll(/^\| `([A-Z][A-Z0-9_]+)`/gm)].map((match) => match[1]!),
  );
  const used = new Set<string>();
  for (const file of filesBelow("packages/server/src", (name) => name.endsWith(".ts") && !isTest(name))) {
    const text = read(file);
    if (!text.includes("PlatformError")) continue;
    for (const match of text.matchAll(/\bcode(?:: string)?\s*[=:]\s*"([A-Z][A-Z0-9_]+)"/g))
      used.add(match[1]!);
  }
  assert.ok(used.size > 10);
  assert.deepEqual([...documented].sort(), [...used].sort());
});

test("every relative link of the documents leads somewhere", () => {
  const documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].concat(
    filesBelow("docs", (name) => name.endsWith(".md")),
  );
  const dead = documents.flatMap((document) =>
    [...read(document).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)]
      .map((match) => match[1]!)
      .filter((target) => !existsSync(join(root, dirname(document), target)))
      .map((target) => `${document}: ${target}`),
  );
  assert.deepEqual(dead, []);
});

test("every dependency has its line in docs/dependencies.md, in the version that is installed", () => {
  const page = read("docs/dependencies.md");
  const manifests = [
    "package.json",
    ...readdirSync(join(root, "packages")).map((name) => `packages/${name}/package.json`),
  ];
  const problems: string[] = [];
  for (const manifest of manifests) {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read(manifest));
    for (const [name, version] of Object.entries({
      ...dependencies,
      ...devDependencies,
      ...optionalDependencies,
    })) {
      if (name.startsWith("@callfork/")) continue;
      if (!/^\d+\.\d+\.\d+/.test(String(version)))
        problems.push(`${manifest}: ${name} ${version} is not exact`);
      if (!page.includes(`| ${name} | ${version} |`)) problems.push(`${name} ${version} has no line`);
    }
  }
  assert.deepEqual(problems, []);
});

test("the lock file names no host", () => {
  assert.doesNotMatch(read("package-lock.json"), /"resolved": *"https?:/);
});
