import { spawn, spawnSync } from "node:child_process";
import { Resolver } from "node:dns/promises";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { freePort, LOCALHOST } from "./transports.ts";

const PROGRAM = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"]
  .map((folder) => join(folder, "dnsmasq"))
  .find((path) => existsSync(path));

/** Why tests against a DNS server cannot run; false when they can. */
export const NO_DNSMASQ: string | false =
  PROGRAM !== undefined && spawnSync(PROGRAM, ["--version"]).status === 0
    ? false
    : "dnsmasq is not installed";

/** dnsmasq on a free loopback port, without any server behind it. Resolves when it answers. */
export async function startDns(
  t: TestContext,
  records: readonly string[],
): Promise<{ server: string; stop(): void }> {
  if (PROGRAM === undefined) throw new Error("dnsmasq is not installed");
  const port = await freePort();
  const child = spawn(
    PROGRAM,
    [
      ...[
        "--keep-in-foreground",
        "--no-resolv",
        "--no-hosts",
        "--no-daemon",
        "--conf-file=/dev/null",
        "--user=root",
      ],
      ...[`--port=${port}`, `--listen-address=${LOCALHOST}`, "--bind-interfaces", "--pid-file="],
      ...["--local=/test/", "--host-record=ready.test,127.0.0.1", ...records],
    ],
    { stdio: "ignore" },
  );
  const stop = (): void => void child.kill("SIGKILL");
  t.after(stop);
  const server = `${LOCALHOST}:${port}`;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`dnsmasq ended with ${child.exitCode}`);
    const resolver = new Resolver({ timeout: 200, tries: 1 });
    resolver.setServers([server]);
    if (
      await resolver.resolve4("ready.test").then(
        () => true,
        () => false,
      )
    )
      return { server, stop };
    await new Promise((resolve) => setImmediate(resolve));
  }
}
