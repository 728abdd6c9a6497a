#!/usr/bin/env node
// Writes the table of docs/configuration.md anew from the settings: node scripts/config-docs.mjs [--check]
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configurationTable } from "../packages/server/src/config/index.ts";

const path = join(import.meta.dirname, "..", "docs", "configuration.md");
const page = readFileSync(path, "utf8");
const [begin, end] = ["<!-- settings: made by scripts/config-docs.mjs -->\n", "<!-- /settings -->"];
const [from, to] = [page.indexOf(begin), page.indexOf(end)];
if (from < 0 || to < from) {
  console.error(`${path} has lost its markers`);
  process.exit(1);
}
const wanted = `${page.slice(0, from + begin.length)}\n${configurationTable()}\n\n${page.slice(to)}`;
if (process.argv.includes("--check")) {
  if (wanted !== page) {
    console.error("docs/configuration.md is not current: node scripts/config-docs.mjs");
    process.exit(1);
  }
} else writeFileSync(path, wanted);
