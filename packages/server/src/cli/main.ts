import type { Command } from "./command.ts";

interface Entry {
  /** One line for the overview. */
  readonly summary: string;
  load(): Promise<Command>;
}

/** Loaded when asked for: the overview needs neither the server nor the test phones that `call` and `demo` come with. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  serve: {
    summary: "the platform: calls, forks, recorder and REST interface",
    load: async () => (await import("./commands/serve.ts")).serve,
  },
  record: {
    summary: "a recorder alone: takes SIPREC from SBCs, PBXs and other clients",
    load: async () => (await import("./commands/record.ts")).record,
  },
  call: {
    summary: "one test call with two speaking phones through a running server",
    load: async () => (await import("@callfork/testkit/commands")).call,
  },
  demo: {
    summary: "the whole job on real audio, checked: serve, call, fork, record, compare",
    load: async () => (await import("@callfork/testkit/commands")).demo,
  },
  account: {
    summary: "prints the first account's credentials, as curl -u wants them",
    load: async () => (await import("./commands/account.ts")).account,
  },
  doctor: {
    summary: "looks at this machine's set-up and says what is wrong",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
};

/** Runs one command line. @returns the exit code: 0, 1 when it failed, 2 when it was not understood */
export async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === "--version" || name === "-v") {
    console.log((await import("../app/index.ts")).VERSION);
    return 0;
  }
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    console.log(overview());
    return name === undefined ? 2 : 0;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    console.error(`callfork: there is no command "${name}"\n\n${overview()}`);
    return 2;
  }
  const command = await COMMANDS[name]!.load();
  if (rest.includes("--help") || rest.includes("-h")) {
    console.log(command.help);
    return 0;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    const { UsageError } = await import("./usage.ts");
    if (error instanceof UsageError) {
      console.error(`callfork ${name}: ${error.message}\n\n${command.help}`);
      return 2;
    }
    console.error(`callfork ${name}: ${error instanceof Error ? error.message : String(error)}`);
    if (process.env.CALLFORK_DEBUG !== undefined && error instanceof Error) console.error(error.stack);
    return 1;
  }
}

function overview(): string {
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(8)}${summary}`);
  return ["usage: callfork COMMAND [options]", "", ...lines, "", "callfork COMMAND --help tells more."].join(
    "\n",
  );
}
