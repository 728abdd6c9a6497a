import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Child } from "../interop/support/child.ts";
import { freePort } from "../interop/support/ports.ts";
import { scratchFolder } from "../interop/support/scratch.ts";
import { CALLFORK } from "../interop/support/server.ts";

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const COMMANDS = ["serve", "record", "call", "demo", "account", "doctor"];

async function callfork(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const child = new Child(process.execPath, [CALLFORK, ...args], { cwd: scratchFolder("cli"), env });
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

/** Settings that leave the machine's usual ports alone. */
async function freeListeners(): Promise<string[]> {
  const [http, sip] = [await freePort(), await freePort()];
  return ["--http-listen", `127.0.0.1:${http}`, "--sip-listen", `udp:127.0.0.1:${sip},tcp:127.0.0.1:${sip}`];
}

describe("the command line", { concurrency: 2 }, () => {
  it("--help lists every command", async () => {
    const { code, stdout } = await callfork(["--help"]);
    assert.equal(code, 0);
    for (const command of COMMANDS) assert.match(stdout, new RegExp(`^ +${command} `, "m"));
  });

  it("--help loads neither the server nor the test phones", async () => {
    const child = new Child(process.execPath, [CALLFORK, "--help"], {
      cwd: scratchFolder("cli"),
      env: { NODE_DEBUG: "esm" },
    });
    await child.ended;
    const loaded = [...child.stderr.matchAll(/Translating TypeScript \S+\/packages\/(\S+)/g)];
    assert.deepEqual(
      loaded.map(([, path]) => path),
      ["server/src/cli/main.ts"],
    );
  });

  for (const command of COMMANDS) {
    it(`${command} --help tells its usage and does nothing`, async () => {
      const { code, stdout, stderr } = await callfork([command, "--help"]);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^usage: callfork ${command}`));
      assert.equal(stderr, "");
    });

    it(`${command} refuses a flag that nobody knows: exit code 2, and its usage`, async () => {
      const { code, stdout, stderr } = await callfork([command, "--no-such-flag", "1"]);
      assert.equal(code, 2);
      assert.equal(stdout, "");
      assert.match(stderr, /--no-such-flag/);
      assert.match(stderr, new RegExp(`usage: callfork ${command}`));
    });
  }

  it("without a command, or with one that does not exist, it says what there is: exit code 2", async () => {
    assert.equal((await callfork([])).code, 2);
    const unknown = await callfork(["dance"]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /there is no command "dance"/);
  });

  it("--version prints the version", async () => {
    assert.match((await callfork(["--version"])).stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it("every problem of a configuration is told at once, whether it came by flag or environment", async () => {
    const { code, stderr } = await callfork(
      ["serve", "--http-listen", "nowhere", "--rtp-ports", "20000-10000", "--roles", "calls,dancer"],
      { CALLFORK_MEDIA_WORKERS: "none", CALLFORK_AUTH_TOKEN: "secret" },
    );
    assert.equal(code, 2);
    for (const name of [/http-?listen/i, /rtp-?ports/i, /roles/i, /media_?-?workers/i, /auth_?-?token/i])
      assert.match(stderr, name);
    assert.doesNotMatch(stderr, /: secret|"secret"/, "and no secret is repeated");
  });

  it("an unknown variable is refused, with the name that was probably meant", async () => {
    const { code, stderr } = await callfork(["doctor"], { CALLFORK_HTTP_LISTENS: "127.0.0.1:1" });
    assert.equal(code, 2);
    assert.match(stderr, /CALLFORK_HTTP_LISTEN\b/);
  });

  it("doctor finds nothing wrong on free ports", async () => {
    const { code, stdout } = await callfork(["doctor", ...(await freeListeners())]);
    assert.equal(code, 0, stdout);
    assert.doesNotMatch(stdout, /FAIL/);
    for (const about of ["runtime", "data dir", "SIP"]) assert.match(stdout, new RegExp(about, "i"));
  });

  it("doctor says what a recorder's firewall must admit, for sessions from each edge", async () => {
    const port = await freePort();
    const edge = { name: "dublin", sip: [`tcp:127.0.0.2:${port}`], publicAddress: "198.51.100.7" };
    const env = { CALLFORK_EDGES: JSON.stringify([{ ...edge, rtpPorts: "23800-23899" }]) };
    const ports = ["--rtp-ports", "23700-23799"];
    const { code, stdout } = await callfork(["doctor", ...(await freeListeners()), ...ports], env);
    assert.equal(code, 0, stdout);
    for (const line of [
      /recorders: udp from 127\.0\.0\.1 port \d+ \(signalling\)/,
      /recorders: udp from this node ports 23700-23799 \(media\)/,
      /recorders by edge dublin: tcp from 198\.51\.100\.7 any port \(signalling\)/,
      new RegExp(`recorders by edge dublin: tcp to 198\\.51\\.100\\.7 port ${port} `),
      /recorders by edge dublin: udp from 198\.51\.100\.7 ports 23800-23899 \(media\)/,
    ]) {
      assert.match(stdout, line);
    }
  });

  it("doctor and serve name the port that somebody else has: exit code 1, without a stack", async (t) => {
    const other = createServer().listen(0, "127.0.0.1");
    t.after(() => void other.close());
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const sip = await freePort();
    const taken = ["--http-listen", `127.0.0.1:${sip}`, "--sip-listen", `tcp:127.0.0.1:${port}`];
    const doctor = await callfork(["doctor", ...taken]);
    assert.equal(doctor.code, 1);
    assert.match(doctor.stdout, new RegExp(`FAIL.*${port}`));
    const serve = await callfork(["serve", ...taken]);
    assert.equal(serve.code, 1);
    assert.match(serve.stderr, new RegExp(`callfork serve: .*${port}.*EADDRINUSE`));
    assert.doesNotMatch(serve.stderr, /\n +at /);
  });

  it("account says that there is none yet", async () => {
    const { code, stderr } = await callfork(["account", "--data-dir", join(scratchFolder("none"), "data")]);
    assert.equal(code, 1);
    assert.match(stderr, /no account in/);
  });
});
