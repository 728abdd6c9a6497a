import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ACCOUNT_SID, AUTH_TOKEN, fakeApi } from "./testing/fakes.ts";

const page = readFileSync(join(import.meta.dirname, "../../../../docs/api.md"), "utf8");
const hasCurl = spawnSync("curl", ["--version"]).status === 0;

test("docs/api.md names every route, and no route that is not there", async () => {
  const { api } = await fakeApi();
  const document = (await api.inject({ method: "GET", url: "/openapi.json" })).json() as {
    paths: Record<string, Record<string, object>>;
  };
  const routes = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((method) => method !== "head")
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  const named = [...page.matchAll(/`((?:GET|POST|DELETE) \/[^`]*)`/g)].map((match) => match[1]);
  assert.deepEqual([...new Set(named)].sort(), routes.sort());
});

test("docs/api.md names every metric", async () => {
  const { api } = await fakeApi();
  const { body } = await api.inject({ method: "GET", url: "/metrics" });
  const counted = [...body.matchAll(/^# TYPE (callfork_\w+)/gm)].map((match) => match[1]);
  const named = [...page.matchAll(/^\| `(callfork_\w+)` \|/gm)].map((match) => match[1]);
  assert.deepEqual(named.sort(), counted.sort());
});

test("the examples of docs/api.md work", { skip: hasCurl ? false : "curl is not installed" }, async () => {
  const { api, store, calls, recordings, forks } = await fakeApi();
  const folder = mkdtempSync(join(tmpdir(), "callfork-docs-"));
  try {
    const { url } = await api.listen();
    await store.createConnector(ACCOUNT_SID, { uniqueName: "myrecorder", sipUris: ["sip:r@127.0.0.1"] });
    const recording = recordings.add();
    recordings.rows[0] = {
      ...recording,
      tracks: recording.tracks.map((one) => ({ ...one, label: "inbound" })),
    };
    const [, ...blocks] = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]);
    const script = blocks
      .join("\n")
      .replace("CALL=CA…", `CALL=${calls.add().sid}`)
      .replace("RECORDING=RE…", `RECORDING=${recording.sid}`);
    const preamble = [
      "set -eu",
      `API=${url} AUTH=${ACCOUNT_SID}:${AUTH_TOKEN} ACCOUNT=${url}/2010-04-01/Accounts/${ACCOUNT_SID}`,
      'curl() { command curl --fail-with-body --silent --show-error --max-time 20 "$@"; echo; }',
    ];
    const outcome = await bash(`${preamble.join("\n")}\n${script}`, folder);
    assert.equal(outcome.status, 0, outcome.output);
    assert.equal(forks.started[0]?.parameters[0]?.value, "agent");
    assert.equal(store.siprecRows[0]?.status, "stopped");
    assert.equal(store.numberRows[0]?.voiceTwiml?.includes("<Siprec connectorName"), true);
    assert.deepEqual(store.trunkRows[0]?.allowedAddresses, ["192.0.2.0/24", "198.51.100.7"]);
    assert.deepEqual(readFileSync(join(folder, "call.wav")), recordings.audio);
  } finally {
    await api.close();
    rmSync(folder, { recursive: true });
  }
});

function bash(script: string, cwd: string): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-c", script], { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => (output += String(chunk)));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, output }));
  });
}
