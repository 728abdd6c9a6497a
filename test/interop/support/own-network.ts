import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { Child } from "./child.ts";
import { without } from "./programs.ts";
import { type Owner, scratchFolder } from "./scratch.ts";
import { within } from "./waiting.ts";

/** Why a network of one's own cannot be had here; false when it can. */
export function withoutOwnNetwork(): false | string {
  const missing = without("unshare", "ip");
  if (missing !== false) return missing;
  return spawnSync("unshare", ["-Urn", "true"]).status === 0
    ? false
    : "this kernel or container allows no network namespaces";
}

/** Its addresses, all on its loopback interface: none of them is loopback by number. */
const ADDRESSES = "192.0.2.1/24";

/**
 * Runs a script of test/interop in a network namespace of its own, where 192.0.2.0/24 is local: there a process can be
 * a stranger to the server without a packet leaving the machine. @returns the JSON that it printed
 */
export async function inOwnNetwork<T>(owner: Owner, script: string, limitMs: number): Promise<T> {
  const path = resolve(import.meta.dirname, "..", script);
  const setUp = `ip link set lo up && ip addr add ${ADDRESSES} dev lo && exec "$0" "$@"`;
  const child = new Child("unshare", ["-Urn", "--kill-child", "sh", "-c", setUp, process.execPath, path], {
    cwd: scratchFolder("own-network"),
  });
  owner.after(async () => {
    await child.stop("SIGKILL");
  });
  const { code } = await within(`${script} ending`, child.ended, limitMs);
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${child.stderr}\n${child.stdout}`);
  return JSON.parse(child.stdout) as T;
}
