import { VERSION } from "../app/index.ts";
import type { Command } from "./command.ts";
import { account } from "./commands/account.ts";
import { doctor } from "./commands/doctor.ts";
import { record } from "./commands/record.ts";
import { serve } from "./commands/serve.ts";
import { UsageError } from "./usage.ts";

/** What the server itself can do; `call` and `demo` come with the test phones. */
const COMMANDS: Readonly<Record<string, () => Command | Promise<Command>>> = {
  serve: () => serve,
  record: () => record,
  call: async () => (await import("@callfork/testkit/commands")).call,
  demo: async () => (await import("@callfork/testkit/commands")).demo,
  account: () => account,
  doctor: () => doctor,
};

/** Runs one command line. @returns the exit code: 0, 1 when it failed, 2 when it was not understood */
export async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === "--version" || name === "-v") {
    console.log(VERSION);
    return 0;
  }
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    console.log(await overview());
    return name === undefined ? 2 : 0;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    console.error(`callfork: there is no command "${name}"\n\n${await overview()}`);
    return 2;
  }
  const command = await COMMANDS[name]!();
  if (rest.includes("--help") || rest.includes("-h")) {
    console.log(command.help);
    return 0;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`callfork ${name}: ${error.message}\n\n${command.help}`);
      return 2;
    }
    console.error(`callfork ${name}: ${error instanceof Error ? error.message : String(error)}`);
    if (process.env.CALLFORK_DEBUG !== undefined && error instanceof Error) console.error(error.stack);
    return 1;
  }
}

async function overview(): Promise<string> {
  const lines = ["usage: callfork COMMAND [options]", ""];
  for (const [name, load] of Object.entries(COMMANDS)) {
    lines.push(`  ${name.padEnd(8)}${(await load()).summary}`);
  }
  return [...lines, "", "callfork COMMAND --help tells more."].join("\n");
}
