import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { Child } from "../interop/support/child.ts";
import { Owned } from "../interop/support/owned.ts";
import { without } from "../interop/support/programs.ts";
import { scratchFolder } from "../interop/support/scratch.ts";
import { CALLFORK, TestServer } from "../interop/support/server.ts";
import { assertIsVoice, wavSamples } from "../interop/support/voices.ts";

const README = readFileSync(resolve(import.meta.dirname, "../../README.md"), "utf8");

/** The shell blocks of one section. */
function shellBlocks(heading: string): string[] {
  const section = README.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
}

test("the commands of README.md fork a call and leave a WAV with both voices", {
  skip: without("bash", "curl"),
}, async (t) => {
  const own = new Owned();
  t.after(() => own.release());
  const server = await TestServer.start(own, { account: "kept" });
  const folder = scratchFolder("readme");
  const { host } = new URL(server.url);
  /** The same commands, for a server on other ports that was not installed by npm. */
  const here = (block: string): string =>
    block
      .replaceAll("npx callfork", `"${process.execPath}" "${CALLFORK}"`)
      .replaceAll("127.0.0.1:8080", host)
      .replaceAll("127.0.0.1:5060", `127.0.0.1:${server.sipPort}`)
      .replaceAll("sleep 10", "sleep 3");
  const env = { CALLFORK_DATA_DIR: server.dataDir, CALLFORK_HTTP_LISTEN: host };
  const shell = (script: string): Child =>
    new Child("bash", ["-euo", "pipefail", "-c", script], {
      cwd: folder,
      env,
      logFile: join(folder, "shell.log"),
    });

  const [second, third, ...more] = shellBlocks("Fork a call of your own");
  assert.ok(second !== undefined && third !== undefined && more.length === 0, "two blocks, one a terminal");
  const talking = shell(here(second));
  own.after(async () => {
    await talking.stop("SIGKILL");
  });
  const [, callSid = ""] = await talking.printed(/Call (CA[0-9a-f]{32}): /);

  // The reader sees the recording's SID in what the command before printed.
  const lines = here(third).replace("CA…", callSid).split("\n");
  const at = lines.findIndex((line) => line.includes("RE…/"));
  assert.ok(at > 0);
  const forking = shell(lines.slice(0, at).join("\n"));
  assert.equal((await forking.ended).code, 0, forking.stderr);
  const [, recordingSid = ""] = /"sid":"(RE[0-9a-f]{32})"/.exec(forking.stdout) ?? [];
  assert.notEqual(recordingSid, "", forking.stdout);
  const fetching = shell(lines.slice(at).join("\n").replace("RE…", recordingSid));
  assert.equal((await fetching.ended).code, 0, fetching.stderr);

  const { channels, samples } = wavSamples(readFileSync(join(folder, "call.wav")));
  assert.equal(channels, 2);
  for (const [channel, voice] of [
    [0, "alice"],
    [1, "bob"],
  ] as const) {
    const one = samples.filter((_, index) => index % 2 === channel);
    assert.ok(one.length >= 8_000, `${one.length} samples`);
    // The two streams begin and end some milliseconds apart: there one channel is silent.
    const inner = one.subarray(1_600, one.length - 1_600);
    assertIsVoice(inner, voice);
  }
});
