import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PATIENCE_MS, until, within } from "./waiting.ts";

export interface ChildOptions {
  readonly cwd: string;
  /** Everything it prints goes here too. */
  readonly logFile?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it is told things by `type`. */
  readonly input?: boolean;
}

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of ours that prints text; it never outlives the tests. */
export class Child {
  readonly ended: Promise<ChildEnd>;
  readonly #process: ChildProcess;
  readonly #name: string;
  #stdout = "";
  #stderr = "";
  #end: ChildEnd | undefined;

  constructor(program: string, args: readonly string[], options: ChildOptions) {
    this.#name = `${program} ${args.join(" ")}`;
    const { cwd, logFile, env, input = false } = options;
    this.#process = spawn(program, args, {
      cwd,
      stdio: [input ? "pipe" : "ignore", "pipe", "pipe"],
      env: { ...environment(), ...env },
    });
    this.#process.stdin?.on("error", () => {});
    const log = logFile === undefined ? undefined : createWriteStream(logFile, { flags: "a" });
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
      log?.write(text);
    });
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      log?.write(text);
    });
    this.ended = new Promise((resolve) => {
      this.#process.once("error", (error) => {
        this.#stderr += String(error);
        this.#end = { code: null, signal: null };
        resolve(this.#end);
      });
      this.#process.once("close", (code, signal) => {
        this.#end = { code, signal };
        resolve(this.#end);
      });
    });
    const killer = (): void => void this.#process.kill("SIGKILL");
    process.on("exit", killer);
    void this.ended.then(() => process.removeListener("exit", killer));
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** What it printed, once it printed that. @throws when it ends before */
  async printed(pattern: RegExp, limitMs?: number): Promise<RegExpExecArray> {
    const found = await until(
      `${this.#name} printing ${pattern}`,
      () => pattern.exec(this.#stdout) ?? (this.isOver ? "ended" : undefined),
      limitMs,
    );
    if (found === "ended") throw new Error(`${this.#name} ended: ${this.#stdout}\n${this.#stderr}`);
    return found;
  }

  /** Writes a line to its standard input. */
  type(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Ends it, politely first. */
  async stop(signal: NodeJS.Signals = "SIGTERM", limitMs = PATIENCE_MS): Promise<ChildEnd> {
    this.signal(signal);
    try {
      return await within(`${this.#name} ending by ${signal}`, this.ended, limitMs);
    } catch (error) {
      this.signal("SIGKILL");
      await this.ended;
      throw error;
    }
  }
}

/** Ours without what would configure a server. */
function environment(): NodeJS.ProcessEnv {
  // NODE_TEST_CONTEXT would make a child's own output part of the test runner's protocol.
  const isOurs = (name: string): boolean => name.startsWith("CALLFORK_") || name.startsWith("NODE_TEST");
  const kept = Object.entries(process.env).filter(([name]) => !isOurs(name));
  // Many processes run the same sources here: only the first one compiles them.
  const cache = join(tmpdir(), `callfork-tests-${process.getuid?.()}-compiled`);
  return { NODE_COMPILE_CACHE: cache, ...Object.fromEntries(kept) };
}
