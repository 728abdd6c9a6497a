import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const PROGRAM = resolve(import.meta.dirname, "../../packages/server/bin/callfork.mjs");
const LIMIT_MS = 30_000;
const ACCOUNT = { sid: `AC${"0123456789abcdef".repeat(2)}`, token: "0f1e2d3c4b5a69788796a5b4c3d2e1f0" };

/** A `callfork serve` or `callfork record` in a process of its own, and its REST interface. */
export class Callfork {
  readonly #process: ChildProcess;
  readonly #url: string;
  readonly #sipPort: number;

  /** Resolves when it serves. */
  static async start(command: "serve" | "record", dataDir: string): Promise<Callfork> {
    const sipPort = await freePort();
    const settings = [
      ...["--data-dir", dataDir, "--http-listen", "127.0.0.1:0", "--rtp-address", "127.0.0.1"],
      ...["--sip-listen", `udp:127.0.0.1:${sipPort},tcp:127.0.0.1:${sipPort}`, "--log-level", "warn"],
      // Each packet leaves, and its port closes, by itself; with io_uring five wait for each other and are lost together.
      ...["--media-io", "dgram"],
    ];
    const child = spawn(process.execPath, [PROGRAM, command, ...settings], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, CALLFORK_ACCOUNT_SID: ACCOUNT.sid, CALLFORK_AUTH_TOKEN: ACCOUNT.token },
    });
    process.once("exit", () => child.kill("SIGKILL"));
    let printed = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
    const deadline = performance.now() + LIMIT_MS;
    for (;;) {
      const [, url] = /REST +(http:\S+)/.exec(printed) ?? [];
      if (url !== undefined && printed.includes("readable by you alone"))
        return new Callfork(child, url, sipPort);
      if (child.exitCode !== null || performance.now() > deadline) {
        throw new Error(`callfork ${command} does not serve:\n${printed}`);
      }
      await wait(20);
    }
  }

  private constructor(child: ChildProcess, url: string, sipPort: number) {
    this.#process = child;
    this.#url = url;
    this.#sipPort = sipPort;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get recorderUri(): string {
    return `sip:recorder@127.0.0.1:${this.#sipPort};transport=tcp`;
  }

  /** Path of the account's resources. */
  readonly account = `/2010-04-01/Accounts/${ACCOUNT.sid}`;

  /** Resolves when nothing is left of the process. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill(signal);
    await gone;
  }

  /**
   * Kills it and asks its SIP port, again and again, until the kernel has closed it.
   *
   * @returns for how many milliseconds the sockets of the dead process still took packets
   */
  async killAndProbe(): Promise<number> {
    const probe = createSocket("udp4");
    probe.on("error", () => {});
    await new Promise<void>((done) => probe.connect(this.#sipPort, "127.0.0.1", done));
    const refused = once(probe, "error").then(
      () => performance.now(),
      () => performance.now(),
    );
    const killedAt = performance.now();
    const killed = this.kill();
    const asking = setInterval(() => probe.send("\r\n\r\n"), 1);
    const closedAt = await Promise.race([refused, killed.then(() => performance.now())]);
    clearInterval(asking);
    await killed;
    probe.close();
    return closedAt - killedAt;
  }

  close(): Promise<void> {
    return this.kill();
  }

  async get<T>(path: string): Promise<T> {
    return (await (await this.#request(path)).json()) as T;
  }

  async bytes(path: string): Promise<Uint8Array> {
    return new Uint8Array(await (await this.#request(path)).arrayBuffer());
  }

  async post<T>(path: string, fields: Readonly<Record<string, string | readonly string[]>>): Promise<T> {
    const form = new URLSearchParams();
    for (const [name, values] of Object.entries(fields)) {
      for (const value of [values].flat()) form.append(name, value);
    }
    return (await (await this.#request(path, form)).json()) as T;
  }

  /** Asks until the resource is as wanted. */
  async until<T>(path: string, isSo: (resource: T) => boolean): Promise<T> {
    const deadline = performance.now() + LIMIT_MS;
    for (;;) {
      const resource = await this.get<T>(path);
      if (isSo(resource)) return resource;
      if (performance.now() > deadline) throw new Error(`${path} stays ${JSON.stringify(resource)}`);
      await wait(50);
    }
  }

  /** SID of the newest recording, once it is closed or repaired. */
  async finishedRecording(): Promise<string> {
    interface List {
      readonly recordings: readonly { readonly sid: string; readonly status: string }[];
    }
    const { recordings } = await this.until<List>(
      "/v1/Recordings",
      ({ recordings: [newest] }) => newest !== undefined && newest.status !== "in-progress",
    );
    return recordings[0]!.sid;
  }

  async #request(path: string, body?: URLSearchParams): Promise<Response> {
    const answer = await fetch(`${this.#url}${path}`, {
      headers: { authorization: `Basic ${btoa(`${ACCOUNT.sid}:${ACCOUNT.token}`)}` },
      ...(body && { method: "POST", body }),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
