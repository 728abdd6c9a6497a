import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Child } from "./child.ts";
import { freeMediaPort, freePort, isListening } from "./ports.ts";
import { type Owner, scratchFolder } from "./scratch.ts";
import { readSippTrace, type TracedMessage } from "./sipp-trace.ts";
import { voiceFolder } from "./voices.ts";
import { until } from "./waiting.ts";

const SCENARIOS = resolve(import.meta.dirname, "../scenarios");
/** SIPp gives up by itself; the test's own patience is longer. */
const TIMEOUT_SECONDS = 60;

export interface SippOptions {
  /** File in test/interop/scenarios. */
  readonly scenario: string;
  readonly transport?: "udp" | "tcp";
  /** Where it calls; without it waits to be called. */
  readonly target?: { readonly port: number; readonly user: string };
  /** Calls in all, how many a second, and how many at once. */
  readonly calls?: number;
  readonly rate?: number;
  /** What a `<pause/>` without a time waits. */
  readonly pauseMs?: number;
  /** What `[name]` stands for in the scenario. */
  readonly keys?: Readonly<Record<string, string | number>>;
  /** Local port: a free one when absent. */
  readonly port?: number;
  /** Files that the scenario plays, by name. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Echo RTP that comes to `[media_port]`. */
  readonly echo?: boolean;
}

/** One SIPp process on 127.0.0.1 that runs one scenario. */
export class Sipp {
  readonly port: number;
  readonly #child: Child;
  readonly #scenario: string;
  readonly #traceFile: string;
  readonly #errorFile: string;

  private constructor(child: Child, port: number, scenario: string, folder: string) {
    this.#child = child;
    this.port = port;
    this.#scenario = scenario;
    this.#traceFile = join(folder, "messages.log");
    this.#errorFile = join(folder, "errors.log");
  }

  /** Starts it; one that waits to be called listens when this resolves. */
  static async start(owner: Owner, options: SippOptions): Promise<Sipp> {
    const folder = scratchFolder(`sipp-${options.scenario.replace(".xml", "")}`);
    // rtp_stream takes names of files in the working directory, and no keywords.
    for (const name of ["alice.ulaw", "bob.ulaw"]) symlinkSync(join(voiceFolder(), name), join(folder, name));
    for (const [name, bytes] of Object.entries(options.files ?? {})) writeFileSync(join(folder, name), bytes);
    const port = options.port ?? (await freePort());
    const { transport = "udp", target, calls = 1 } = options;
    const media = await freeMediaPort();
    const args = [
      ...["-sf", join(SCENARIOS, options.scenario)],
      ...["-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", String(port), "-mp", String(media)],
      ...["-t", transport === "tcp" ? "t1" : "u1"],
      ...["-m", String(calls), "-r", String(options.rate ?? 100), "-l", String(calls)],
      ...["-timeout", `${TIMEOUT_SECONDS}s`, "-timeout_error", "-nostdin"],
      ...["-trace_msg", "-message_file", join(folder, "messages.log")],
      ...["-trace_err", "-error_file", join(folder, "errors.log")],
      ...(options.pauseMs === undefined ? [] : ["-d", String(options.pauseMs)]),
      ...(options.echo === true ? ["-rtp_echo"] : []),
      ...Object.entries(options.keys ?? {}).flatMap(([name, value]) => ["-key", name, String(value)]),
      ...(target === undefined ? [] : ["-s", target.user, `127.0.0.1:${target.port}`]),
    ];
    const child = new Child("sipp", args, { cwd: folder, logFile: join(folder, "screen.log") });
    owner.after(async () => {
      await child.stop("SIGKILL");
    });
    const sipp = new Sipp(child, port, options.scenario, folder);
    if (target === undefined) await sipp.#untilListening(transport);
    return sipp;
  }

  /** What it sent and received so far. */
  messages(): TracedMessage[] {
    return existsSync(this.#traceFile) ? readSippTrace(readFileSync(this.#traceFile)) : [];
  }

  /** The first message that `wanted` accepts, once it is there. */
  async message(what: string, wanted: (traced: TracedMessage) => boolean): Promise<TracedMessage> {
    return await until(`${what} at ${this.#scenario}`, () => this.messages().find(wanted));
  }

  /** Resolves when every call went as the scenario says. @throws with SIPp's complaints and the messages otherwise */
  async succeeded(): Promise<void> {
    const { code } = await this.#child.ended;
    if (code === 0) return;
    throw new Error(
      `${this.#scenario} failed (exit code ${code})\n${this.#complaints()}\n${this.#transcript()}`,
    );
  }

  async #untilListening(transport: "udp" | "tcp"): Promise<void> {
    await until(`${this.#scenario} listening`, () => this.#child.isOver || isListening(transport, this.port));
    if (this.#child.isOver) await this.succeeded();
  }

  #complaints(): string {
    const errors = existsSync(this.#errorFile) ? readFileSync(this.#errorFile, "utf8") : this.#child.stderr;
    return errors.slice(0, 4_000);
  }

  #transcript(): string {
    const text = existsSync(this.#traceFile) ? readFileSync(this.#traceFile, "utf8") : "no message at all";
    return text.length > 12_000 ? `…${text.slice(-12_000)}` : text;
  }
}
