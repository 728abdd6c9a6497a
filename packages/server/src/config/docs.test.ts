import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { configurationTable } from "./docs.ts";
import { NAMED_SETTINGS } from "./settings.ts";

const page = readFileSync(join(import.meta.dirname, "../../../../docs/configuration.md"), "utf8");

test("docs/configuration.md holds the table that the settings make (node scripts/config-docs.mjs)", () => {
  assert.ok(page.includes(`\n${configurationTable()}\n`));
});

test("names are unique, and a variable is its path in capitals", () => {
  for (const key of ["path", "variable", "flag"] as const)
    assert.equal(new Set(NAMED_SETTINGS.map((one) => one[key])).size, NAMED_SETTINGS.length);
  const one = NAMED_SETTINGS.find(({ path }) => path === "webhooks.timeoutMs");
  assert.equal(one?.variable, "CALLFORK_WEBHOOKS_TIMEOUT_MS");
  assert.equal(one?.flag, "webhooks-timeout-ms");
});
